"""inkdigits review merge: corrections of a review page back into the results."""

from pathlib import Path
from typing import Annotated

import typer

from inkdigits.cli.common import app, echo
from inkdigits.progress import say

review_app = typer.Typer(help="Corrections that people made on a review page.", no_args_is_help=True)
app.add_typer(review_app, name="review")


@review_app.command("merge")
def review_merge(
    results: Annotated[Path, typer.Argument(help="The folder that form read wrote.")],
    corrections: Annotated[list[Path], typer.Argument(help="CSV files that its review page saved.")],
) -> None:
    """Write the corrections of one or more reviewers into the results of form read, and keep who changed what."""
    from inkdigits.forms.merging import CHANGES, merge_corrections, read_corrections

    found = merge_corrections(results, read_corrections(corrections))
    for copy, _, _, field in found.disputed:
        say(f"the reviewers disagree on {field} of copy {copy}; it stays as it is until they agree")
    say(f"{found.changed} fields changed, {found.confirmed} confirmed, {found.doubtful} still doubtful")
    echo(results / CHANGES)
    if found.disputed:
        raise typer.Exit(3)

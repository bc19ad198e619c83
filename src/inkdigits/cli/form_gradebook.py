"""inkdigits form gradebook: marks of a pile into the gradebook of Moodle or Canvas."""

from pathlib import Path
from typing import Annotated

import typer

from inkdigits.cli.common import echo
from inkdigits.cli.forms import form_app
from inkdigits.errors import UsageError
from inkdigits.progress import say

NAMED = 10  # identities that are named in a message, at most


@form_app.command("gradebook")
def form_gradebook(
    results: Annotated[Path, typer.Argument(help="The folder that form read wrote.")],
    export: Annotated[Path, typer.Argument(help="The gradebook as Moodle or Canvas exported it, a CSV file.")],
    identity: Annotated[str, typer.Option("--id", help="The field with the number of the student.")],
    mark: Annotated[str, typer.Option(help="The field with the mark.")],
    item: Annotated[str, typer.Option(help="The column of the gradebook; a new one is added.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The CSV file to write.")] = Path("gradebook.csv"),
) -> None:
    """Fill a column of a gradebook with the marks that were read; doubtful ones are left out and named."""
    from inkdigits.files import write_text
    from inkdigits.forms.gradebook import fill_gradebook, sure_marks
    from inkdigits.forms.records import load_records, table_rows

    found = sure_marks(table_rows(load_records(results)), identity, mark)
    filled = fill_gradebook(export, found.marks, item)
    if out.resolve() == export.resolve():
        raise UsageError(f"--out {out} is the export itself; name another file")
    write_text(out, filled.text)
    say(f"{filled.marks} marks for {filled.system}; import {out} there")
    for names, why in ((found.left_out, "left out, as they are doubtful"), (filled.unknown, "not in the gradebook")):
        if names:
            shown = ", ".join(names[:NAMED]) + (" and more" if len(names) > NAMED else "")
            say(f"{len(names)} {why}: {shown}")
    echo(out)

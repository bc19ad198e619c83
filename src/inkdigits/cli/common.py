"""What the commands share: the application, options that many of them have, and how they print."""

import json
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from inkdigits.progress import DownloadBar, say

if TYPE_CHECKING:
    from inkdigits.data import Dataset

app = typer.Typer(
    name="inkdigits",
    help="Train, compare and use networks that read handwritten digits.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
DataOption = Annotated[str, typer.Option("--data", help="A data set's name, or a folder, .csv or .npz of your own.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")]
Validation = Annotated[
    int | None,
    typer.Option(help="Training digits set aside to choose settings by; 5,000 or a tenth by default."),
]


def emit(value: Any) -> None:
    """Print JSON."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))


def table(columns: list[str], rows: list[list[Any]]) -> None:
    """Print a table: with rules for a person, separated by tabs for a program."""
    if not sys.stdout.isatty():
        for row in [columns, *rows]:
            typer.echo("\t".join(str(cell) for cell in row))
        return
    table = Table(*columns, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*(str(cell) for cell in row))
    Console().print(table)


def load(name: str) -> "Dataset":
    """Load a data set, with a bar where it is downloaded; say what it holds."""
    from inkdigits.data import load

    with DownloadBar() as bar:
        dataset = load(name, progress=bar)
    say(f"{dataset.name}: {len(dataset.train):,} digits to learn from, {len(dataset.test):,} to test on")
    for note in dataset.notes:
        say(note)
    return dataset

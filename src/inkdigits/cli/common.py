"""What the commands share: the application, common options, and functions that print."""

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text
from typer.core import TyperGroup

from inkdigits.escape import json_text, printable
from inkdigits.plugins import use_plugins
from inkdigits.progress import DownloadBar, say

if TYPE_CHECKING:
    from inkdigits.data import Dataset


class Commands(TyperGroup):
    """Commands of one word, and of two words such as ``bulk status``, which come first."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the name of the command that the arguments begin with, the command, and the other arguments."""
        words = " ".join(args[:2])
        return super().resolve_command(ctx, [words, *args[2:]] if words in self.commands else args)


app = typer.Typer(
    cls=Commands,
    name="inkdigits",
    help="Train, compare and use networks that read handwritten digits.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
DataOption = Annotated[
    str, typer.Option("--data", help="The name of a data set, or a folder, .csv or .npz of your own.")
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")]
Validation = Annotated[
    int | None,
    typer.Option(help="Training digits held out for validation; 5,000 or a tenth by default."),
]


def _show_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"inkdigits {version('inkdigits')}")
        raise typer.Exit


@app.callback()
def global_options(
    plugin: Annotated[
        list[str] | None,
        typer.Option(
            metavar="MODULE",
            help="A module that registers models, augmentations, corruptions, data sets or layouts; may be repeated, "
            "and may stand after the command's name.",
        ),
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_show_version, help="Show the version and exit.")
    ] = False,
) -> None:
    """Take the options that every command has."""
    use_plugins(plugin or [])


def echo(text: object, nl: bool = True) -> None:
    """Print text to stdout, other control characters than tabs and line feeds escaped."""
    typer.echo(printable(text, keep="\t\n"), nl=nl)


def emit(value: Any) -> None:
    """Print JSON."""
    typer.echo(json_text(value))


def table(columns: list[str], rows: list[list[Any]]) -> None:
    """Print a table: aligned on a terminal, else separated by tabs."""
    if not sys.stdout.isatty():
        for row in [columns, *rows]:
            typer.echo("\t".join(printable(cell) for cell in row))
        return
    table = Table(*columns, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    Console().print(table)


def load(name: str) -> "Dataset":
    """Load a data set, with a bar if it is downloaded; say how many digits it has, and its notes."""
    from inkdigits.data import load

    with DownloadBar() as bar:
        dataset = load(name, progress=bar)
    say(f"{dataset.name}: {len(dataset.train):,} training digits, {len(dataset.test):,} test digits")
    for note in dataset.notes:
        say(note)
    return dataset

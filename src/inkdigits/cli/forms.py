"""inkdigits form: new, print, template."""

from pathlib import Path
from typing import Annotated

import typer

from inkdigits.cli.common import app, echo
from inkdigits.errors import UsageError
from inkdigits.progress import FileBar, say

form_app = typer.Typer(help="Forms: design them, print them, read them when they are filled.", no_args_is_help=True)
app.add_typer(form_app, name="form")

DesignFile = Annotated[Path, typer.Argument(help="The design of the form, a TOML file.")]


@form_app.command("new")
def form_new(design: Annotated[Path, typer.Argument(help="The file to write, such as exam.toml.")]) -> None:
    """Write an example of a design with comments, to be changed."""
    from inkdigits.files import write_text
    from inkdigits.forms.example import example

    if design.exists():
        raise UsageError(f"{design} is there already; name another file, or remove it")
    write_text(design, example(design.stem))
    say(f"{design}: change it, then print it with inkdigits form print {design} -o {design.with_suffix('.pdf')}")


@form_app.command("print")
def form_print(
    design: DesignFile,
    out: Annotated[Path, typer.Option("--out", "-o", help="The PDF to write.")],
    copies: Annotated[int | None, typer.Option(help="Print so many copies, each with its number.")] = None,
    roster: Annotated[
        Path | None, typer.Option(help="A CSV file of people (id, name): print a copy with name and id for each.")
    ] = None,
    font: Annotated[
        Path | None, typer.Option(help="A TrueType font for letters that are neither Latin, Greek nor Cyrillic.")
    ] = None,
) -> None:
    """Print a form as a PDF."""
    from inkdigits.forms.design import load_design
    from inkdigits.forms.people import read_people
    from inkdigits.forms.placement import place
    from inkdigits.forms.printing import Copy, numbered, one_for_each, print_form

    if copies is not None and roster is not None:
        raise UsageError("--copies and --roster exclude each other; a roster gets one copy for each person")
    if out.suffix.lower() != ".pdf":
        raise UsageError(f"-o {out} is no PDF; name a file such as {out.with_suffix('.pdf')}")
    placement = place(load_design(design))
    if placement.design.blank:
        raise UsageError(f"{design} is the template of a form that exists already; print its own blank")
    if roster is not None:
        printed = one_for_each(read_people(roster))
    else:
        printed = [Copy()] if copies is None else numbered(copies)
    with FileBar(len(printed), "printing") as bar:
        print_form(placement, printed, out, font, bar.step)
    pages = len(placement.pages) * len(printed)
    say(f"{out}: {pages:,} page{'s' if pages > 1 else ''} of the form {placement.design.name} ({placement.layout})")
    echo(out)


@form_app.command("template")
def form_template(
    blank: Annotated[Path, typer.Argument(help="A blank sheet of the form: a PDF or a picture.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The design to write, a TOML file.")],
    width: Annotated[
        float | None, typer.Option(min=20, max=1000, help="Width of a page in millimetres, where the file has none.")
    ] = None,
) -> None:
    """Make a design from a blank sheet of a form that exists already: find its boxes and propose fields."""
    from inkdigits.forms.template import read_sheets, write_template

    if out.suffix.lower() != ".toml":
        raise UsageError(f"--out {out} is no design; name a file such as {out.with_suffix('.toml')}")
    if out.exists():
        raise UsageError(f"{out} is there already; name another file, or remove it")
    made = write_template(read_sheets(blank, width), out)
    kinds = [field.kind for field in made.fields]
    counts = ", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds))
    say(f"{out}: {len(kinds)} fields ({counts}); rename and correct them, the pictures beside it show which is which")
    if made.labels:
        say(f"{made.labels} boxes with print in them were left out")
    if not made.known_size:
        say("the size of the page is not known, so its boxes are taken to be 8 mm high; --width tells it")
    for path in made.files:
        echo(path)

"""inkdigits form read, calibrate, demo: a pile of filled forms to a table."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from inkdigits.cli.common import Json, echo, emit
from inkdigits.cli.form_pile_reading import read_files
from inkdigits.cli.forms import DesignFile, form_app
from inkdigits.cli.reading import (
    CalibrationFile,
    LinesFile,
    ModelFile,
    files_of,
    seconds_of,
    share_of,
    tell_calibration,
)
from inkdigits.errors import UsageError
from inkdigits.progress import FileBar, say

if TYPE_CHECKING:
    from inkdigits.forms.decided import Results
    from inkdigits.forms.pages import Placement
    from inkdigits.forms.pile import Scanned
    from inkdigits.reader.calibration import Calibration


@form_app.command("read")
def form_read(
    design: DesignFile,
    scans: Annotated[list[Path], typer.Argument(help="PDFs, pictures or folders of them, in any order.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The folder of the results.")] = Path("results"),
    roster: Annotated[Path | None, typer.Option(help="A file with the numbers that roster fields may have.")] = None,
    min_confidence: Annotated[
        float | None, typer.Option(help="Fields of less confidence are doubtful, 0 to 1; 0.97 by default.")
    ] = None,
    model: ModelFile = None,
    lines: LinesFile = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 3 when a field is doubtful, or the pile has a problem.")
    ] = False,
    timeout: Annotated[float | None, typer.Option(help="Seconds for each page; 60 by default.")] = None,
    calibration: CalibrationFile = None,
    jobs: Annotated[int, typer.Option(min=1, max=256, help="Pages that are read at the same time.")] = 1,
    as_json: Json = False,
) -> None:
    """Read filled forms: a table, the doubtful fields, and the pages with what was read drawn on them."""
    from inkdigits.forms.decisions import THRESHOLD
    from inkdigits.reader.calibration import load_calibration

    if calibration is not None and min_confidence is not None:
        raise UsageError("the calibration states the confidence; leave --min-confidence out")
    proven = None if calibration is None else load_calibration(calibration)
    threshold = THRESHOLD if min_confidence is None else min_confidence
    threshold = threshold if proven is None else proven.threshold
    if not 0 <= threshold <= 1:
        raise UsageError(f"--min-confidence is 0 to 1, not {threshold:g}")
    numbers = partial(_roster, roster=roster)
    results, failed = read_pile(design, scans, out, numbers, threshold, model, lines, timeout, as_json, jobs)
    if proven is not None and calibration is not None:
        _tell_bound(results, proven, calibration)
    if failed:
        raise typer.Exit(1)
    if strict and results.problems:
        raise typer.Exit(3)


def _tell_bound(results: "Results", proven: "Calibration", path: Path) -> None:
    """Say how many fields were accepted, and what share of those may be wrong."""
    from inkdigits.forms.calibrating import FORMS, TEXT, confidence_of

    fields = [one for one in results.fields if one.kind != TEXT]
    for model in {one.scanned.read.model for one in fields}:
        proven.require(FORMS, model, None, path)
    confidences = [confidence_of(one.reasons, one.confidence) for one in fields]
    tell_calibration(proven, path, confidences, sum(not one.doubtful for one in fields))


def read_pile(
    design: Path,
    scans: list[Path],
    out: Path,
    roster: Callable[["Placement", Path], tuple[str, ...]],
    threshold: float,
    model: Path | None = None,
    lines: Path | None = None,
    timeout: float | None = None,
    as_json: bool = False,
    jobs: int = 1,
) -> tuple["Results", bool]:
    """Read a pile, write the folder of its results and name its tables; return whether something was not read."""
    from inkdigits.forms.blanks import load_blanks
    from inkdigits.forms.decided import decide_pile
    from inkdigits.forms.design import load_design
    from inkdigits.forms.files import file_reader
    from inkdigits.forms.pile import OTHER_FORM, UNREADABLE, sort_pile
    from inkdigits.forms.placement import place
    from inkdigits.forms.results import require_results_folder, write_results
    from inkdigits.reader.isolated import MEMORY, PAGE_SECONDS

    placement = place(load_design(design))
    numbers = roster(placement, design)
    require_results_folder(out)
    files = files_of(scans)
    setup = partial(file_reader, placement, numbers, model, lines, design.parent)
    if placement.design.blank:
        load_blanks(placement, design.parent)  # what is wrong with the blank is said once
    read = read_files(setup, files, MEMORY, seconds_of(timeout, PAGE_SECONDS), jobs)
    pages, problems = read.pages, read.problems
    results = decide_pile(placement, sort_pile(placement, pages), problems, threshold)
    written = write_results(results, out)
    _tell(results, files, pages, out, as_json)
    if not as_json:
        for path in written:
            echo(path)
    return results, not pages or any(one.kind in (UNREADABLE, OTHER_FORM) for one in results.problems)


def _roster(placement: "Placement", design: Path, roster: Path | None = None) -> tuple[str, ...]:
    """Return the numbers of the roster that the form needs, of the option or of the file that the design names."""
    from inkdigits.forms.fields import Roster
    from inkdigits.reader.roster import read_roster

    fields = [field.field for field in placement.fields if isinstance(field.field, Roster)]
    if not fields:
        if roster is not None:
            raise UsageError(f"{design} has no field of the kind roster; leave --roster out")
        return ()
    named = next((field.file for field in fields if field.file is not None), None)
    path = roster if roster is not None else None if named is None else design.parent / named
    if path is None:
        raise UsageError(f"{design} has a field of the kind roster; name the list with --roster")
    numbers = read_roster(path)
    lengths = {field.length for field in fields}
    wrong = [number for number in numbers if len(number) not in lengths]
    if wrong:
        raise UsageError(
            f"the roster {path} has {wrong[0]} with {len(wrong[0])} digits, and the form has boxes for "
            f"{' or '.join(map(str, sorted(lengths)))}; correct one of them"
        )
    return numbers


def _tell(results: "Results", files: list[Path], pages: list["Scanned"], out: Path, as_json: bool) -> None:
    """Say how much was read, and what is to be looked at."""
    from inkdigits.forms.pile import BLANK, DOUBTFUL

    fields = results.fields
    doubtful = sum(one.doubtful for one in fields)
    for one in results.problems:
        if one.kind not in (BLANK, DOUBTFUL) and not (one.source and one.copy is None):
            say(f"{one.source + ': ' if one.source else ''}{one.message}")
    say(
        f"{len(pages)} pages of {len(files)} files: {len(results.rows)} copies, {len(fields)} fields, "
        f"{doubtful} of them to be looked at, see {out / 'problems.csv'}"
    )
    if as_json:
        emit(
            {
                "pages": len(pages),
                "copies": len(results.rows),
                "fields": len(fields),
                "doubtful": doubtful,
                "problems": [vars(one) for one in results.problems],
                "out": str(out),
            }
        )


@form_app.command("demo")
def form_demo(
    folder: Annotated[Path, typer.Argument(help="The folder to write.")] = Path("form-demo"),
    copies: Annotated[int, typer.Option(help="Number of filled sheets.")] = 30,
    seed: Annotated[int, typer.Option(min=0, help="Another number makes another pile.")] = 0,
    read: Annotated[bool, typer.Option("--read/--no-read", help="Also read the pile; on by default.")] = True,
) -> None:
    """Make a pile of filled exams, as scanned and photographed, and read it."""
    from inkdigits.cli.form_demo import write_demo
    from inkdigits.forms.decisions import THRESHOLD

    with FileBar(copies, "filling") as bar:
        scans = write_demo(folder, copies, seed, bar.step)
    say(f"{folder}: the form exam.toml, its print exam.pdf, the class class.csv, the truth truth.json")
    if not read:
        echo(scans)
        return
    say(f"inkdigits form read {folder / 'exam.toml'} {scans} --out {folder / 'results'}")
    read_pile(folder / "exam.toml", [scans], folder / "results", lambda *_: (), THRESHOLD)


@form_app.command("calibrate")
def form_calibrate(
    results: Annotated[Path, typer.Argument(help="The folder that form read wrote.")],
    truth: Annotated[Path, typer.Argument(help="A CSV file as table.csv, in which every value is right.")],
    max_error: Annotated[str, typer.Option(help="Share of the accepted fields that may be wrong, such as 0.5%.")],
    certainty: Annotated[str, typer.Option(help="Probability with which the bound holds.")] = "95%",
    out: Annotated[Path, typer.Option("--out", "-o", help="The file to write.")] = Path("calibration.json"),
) -> None:
    """Find the confidence from which at most a given share of the fields is wrong, for form read --calibration."""
    from inkdigits.forms.calibrating import calibrate_forms
    from inkdigits.forms.records import load_records

    risk, certain = share_of(max_error, "--max-error"), share_of(certainty, "--certainty")
    found = calibrate_forms(load_records(results), truth, risk, certain)
    found.save(out)
    say(
        f"fields of confidence {found.threshold:.4f} and more: at most {100 * risk:g} % wrong, with "
        f"{100 * certain:g} % certainty"
    )
    say(f"accepted here: {found.accepted} of {found.numbers}, {found.wrong} of them wrong")
    echo(out)

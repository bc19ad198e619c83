"""inkdigits calibrate: a threshold of confidence that is proven on a user's own pages or crops; no PyTorch."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from inkdigits.cli.common import Json, app, echo, emit
from inkdigits.cli.reading import LinesFile, ModelFile, share_of
from inkdigits.errors import DataError, UsageError
from inkdigits.plugins import load_plugins
from inkdigits.progress import FileBar, say

if TYPE_CHECKING:
    from inkdigits.reader.calibration import Calibration, Judged
    from inkdigits.reader.page_labels import PageLabels
    from inkdigits.reader.reader import Reader
    from inkdigits.reader.settings import Settings


@app.command("calibrate")
def calibrate_command(
    folder: Annotated[Path, typer.Argument(help="A folder of pages with labels.json or labels.csv.")],
    max_error: Annotated[str, typer.Option(help="Share of the accepted numbers that may be wrong, such as 1%.")],
    certainty: Annotated[str, typer.Option(help="Probability with which the bound holds.")] = "95%",
    crops: Annotated[bool, typer.Option("--crops", help="The pictures hold one digit each, as predict reads.")] = False,
    labels: Annotated[
        Path | None, typer.Option(help="The labels: .json, .csv, or the CSV that a review page saved.")
    ] = None,
    layout: Annotated[str, typer.Option(help="As for read.")] = "auto",
    length: Annotated[int | None, typer.Option(help="As for read.")] = None,
    check: Annotated[str | None, typer.Option(help="As for read.")] = None,
    roster: Annotated[Path | None, typer.Option(help="As for read.")] = None,
    min_confidence: Annotated[float, typer.Option(help="As for read.")] = 0.0,
    turn: Annotated[bool, typer.Option("--turn/--no-turn", help="As for read.")] = True,
    model: ModelFile = None,
    lines: LinesFile = None,
    out: Annotated[Path, typer.Option(help="The file to write.")] = Path("calibration.json"),
    as_json: Json = False,
) -> None:
    """Find the confidence from which at most a given share of the numbers is wrong, with a proof for pages like these.

    Use the result with read --calibration and predict --calibration.
    """
    from inkdigits.reader import Settings
    from inkdigits.reader.page_labels import find_labels, read_labels
    from inkdigits.reader.roster import read_roster

    risk, certain = share_of(max_error, "--max-error"), share_of(certainty, "--certainty")
    if out.is_dir():
        raise UsageError(f"--out {out} is a folder; name a file, such as {out / 'calibration.json'}")
    load_plugins()
    known = read_labels(labels or find_labels(folder), folder)
    if crops:
        found = _calibrated_crops(known, model, risk, certain)
    else:
        numbers = () if roster is None else read_roster(roster)
        settings = Settings(layout, length, check, numbers, min_confidence, turn)
        found = _calibrated_pages(known, model, lines, settings, risk, certain)
    found.save(out)
    if as_json:
        emit({name: value for name, value in vars(found).items() if name != "quantiles"} | {"coverage": found.coverage})
    else:
        echo(_summary(found, out))


def _calibrated_pages(
    labels: "PageLabels", model: Path | None, lines: Path | None, settings: "Settings", risk: float, certainty: float
) -> "Calibration":
    from inkdigits.reader import Reader
    from inkdigits.reader.calibration import PAGES, calibrate

    reader = Reader(model, lines=lines)
    if labels.corrections:
        say("digits that the review did not show count as right")
    return calibrate(_judged_pages(reader, labels, settings), PAGES, reader.name, settings, risk, certainty)


def _judged_pages(reader: "Reader", labels: "PageLabels", settings: "Settings") -> list["Judged"]:
    """Read the labelled pages; a file that cannot be read is named, and its numbers count as lost."""
    from inkdigits.reader.calibration import Judged, judge

    judged = []
    with FileBar(len(labels.files)) as bar:
        for path in labels.files:
            try:
                judged += [judge(page, labels.of(path, page)) for page in reader.read_pages(path, **vars(settings))]
            except DataError as error:
                say(f"inkdigits: {error}")
                judged.append(Judged((), len(labels.numbers.get(path, ()))))
            bar.step()
    return judged


def _calibrated_crops(labels: "PageLabels", model: Path | None, risk: float, certainty: float) -> "Calibration":
    from inkdigits.imaging.files import read_pixels
    from inkdigits.reader import Recognizer
    from inkdigits.reader.calibration import CROPS, Judged, calibrate

    recognizer = Recognizer(model)
    judged = []
    for path, written in labels.numbers.items():
        if len(written) != 1 or len(written[0]) != 1 or written[0] not in "0123456789":
            raise DataError(f"{path} is labelled {' '.join(written)!r}; a crop holds one digit, leave --crops out")
        (found,) = recognizer.read_crops([read_pixels(path)])
        confidence = 0.0 if found.digit is None else found.confidence
        judged.append(Judged(((confidence, str(found.digit) != written[0]),)))
    return calibrate(judged, CROPS, recognizer.name, None, risk, certainty)


def _summary(found: "Calibration", out: Path) -> str:
    lost = f", {found.lost} more lost without a trace" if found.lost else ""
    return (
        f"numbers of confidence {found.threshold:.4f} and more: at most {100 * found.max_error:g} % wrong, with "
        f"{100 * found.certainty:g} % certainty, on {found.kind} like these {found.pages}\n"
        f"accepted here: {found.accepted} of {found.numbers} ({100 * found.coverage:.1f} %), {found.wrong} of them "
        f"wrong{lost}\ncalibration: {out}"
    )

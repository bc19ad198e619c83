"""inkdigits predict and read: digits on images of one digit each, and on pages; no PyTorch."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inkdigits.cli.common import app, echo, emit
from inkdigits.errors import DataError, UsageError
from inkdigits.escape import csv_table, printable
from inkdigits.files import atomic_path, write_text
from inkdigits.plugins import load_plugins
from inkdigits.progress import FileBar, say

if TYPE_CHECKING:
    from inkdigits.reader import Reader, Reading, Recognizer, Settings
    from inkdigits.reader.calibration import Calibration
    from inkdigits.reader.recognizer import Prediction

PREDICT_FORMATS = ("text", "json", "csv")
READ_FORMATS = (*PREDICT_FORMATS, "csv-digits")

ModelFile = Annotated[Path | None, typer.Option(help="An .onnx file of inkdigits export. Default: the bundled model.")]


LinesFile = Annotated[Path | None, typer.Option(help="An .onnx file of a line reader. Default: the bundled one.")]
CalibrationFile = Annotated[
    Path | None, typer.Option("--calibration", help="A file of inkdigits calibrate: accept what it proves.")
]


@app.command("predict")
def predict_command(
    images: Annotated[
        list[Path], typer.Argument(help="Images of one digit each, folders of them, or CSV files of 784 pixels a row.")
    ],
    model: ModelFile = None,
    form: Annotated[str, typer.Option("--format", help="text, json or csv.")] = "text",
    calibration: CalibrationFile = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 3 when an image was refused.")] = False,
) -> None:
    """Read images of one digit each, with a calibrated confidence; refuse images of no digit."""
    from inkdigits.reader import Recognizer
    from inkdigits.reader.calibration import CROPS, load_calibration

    _known_format(form, PREDICT_FORMATS)
    load_plugins()
    recognizer = Recognizer(model)
    proven = None if calibration is None else load_calibration(calibration)
    if proven is not None and calibration is not None:
        proven.require(CROPS, recognizer.name, None, calibration)
    rows, confidences, failed = [], [], False
    for source, prediction in _predictions(recognizer, images):
        if prediction is None:
            failed = True
            continue
        if proven is not None:
            confidences.append(0.0 if prediction.digit is None else prediction.confidence)
            prediction = prediction.accepted_from(proven.threshold)
        rows.append({"source": source, **prediction.to_dict()})
        if form == "text":
            echo(_line(rows[-1]))
    if proven is not None:
        accepted = sum(row["reject"] is None for row in rows)
        _tell_calibration(proven, calibration, confidences, accepted)
    if form == "json":
        emit(rows)
    elif form == "csv":
        echo(_csv(rows), nl=False)
    if failed or not rows:
        raise typer.Exit(1)
    if strict and any(row["reject"] for row in rows):
        raise typer.Exit(3)


def _predictions(recognizer: "Recognizer", paths: list[Path]) -> Iterator[tuple[str, "Prediction | None"]]:
    """Yield the source and the prediction of each image and each row of a CSV file, None where it cannot be read."""
    for path in paths:
        if path.suffix.lower() == ".csv" and not path.is_dir():
            yield from _predictions_of_csv(recognizer, path)
            continue
        for file, pixels in _pictures([path]):
            prediction = None
            if pixels is not None:
                try:
                    (prediction,) = recognizer.read_crops([pixels])
                except DataError as error:
                    say(f"inkdigits: {file}: {error}")
            yield str(file), prediction


def _predictions_of_csv(recognizer: "Recognizer", path: Path) -> Iterator[tuple[str, "Prediction | None"]]:
    """Yield the predictions for the rows of a CSV file, as FILE#1, FILE#2 and so on."""
    from inkdigits.data.own import read_csv_images

    try:
        digits = read_csv_images(path)
    except DataError as error:
        say(f"inkdigits: {error}")
        yield str(path), None
        return
    for number, prediction in enumerate(recognizer.predict(digits), 1):
        yield f"{path}#{number}", prediction


Review = Annotated[Path | None, typer.Option(help="Write an HTML page of the doubtful digits.")]
Annotate = Annotated[
    Path | None, typer.Option(help="Draw the reading on the pages: a .png for one page, a folder for several.")
]


@app.command("read")
def read_command(
    sources: Annotated[list[Path], typer.Argument(help="Images, PDFs or TIFFs of pages, or folders of them.")],
    layout: Annotated[
        str, typer.Option(help="auto, line (handwriting), boxes (a form's), or another registered layout.")
    ] = "auto",
    length: Annotated[int | None, typer.Option(help="Number of digits of each number.")] = None,
    check: Annotated[str | None, typer.Option(help="luhn, mod97 or isbn, which each number satisfies.")] = None,
    roster: Annotated[Path | None, typer.Option(help="A file with the possible numbers.")] = None,
    min_confidence: Annotated[float, typer.Option(help="Reject digits of less confidence, 0 to 1.")] = 0.0,
    max_error: Annotated[
        str | None,
        typer.Option(help="Accept numbers so that this share of them is wrong on made pages, such as 0.5%."),
    ] = None,
    calibration: CalibrationFile = None,
    turn: Annotated[bool, typer.Option("--turn/--no-turn", help="Also try a page turned by quarters.")] = True,
    form: Annotated[
        str, typer.Option("--format", help="text, json, csv (a row for each number) or csv-digits.")
    ] = "text",
    annotate: Annotate = None,
    review: Review = None,
    model: ModelFile = None,
    lines: LinesFile = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 3 when a digit was rejected, or a number is not accepted.")
    ] = False,
) -> None:
    """Read the numbers on pages: photos, scans, forms with boxes, drawings."""
    from inkdigits.reader import Reader, Settings
    from inkdigits.reader.roster import read_roster

    _known_format(form, READ_FORMATS)
    load_plugins()  # the reader takes the layouts that are registered when it is made
    reader = Reader(model, lines=lines)
    numbers = () if roster is None else read_roster(roster)
    settings = Settings(layout, length, check, numbers, min_confidence, turn)
    bound = _bound(reader.name, settings, max_error, calibration)
    if bound is not None:
        settings = replace(settings, doubtful_below=bound.threshold)
    if annotate is not None and annotate.suffix.lower() != ".png" and annotate.exists() and not annotate.is_dir():
        raise UsageError(f"--annotate {annotate} is neither a .png nor a folder")
    files = _files(sources)
    output = PageOutput(form, annotate, review, several=len(files) > 1, bound=bound)
    failed = _read_files(reader, settings, files, output)
    output.finish()
    if failed or not files:
        raise typer.Exit(1)
    if strict and output.rejected:
        raise typer.Exit(3)


@dataclass(frozen=True)
class Bound:
    """From which confidence a number is accepted, and the calibration that proves it, if one does."""

    threshold: float
    calibration: "Calibration | None" = None
    path: Path | None = None


def _bound(model: str, settings: "Settings", max_error: str | None, calibration: Path | None) -> Bound | None:
    """Return the bound that the options ask for."""
    from inkdigits.reader.calibration import PAGES, load_calibration
    from inkdigits.reader.confidence import confidence_for

    if calibration is not None:
        if max_error is not None:
            raise UsageError("the calibration states its share of errors; leave --max-error out")
        proven = load_calibration(calibration)
        proven.require(PAGES, model, settings, calibration)
        return Bound(proven.threshold, proven, calibration)
    if max_error is None:
        return None
    confidence, coverage = confidence_for(share_of(max_error, "--max-error"), model)
    say(
        f"numbers under {confidence:.4f} are doubtful: on made pages of held-out digits, {100 * coverage:.1f} % were "
        f"accepted, {max_error} of them wrong; this proves nothing for your pages, inkdigits calibrate does"
    )
    return Bound(confidence)


def _tell_calibration(proven: "Calibration", path: Path | None, confidences: list[float], accepted: int) -> None:
    """Print what a calibration promises, and warn where the numbers are unlike those it was made on."""
    say(
        f"{path}: {accepted} of {len(confidences)} accepted; at most {100 * proven.max_error:g} % of those are wrong, "
        f"with {100 * proven.certainty:g} % certainty, if these {proven.kind} are like those of the calibration"
    )
    p_value = proven.unlike(confidences)
    if p_value is not None:
        say(
            f"warning: the confidences are unlike those of {path} (Kolmogorov-Smirnov test, p = {p_value:.1g}); "
            f"the bound may not hold, calibrate on {proven.kind} like these"
        )


def _read_files(reader: "Reader", settings: "Settings", files: list[Path], output: "PageOutput") -> bool:
    """Read files to ``output``; return whether one could not be read."""
    failed = False
    with FileBar(len(files)) as bar:
        for path in files:
            try:
                for reading in reader.read_pages(path, **vars(settings)):
                    output.add(path, reading)
            except DataError as error:
                say(f"inkdigits: {error}")
                failed = True
            bar.step()
    return failed


@dataclass
class PageOutput:
    """Where readings go: text as they come; JSON, CSV and the review page at the end; pictures beside them.

    Attributes
    ----------
    form
        One of READ_FORMATS.
    annotate, review
        The picture or folder, and the HTML page, where they are asked for.
    several
        Whether several files are read, whose names must be told apart.
    bound
        From which confidence a number is accepted, where that was asked for.
    rejected
        Whether a digit, blank boxes apart, was rejected, or a number was not accepted.
    """

    form: str
    annotate: Path | None
    review: Path | None
    several: bool
    bound: Bound | None = None
    rejected: bool = False
    confidences: list[float] = field(default_factory=list)
    accepted: int = 0
    readings: list[dict[str, Any]] = field(default_factory=list)
    rows: list[list[Any]] = field(default_factory=list)
    doubtful: list[dict[str, object]] = field(default_factory=list)

    def add(self, path: Path, reading: "Reading") -> None:
        """Take the reading of one page."""
        from inkdigits.reader.review import doubtful
        from inkdigits.reader.tables import digit_rows, number_rows

        if self.form == "json":
            self.readings.append(reading.to_dict())
        elif self.form in ("csv", "csv-digits"):
            self.rows += number_rows(reading) if self.form == "csv" else digit_rows(reading)
        written = [line for line in reading.lines if not line.is_blank]
        self.confidences += [line.confidence for line in written]
        self.accepted += sum(not line.is_doubtful for line in written)
        self.rejected |= any(digit.reject not in (None, "blank") for digit in reading.digits)
        self.rejected |= self.bound is not None and any(line.is_doubtful for line in written)
        if self.form == "text":
            echo(_page_text(reading, self.several, marked=self.bound is not None), nl=False)
        for warning in reading.warnings:
            say(f"{path}{f' page {reading.page + 1}' if reading.page else ''}: {warning}")
        if self.annotate is not None:
            _annotate(reading, self.annotate, self.several)
        if self.review is not None:
            self.doubtful += doubtful(reading)

    def finish(self) -> None:
        """Print or write what needs all readings."""
        from inkdigits.reader.review import review_page
        from inkdigits.reader.tables import DIGIT_COLUMNS, NUMBER_COLUMNS

        if self.form == "json":
            emit(self.readings)
        elif self.form in ("csv", "csv-digits"):
            columns = NUMBER_COLUMNS if self.form == "csv" else DIGIT_COLUMNS
            echo(csv_table(columns, self.rows), nl=False)
        if self.bound is not None and self.bound.calibration is not None:
            _tell_calibration(self.bound.calibration, self.bound.path, self.confidences, self.accepted)
        if self.review is not None:
            write_text(self.review, review_page(self.doubtful))
            say(f"doubtful digits: {self.review}")


def _pictures(paths: list[Path]) -> Iterator[tuple[Path, Any]]:
    """Yield the path and pixels of each image, None where it cannot be read; other files in folders are skipped."""
    from inkdigits.imaging.files import IMAGE_SUFFIXES, find_pictures, read_pixels

    for path in paths:
        found = skipped = 0
        for file in find_pictures([path]):
            if path.is_dir() and file.suffix.lower() not in IMAGE_SUFFIXES:
                skipped += 1
                continue
            found += 1
            try:
                yield file, read_pixels(file)
            except DataError as error:
                say(f"inkdigits: {error}")
                yield file, None
        if skipped:
            say(f"{path}: {skipped} file{'s' if skipped > 1 else ''} skipped, without the suffix of an image")
        if path.is_dir() and not found:
            say(f"inkdigits: {path} holds no images")


def _line(row: dict[str, Any]) -> str:
    if row["digit"] is None:
        guess = "".join(f", {digit}? {100 * share:.1f} %" for digit, share in row["alternatives"][:2])
        return f"{printable(row['source'])}\t?\t{row['reject']}{guess}"
    rival = "".join(f", {digit}? {100 * share:.1f} %" for digit, share in row["alternatives"][:1])
    return f"{printable(row['source'])}\t{row['digit']}\t{100 * row['confidence']:.2f} %{rival}"


def _csv(rows: list[dict[str, Any]]) -> str:
    out = []
    for row in rows:
        second = row["alternatives"][0] if row["digit"] is not None and row["alternatives"] else ["", ""]
        digit = "" if row["digit"] is None else row["digit"]
        out.append([row["source"], digit, row["confidence"], row["reject"] or "", *second])
    return csv_table(("source", "digit", "confidence", "reject", "second", "second_confidence"), out)


def _known_format(form: str, formats: tuple[str, ...]) -> None:
    if form not in formats:
        raise UsageError(f"--format is {', '.join(formats[:-1])} or {formats[-1]}, not {form!r}")


def share_of(text: str, option: str) -> float:
    """Return the share in [0, 1] of an option's text, such as ``0.1%`` or ``0.001``."""
    try:
        value = float(text.removesuffix("%").strip()) / (100 if text.endswith("%") else 1)
    except ValueError:
        raise UsageError(f"{option} is a share such as 0.1%, not {text!r}") from None
    if not 0 < value < 1:
        raise UsageError(f"{option} must be above 0 and below 100%, not {text}")
    return value


def _files(sources: list[Path]) -> list[Path]:
    """Return the named files, and the pages in named folders; print what is skipped."""
    from inkdigits.imaging.files import PAGE_SUFFIXES, find_pictures

    found: list[Path] = []
    for source in sources:
        below = list(find_pictures([source]))
        kept = [path for path in below if path == source or path.suffix.lower() in PAGE_SUFFIXES]
        if len(kept) < len(below):
            skipped = len(below) - len(kept)
            say(f"{source}: {skipped} file{'s' if skipped > 1 else ''} skipped, without the suffix of an image")
        if not kept:
            say(f"inkdigits: {source} holds no images")
        found += kept
    return found


def _page_text(reading: "Reading", many: bool, marked: bool) -> str:
    """Return the numbers of a page, a line each; ``marked`` adds ``doubtful`` behind those that are not accepted."""
    where = (
        f"{printable(reading.source)}{f' page {reading.page + 1}' if reading.page else ''}\t"
        if many or reading.page
        else ""
    )
    return "".join(
        f"{where}{line.text}{chr(9) + 'doubtful' if marked and line.is_doubtful else ''}\n" for line in reading.lines
    )


def _annotate(reading: "Reading", target: Path, many: bool) -> None:
    name = Path(reading.source).stem + (f"-{reading.page + 1}" if reading.page else "") + ".png"
    one = target.suffix.lower() == ".png" and not many
    path = target if one and not reading.page else (target.with_suffix("") if one else target) / name
    with atomic_path(path) as temporary:
        reading.annotated().save(temporary, "PNG")

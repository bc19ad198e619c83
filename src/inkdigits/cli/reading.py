"""inkdigits predict and read: digits on images of one digit each, and on pages; no PyTorch."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inkdigits.cli.annotating import AnnotatedPages
from inkdigits.cli.common import app, echo, emit
from inkdigits.errors import DataError, TimeLimitError, UsageError, WorkerError
from inkdigits.escape import csv_table, printable
from inkdigits.files import write_text
from inkdigits.isolation import ReplacedWorker
from inkdigits.plugins import load_plugins
from inkdigits.progress import FileBar, say

if TYPE_CHECKING:
    from inkdigits.reader import Reading, Recognizer, Settings
    from inkdigits.reader.calibration import Calibration
    from inkdigits.reader.recognizer import Prediction

PREDICT_FORMATS = ("text", "json", "csv")
READ_FORMATS = (*PREDICT_FORMATS, "csv-digits", "markus", "label-studio")

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
    timeout: Annotated[float | None, typer.Option(help="Seconds for each image; 60 by default.")] = None,
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
    for source, prediction in _predictions(recognizer, model, images, timeout):
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
        tell_calibration(proven, calibration, confidences, accepted)
    if form == "json":
        emit(rows)
    elif form == "csv":
        echo(_csv(rows), nl=False)
    if failed or not rows:
        raise typer.Exit(1)
    if strict and any(row["reject"] for row in rows):
        raise typer.Exit(3)


def _predictions(
    recognizer: "Recognizer", model: Path | None, paths: list[Path], timeout: float | None
) -> Iterator[tuple[str, "Prediction | None"]]:
    """Yield the source and the prediction of each image and each row of a CSV file, None where it cannot be read."""
    tables = [path for path in paths if path.suffix.lower() == ".csv" and not path.is_dir()]
    for path in tables:
        yield from _predictions_of_csv(recognizer, path)
    files = list(_image_files([path for path in paths if path not in tables]))
    for file, prediction in _predictions_of_files(recognizer, model, files, timeout):
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
    Path | None, typer.Option(help="Draw the reading on the pages: a .png or .jpg for one file, a folder for several.")
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
        str,
        typer.Option("--format", help="text, json, csv (a row for each number), csv-digits, markus or label-studio."),
    ] = "text",
    annotate: Annotate = None,
    review: Review = None,
    model: ModelFile = None,
    lines: LinesFile = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 3 when a digit was rejected, or a number is not accepted.")
    ] = False,
    timeout: Annotated[float | None, typer.Option(help="Seconds for each page; 60 by default.")] = None,
) -> None:
    """Read the numbers on pages: photos, scans, forms with boxes, drawings."""
    from inkdigits.reader import Reader, Settings
    from inkdigits.reader.isolated import MEMORY, PAGE_SECONDS, page_reader
    from inkdigits.reader.roster import read_roster

    _known_format(form, READ_FORMATS)
    load_plugins()  # the reader takes the layouts that are registered when it is made
    reader = Reader(model, lines=lines)
    numbers = () if roster is None else read_roster(roster)
    settings = Settings(layout, length, check, numbers, min_confidence, turn)
    bound = _bound(reader.name, settings, max_error, calibration)
    if bound is not None:
        settings = replace(settings, doubtful_below=bound.threshold)
    files = files_of(sources)
    drawn = None if annotate is None else AnnotatedPages(annotate, files)
    output = PageOutput(form, drawn, review, several=len(files) > 1, bound=bound)
    if len(files) == 1 and timeout is None:
        failed = _read_files(lambda path: reader.read_pages(path, **vars(settings)), files, output)
    else:
        setup = partial(page_reader, model, lines, load_plugins)
        with ReplacedWorker(setup, MEMORY, seconds_of(timeout, PAGE_SECONDS)) as worker:
            failed = _read_files(lambda path: worker.stream(path, vars(settings)), files, output)
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


def tell_calibration(proven: "Calibration", path: Path | None, confidences: list[float], accepted: int) -> None:
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


def _predictions_of_files(
    recognizer: "Recognizer", model: Path | None, files: list[Path], timeout: float | None
) -> Iterator[tuple[Path, "Prediction | None"]]:
    """Yield the path and the prediction of each image; None where it cannot be read. Several are read isolated."""
    from inkdigits.reader.isolated import MEMORY, PREDICT_SECONDS, crop_reader, predict_file

    alone = len(files) == 1 and timeout is None
    setup = partial(crop_reader, model, load_plugins)
    with ReplacedWorker(setup, MEMORY, seconds_of(timeout, PREDICT_SECONDS)) as worker:
        for path in files:
            try:
                yield path, predict_file(recognizer, path) if alone else worker.call(path)
            except DataError as error:
                say_unread(path, error)
                yield path, None


def seconds_of(timeout: float | None, default: float) -> float:
    """Return the value of ``--timeout``, or its default."""
    if timeout is not None and not timeout > 0:
        raise UsageError(f"--timeout must be above 0 seconds, not {timeout:g}")
    return default if timeout is None else timeout


def say_unread(path: Path, error: DataError) -> None:
    """Name a file that could not be read, and why."""
    if isinstance(error, TimeLimitError):
        say(f"inkdigits: {path}: {error}; raise --timeout, or remove the file")
    elif isinstance(error, WorkerError):
        say(f"inkdigits: {path}: {error}; repair or remove the file")
    else:
        say(f"inkdigits: {error}")


def _read_files(read: Callable[[Path], Iterator["Reading"]], files: list[Path], output: "PageOutput") -> bool:
    """Read files to ``output``; return whether one could not be read."""
    failed = False
    with FileBar(len(files)) as bar:
        for path in files:
            try:
                for reading in read(path):
                    output.add(path, reading)
            except DataError as error:
                say_unread(path, error)
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
    annotated, review
        The pictures of the pages, and the HTML page, where they are asked for.
    several
        Whether several files are read, whose names must be told apart.
    bound
        From which confidence a number is accepted, where that was asked for.
    rejected
        Whether a digit, blank boxes apart, was rejected, or a number was not accepted.
    """

    form: str
    annotated: AnnotatedPages | None
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
        from inkdigits.reader.label_studio import task_of
        from inkdigits.reader.markus import markus_lines
        from inkdigits.reader.review import doubtful
        from inkdigits.reader.tables import digit_rows, number_rows

        if self.form in ("json", "label-studio"):
            self.readings.append(reading.to_dict() if self.form == "json" else task_of(reading))
        elif self.form == "markus":
            echo(markus_lines(reading), nl=False)
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
        if self.annotated is not None:
            self.annotated.draw(path, reading)
        if self.review is not None:
            self.doubtful += doubtful(reading)

    def finish(self) -> None:
        """Print or write what needs all readings."""
        from inkdigits.reader.review import review_page
        from inkdigits.reader.tables import DIGIT_COLUMNS, NUMBER_COLUMNS

        if self.form in ("json", "label-studio"):
            emit(self.readings)
        elif self.form in ("csv", "csv-digits"):
            columns = NUMBER_COLUMNS if self.form == "csv" else DIGIT_COLUMNS
            echo(csv_table(columns, self.rows), nl=False)
        if self.bound is not None and self.bound.calibration is not None:
            tell_calibration(self.bound.calibration, self.bound.path, self.confidences, self.accepted)
        if self.review is not None:
            write_text(self.review, review_page(self.doubtful))
            say(f"doubtful digits: {self.review}")


def _image_files(paths: list[Path]) -> Iterator[Path]:
    """Yield the named files, and the images in named folders; print what is skipped."""
    from inkdigits.imaging.files import IMAGE_SUFFIXES, find_pictures

    for path in paths:
        found = skipped = 0
        for file in find_pictures([path]):
            if path.is_dir() and file.suffix.lower() not in IMAGE_SUFFIXES:
                skipped += 1
                continue
            found += 1
            yield file
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


def files_of(sources: list[Path]) -> list[Path]:
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

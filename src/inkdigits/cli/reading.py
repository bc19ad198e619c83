"""inkdigits predict and read: what is on pictures of single digits, and on pages; no PyTorch."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inkdigits.cli.common import app, emit
from inkdigits.errors import DataError, UsageError
from inkdigits.progress import say

if TYPE_CHECKING:
    from inkdigits.reader import Reading

FORMATS = ("text", "json", "csv")


@app.command("predict")
def predict_command(
    images: Annotated[list[Path], typer.Argument(help="Pictures of one digit each, or folders of them.")],
    model: Annotated[
        Path | None, typer.Option(help="An .onnx file of inkdigits export; the bundled one by default.")
    ] = None,
    form: Annotated[str, typer.Option("--format", help="text, json or csv.")] = "text",
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 3 when a picture was refused.")] = False,
) -> None:
    """Read pictures of one digit each, say how sure that is, and decline what is no digit."""
    from inkdigits.reader import Recognizer

    _known_format(form)
    recognizer = Recognizer(model)
    rows, failed = [], False
    for path, pixels in _pictures(images):
        if pixels is None:
            failed = True
            continue
        try:
            (prediction,) = recognizer.read_crops([pixels])
        except DataError as error:
            say(f"inkdigits: {path}: {error}")
            failed = True
            continue
        rows.append({"source": str(path), **prediction.to_dict()})
        if form == "text":
            typer.echo(_line(rows[-1]))
    if form == "json":
        emit(rows)
    elif form == "csv":
        typer.echo(_csv(rows), nl=False)
    if failed or not rows:
        raise typer.Exit(1)
    if strict and any(row["reject"] for row in rows):
        raise typer.Exit(3)


@app.command("read")
def read_command(
    sources: Annotated[list[Path], typer.Argument(help="Pictures, PDFs or TIFFs of pages, or folders of them.")],
    layout: Annotated[str, typer.Option(help="auto, line (handwriting) or boxes (a form's).")] = "auto",
    length: Annotated[int | None, typer.Option(help="Digits that every number has.")] = None,
    check: Annotated[str | None, typer.Option(help="luhn, mod97 or isbn, which every number satisfies.")] = None,
    roster: Annotated[Path | None, typer.Option(help="A file with the numbers that there may be.")] = None,
    min_confidence: Annotated[float, typer.Option(help="Decline digits that are less sure, 0 to 1.")] = 0.0,
    max_error: Annotated[
        str | None, typer.Option(help="Decline as many as leaves this share of errors, such as 0.1%.")
    ] = None,
    turn: Annotated[bool, typer.Option("--turn/--no-turn", help="Try pages that lie on their side.")] = True,
    form: Annotated[str, typer.Option("--format", help="text, json or csv.")] = "text",
    annotate: Annotated[
        Path | None, typer.Option(help="Draw what was read: a .png for one page, a folder for many.")
    ] = None,
    review: Annotated[Path | None, typer.Option(help="Write an HTML page of the doubtful digits.")] = None,
    model: Annotated[
        Path | None, typer.Option(help="An .onnx file of inkdigits export; the bundled one by default.")
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 3 when a digit was declined.")] = False,
) -> None:
    """Read the numbers on pages: photos, scans, forms with boxes, drawings."""
    from inkdigits.files import atomic_path
    from inkdigits.progress import FileBar
    from inkdigits.reader import Reader, Settings
    from inkdigits.reader.checksums import read_roster
    from inkdigits.reader.review import doubtful, review_page
    from inkdigits.reader.thresholds import confidence_for

    _known_format(form)
    reader = Reader(model)
    if max_error is not None:
        if min_confidence:
            raise UsageError("--max-error chooses the confidence; leave --min-confidence out")
        min_confidence, coverage = confidence_for(_share(max_error), reader.name)
        say(
            f"digits under {min_confidence:.4f} are declined: on made pages of digits that the model had not seen, "
            f"{100 * coverage:.1f} % were read so, {max_error} of them wrong"
        )
    numbers = () if roster is None else read_roster(roster)
    settings = Settings(layout, length, check, numbers, min_confidence, turn)
    files = _files(sources)
    if annotate is not None and annotate.suffix.lower() != ".png" and annotate.exists() and not annotate.is_dir():
        raise UsageError(f"--annotate {annotate} is neither a .png nor a folder")
    results, failed, declined, many = [], not files, False, len(files) > 1
    reviewed: list[dict[str, object]] = []
    with FileBar(len(files)) as bar:
        for path in files:
            try:
                for reading in reader.read_pages(path, **vars(settings)):
                    results.append(reading.to_dict())
                    declined |= any(digit.reject not in (None, "blank") for digit in reading.digits)
                    if form == "text":
                        typer.echo(_page_text(reading, many), nl=False)
                    for warning in reading.warnings:
                        say(f"{path}{f' page {reading.page + 1}' if reading.page else ''}: {warning}")
                    if annotate is not None:
                        _annotate(reading, annotate, many)
                    if review is not None:
                        reviewed += doubtful(reading)
            except DataError as error:
                say(f"inkdigits: {error}")
                failed = True
            bar.step()
    if form == "json":
        emit(results)
    elif form == "csv":
        typer.echo(_pages_csv(results), nl=False)
    if review is not None:
        with atomic_path(review) as temporary:
            temporary.write_text(review_page(reviewed), encoding="utf-8")
        say(f"doubtful digits: {review}")
    if failed:
        raise typer.Exit(1)
    if strict and declined:
        raise typer.Exit(3)


def _pictures(paths: list[Path]) -> Iterator[tuple[Path, Any]]:
    """Yield each picture's path and pixels, None where it cannot be read; what else lies in a folder is passed over."""
    from inkdigits.imaging.files import IMAGE_SUFFIXES, find_pictures, read_pixels

    for path in paths:
        found = passed = 0
        for file in find_pictures([path]):
            if path.is_dir() and file.suffix.lower() not in IMAGE_SUFFIXES:
                passed += 1
                continue
            found += 1
            try:
                yield file, read_pixels(file)
            except DataError as error:
                say(f"inkdigits: {error}")
                yield file, None
        if passed:
            say(f"{path}: {passed} file{'s' if passed > 1 else ''} passed over, not named like a picture")
        if path.is_dir() and not found:
            say(f"inkdigits: {path} holds no pictures")


def _line(row: dict[str, Any]) -> str:
    if row["digit"] is None:
        guess = "".join(f", {digit}? {100 * share:.1f} %" for digit, share in row["alternatives"][:2])
        return f"{row['source']}\t?\t{row['reject']}{guess}"
    rival = "".join(f", {digit}? {100 * share:.1f} %" for digit, share in row["alternatives"][:1])
    return f"{row['source']}\t{row['digit']}\t{100 * row['confidence']:.2f} %{rival}"


def _csv(rows: list[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["source", "digit", "confidence", "reject", "second", "second_confidence"])
    for row in rows:
        second = row["alternatives"][0] if row["digit"] is not None and row["alternatives"] else ["", ""]
        digit = "" if row["digit"] is None else row["digit"]
        writer.writerow([row["source"], digit, row["confidence"], row["reject"] or "", *second])
    return text.getvalue()


def _known_format(form: str) -> None:
    if form not in FORMATS:
        raise UsageError(f"--format is {', '.join(FORMATS[:-1])} or {FORMATS[-1]}, not {form!r}")


def _share(text: str) -> float:
    """Return the share that ``0.1%``, or ``0.001``, means."""
    try:
        value = float(text.removesuffix("%").strip()) / (100 if text.endswith("%") else 1)
    except ValueError:
        raise UsageError(f"--max-error is a share such as 0.1%, not {text!r}") from None
    if not 0 < value < 1:
        raise UsageError(f"--max-error must be above 0 and below 100%, not {text}")
    return value


def _files(sources: list[Path]) -> list[Path]:
    """Return the files that are named, and those below folders that may be pages; say what is passed over."""
    from inkdigits.imaging.files import PAGE_SUFFIXES, find_pictures

    found: list[Path] = []
    for source in sources:
        below = list(find_pictures([source]))
        kept = [path for path in below if path == source or path.suffix.lower() in PAGE_SUFFIXES]
        if len(kept) < len(below):
            passed = len(below) - len(kept)
            say(f"{source}: {passed} file{'s' if passed > 1 else ''} passed over, not named like a picture")
        if not kept:
            say(f"inkdigits: {source} holds no pictures")
        found += kept
    return found


def _page_text(reading: "Reading", many: bool) -> str:
    where = f"{reading.source}{f' page {reading.page + 1}' if reading.page else ''}\t" if many or reading.page else ""
    return "".join(f"{where}{line.text}\n" for line in reading.lines)


def _annotate(reading: "Reading", target: Path, many: bool) -> None:
    from inkdigits.files import atomic_path

    name = Path(reading.source).stem + (f"-{reading.page + 1}" if reading.page else "") + ".png"
    one = target.suffix.lower() == ".png" and not many
    path = target if one and not reading.page else (target.with_suffix("") if one else target) / name
    with atomic_path(path) as temporary:
        reading.annotated().save(temporary, "PNG")


def _pages_csv(readings: list[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    head = [
        "source",
        "page",
        "line",
        "text",
        "place",
        "digit",
        "confidence",
        "reject",
        "left",
        "top",
        "width",
        "height",
    ]
    writer.writerow(head)
    for reading in readings:
        for number, line in enumerate(reading["lines"]):
            for place, digit in enumerate(line["digits"]):
                value = "" if digit["digit"] is None else digit["digit"]
                where = reading["source"], reading["page"], number, line["text"], place
                writer.writerow([*where, value, digit["confidence"], digit["reject"] or "", *digit["box"]])
    return text.getvalue()

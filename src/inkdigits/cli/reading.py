"""inkdigits predict: what is on pictures of single digits; no PyTorch."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from inkdigits.cli.common import app, emit
from inkdigits.errors import DataError, UsageError
from inkdigits.progress import say

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

    if form not in FORMATS:
        raise UsageError(f"--format is {', '.join(FORMATS[:-1])} or {FORMATS[-1]}, not {form!r}")
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

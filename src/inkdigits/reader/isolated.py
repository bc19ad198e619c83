"""Reading files in a process of its own, so that a file that hangs or crashes costs no other file."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from inkdigits.errors import DataError
from inkdigits.imaging.files import read_pixels
from inkdigits.reader.reader import Reader
from inkdigits.reader.recognizer import Prediction, Recognizer
from inkdigits.reader.results import Reading

MEMORY = 3 << 30  # bytes that reading one file may take; a page of 80 million pixels takes less than one third of it
PREDICT_SECONDS = 60.0  # for an image of one digit
PAGE_SECONDS = 60.0  # for each page of a file


def predict_file(recognizer: Recognizer, path: Path) -> Prediction:
    """Read an image file of one digit.

    Raises
    ------
    DataError
        When it is no image that can be read; names the file.
    """
    pixels = read_pixels(path)
    try:
        (prediction,) = recognizer.read_crops([pixels])
    except DataError as error:
        raise DataError(f"{path}: {error}") from error
    return prediction


def crop_reader(model: Path | None, prepare: Callable[[], None]) -> Callable[[Path], Prediction]:
    """Return :func:`predict_file` for a worker process; ``prepare`` is called first and loads the plug-ins."""
    prepare()
    recognizer = Recognizer(model)
    return lambda path: predict_file(recognizer, path)


def page_reader(
    model: Path | None, lines: Path | None, prepare: Callable[[], None]
) -> Callable[[Path, dict[str, Any]], Iterator[Reading]]:
    """Return :meth:`Reader.read_pages` for a worker process; ``prepare`` is called first and loads the plug-ins."""
    prepare()
    reader = Reader(model, lines=lines)
    return lambda path, settings: reader.read_pages(path, **settings)

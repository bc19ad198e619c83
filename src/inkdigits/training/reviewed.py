"""The digits of pages that a person has reviewed: what was corrected, and what was right."""

import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inkdigits.data import DigitSet
from inkdigits.errors import DataError
from inkdigits.files import read_bytes
from inkdigits.imaging.normalize import to_mnist
from inkdigits.imaging.pixels import to_bytes
from inkdigits.reader.page_labels import REVIEW_COLUMNS, Correction, read_labels
from inkdigits.reader.reader import Reader
from inkdigits.reader.results import Digit, Reading

MARGIN = 0.12  # of a digit's size; paper around it


def is_review(path: Path) -> bool:
    """Return whether a file is the CSV that a review page saved."""
    if path.suffix.lower() != ".csv" or not path.is_file():
        return False
    try:
        head = read_bytes(path).decode("utf-8-sig").partition("\n")[0]
    except (OSError, ValueError):
        return False
    return {cell.strip().lower() for row in csv.reader([head]) for cell in row} >= REVIEW_COLUMNS


def reviewed_digits(path: Path, reader: Reader) -> tuple[DigitSet, list[str]]:
    """Return the digits of the reviewed pages, and where each stands. The pages are read again, with the same reader.

    Digits that the review did not show count as right; those that were refused and not corrected are left out.

    Raises
    ------
    DataError
        When a page cannot be read, or the review is of another reading.
    """
    labels = read_labels(path, path.parent)
    images: list[NDArray[np.uint8]] = []
    truths: list[int] = []
    names: list[str] = []
    for file in labels.files:
        for reading in reader.read_pages(file):
            labels.of(file, reading)  # raises when the review is of another reading
            for line, place, digit, truth in _truths(reading, labels.corrections.get((file, reading.page), ())):
                images.append(to_mnist(_crop(reading, digit)))
                truths.append(truth)
                names.append(f"{file}, page {reading.page + 1}, line {line + 1}, place {place + 1}")
    if not images:
        raise DataError(f"{path} has no digit to learn from")
    return DigitSet(np.stack(images), np.array(truths, np.int64)), names


def _truths(reading: Reading, corrections: tuple[Correction, ...]) -> list[tuple[int, int, Digit, int]]:
    """Return line, place, digit as read, and true digit, of all places where one stands."""
    corrected = {(one.line, one.place): one.digit for one in corrections}
    found = []
    for number, line in enumerate(reading.lines):
        for place, digit in enumerate(line.digits):
            read = "" if digit.digit is None else str(digit.digit)
            truth = corrected.get((number, place), read)
            if truth:
                found.append((number, place, digit, int(truth)))
    return found


def _crop(reading: Reading, digit: Digit) -> NDArray[np.uint8]:
    """Return the picture of a digit with some paper around it."""
    picture = to_bytes(np.asarray(reading.picture))
    scale = picture.shape[1] / max(1, reading.size[0])
    left, top, wide, tall = (value * scale for value in digit.box)
    more = MARGIN * max(wide, tall)
    y0, y1 = max(0, round(top - more)), min(picture.shape[0], round(top + tall + more))
    x0, x1 = max(0, round(left - more)), min(picture.shape[1], round(left + wide + more))
    return picture[y0 : max(y1, y0 + 1), x0 : max(x1, x0 + 1)]

"""The user's own digits as a CSV file: one row of 784 pixels for each digit, with its label or without.

The forms that are in use are read: Kaggle's (``label,pixel0,…``), OpenML's (``pixel1,…,class``), the one with a column
for each row and column (``label,1x1,1x2,…``), and tables without a header, with the label first or last. Cells may
be quoted, and spaces may follow the separators, which are commas, semicolons or tabs.
"""

import codecs
import csv
import io
import math
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inkdigits.errors import DataError
from inkdigits.files import read_bytes

SIDE = 28
PIXELS = SIDE * SIDE
MAX_BYTES = 2_000_000_000  # of a file; MNIST's training digits have 110 million
LABELS = ("label", "labels", "class", "target", "digit", "y")  # names of the column of labels
DELIMITERS = ",;\t"
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)  # no underscores, no NaN
PIXEL_NAME = re.compile(r"(?P<word>[a-z_ ]*)(?P<first>\d+)(?:\s*x\s*(?P<second>\d+))?", re.ASCII)
LARGEST = 2**31 - 1  # of a cell; rows are kept as int32
KNOWN = 10_000  # different cells whose values are kept
ENCODINGS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


@dataclass(frozen=True)
class CsvDigits:
    """Digits of a CSV file.

    Attributes
    ----------
    images
        uint8 (N, 28, 28), as they stand in the file.
    labels
        int64 (N,), 0 to 9; None where the file has none.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64] | None


@dataclass(frozen=True)
class Columns:
    """Where label and pixels stand in a row: the index of the label or None, and 784 indices of pixels."""

    label: int | None
    pixels: list[int]


def read_csv(path: Path) -> CsvDigits:
    """Read a CSV file of digits, in one of the forms that this module names.

    Raises
    ------
    DataError
        When the file cannot be read, or a row or a value is not what it should be; names the line.
    """
    source = str(path)
    header, rows = _table(_text(path), source)
    if not len(rows):
        raise DataError(f"{source} holds no digits; it needs a row for each digit")
    columns = _columns_without_header(rows, source) if header is None else _named_columns(header, source)
    pixels = rows[:, columns.pixels]
    require_range(pixels, 255, "pixel", source)
    labels = None if columns.label is None else rows[:, columns.label]
    if labels is not None:
        require_range(labels, 9, "label", source)
    return CsvDigits(
        pixels.astype(np.uint8).reshape(-1, SIDE, SIDE), None if labels is None else labels.astype(np.int64)
    )


def parse_csv_rows(text: str, source: str) -> NDArray[np.int32]:
    """Return a table of whole numbers without a header as int32 (rows, columns).

    Raises
    ------
    DataError
        When a value is not a whole number, or rows differ in length; names the line.
    """
    header, rows = _table(text, source)
    if header is not None:
        raise DataError(f"{source}, line 1: {header[0][:40]!r} is not a whole number")
    return rows


def _text(path: Path) -> str:
    """Return the text of a file in UTF-8, or in UTF-16 with a byte order mark."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise DataError(f"{path} has more than {MAX_BYTES / 1e9:g} GB; split it")
        content = read_bytes(path)
        return content.decode(next((name for mark, name in ENCODINGS.items() if content.startswith(mark)), "utf-8"))
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"cannot read {path} ({error}); save it as CSV in UTF-8") from error


def _table(text: str, source: str) -> tuple[list[str] | None, NDArray[np.int32]]:
    """Return the cells of the header, None without one, and the rows as int32 (N, columns)."""
    start = text[:100_000].lstrip().partition("\n")[0]
    delimiter = max(DELIMITERS, key=start.count)
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
    header: list[str] | None = None
    rows: list[NDArray[np.int32]] = []
    known: dict[str, int] = {}
    width = 0
    try:
        for cells in lines:
            if cells in ([], [""]):  # an empty line
                continue
            if not width:
                width = len(cells)
                if _is_header(cells):
                    header = [cell.strip() for cell in cells]
                    continue
            if len(cells) != width:
                raise DataError(f"{source}, line {lines.line_num} has {len(cells)} values, not {width}")
            rows.append(np.array(_numbers(cells, known, f"{source}, line {lines.line_num}"), np.int32))
    except csv.Error as error:
        raise DataError(f"{source}, line {lines.line_num}: {error}; save it as CSV in UTF-8") from error
    return header, np.stack(rows) if rows else np.empty((0, width), np.int32)


def _is_header(cells: list[str]) -> bool:
    """Return whether cells are names; a row in which a few values are no numbers is a broken row."""
    words = [cell for cell in cells if cell.strip() and not NUMBER.fullmatch(cell.strip())]
    return 2 * len(words) > len(cells) or any(word.strip().lower() in LABELS for word in words)


def _numbers(cells: list[str], known: dict[str, int], place: str) -> list[int]:
    """Return the whole numbers in cells; ``known`` keeps the values of cells, as few differ."""
    try:
        return [known[cell] for cell in cells]
    except KeyError:
        if len(known) > KNOWN:
            known.clear()
        for cell in cells:
            known[cell] = _whole_number(cell, place)
        return [known[cell] for cell in cells]


def _whole_number(cell: str, place: str) -> int:
    text = cell.strip()
    if not text:
        raise DataError(f"{place}: a value is missing")
    value = float(text) if NUMBER.fullmatch(text) else math.nan
    if not abs(value) <= LARGEST or value != round(value):
        raise DataError(f"{place}: {text[:40]!r} is not a whole number")
    return int(value)


def _columns_without_header(rows: NDArray[np.int32], source: str) -> Columns:
    """Return the columns of a table without names: pixels only, or with the label in the first or the last one.

    The corners of digits are empty, so the column of labels is the one of the two that varies.
    """
    width = rows.shape[1]
    if width == PIXELS:
        return Columns(None, list(range(PIXELS)))
    if width != PIXELS + 1:
        raise DataError(f"{source} has rows of {width} values; {PIXELS} pixels and a label are needed")
    found = [index for index in (0, PIXELS) if _may_be_labels(rows[:, index])]
    varying = [index for index in found if len(np.unique(rows[:, index])) > 1]
    chosen = varying if len(found) > 1 else found
    if len(chosen) != 1:
        raise DataError(f"{source} has no header, and neither its first nor its last column is surely that of labels")
    return Columns(chosen[0], [index for index in range(width) if index != chosen[0]])


def _may_be_labels(values: NDArray[np.int32]) -> bool:
    return bool((values >= 0).all() and (values <= 9).all())


def _named_columns(header: list[str], source: str) -> Columns:
    """Return the columns that a header names, in any order."""
    names = [name.lower() for name in header]
    labels = [index for index, name in enumerate(names) if name in LABELS]
    others = [index for index in range(len(names)) if index not in labels]
    if len(labels) > 1 or len(set(names)) != len(names):
        raise DataError(f"{source} names a column twice; the header is label,pixel0,…,pixel783 or a similar one")
    places = {_place(names[index]): index for index in others}
    for first in (0, 1):
        grid = [(row + first, column + first) for row in range(SIDE) for column in range(SIDE)]
        for wanted in ([(number + first, None) for number in range(PIXELS)], grid):
            if places.keys() == set(wanted):
                return Columns(labels[0] if labels else None, [places[place] for place in wanted])
    raise DataError(f"{source} {_column_fault(header, places)}; the header is label,pixel0,…,pixel783 or a similar one")


def _place(name: str) -> tuple[int, int | None] | None:
    """Return the number of the pixel that a column names, or its row and column; None for another name."""
    found = PIXEL_NAME.fullmatch(name)
    if found is None or len(found["first"]) > 3 or len(found["second"] or "") > 2:
        return None
    return int(found["first"]), int(found["second"]) if found["second"] else None


def _column_fault(header: list[str], places: dict[tuple[int, int | None] | None, int]) -> str:
    if None in places:
        return f"has a column {header[places[None]][:40]!r}"
    missing = next((number for number in range(PIXELS) if (number, None) not in places), None)
    return f"has {len(header)} columns" if missing is None else f"has no column 'pixel{missing}'"


def require_range(values: NDArray[np.integer], highest: int, what: str, source: str) -> None:
    """Raise DataError when a value, one of each digit's (N, …), is not within 0 to ``highest``; names the digit."""
    bad = (values < 0) | (values > highest)
    if bad.any():
        row = int(np.argwhere(bad)[0][0])
        raise DataError(f"{source}, digit {row + 1}: {what} {values[bad].flat[0]} is not within 0 to {highest}")

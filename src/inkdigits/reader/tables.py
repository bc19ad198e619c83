"""Readings as tables for spreadsheets: one row for each number, or one for each digit."""

import csv
import io
from collections.abc import Iterable, Sequence

from inkdigits.imaging.geometry import Box
from inkdigits.reader.results import Line, Reading

BOX = ("left", "top", "width", "height")
NUMBER_COLUMNS = ("source", "page", "row", "column", "number", "text", "confidence", "doubtful", *BOX)
DIGIT_COLUMNS = ("source", "page", "line", "text", "place", "digit", "confidence", "reject", *BOX)
SAME_ROW = 0.5  # of the lower number's height; numbers that share more of it stand in one row
FORMULA = ("=", "+", "-", "@", "\t")  # how a cell starts that a spreadsheet would run

Cell = str | int | float


def csv_table(columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """Return rows as CSV with a head; a text that a spreadsheet would run as a formula gets an apostrophe in front."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_guarded(cell) for cell in row] for row in rows)
    return text.getvalue()


def _guarded(cell: Cell) -> Cell:
    if not isinstance(cell, str):
        return cell
    text = cell.replace("\r", " ")  # which csv does not quote, and which would start a row
    return f"'{text}" if text.startswith(FORMULA) else text


def number_rows(reading: Reading) -> list[list[Cell]]:
    """Return a row of NUMBER_COLUMNS for each number of a page, in reading order; pages count from 1."""
    out: list[list[Cell]] = []
    for row, lines in enumerate(_rows(reading), 1):
        for column, line in enumerate(lines, 1):
            where = reading.source, reading.page + 1, row, column
            confidence = "" if line.is_blank else round(line.confidence, 4)
            out.append([*where, line.number, line.text, confidence, int(line.is_doubtful), *line.box])
    return out


def digit_rows(reading: Reading) -> list[list[Cell]]:
    """Return a row of DIGIT_COLUMNS for each digit of a page; page, line and place count from 0."""
    out: list[list[Cell]] = []
    for number, line in enumerate(reading.lines):
        for place, digit in enumerate(line.digits):
            where = reading.source, reading.page, number, line.text, place
            value = "" if digit.digit is None else digit.digit
            out.append([*where, value, round(digit.confidence, 4), digit.reject or "", *digit.box])
    return out


def _rows(reading: Reading) -> list[list[Line]]:
    """Return the numbers of a page in rows from the top, each from the left; those at one height are one row."""
    placed = [(_upright(line.box, reading), line) for line in reading.lines]
    rows: list[list[tuple[Box, Line]]] = []
    for box, line in placed:
        beside = [row for row in rows if any(_beside(box, other) for other, _ in row)]
        rows = [row for row in rows if row not in beside]
        rows.append([(box, line), *(member for row in beside for member in row)])
    rows.sort(key=lambda row: sum(box[1] + box[3] / 2 for box, _ in row) / len(row))
    return [[line for _, line in sorted(row, key=lambda member: member[0][0])] for row in rows]


def _upright(box: Box, reading: Reading) -> Box:
    """Return a box of the picture as it lies on the picture when that is turned upright."""
    left, top, wide, tall = box
    width, height = reading.size
    return {
        0: box,
        90: (top, width - left - wide, tall, wide),
        180: (width - left - wide, height - top - tall, wide, tall),
        270: (height - top - tall, left, tall, wide),
    }[reading.turned]


def _beside(box: Box, other: Box) -> bool:
    """Return whether two boxes stand at one height."""
    shared = min(box[1] + box[3], other[1] + other[3]) - max(box[1], other[1])
    return shared > SAME_ROW * min(box[3], other[3])

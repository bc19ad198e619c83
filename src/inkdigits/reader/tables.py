"""Readings as tables for spreadsheets: one row for each number, or one for each digit."""

from inkdigits.escape import Cell
from inkdigits.reader.results import Reading

BOX = ("left", "top", "width", "height")
NUMBER_COLUMNS = ("source", "page", "row", "column", "number", "text", "confidence", "doubtful", *BOX)
DIGIT_COLUMNS = ("source", "page", "line", "text", "place", "digit", "confidence", "reject", *BOX)


def number_rows(reading: Reading) -> list[list[Cell]]:
    """Return a row of NUMBER_COLUMNS for each number of a page, by row and column; pages count from 1."""
    out: list[list[Cell]] = []
    for (row, column), line in sorted(zip(reading.places, reading.lines, strict=True), key=lambda item: item[0]):
        where = reading.source, reading.page + 1, row + 1, column + 1
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

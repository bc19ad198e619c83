"""Readings as tables: rows and columns of numbers, what is doubtful, and cells that a spreadsheet might run."""

import csv
import io

import pytest

from inkdigits.escape import csv_table
from inkdigits.imaging.geometry import Box
from inkdigits.reader.cells import rows_and_columns
from inkdigits.reader.results import Digit, Line, Reading
from inkdigits.reader.tables import DIGIT_COLUMNS, NUMBER_COLUMNS, digit_rows, number_rows

SIZE = (400, 300)


def number(text: str, box: Box = (0, 0, 30, 20), confidence: float = 1.0) -> Line:
    """A number: a space is a blank box, ``?`` a rejected digit."""
    rejects = {" ": "blank", "?": "ambiguous"}
    digits = [Digit(None if c in rejects else int(c), confidence, box, (), rejects.get(c)) for c in text]
    return Line(tuple(digits), box)


def reading(*lines: Line, source: str = "a.png", turned: int = 0) -> Reading:
    return Reading(source, 1, "model", lines, turned=turned, size=SIZE)


def places(found: Reading) -> dict[str, tuple[int, int]]:
    rows = (dict(zip(NUMBER_COLUMNS, row, strict=True)) for row in number_rows(found))
    return {str(row["number"]): (int(row["row"]), int(row["column"])) for row in rows}


def test_numbers_at_one_height_are_one_row_from_the_left() -> None:
    found = reading(
        number("4", (200, 52, 60, 20)), number("1", (10, 10, 60, 20)), number("3", (10, 60, 60, 20)),
        number("2", (200, 18, 60, 20)), number("5", (10, 100, 60, 20)),
    )  # fmt: skip
    assert places(found) == {"1": (1, 1), "2": (1, 2), "3": (2, 1), "4": (2, 2), "5": (3, 1)}
    assert [row[4] for row in number_rows(found)] == ["1", "2", "3", "4", "5"]


def test_numbers_that_share_half_of_the_lower_ones_height_are_two_rows() -> None:
    def rows(top: int) -> int:
        return len(
            {row for row, _ in places(reading(number("1", (0, 0, 9, 40)), number("2", (50, top, 9, 20)))).values()}
        )

    assert (rows(30), rows(29)) == (2, 1)


def test_a_table_comes_back_with_its_empty_cells() -> None:
    boxes = {"21": (10, 10), "22": (10, 50), "23": (12, 90), "37": (60, 12), "39": (64, 91), "5": (125, 51)}
    found = reading(*(number(text, (*corner, 30, 20)) for text, corner in reversed(boxes.items())))
    assert found.cells == (("21", "37", ""), ("22", "", "5"), ("23", "39", ""))
    assert found.to_dict()["cells"] == [list(row) for row in found.cells]
    assert places(found)["5"] == (2, 3)
    assert reading().cells == ()


def test_columns_of_numbers_that_are_no_table_are_places_in_their_rows() -> None:
    found = reading(number("1", (10, 10, 100, 20)), number("2", (130, 10, 30, 20)), number("3", (20, 60, 130, 20)))
    assert places(found) == {"1": (1, 1), "2": (1, 2), "3": (2, 1)}
    assert found.cells == (("1", "2"), ("3", ""))


def test_numbers_on_a_falling_line_are_one_row() -> None:
    found = reading(*(number(text, (100 * place, 10 + 8 * place, 60, 20)) for place, text in enumerate("1234")))
    assert found.cells == (("1", "2", "3", "4"),)


@pytest.mark.parametrize("turned", [0, 90, 180, 270])
def test_rows_are_those_of_the_upright_page(turned: int) -> None:
    upright = {"1": (10, 20, 50, 16), "2": (200, 22, 60, 16), "3": (12, 100, 40, 16)}
    wide, tall = SIZE if turned % 180 == 0 else SIZE[::-1]  # of the page when it is upright

    def lying(box: Box) -> Box:
        left, top, width, height = box
        return {
            0: box,
            90: (tall - top - height, left, height, width),
            180: (wide - left - width, tall - top - height, width, height),
            270: (top, wide - left - width, height, width),
        }[turned]

    found = reading(*(number(text, lying(box)) for text, box in upright.items()), turned=turned)
    assert places(found) == {"1": (1, 1), "2": (1, 2), "3": (2, 1)}


@pytest.mark.parametrize(
    ("line", "doubtful"),
    [
        (number("12", confidence=0.95), False),  # 0.9025
        (number("12", confidence=0.94), True),
        (number("1?"), True),
        (number("1 2"), False),
        (number("   "), False),
    ],
)
def test_rejected_digits_and_little_confidence_are_doubtful_and_blank_boxes_are_not(line: Line, doubtful: bool) -> None:
    assert line.is_doubtful == doubtful
    (row,) = number_rows(reading(line))
    assert row[NUMBER_COLUMNS.index("doubtful")] == int(doubtful)


def test_a_number_with_its_separators_stands_in_one_row() -> None:
    line = Line(number("1234").digits, (5, 6, 70, 20), ((2, ","),), probability=0.97654)
    text = csv_table(NUMBER_COLUMNS, number_rows(reading(line)))
    (row,) = csv.DictReader(text.splitlines())
    values = ["a.png", "2", "1", "1", "1234", "12,34", "0.9765", "0", "5", "6", "70", "20"]
    assert row == dict(zip(NUMBER_COLUMNS, values, strict=True))


def test_the_columns_are_named_in_the_first_row() -> None:
    box = "left,top,width,height"
    assert csv_table(NUMBER_COLUMNS, []) == f"source,page,row,column,number,text,confidence,doubtful,{box}\n"
    assert csv_table(DIGIT_COLUMNS, []) == f"source,page,line,text,place,digit,confidence,reject,{box}\n"


def test_a_row_of_blank_boxes_has_no_confidence() -> None:
    (row,) = number_rows(reading(number("  ")))
    assert row[4:8] == ["  ", "  ", "", 0]


def test_digits_count_from_zero_as_in_the_json() -> None:
    rows = digit_rows(reading(number("7"), number("?1", (0, 50, 30, 20), 0.25)))
    assert rows[2] == ["a.png", 1, 1, "?1", 1, 1, 0.25, "", 0, 50, 30, 20]
    assert [dict(zip(DIGIT_COLUMNS, row, strict=True))["reject"] for row in rows] == ["", "ambiguous", ""]


@pytest.mark.parametrize("start", ["=1+1", "+1", "-3", "@a", "\t=1"])
def test_a_text_that_a_spreadsheet_would_run_gets_an_apostrophe(start: str) -> None:
    line = Line(number("3").digits, (0, 0, 9, 9), ((0, "-"),))
    for columns, rows in ((NUMBER_COLUMNS, number_rows), (DIGIT_COLUMNS, digit_rows)):
        _, row = csv.reader(io.StringIO(csv_table(columns, rows(reading(line, source=start))), newline=""))
        assert row[0] == f"'{start}"
        assert "'-3" in row


def test_numbers_are_in_one_row_through_others_that_lie_between() -> None:
    steps = [
        (60 * place, 4 * place, 40, 10) for place in range(4)
    ]  # each shares more than a half with its neighbour only
    assert [row for row, _ in rows_and_columns(steps)] == [0, 0, 0, 0]
    assert [row for row, _ in rows_and_columns([steps[0], steps[3]])] == [0, 1]
    backwards = [steps[0], steps[3], steps[2], steps[1]]
    assert [row for row, _ in rows_and_columns(backwards)] == [0, 0, 0, 0]

"""A number in one box is read as a whole; what is no single number is not."""

import numpy as np
import pytest

from inkdigits.forms.cells import cut_cells
from inkdigits.forms.fields import Number
from inkdigits.forms.flattening import PlacedBox
from inkdigits.forms.number_fields import NUMBER_CELLS, NumberReader
from inkdigits.forms.pages import PlacedField
from inkdigits.forms.values import FieldValues
from inkdigits.reader import Reader
from tests.forms.sheets import SCALE, Box, Pen

BOX = Box(5, 5, 60, 12)


@pytest.fixture(scope="module")
def numbers() -> NumberReader:
    return NumberReader(Reader(threads=1))


def read(numbers: NumberReader, digits: str, pen: Pen, maximum: float | None = None) -> FieldValues:
    page = np.full((round(22 * SCALE), round(70 * SCALE)), 255, np.uint8)
    for index, digit in enumerate(digits):
        if digit != " ":
            pen.write(page, Box(8 + 7 * index, 6, 7, 10), digit)
    field = Number(name="a", boxes=((BOX.left, BOX.top, BOX.width, BOX.height),), maximum=maximum)
    placed = PlacedBox(PlacedField("a", field, (BOX,)), 0, BOX, np.eye(2, 3))
    ink = np.asarray(1 - page / 255, np.float32)
    (cell,) = cut_cells(ink, [placed], SCALE, NUMBER_CELLS)
    return numbers.read(cell, field)


def test_a_number_is_read_as_a_whole(numbers: NumberReader, pen: Pen) -> None:
    found = read(numbers, "2078", pen)
    assert (found.value, found.confidence > 0.5, found.broken) == ("2078", True, 0.0)
    assert read(numbers, "", pen).value == ""


def test_a_number_out_of_its_range_breaks_the_rule_and_two_numbers_are_none(numbers: NumberReader, pen: Pen) -> None:
    assert read(numbers, "2078", pen, maximum=100).broken > 0.5
    assert read(numbers, "20    71", pen).confidence == 0

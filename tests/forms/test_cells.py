"""Writing comes out of its box whole, and the printed box stays behind."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from inkdigits.forms.cells import Cell, cut_cells
from inkdigits.forms.fields import Digits
from inkdigits.forms.flattening import PlacedBox
from inkdigits.forms.pages import Box, PlacedField

SCALE = 8
BOXES = (Box(5, 5, 7, 9), Box(13.2, 5, 7, 9), Box(5, 14.8, 7, 9))  # one beside and one below the first
MATRIX = np.array([[1.0, 0, 0], [0, 1, 0]])
FIELD = PlacedField("a", Digits(name="a", length=3), BOXES)
Ink = NDArray[np.float32]


def page() -> Ink:
    ink = np.zeros((200, 180), np.float32)
    for box in BOXES:
        corners = [(round(x * SCALE), round(y * SCALE)) for x, y in (box.corners[0], box.corners[2])]
        cv2.rectangle(ink, *corners, 0.9, 2)
    return cv2.GaussianBlur(ink, (0, 0), 1.0)


def stroke(ink: Ink, *points: tuple[float, float], strength: float = 0.8) -> Ink:
    """Add a stroke through points in millimetres."""
    drawn = np.zeros_like(ink)
    pixels = np.round(np.array(points) * SCALE).astype(np.int32)
    cv2.polylines(drawn, [pixels], False, strength, 4)
    return np.maximum(ink, drawn)


def cells(ink: Ink, shift: tuple[float, float] = (0, 0)) -> list[Cell]:
    matrix = MATRIX + np.array([[0, 0, shift[0]], [0, 0, shift[1]]])
    return cut_cells(ink, [PlacedBox(FIELD, index, box, matrix) for index, box in enumerate(BOXES)], SCALE)


@pytest.mark.parametrize("shift", [(0, 0), (2, -2), (-2, 1)])
def test_a_printed_box_is_blank_also_where_it_lies_a_little_beside(shift: tuple[int, int]) -> None:
    assert [cell.is_blank for cell in cells(page(), shift)] == [True] * 3


def test_a_stroke_comes_out_at_its_length() -> None:
    found = cells(stroke(page(), (8.5, 6.5), (8.5, 12.5)))
    assert [cell.is_blank for cell in found] == [False, True, True]
    assert found[0].length == pytest.approx(6.5, abs=0.4)


def test_a_stroke_along_a_side_is_not_taken_for_print() -> None:
    found = cells(stroke(page(), (11.2, 6.5), (11.2, 12.5)))[0]
    assert found.length == pytest.approx(6.5, abs=0.5)


def test_a_stroke_on_a_side_is_left_open() -> None:  # a 1, or the rest of the printed line
    found = cells(stroke(page(), (11.75, 7), (11.75, 11.5)))[0]
    assert (found.is_blank, found.at_side) == (True, True)
    assert not cells(page())[0].at_side


def test_what_is_near_the_sides_is_no_inner_writing() -> None:
    found = cells(stroke(page(), (5.5, 9), (11.5, 9)))[0]
    assert found.length - found.inner == pytest.approx(1.0, abs=0.5)


def test_a_stroke_that_crosses_a_side_stays_whole() -> None:
    found = cells(stroke(page(), (8.5, 7), (8.5, 14.4)))
    assert found[0].length > 6.9
    columns = np.flatnonzero(found[0].mask.any(0))
    rows = np.flatnonzero(found[0].mask[:, columns].any(1))
    assert (np.diff(rows) == 1).all()  # without a gap at the side
    assert found[2].is_blank


def test_ink_of_a_neighbour_and_dust_are_left_out() -> None:
    ink = stroke(page(), (11.7, 10), (16, 10))  # mostly in the second box
    ink = stroke(ink, (7, 8), (7, 8))
    found = cells(ink)
    assert (found[0].is_blank, found[1].is_blank) == (True, False)


def test_faint_ink_beside_strong_ink_of_the_page_is_no_writing() -> None:
    ink = stroke(stroke(page(), (8.5, 6.5), (8.5, 12.5)), (8.5, 16), (8.5, 22))
    assert [cell.is_blank for cell in cells(stroke(ink, (16, 6.5), (16, 12.5), strength=0.1))] == [False, True, False]


def test_the_picture_is_in_the_form_of_mnist() -> None:
    picture = cells(stroke(page(), (8.5, 6.5), (8.5, 12.5)))[0].picture
    assert picture.shape == (28, 28)
    rows = np.flatnonzero((picture > 100).any(1))
    assert (rows[0], rows[-1]) == (4, 23)  # 20 pixels high, centred

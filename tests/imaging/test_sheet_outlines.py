"""Which fields with clear edges are a sheet on a desk, and what becomes of the desk."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from inkdigits.imaging.sheet import SheetParameters, remove_desk

CORNERS = np.array([[120, 90], [700, 120], [670, 520], [100, 480]])
INSIDE, ABOVE, BELOW = (300, 320), (300, 100), (300, 550)


def with_field(*numbers: tuple[int, int]) -> NDArray[np.uint8]:
    """A page 800 x 600 with a shaded field, 500 x 300 in its middle, and a number at each place (x, y)."""
    page = np.full((600, 800), 215, np.uint8)
    cv2.rectangle(page, (150, 150), (650, 450), 160, cv2.FILLED)
    for place in numbers:
        cv2.putText(page, "31415", place, cv2.FONT_HERSHEY_SIMPLEX, 2, 40, 6)
    return page


def on_desk(paper: tuple[int, ...], desk: tuple[int, ...]) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """A written sheet on a desk 800 x 600, in grey or in colour, and where it is."""
    sheet = np.zeros((600, 800), np.uint8)
    cv2.fillConvexPoly(sheet, CORNERS, 255)
    picture = np.where(sheet[..., None] > 0, paper, desk).astype(np.uint8)
    cv2.putText(picture, "314", (200, 350), cv2.FONT_HERSHEY_SIMPLEX, 4, (40,) * len(paper), 8)
    return picture if len(paper) > 1 else picture[..., 0], sheet > 0


def test_a_field_that_holds_all_the_writing_is_taken_for_a_sheet() -> None:
    left = remove_desk(with_field(INSIDE))
    assert (left[:140] == 160).all()  # filled with the field's own shade


@pytest.mark.parametrize("numbers", [(ABOVE,), (ABOVE, BELOW), (ABOVE, INSIDE), (ABOVE, INSIDE, BELOW)])
def test_writing_beside_a_shaded_field_stays(numbers: tuple[tuple[int, int], ...]) -> None:
    page = with_field(*numbers)
    assert np.array_equal(remove_desk(page), page)


@pytest.mark.parametrize("desk", [(150, 200, 194), (225, 170, 216), (200, 187, 120), (180, 187, 160)])
def test_a_sheet_that_differs_from_the_desk_in_colour_alone_is_found(desk: tuple[int, int, int]) -> None:
    """Grey does not show it; one channel at least does."""
    paper = (200, 187, 160)
    grey = cv2.cvtColor(np.array([[paper, desk]], np.uint8), cv2.COLOR_RGB2GRAY)[0].astype(int)
    assert abs(grey[0] - grey[1]) < 7
    picture, sheet = on_desk(paper, desk)
    left = remove_desk(picture).astype(int)
    assert np.abs(left[~sheet] - paper).max() < 8


@pytest.mark.parametrize("size", [(30, 800), (800, 30), (150, 200)])
def test_small_and_narrow_pictures_are_left_as_they_are(size: tuple[int, int]) -> None:
    picture = cv2.resize(on_desk((210,), (60,))[0], size[::-1], interpolation=cv2.INTER_AREA)
    assert np.array_equal(remove_desk(picture), picture)


def test_the_dark_rim_of_a_scan_is_no_desk() -> None:
    page = np.full((600, 800), 210, np.uint8)
    cv2.putText(page, "314", (200, 350), cv2.FONT_HERSHEY_SIMPLEX, 4, 40, 8)
    rim = 9
    page[:rim], page[-rim:], page[:, :rim], page[:, -rim:] = 60, 60, 60, 60
    assert np.array_equal(remove_desk(page), page)


def test_paper_reaches_to_the_sheets_edge_and_keeps_its_light() -> None:
    """The desk takes the shade of the nearest paper: light on the left, dark on the right."""
    picture, sheet = on_desk((210,), (60,))
    writing = sheet & (picture < 205)
    picture = np.where(sheet, picture * np.linspace(1.0, 0.7, 800), picture).astype(np.uint8)
    left = remove_desk(picture)
    assert left[:60, 60:110].mean() == pytest.approx(201, abs=6)
    assert left[-40:, 720:780].mean() == pytest.approx(156, abs=6)
    assert left[~writing].min() > 100  # no line of desk is left along the edge


@pytest.mark.parametrize(
    "parameters",
    [
        SheetParameters(area=(0.7, 0.96)),
        SheetParameters(area=(0.15, 0.4)),
        SheetParameters(corners=3),
        SheetParameters(different=200),
        SheetParameters(span=1.1),
        SheetParameters(closed=1.0),
        SheetParameters(blank=0.0),
    ],
    ids=lambda p: str(p)[:60],
)
def test_each_limit_can_rule_a_sheet_out(parameters: SheetParameters) -> None:
    picture, _ = on_desk((210,), (60,))
    assert not np.array_equal(remove_desk(picture), picture)
    assert np.array_equal(remove_desk(picture, parameters), picture)

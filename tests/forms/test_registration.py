"""Marks and codes are found in pictures of any size and orientation, and the homography places the page."""

import numpy as np
import pytest

from inkdigits.forms.pages import Placement
from inkdigits.forms.registration import Found, find, homography, payload_of
from tests.forms.sheets import SCALE, Picture


def places(matrix: np.ndarray, points: list[tuple[float, float]]) -> np.ndarray:
    mapped = np.array([[x, y, 1] for x, y in points]) @ matrix.T
    return np.asarray(mapped[:, :2] / mapped[:, 2:])


@pytest.mark.parametrize("kept", [(0, 1, 2, 3), (0, 1, 2), (1, 2, 3), (0, 2)])
def test_the_page_lies_where_the_marks_are_though_some_are_hidden(
    kept: tuple[int, ...], blank: Picture, form: Placement
) -> None:
    found = find(blank)
    assert sorted(found.marks) == [0, 1, 2, 3]
    seen = Found({number: found.marks[number] for number in kept}, found.codes)
    matrix = homography(seen, form.pages[0])
    assert matrix is not None
    points = [(20.0, 40.0), (180.0, 150.0), (100.0, 250.0)]
    tolerance = 0.2 if len(kept) > 2 else 1.0  # mm
    assert np.abs(places(matrix, points) / SCALE - points).max() < tolerance


def test_a_code_alone_places_the_page_within_reach_of_the_boxes(blank: Picture, form: Placement) -> None:
    matrix = homography(Found({}, find(blank).codes), form.pages[0])
    assert matrix is not None
    points = [(60.0, 60.0), (100.0, 150.0)]
    assert np.abs(places(matrix, points) / SCALE - points).max() < 3


def test_nothing_is_placed_without_marks_and_code(form: Placement) -> None:
    assert homography(Found({}, ()), form.pages[0]) is None


def test_a_mirrored_page_is_not_placed(blank: Picture, form: Placement) -> None:
    found = find(blank)
    mirrored = {number: corners * [-1, 1] + [blank.shape[1], 0] for number, corners in found.marks.items()}
    assert homography(Found(mirrored, ()), form.pages[0]) is None


def test_a_code_that_the_search_missed_is_read_at_its_place(blank: Picture, form: Placement) -> None:
    found = find(blank)
    assert payload_of(blank, Found(found.marks, ()), form.pages[0]) == form.payload(1, 3)

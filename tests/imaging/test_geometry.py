"""Boxes, and where an affine map takes them."""

import numpy as np
import pytest

from inkdigits.imaging.geometry import Box, bounding_box, map_box

SAME = np.array([[1.0, 0, 0], [0, 1, 0]])


def test_the_bounding_box_holds_every_box() -> None:
    assert bounding_box([(5, 9, 10, 20)]) == (5, 9, 10, 20)
    assert bounding_box([(5, 9, 10, 20), (30, 4, 8, 12)]) == (5, 4, 33, 25)


@pytest.mark.parametrize(
    ("matrix", "expected"),
    [
        (SAME, (10, 4, 20, 6)),
        ([[2, 0, 3], [0, 0.5, 1]], (23, 3, 40, 3)),
        ([[0, -1, 40], [1, 0, 0]], (30, 10, 6, 20)),  # by a quarter
        ([[1, 0, 0.5], [0, 1, 0.5]], (10, 4, 21, 7)),  # every pixel that it touches
        ([[1, 0, 1e-9], [0, 1, -1e-9]], (10, 4, 20, 6)),  # but none for a rounding error
        ([[1, 1, 0], [0, 1, 0]], (14, 4, 26, 6)),  # and of a slanted box every corner
    ],
)
def test_a_box_goes_where_its_corners_go(matrix: object, expected: Box) -> None:
    assert map_box((10, 4, 20, 6), np.array(matrix, float), (100, 50)) == expected


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ((90, 45, 20, 10), (90, 45, 10, 5)),
        ((-5, -7, 20, 10), (0, 0, 15, 3)),
        ((200, 200, 5, 5), (99, 49, 1, 1)),
        ((-20, -20, 5, 5), (0, 0, 1, 1)),
        ((5, 6, 0, 0), (5, 6, 1, 1)),
    ],
)
def test_a_box_stays_in_the_picture_and_has_at_least_one_pixel(box: Box, expected: Box) -> None:
    assert map_box(box, SAME, (100, 50)) == expected

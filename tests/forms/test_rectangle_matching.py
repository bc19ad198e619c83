"""Boxes alone place a form, though some are not seen."""

import cv2
import numpy as np

from inkdigits.forms.rectangle_matching import match_rectangles
from inkdigits.imaging.rectangles import Corners


def grid() -> Corners:
    """Three rows of boxes of which the first is longer."""
    places = [(x, 0.0) for x in range(0, 90, 10)] + [(x, y) for y in (20.0, 35.0) for x in range(0, 50, 10)]
    return np.array([[(x, y), (x + 8, y), (x + 8, y + 10), (x, y + 10)] for x, y in places], float)


def test_the_homography_is_found_though_a_quarter_of_the_boxes_is_missing() -> None:
    own = grid()
    truth = np.array([[5.0, 0.3, 40], [-0.2, 5.2, 30], [2e-4, -1e-4, 1]])
    seen = cv2.perspectiveTransform(own.reshape(-1, 1, 2), truth).reshape(own.shape)
    seen = np.delete(seen, [0, 5, 9, 13, 17], 0)  # a corner of the form too
    best = match_rectangles(own, seen + np.random.default_rng(0).normal(0, 0.3, seen.shape))[0]
    mapped = cv2.perspectiveTransform(own.reshape(-1, 1, 2), best).reshape(own.shape)
    assert np.abs(mapped - cv2.perspectiveTransform(own.reshape(-1, 1, 2), truth).reshape(own.shape)).max() < 3


def test_without_rectangles_there_is_no_homography() -> None:
    assert match_rectangles(grid(), np.empty((0, 4, 2))) == []

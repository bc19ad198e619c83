"""How wide the strokes are that the writing styles draw."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from skimage.morphology import skeletonize

from inkdigits.data import Dataset
from inkdigits.data.writing_styles import crossed_seven, flagged_one, one_pen, slashed_zero

Write = Callable[[NDArray[np.uint8], np.random.Generator], NDArray[np.uint8]]


def width_of_digit(image: NDArray[np.uint8]) -> float:
    """The ink over the length of its middle line, in pixels, both taken eight times larger."""
    large = cv2.resize(image, None, fx=8, fy=8, interpolation=cv2.INTER_LINEAR) > 127
    return float(large.sum() / skeletonize(large).sum() / 8)


def width_of_stroke(added: NDArray[np.uint8], part: tuple[float, float]) -> float:
    """The ink per pixel of length of a straight stroke, in the part of each half that lies between two shares of it."""
    ys, xs = np.nonzero(added > 60)
    points = np.stack([xs, ys], 1) - (xs.mean(), ys.mean())
    along = points @ np.linalg.eigh(np.cov(points.T))[1][:, 1]
    from_middle = np.abs(along - (along.min() + along.max()) / 2) / (np.ptp(along) / 2)
    chosen = (from_middle >= part[0]) & (from_middle < part[1])
    return float(added[ys, xs][chosen].sum() / 255 / (np.ptp(along) * (part[1] - part[0])))


@pytest.mark.parametrize(
    ("digit", "write", "part"),
    [(0, slashed_zero, (0.0, 0.5)), (1, flagged_one, (0.0, 0.5)), (7, crossed_seven, (0.6, 0.8))],
)
def test_what_a_style_adds_is_about_as_wide_as_the_digits_own_stroke(
    digit: int, write: Write, part: tuple[float, float], small: Dataset
) -> None:
    """Measured where the added stroke does not lie on the digit: beside a seven's stem, inside a zero's ring."""
    rng = np.random.default_rng(5)
    ratios = []
    for image in small.train.images[small.train.labels == digit]:
        added = write(image, rng) - image
        if (added > 127).sum() > 15:
            ratios.append(width_of_stroke(added, part) / width_of_digit(image))
    assert len(ratios) > 20
    assert 0.65 < np.median(ratios) < 1.15


def test_one_pen_draws_lines_08_to_35_pixels_wide() -> None:
    line = np.zeros((28, 28), np.uint8)
    line[4:24, 13:15] = 255
    rng = np.random.default_rng(6)
    widths = [one_pen(line, rng)[14].sum() / 255 for _ in range(200)]
    assert 0.6 < min(widths) < 1.0
    assert 3.3 < max(widths) < 3.7

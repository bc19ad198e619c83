"""Writing styles that are common in many countries and rare in MNIST, whose writers are from the United States.

A one with a flag and sometimes a foot, a seven with a bar, a zero with a slash: these strokes are added to MNIST's own
digits, as wide as the strokes of the digit. Besides, any digit can be redrawn with one stroke width, as a finger on a
screen or a felt pen writes.
"""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from inkdigits.synthetic.outliers import FINE, stroke

Picture = NDArray[np.uint8]  # (28, 28), ink bright on black
ONE_PEN = 0.5  # share of all digits that is redrawn with one stroke width, relative to the share of flags
INK = 100  # pixels above this are ink


def flagged_one(image: Picture, rng: np.random.Generator) -> Picture:
    """Add to a one the upstroke that leads to its top, and to one in five a foot."""
    ys, xs = np.nonzero(image > INK)
    width = _width(image)
    top, bottom = int(ys.min()), int(ys.max())
    head = np.array([xs[ys <= top + 1].mean(), top + width / 2])
    length, angle = rng.uniform(0.22, 0.75) * max(8, bottom - top), np.radians(rng.uniform(22, 68))
    end = head + length * np.array([-np.cos(angle), np.sin(angle)])
    bow = (head + end) / 2 + rng.normal(0, 0.7, 2)
    drawn = np.maximum(image, stroke(np.stack([head, bow, end]), width))
    if rng.random() < 0.2:
        foot = np.array([xs[ys >= bottom - 1].mean(), bottom - width / 2])
        half = rng.uniform(2, 6)
        drawn = np.maximum(drawn, stroke(np.stack([foot - (half, 0), foot + np.array((half, rng.normal()))]), width))
    return drawn


def crossed_seven(image: Picture, rng: np.random.Generator) -> Picture:
    """Add a bar through the stem of a seven."""
    ys, xs = np.nonzero(image > INK)
    top, bottom = int(ys.min()), int(ys.max())
    row = round(top + rng.uniform(0.42, 0.68) * (bottom - top))
    stem = np.array([xs[np.abs(ys - row) <= 1].mean() if (np.abs(ys - row) <= 1).any() else xs.mean(), row])
    half = np.array([rng.uniform(2.5, 6.5), rng.uniform(-2, 1)])
    middle = stem + np.array((rng.uniform(-1.5, 1.5), 0))
    return np.maximum(image, stroke(np.stack([middle - half, middle + half]), _width(image)))


def slashed_zero(image: Picture, rng: np.random.Generator) -> Picture:
    """Add a slash through a zero, from the lower left to the upper right."""
    ys, xs = np.nonzero(image > INK)
    middle = np.array([xs.mean(), ys.mean()])
    reach = np.array([np.ptp(xs), -np.ptp(ys)]) / 2 * rng.uniform(0.5, 1.1, 2)
    return np.maximum(image, stroke(np.stack([middle - reach, middle + reach]), _width(image)))


def one_pen(image: Picture, rng: np.random.Generator) -> Picture:
    """Redraw the skeleton of a digit with one stroke width, 0.8 to 3.5 pixels."""
    from skimage.morphology import skeletonize

    large = cv2.GaussianBlur(cv2.resize(image, None, fx=FINE, fy=FINE, interpolation=cv2.INTER_CUBIC), (0, 0), FINE / 2)
    middle = np.asarray(skeletonize(large > INK), np.uint8) * 255
    side = int(rng.integers(3, 15))
    drawn = cv2.dilate(middle, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)))
    return np.asarray(cv2.resize(drawn, image.shape[::-1], interpolation=cv2.INTER_AREA), np.uint8)


Write = Callable[[Picture, np.random.Generator], Picture]
WRITING_STYLES: dict[int, tuple[Write, float]] = {  # by digit, with its frequency relative to the share
    0: (slashed_zero, 0.25),
    1: (flagged_one, 1.0),
    7: (crossed_seven, 1.0),
}


def with_writing_styles(
    images: NDArray[np.uint8], labels: NDArray[np.integer], share: float, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Return images uint8 (N, 28, 28), some of them changed to another writing style; their labels do not change.

    The share of ones and sevens that are changed is ``share``, that of zeros a quarter of it. Half of ``share`` of all
    digits is redrawn with one stroke width.
    """
    out = images.copy()
    for digit, (write, frequency) in WRITING_STYLES.items():
        for index in np.flatnonzero((labels == digit) & (rng.random(len(labels)) < share * frequency)):
            if (out[index] > INK).any():
                out[index] = write(out[index], rng)
    for index in np.flatnonzero(rng.random(len(labels)) < share * ONE_PEN):
        redrawn = one_pen(out[index], rng)
        if redrawn.any():
            out[index] = redrawn
    return out


def _width(image: Picture) -> float:
    """Return the stroke width of an image in pixels, estimated as its ink divided by the length of its ridge."""
    ink = (image > INK).astype(np.uint8)
    inside = cv2.distanceTransform(np.pad(ink, 1), cv2.DIST_L2, 3)
    ridge = inside[(inside > 0) & (inside >= cv2.dilate(inside, np.ones((3, 3), np.uint8)) - 1e-3)]
    return float(np.clip(0.7 * ink.sum() / max(1, len(ridge)), 0.8, 3.0))

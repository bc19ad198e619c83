"""Ways of writing that MNIST's clerks and pupils seldom used and much of the world does.

A one with a flag and perhaps a foot, a seven with a bar, a zero with a slash: drawn into MNIST's own digits, with a
stroke of their own width. And any digit drawn again with a pen of one width, as a finger on glass or a felt pen does.
"""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from inkdigits.synthetic.outliers import FINE, stroke

Picture = NDArray[np.uint8]  # (28, 28), ink bright on black
ONE_PEN = 0.5  # how often a digit is drawn with one pen, against the share of flags
INK = 100  # a pixel is ink from here on


def flagged_one(image: Picture, rng: np.random.Generator) -> Picture:
    """Give a one the upstroke that leads to its top, and at times a foot."""
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
    """Draw the bar through a seven's stem."""
    ys, xs = np.nonzero(image > INK)
    top, bottom = int(ys.min()), int(ys.max())
    row = round(top + rng.uniform(0.42, 0.68) * (bottom - top))
    stem = np.array([xs[np.abs(ys - row) <= 1].mean() if (np.abs(ys - row) <= 1).any() else xs.mean(), row])
    half = np.array([rng.uniform(2.5, 6.5), rng.uniform(-2, 1)])
    middle = stem + np.array((rng.uniform(-1.5, 1.5), 0))
    return np.maximum(image, stroke(np.stack([middle - half, middle + half]), _width(image)))


def slashed_zero(image: Picture, rng: np.random.Generator) -> Picture:
    """Draw a slash through a zero, from the lower left to the upper right."""
    ys, xs = np.nonzero(image > INK)
    middle = np.array([xs.mean(), ys.mean()])
    reach = np.array([np.ptp(xs), -np.ptp(ys)]) / 2 * rng.uniform(0.5, 1.1, 2)
    return np.maximum(image, stroke(np.stack([middle - reach, middle + reach]), _width(image)))


def one_pen(image: Picture, rng: np.random.Generator) -> Picture:
    """Draw a digit's middle line again, 0.8 to 3.5 pixels wide throughout."""
    from skimage.morphology import skeletonize

    large = cv2.GaussianBlur(cv2.resize(image, None, fx=FINE, fy=FINE, interpolation=cv2.INTER_CUBIC), (0, 0), FINE / 2)
    middle = np.asarray(skeletonize(large > INK), np.uint8) * 255
    side = int(rng.integers(3, 15))
    drawn = cv2.dilate(middle, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)))
    return np.asarray(cv2.resize(drawn, image.shape[::-1], interpolation=cv2.INTER_AREA), np.uint8)


WRITING_STYLES: dict[
    int, tuple[Callable[[Picture, np.random.Generator], Picture], float]
] = {  # and how often, against the rest
    **{0: (slashed_zero, 0.25), 1: (flagged_one, 1.0), 7: (crossed_seven, 1.0)}
}


def with_writing_styles(
    images: NDArray[np.uint8], labels: NDArray[np.integer], share: float, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Return images uint8 (N, 28, 28), ``share`` of the ones and sevens, and a quarter of it of the zeros, rewritten.

    Half of ``share`` of all of them are drawn again with one pen. Their labels (N,) stay as they are.
    """
    out = images.copy()
    for digit, (write, often) in WRITING_STYLES.items():
        for index in np.flatnonzero((labels == digit) & (rng.random(len(labels)) < share * often)):
            if (out[index] > INK).any():
                out[index] = write(out[index], rng)
    for index in np.flatnonzero(rng.random(len(labels)) < share * ONE_PEN):
        redrawn = one_pen(out[index], rng)
        if redrawn.any():
            out[index] = redrawn
    return out


def _width(image: Picture) -> float:
    """Return the width of an image's stroke, in pixels: from its ink over the length of its ridge."""
    ink = (image > INK).astype(np.uint8)
    inside = cv2.distanceTransform(np.pad(ink, 1), cv2.DIST_L2, 3)
    ridge = inside[(inside > 0) & (inside >= cv2.dilate(inside, np.ones((3, 3), np.uint8)) - 1e-3)]
    return float(np.clip(0.7 * ink.sum() / max(1, len(ridge)), 0.8, 3.0))

"""Strips: lines of writing in the form that the line reader takes, 40 pixels high, with ink bright on black."""

from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from inkdigits.imaging.binarize import Ink
from inkdigits.imaging.geometry import Box

HEIGHT = 40  # pixels
PAPER = 13  # pixels; strokes are thinner, so a closing of this side leaves the paper
BRIGHT = 200  # level of dark ink, of 255
DARK_INK = 0.97  # quantile of the ink's strength that becomes BRIGHT
FAINTEST = 0.08  # share of the paper's brightness; weaker contrast is not raised to BRIGHT
INK = 0.04  # share of the paper's brightness; less is paper
NARROWEST = 8  # pixels

Strip = NDArray[np.uint8]  # (HEIGHT, W)


def make_strip(grey: NDArray[Any]) -> Strip:
    """Return a picture of one line, dark ink on bright paper, as a strip uint8 (40, W).

    The brightness is divided by that of the paper, and the contrast is raised to a common level.

    Parameters
    ----------
    grey
        uint8 or float32 (H, W); the paper has any brightness above 0.
    """
    height, width = grey.shape
    size = (max(NARROWEST, round(width * HEIGHT / height)), HEIGHT)
    way = cv2.INTER_AREA if height > HEIGHT else cv2.INTER_LINEAR
    small = np.asarray(cv2.resize(grey, size, interpolation=way), np.float32)
    kernel = np.ones((PAPER, PAPER), np.uint8)
    paper = cv2.blur(cv2.morphologyEx(small, cv2.MORPH_CLOSE, kernel), (PAPER, PAPER))
    ink = np.clip(1 - small / np.maximum(paper, 1e-3), 0, 1)
    inked = ink[ink > INK]
    strength = max(FAINTEST, float(np.quantile(inked, DARK_INK))) if len(inked) else 1.0
    return np.asarray(np.clip(ink * (BRIGHT / strength), 0, 255), np.uint8)


@dataclass(frozen=True)
class StripArea:
    """Where a strip lies on a page: a parallelogram with upright sides.

    Attributes
    ----------
    left, right
        Columns of the page, pixels.
    middle
        Row of its middle at column ``left``, pixels.
    height
        Pixels of the page.
    slope
        Pixels down for each pixel to the right.
    """

    left: float
    right: float
    middle: float
    height: float
    slope: float = 0.0

    @property
    def scale(self) -> float:
        """Pixels of the page for each pixel of the strip."""
        return self.height / HEIGHT

    def changed(self, scale: float, slope: float) -> "StripArea":
        """Return an area that is ``scale`` times as high and has ``slope`` more, about the same middle."""
        shift = slope * (self.right - self.left) / 2
        return replace(self, middle=self.middle - shift, height=self.height * scale, slope=self.slope + slope)

    def box_on_page(self, edges: tuple[float, float, float, float]) -> Box:
        """Return the box on the page of something with these left, top, right and bottom edges on the strip."""
        left, top, right, bottom = (self.scale * edge for edge in edges)
        shift = self.middle - self.height / 2 + self.slope * (left + right) / 2
        x, y = round(self.left + left), round(shift + top)
        return x, y, max(1, round(self.left + right) - x), max(1, round(shift + bottom) - y)


def cut_strip(ink: Ink, area: StripArea) -> Strip:
    """Return a part of a page's ink, float32 (H, W) in [0, 1], as a strip; beyond the page is paper."""
    size = max(1, round(area.right - area.left)), max(1, round(area.height))
    matrix = np.array([[1, 0, area.left], [area.slope, 1, area.middle - area.height / 2]])
    way = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return make_strip(np.asarray(cv2.warpAffine(1 - ink, matrix, size, flags=way, borderValue=1.0), np.float32))

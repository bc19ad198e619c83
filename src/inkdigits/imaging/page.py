"""A page made ready to be read: its ink at a working size, straightened, and the way back to the picture's pixels."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from inkdigits.imaging.binarize import Ink, Mask, binarize, normalize_background
from inkdigits.imaging.pixels import shrunk, to_bytes
from inkdigits.imaging.rulings import Box, tilt
from inkdigits.imaging.sheet import without_desk

LONGEST = 1800  # longer side of the page at its working size, pixels
SLIGHT = 0.3  # degrees: a smaller tilt is left


@dataclass(frozen=True)
class Page:
    """The ink of a page, upright.

    Attributes
    ----------
    ink
        float32 (H, W) in [0, 1], a share of the paper's light.
    mask
        uint8 (H, W), 255 where there is ink.
    faint
        The same, however faint it is beside the writing: what is printed or ruled too.
    back
        float64 (2, 3), the affine map from its pixels to those of the picture.
    size
        Width and height of the picture, pixels.
    """

    ink: Ink
    mask: Mask
    faint: Mask
    back: NDArray[np.float64]
    size: tuple[int, int]

    def on_picture(self, box: Box) -> Box:
        """Return the box, in the picture's pixels, that holds a box of the page."""
        left, top, wide, tall = box
        corners = np.array([[left, top], [left + wide, top], [left, top + tall], [left + wide, top + tall]], float)
        points = corners @ self.back[:, :2].T + self.back[:, 2]
        low = np.clip(np.floor(points.min(0) + 1e-6), 0, np.array(self.size) - 1).astype(int)
        high = np.clip(np.ceil(points.max(0) - 1e-6), low + 1, self.size).astype(int)
        return int(low[0]), int(low[1]), int(high[0] - low[0]), int(high[1] - low[1])


def prepare(picture: NDArray[Any], quarter_turns: int = 0, size: tuple[int, int] | None = None) -> Page:
    """Return the page on a picture (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), turned to the left by quarters first.

    ``size`` is the width and height that boxes are given in, where the picture was scaled down before.

    Raises
    ------
    ValueError
        See :func:`inkdigits.imaging.pixels.to_bytes`.
    """
    pixels = to_bytes(picture)
    height, width = pixels.shape[:2]
    full = size or (width, height)
    pixels = shrunk(pixels, LONGEST)
    there = np.diag([pixels.shape[1] / full[0], pixels.shape[0] / full[1], 1.0])  # from the picture to the page
    turns = quarter_turns % 4
    if turns:
        tall, wide = pixels.shape[:2]
        pixels = np.ascontiguousarray(np.rot90(pixels, turns))
        quarter = {1: [[0, 1, 0], [-1, 0, wide]], 2: [[-1, 0, wide], [0, -1, tall]], 3: [[0, -1, tall], [1, 0, 0]]}[
            turns
        ]
        there = np.array([*quarter, [0, 0, 1]], float) @ there
    ink = normalize_background(without_desk(pixels))
    angle = tilt(ink)
    if abs(angle) >= SLIGHT:
        tall, wide = ink.shape
        turn = cv2.getRotationMatrix2D((wide / 2, tall / 2), angle, 1.0)
        cos, sin = abs(turn[0, 0]), abs(turn[0, 1])
        new = int(np.ceil(wide * cos + tall * sin)), int(np.ceil(tall * cos + wide * sin))
        turn[:, 2] += [(new[0] - wide) / 2, (new[1] - tall) / 2]
        ink = np.asarray(cv2.warpAffine(ink, turn, new, flags=cv2.INTER_LINEAR), np.float32)
        there = np.array([*turn, [0, 0, 1]]) @ there
    return Page(ink, *binarize(ink), np.linalg.inv(there)[:2], full)

"""Boxes in pixels: left, top, width, height."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Box = tuple[int, int, int, int]  # left, top, width, height, pixels


def bounding_box(boxes: Sequence[Box]) -> Box:
    """Return the smallest box that holds all ``boxes``, of which there is at least one."""
    left, top = min(b[0] for b in boxes), min(b[1] for b in boxes)
    right, bottom = max(b[0] + b[2] for b in boxes), max(b[1] + b[3] for b in boxes)
    return left, top, right - left, bottom - top


def map_box(box: Box, matrix: NDArray[np.float64], size: tuple[int, int]) -> Box:
    """Return the smallest box that holds the corners of ``box`` after an affine map (2, 3), within ``size``."""
    left, top, wide, tall = box
    corners = np.array([[left, top], [left + wide, top], [left, top + tall], [left + wide, top + tall]], float)
    points = corners @ matrix[:, :2].T + matrix[:, 2]
    low = np.clip(np.floor(points.min(0) + 1e-6), 0, np.array(size) - 1).astype(int)
    high = np.clip(np.ceil(points.max(0) - 1e-6), low + 1, size).astype(int)
    return int(low[0]), int(low[1]), int(high[0] - low[0]), int(high[1] - low[1])

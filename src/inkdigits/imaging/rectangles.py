"""Rectangles of paper that drawn lines enclose, at any angle."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from inkdigits.imaging.binarize import Mask

Corners = NDArray[np.float64]  # (K, 4, 2): top left, top right, bottom right, bottom left, each x and y


@dataclass(frozen=True)
class RectangleParameters:
    """What makes paper inside lines a rectangle."""

    square: float = 0.88  # of the smallest rectangle around it that its hull fills, at least; an ellipse fills 0.785
    open_paper: float = 0.4  # of the hull's area that is paper, at least
    gap: int = 3  # pixels; smaller gaps in the lines are closed


def find_rectangles(mask: Mask, shortest: float, parameters: RectangleParameters | None = None) -> Corners:
    """Return the rectangles of paper that the lines of a mask enclose, each with its corners, pixels.

    Parameters
    ----------
    mask
        uint8 (H, W), 255 on ink.
    shortest
        Pixels; a rectangle with a shorter side is the hole of a letter.
    """
    p = parameters or RectangleParameters()
    closed = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((p.gap, p.gap), np.uint8))
    contours, tree = cv2.findContours(closed, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    found = []
    for contour, (_, _, _, parent) in zip(contours, tree[0] if tree is not None else (), strict=True):
        if parent < 0 or min(cv2.boundingRect(contour)[2:]) < shortest:
            continue
        around = cv2.minAreaRect(contour)
        hull = cv2.convexHull(contour)
        area = cv2.contourArea(hull)
        wide, tall = around[1]
        if min(wide, tall) < shortest or area < p.square * wide * tall:
            continue
        if cv2.contourArea(contour) >= p.open_paper * area:
            found.append(in_order(np.asarray(cv2.boxPoints(around), float)))
    return np.array(found, float).reshape(-1, 4, 2)


def in_order(corners: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return four corners of a rectangle, or the extreme ones of points (N, 2): top left, top right, and so on."""
    total, difference = corners.sum(1), corners[:, 0] - corners[:, 1]
    return corners[[total.argmin(), difference.argmax(), total.argmax(), difference.argmin()]]

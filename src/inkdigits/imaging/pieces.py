"""Pieces of ink: connected components, and their picture in the form of MNIST."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from inkdigits.imaging.binarize import Ink, Mask, strongest_ink
from inkdigits.imaging.geometry import Box, bounding_box
from inkdigits.imaging.normalize import SIZE, thicken_and_fit


@dataclass(frozen=True)
class Piece:
    """A connected component of ink.

    Attributes
    ----------
    box
        Left, top, width, height on the page, pixels.
    mask
        uint8 (height, width), 255 on its ink.
    """

    box: Box
    mask: Mask


def find_pieces(mask: Mask, most: int, smallest: int) -> list[Piece]:
    """Return the ``most`` largest connected components of a mask (H, W) that have ``smallest`` pixels or more."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask)
    order = 1 + np.argsort(-stats[1:, cv2.CC_STAT_AREA], kind="stable")[:most]
    pieces = []
    for index in order.tolist():
        left, top, wide, tall, area = stats[index].tolist()
        if area >= smallest:
            patch = (labels[top : top + tall, left : left + wide] == index).astype(np.uint8) * 255
            pieces.append(Piece((left, top, wide, tall), patch))
    return pieces


def mnist_picture(run: Sequence[Piece], ink: Ink) -> NDArray[np.uint8]:
    """Return the ink of ``run`` alone in the form of MNIST, uint8 (28, 28); ``ink`` is that of the page, (H, W)."""
    left, top, wide, tall = bounding_box([piece.box for piece in run])
    mask = np.zeros((tall + 2, wide + 2), np.uint8)
    for piece in run:
        x, y = piece.box[0] - left + 1, piece.box[1] - top + 1
        view = mask[y : y + piece.box[3], x : x + piece.box[2]]
        np.maximum(view, piece.mask, out=view)
    mask = np.asarray(cv2.dilate(mask, np.ones((3, 3), np.uint8)), np.uint8)
    height, width = ink.shape
    patch = np.zeros((tall + 2, wide + 2), np.float32)
    y0, x0 = max(0, top - 1), max(0, left - 1)
    y1, x1 = min(height, top + tall + 1), min(width, left + wide + 1)
    patch[y0 - top + 1 : y1 - top + 1, x0 - left + 1 : x1 - left + 1] = ink[y0:y1, x0:x1]
    patch[mask == 0] = 0
    if not patch.any():
        return np.zeros((SIZE, SIZE), np.uint8)
    strongest = strongest_ink(patch[mask > 0]) or 1.0
    return thicken_and_fit(np.asarray((patch * (255 / strongest)).clip(0, 255), np.uint8))

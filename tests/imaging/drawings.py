"""Drawn pages for the tests of this folder: writing, ruled paper, a form."""

import cv2
import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.uint8]


def written() -> Mask:
    mask = np.zeros((600, 900), np.uint8)
    for index in range(12):
        x, y = 80 + 120 * (index % 6), 130 + 230 * (index // 6)
        if index % 2:
            cv2.ellipse(mask, (x, y), (30, 55), 10, 0, 360, 255, 8)
        else:
            cv2.line(mask, (x + 20, y - 60), (x - 15, y + 60), 255, 8)
    return mask


def ruled(angle: float) -> Mask:
    mask = np.zeros((600, 900), np.uint8)
    for y in range(-200, 800, 60):
        rise = np.tan(np.radians(angle)) * 900
        cv2.line(mask, (0, y), (900, round(y + rise)), 255, 2)
    return mask


def inky(mask: Mask) -> NDArray[np.float32]:
    return (mask / 255).astype(np.float32)


def form(shared: bool) -> tuple[Mask, list[tuple[int, int, int, int]]]:
    """Three rows of seven boxes, of which a third are written in."""
    mask = np.zeros((500, 900), np.uint8)
    inside = []
    step = 90 if shared else 110
    for row in range(3):
        for column in range(7):
            x, y = 60 + column * step, 50 + row * 140
            cv2.rectangle(mask, (x, y), (x + 90, y + 100), 255, 2)
            inside.append((x, y, 90, 100))
            if column % 3 == 0:
                cv2.putText(mask, str(column), (x + 18, y + 82), cv2.FONT_HERSHEY_SIMPLEX, 2.6, 255, 6)
    return mask, inside

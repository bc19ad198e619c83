"""A sheet on a desk, and what only looks like one."""

import cv2
import numpy as np
from numpy.typing import NDArray

from inkdigits.imaging.sheet import without_desk


def on_desk() -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    picture = np.full((600, 800), 60, np.uint8)
    sheet = np.zeros_like(picture)
    cv2.fillConvexPoly(sheet, np.array([[120, 90], [700, 120], [670, 520], [100, 480]]), 255)
    picture[sheet > 0] = 210
    cv2.putText(picture, "314", (200, 350), cv2.FONT_HERSHEY_SIMPLEX, 4, 40, 8)
    return picture, sheet > 0


def test_the_desk_becomes_paper_and_the_writing_stays() -> None:
    picture, sheet = on_desk()
    left = without_desk(picture)
    assert left[~sheet].min() > 195
    inner = cv2.erode(sheet.astype(np.uint8), np.ones((41, 41), np.uint8)) > 0
    assert np.array_equal(left[inner], picture[inner])
    colour = without_desk(np.dstack([picture] * 3))
    assert colour[~sheet].min() > 195


def test_a_page_a_vignette_and_a_drawing_are_left_alone() -> None:
    picture, sheet = on_desk()
    page = np.where(sheet, picture, 210).astype(np.uint8)
    y, x = np.mgrid[-1:1:600j, -1:1:800j]
    vignette = (page * (1 - 0.7 * np.clip(np.hypot(x, y), 0, 1))).astype(np.uint8)
    drawing = np.zeros((600, 800), np.uint8)
    cv2.ellipse(drawing, (400, 300), (220, 250), 0, 0, 360, 255, 60)
    for other in (page, vignette, drawing, drawing[:50, :50]):
        assert np.array_equal(without_desk(other), other)

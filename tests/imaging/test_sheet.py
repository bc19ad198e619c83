"""A sheet on a desk, and what only looks like one."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from inkdigits.imaging.sheet import SheetParameters, _holds_writing, remove_desk


def on_desk(desk: int = 60) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    picture = np.full((600, 800), desk, np.uint8)
    sheet = np.zeros_like(picture)
    cv2.fillConvexPoly(sheet, np.array([[120, 90], [700, 120], [670, 520], [100, 480]]), 255)
    picture[sheet > 0] = 210
    cv2.putText(picture, "314", (200, 350), cv2.FONT_HERSHEY_SIMPLEX, 4, 40, 8)
    return picture, sheet > 0


@pytest.mark.parametrize("desk", [60, 150, 190, 245])
def test_the_desk_becomes_paper_and_the_writing_stays(desk: int) -> None:
    picture, sheet = on_desk(desk)
    left = remove_desk(picture)
    assert 195 < left[~sheet].min() <= left[~sheet].max() < 215
    inner = cv2.erode(sheet.astype(np.uint8), np.ones((41, 41), np.uint8)) > 0
    assert np.array_equal(left[inner], picture[inner])
    colour = remove_desk(np.dstack([picture] * 3))
    assert 195 < colour[~sheet].min() <= colour[~sheet].max() < 215


def test_a_sheet_half_in_shadow_is_kept_whole() -> None:
    picture, sheet = on_desk(130)
    light = 1 - 0.45 / (1 + np.exp(-(np.arange(800) - 400) / 40))
    picture = np.where(sheet, picture * light, picture).astype(np.uint8)
    left = remove_desk(picture)
    inner = cv2.erode(sheet.astype(np.uint8), np.ones((41, 41), np.uint8)) > 0
    assert np.array_equal(left[inner], picture[inner])
    assert (left[0, :200] > 195).all()


def test_a_page_a_vignette_and_a_drawing_are_left_alone() -> None:
    picture, sheet = on_desk()
    page = np.where(sheet, picture, 210).astype(np.uint8)
    y, x = np.mgrid[-1:1:600j, -1:1:800j]
    vignette = (page * (1 - 0.7 * np.clip(np.hypot(x, y), 0, 1))).astype(np.uint8)
    drawing = np.zeros((600, 800), np.uint8)
    cv2.ellipse(drawing, (400, 300), (220, 250), 0, 0, 360, 255, 60)
    for other in (page, vignette, drawing, drawing[:50, :50]):
        assert np.array_equal(remove_desk(other), other)


def test_a_dense_grid_is_no_sheet() -> None:
    picture = np.full((600, 800), 215, np.uint8)
    for x in range(100, 701, 60):
        cv2.line(picture, (x, 120), (x, 480), 90, 14)
    for y in range(120, 481, 60):
        cv2.line(picture, (100, y), (700, y), 90, 14)
    assert np.array_equal(remove_desk(picture), picture)


def test_a_sheet_that_fills_the_picture_holds_no_writing_alone() -> None:
    """There is too little around it to compare with."""
    strokes = np.zeros((200, 200), np.float32)
    strokes[90:110, 40:160] = 1
    whole, part = np.ones((200, 200), np.uint8), np.zeros((200, 200), np.uint8)
    part[20:180, 20:180] = 1
    assert not _holds_writing(whole, strokes, SheetParameters())
    assert not _holds_writing(np.zeros_like(part), strokes, SheetParameters())
    assert _holds_writing(part, strokes, SheetParameters())

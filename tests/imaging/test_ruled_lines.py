"""Ruled lines are found and removed; strokes stay."""

import cv2
import numpy as np
import pytest

from inkdigits.imaging.ruled_lines import RuledLineParameters, find_ruled_lines, remove_ruled_lines
from tests.imaging.drawings import ruled, written


def test_rules_go_and_the_strokes_that_cross_them_stay() -> None:
    pen, lines = written(), ruled(0.5)
    left = remove_ruled_lines(pen | lines, find_ruled_lines(pen | lines))
    assert (left[pen > 0] > 0).mean() > 0.97
    assert (left[(lines > 0) & (cv2.dilate(pen, np.ones((9, 9), np.uint8)) == 0)] > 0).mean() < 0.02


def test_rules_that_bend_twice_are_followed_by_halves() -> None:
    x = np.arange(900)
    lines = np.zeros((600, 900), np.uint8)
    for y in range(60, 600, 60):
        bent = y + 9 * np.sin(2 * np.pi * x / 900)
        cv2.polylines(lines, [np.stack([x, bent], 1).round().astype(np.int32)], False, 255, 2)
    bare = (lines > 0) & (cv2.dilate(written(), np.ones((15, 15), np.uint8)) == 0)
    assert (find_ruled_lines(written() | lines)[bare] > 0).mean() > 0.95


def test_a_tall_one_and_a_sevens_bar_are_no_rules() -> None:
    mask = np.zeros((600, 900), np.uint8)
    cv2.line(mask, (200, 100), (190, 480), 255, 12)
    cv2.line(mask, (400, 120), (640, 110), 255, 12)
    cv2.line(mask, (640, 110), (480, 480), 255, 12)
    assert not find_ruled_lines(mask).any()


def test_lines_that_broad_strokes_tie_to_one_another_are_all_found() -> None:
    page = np.zeros((200, 400), np.uint8)
    for row in (80, 105, 130):
        page[row : row + 2, 10:390] = 255
    strokes = np.zeros_like(page)
    for column in range(40, 360, 60):
        strokes[74:138, column : column + 30] = 255
    found = find_ruled_lines(page | strokes)
    bare = (page > 0) & (cv2.dilate(strokes, np.ones((1, 21))) == 0)
    for row in (80, 105, 130):
        assert (found[row][bare[row]] > 0).mean() > 0.9


@pytest.mark.parametrize("above", [-18, 0, 12])
@pytest.mark.parametrize("pen", [5, 7, 9])
def test_zeros_in_a_row_are_whole_where_a_rule_runs_through_them(above: int, pen: int) -> None:
    mask = np.zeros((600, 900), np.uint8)
    for x in range(100, 700, 50):
        cv2.ellipse(mask, (x, 300 + above), (14, 26), 12, 0, 360, 255, pen)
    page = mask.copy()
    cv2.line(page, (0, 300), (900, 300), 255, 4)
    left = remove_ruled_lines(page, find_ruled_lines(page))
    assert (left[mask > 0] > 0).mean() > 0.99
    assert (left[298:303, 720:] > 0).mean() < 0.02


def test_a_rule_shorter_than_the_asked_share_of_the_page_is_no_rule() -> None:
    lines = np.zeros((600, 900), np.uint8)
    cv2.line(lines, (100, 300), (500, 300), 255, 2)
    assert find_ruled_lines(lines).any()
    assert not find_ruled_lines(lines, RuledLineParameters(across=0.6)).any()


@pytest.mark.parametrize("turned", [False, True])
def test_a_stroke_that_crosses_a_line_is_not_cut(turned: bool) -> None:
    mask = np.zeros((400, 400), np.uint8)
    cv2.line(mask, (20, 200), (380, 200), 255, 3)
    lines = find_ruled_lines(mask) if not turned else np.ascontiguousarray(find_ruled_lines(mask).T)
    mask = np.ascontiguousarray(mask.T) if turned else mask
    strokes = [((120, 150), (120, 250)), ((260, 150), (290, 250))]
    for start, end in strokes:
        cv2.line(mask, start[::-1] if turned else start, end[::-1] if turned else end, 255, 9)
    left = remove_ruled_lines(mask, lines)
    for start, end in strokes:
        middle = (start[0] + end[0]) // 2, (start[1] + end[1]) // 2
        across, along = middle[::-1] if turned else middle
        assert left[along, across] == 255

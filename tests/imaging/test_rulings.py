"""Rules, frames and boxes around the writing."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from inkdigits.imaging.binarize import binarize
from inkdigits.imaging.rulings import OF_BOXES, box_contents, faint_lines, find_boxes, joined, rules, tilt, without

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


@pytest.mark.parametrize("angle", [-12.0, -3.0, 0.0, 6.0, 15.0])
def test_the_tilt_of_ruled_paper_is_measured(angle: float) -> None:
    assert tilt(inky(ruled(angle) | written())) == pytest.approx(angle, abs=0.3)


def test_the_tilt_of_faint_and_narrow_squares_is_measured() -> None:
    lines = np.zeros((320, 460), np.uint8)
    for at in range(-100, 600, 15):
        cv2.line(lines, (0, at), (460, round(at - 0.05 * 460)), 255, 1, cv2.LINE_AA)
        cv2.line(lines, (at, 0), (round(at + 0.05 * 320), 320), 255, 1, cv2.LINE_AA)
    noise = np.random.default_rng(0).normal(0, 0.01, lines.shape).astype(np.float32)
    assert tilt(inky(lines) * np.float32(0.12) + noise.clip(0)) == pytest.approx(-np.degrees(np.arctan(0.05)), abs=0.3)


def test_the_tilt_of_boxes_as_faint_as_the_papers_grain_is_measured() -> None:
    drawn, _ = form(shared=False)
    height, width = drawn.shape
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), -4.0, 1.0)
    faint = np.float32(0.03) * cv2.warpAffine(inky(drawn), turn, (width, height))
    grain = np.random.default_rng(0).normal(0, 0.03, drawn.shape).astype(np.float32)
    assert tilt((faint + grain).clip(0)) == pytest.approx(4.0, abs=1.0)


def test_a_page_without_rules_is_left_as_it_lies() -> None:
    grain = np.random.default_rng(0).normal(0, 0.025, (600, 900)).astype(np.float32)
    assert tilt(inky(written())) == 0
    assert tilt((inky(written()) + grain).clip(0, 1)) == 0


def test_rules_go_and_the_strokes_that_cross_them_stay() -> None:
    pen, lines = written(), ruled(0.5)
    left = without(pen | lines, rules(pen | lines))
    assert (left[pen > 0] > 0).mean() > 0.97
    assert (left[(lines > 0) & (cv2.dilate(pen, np.ones((9, 9), np.uint8)) == 0)] > 0).mean() < 0.02


def test_rules_that_bend_twice_are_followed_by_halves() -> None:
    x = np.arange(900)
    lines = np.zeros((600, 900), np.uint8)
    for y in range(60, 600, 60):
        bent = y + 9 * np.sin(2 * np.pi * x / 900)
        cv2.polylines(lines, [np.stack([x, bent], 1).round().astype(np.int32)], False, 255, 2)
    bare = (lines > 0) & (cv2.dilate(written(), np.ones((15, 15), np.uint8)) == 0)
    assert (rules(written() | lines)[bare] > 0).mean() > 0.95


def test_a_tall_one_and_a_sevens_bar_are_no_rules() -> None:
    mask = np.zeros((600, 900), np.uint8)
    cv2.line(mask, (200, 100), (190, 480), 255, 12)
    cv2.line(mask, (400, 120), (640, 110), 255, 12)
    cv2.line(mask, (640, 110), (480, 480), 255, 12)
    assert not rules(mask).any()


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


@pytest.mark.parametrize("shared", [True, False])
def test_boxes_are_found_row_by_row_and_the_blank_ones_are_blank(shared: bool) -> None:
    mask, inside = form(shared)
    frames = find_boxes(mask)
    assert [frame.row for frame in frames] == [row for row in range(3) for _ in range(7)]
    for frame, box in zip(frames, inside, strict=True):
        assert np.abs(np.array(frame.inside) - box).max() <= 4
    contents = box_contents(frames, inky(mask))
    assert [bool(content.any()) for content in contents] == [column % 3 == 0 for _ in range(3) for column in range(7)]


def test_a_box_that_a_stroke_has_broken_is_where_row_and_column_meet() -> None:
    mask, inside = form(shared=True)
    x, y, wide, tall = inside[8]
    cv2.line(mask, (x, y), (x + wide, y + tall), 255, 4)
    cv2.line(mask, (x + wide, y), (x, y + tall), 255, 4)
    assert np.abs(np.array(find_boxes(mask)[8].inside) - inside[8]).max() <= 6


def test_a_tables_box_may_lack_a_side() -> None:
    mask, inside = form(shared=False)
    x, y, wide, _ = inside[9]
    mask[y - 3 : y + 4, x + 5 : x + wide - 4] = 0
    found = [frame.inside for frame in find_boxes(mask)]
    assert np.abs(np.array(found) - np.array(inside)).max() <= 5


def test_a_column_of_which_no_box_is_whole_is_found() -> None:
    mask, inside = form(shared=False)
    for index in (2, 9, 16):
        x, y, wide, tall = inside[index]
        cv2.line(mask, (x, y), (x + wide, y + tall), 255, 4)
        cv2.line(mask, (x + wide, y), (x, y + tall), 255, 4)
    x, y, wide, _ = inside[2]
    mask[y - 3 : y + 4, x + 5 : x + wide - 4] = 0  # this one lacks a side, and can be told by its column alone
    found = [frame.inside for frame in find_boxes(mask)]
    assert np.abs(np.array(found) - np.array(inside)).max() <= 6


def test_boxes_are_whole_where_strokes_cut_them() -> None:
    mask, inside = form(shared=False)
    for index, (across, down) in {0: (0.25, 0.0), 8: (0.0, 0.7), 13: (0.7, 0.0), 18: (0.0, 0.3)}.items():
        x, y, wide, tall = inside[index]
        if down:
            cv2.line(mask, (x, y + round(down * tall)), (x + wide, y + round(down * tall)), 255, 4)
        else:
            cv2.line(mask, (x + round(across * wide), y), (x + round(across * wide), y + tall), 255, 4)
    found = [frame.inside for frame in find_boxes(mask)]
    assert np.abs(np.array(found) - np.array(inside)).max() <= 5


def test_zeros_and_one_frame_are_no_boxes() -> None:
    mask = np.zeros((400, 600), np.uint8)
    cv2.rectangle(mask, (10, 10), (590, 390), 255, 3)
    for x in (100, 250, 400):
        cv2.ellipse(mask, (x, 200), (40, 60), 0, 0, 360, 255, 6)
    assert find_boxes(mask) == []


def test_lines_that_broad_strokes_tie_to_one_another_are_all_found() -> None:
    page = np.zeros((200, 400), np.uint8)
    for row in (80, 105, 130):
        page[row : row + 2, 10:390] = 255
    strokes = np.zeros_like(page)
    for column in range(40, 360, 60):
        strokes[74:138, column : column + 30] = 255
    found = rules(page | strokes)
    bare = (page > 0) & (cv2.dilate(strokes, np.ones((1, 21))) == 0)
    for row in (80, 105, 130):
        assert (found[row][bare[row]] > 0).mean() > 0.9


@pytest.mark.parametrize(("strength", "grain"), [(0.05, 0.02), (0.04, 0.025)])
def test_boxes_fainter_than_ink_are_found_by_their_lines(strength: float, grain: float) -> None:
    drawn, inside = form(shared=False)
    rng = np.random.default_rng(0)
    ink = (strength * inky(drawn) + rng.normal(0, grain, drawn.shape)).clip(0).astype(np.float32)
    assert not find_boxes(binarize(ink)[1])
    found = [frame.inside for frame in find_boxes(faint_lines(ink, OF_BOXES, runs=2))]
    assert len(found) == len(inside)
    assert np.abs(np.array(found) - np.array(inside)).max() <= 5


def test_boxes_of_a_form_that_fades_are_joined_and_none_is_doubled() -> None:
    frames = find_boxes(form(shared=False)[0])
    assert joined(frames[::2], frames) == frames
    moved = [replace(frame, inside=(frame.inside[0] + 25, *frame.inside[1:])) for frame in frames]
    large = [replace(frame, inside=(5, 5, 300, 40)) for frame in frames[:1]]
    assert joined(frames, [*moved, *large]) == frames


@pytest.mark.parametrize("above", [-18, 0, 12])
@pytest.mark.parametrize("pen", [5, 7, 9])
def test_zeros_in_a_row_are_whole_where_a_rule_runs_through_them(above: int, pen: int) -> None:
    mask = np.zeros((600, 900), np.uint8)
    for x in range(100, 700, 50):
        cv2.ellipse(mask, (x, 300 + above), (14, 26), 12, 0, 360, 255, pen)
    page = mask.copy()
    cv2.line(page, (0, 300), (900, 300), 255, 4)
    left = without(page, rules(page))
    assert (left[mask > 0] > 0).mean() > 0.99
    assert (left[298:303, 720:] > 0).mean() < 0.02

"""Form boxes, whole or broken, inked or faint, and the writing in them."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from inkdigits.imaging.binarize import binarize
from inkdigits.imaging.form_boxes import FormBoxParameters, box_contents, boxes_in, merge_boxes
from inkdigits.imaging.ruled_lines import find_faint_lines
from tests.imaging.drawings import form, inky


@pytest.mark.parametrize("shared", [True, False])
def test_boxes_are_found_row_by_row_and_the_blank_ones_are_blank(shared: bool) -> None:
    mask, inside = form(shared)
    boxes = boxes_in(mask)
    assert [box.row for box in boxes] == [row for row in range(3) for _ in range(7)]
    for box, truth in zip(boxes, inside, strict=True):
        assert np.abs(np.array(box.inside) - truth).max() <= 4
    contents = box_contents(boxes, inky(mask))
    assert [bool(content.any()) for content in contents] == [column % 3 == 0 for _ in range(3) for column in range(7)]


def test_a_box_that_a_stroke_has_broken_is_where_row_and_column_meet() -> None:
    mask, inside = form(shared=True)
    x, y, wide, tall = inside[8]
    cv2.line(mask, (x, y), (x + wide, y + tall), 255, 4)
    cv2.line(mask, (x + wide, y), (x, y + tall), 255, 4)
    assert np.abs(np.array(boxes_in(mask)[8].inside) - inside[8]).max() <= 6


def test_a_tables_box_may_lack_a_side() -> None:
    mask, inside = form(shared=False)
    x, y, wide, _ = inside[9]
    mask[y - 3 : y + 4, x + 5 : x + wide - 4] = 0
    found = [box.inside for box in boxes_in(mask)]
    assert np.abs(np.array(found) - np.array(inside)).max() <= 5


def test_a_column_of_which_no_box_is_whole_is_found() -> None:
    mask, inside = form(shared=False)
    for index in (2, 9, 16):
        x, y, wide, tall = inside[index]
        cv2.line(mask, (x, y), (x + wide, y + tall), 255, 4)
        cv2.line(mask, (x + wide, y), (x, y + tall), 255, 4)
    x, y, wide, _ = inside[2]
    mask[y - 3 : y + 4, x + 5 : x + wide - 4] = 0  # this one lacks a side, and can be told by its column alone
    found = [box.inside for box in boxes_in(mask)]
    assert np.abs(np.array(found) - np.array(inside)).max() <= 6


def test_boxes_are_whole_where_strokes_cut_them() -> None:
    mask, inside = form(shared=False)
    for index, (across, down) in {0: (0.25, 0.0), 8: (0.0, 0.7), 13: (0.7, 0.0), 18: (0.0, 0.3)}.items():
        x, y, wide, tall = inside[index]
        if down:
            cv2.line(mask, (x, y + round(down * tall)), (x + wide, y + round(down * tall)), 255, 4)
        else:
            cv2.line(mask, (x + round(across * wide), y), (x + round(across * wide), y + tall), 255, 4)
    found = [box.inside for box in boxes_in(mask)]
    assert np.abs(np.array(found) - np.array(inside)).max() <= 5


def test_zeros_and_one_frame_are_no_boxes() -> None:
    mask = np.zeros((400, 600), np.uint8)
    cv2.rectangle(mask, (10, 10), (590, 390), 255, 3)
    for x in (100, 250, 400):
        cv2.ellipse(mask, (x, 200), (40, 60), 0, 0, 360, 255, 6)
    assert boxes_in(mask) == []


@pytest.mark.parametrize(("strength", "grain"), [(0.05, 0.02), (0.04, 0.025)])
def test_boxes_fainter_than_ink_are_found_by_their_lines(strength: float, grain: float) -> None:
    drawn, inside = form(shared=False)
    rng = np.random.default_rng(0)
    ink = (strength * inky(drawn) + rng.normal(0, grain, drawn.shape)).clip(0).astype(np.float32)
    assert not boxes_in(binarize(ink)[1])
    found = [box.inside for box in boxes_in(find_faint_lines(ink, noise_factor=3.5, runs=2))]
    assert len(found) == len(inside)
    assert np.abs(np.array(found) - np.array(inside)).max() <= 5


def test_boxes_of_a_form_that_fades_are_joined_and_none_is_doubled() -> None:
    boxes = boxes_in(form(shared=False)[0])
    assert merge_boxes(boxes[::2], boxes) == boxes
    moved = [replace(box, inside=(box.inside[0] + 25, *box.inside[1:])) for box in boxes]
    large = [replace(box, inside=(5, 5, 300, 40)) for box in boxes[:1]]
    assert merge_boxes(boxes, [*moved, *large]) == boxes


def test_fewer_boxes_than_asked_for_are_no_form() -> None:
    mask, inside = form(shared=False)
    assert len(boxes_in(mask, FormBoxParameters(fewest=len(inside)))) == len(inside)
    assert boxes_in(mask, FormBoxParameters(fewest=len(inside) + 1)) == []


def test_ink_below_the_asked_size_leaves_a_box_blank() -> None:
    mask, _ = form(shared=False)
    found = boxes_in(mask)
    strict = box_contents(found, inky(mask), FormBoxParameters(smallest_content=0.99))
    assert not any(content.any() for content in strict)

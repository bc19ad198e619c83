"""Form boxes whose lines are fainter than the writing: alone, beside inked ones, and without writing."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from inkdigits.imaging.binarize import binarize
from inkdigits.imaging.form_boxes import FormBoxParameters, boxes_in, find_form_boxes
from tests.imaging.drawings import form, inky

Ink = NDArray[np.float32]


def faint_form(strength: float, rows: slice = slice(None)) -> tuple[Ink, list[tuple[int, int, int, int]]]:
    """A form of faint lines with strong writing in every third box of some rows, on grainy paper."""
    frames, inside = form(shared=False)
    written = np.zeros_like(frames)
    for x, y, wide, tall in inside:
        box = np.s_[y + 4 : y + tall - 3, x + 4 : x + wide - 3]
        written[box] = frames[box]
    frames[written > 0] = 0
    for index, (x, y, _, tall) in enumerate(inside):
        if index // 7 not in range(3)[rows]:
            written[y : y + tall, x : x + 90] = 0
    ink = np.maximum(strength * inky(frames), 0.8 * inky(written))
    return (ink + np.random.default_rng(0).normal(0, 0.015, ink.shape)).clip(0).astype(np.float32), inside


def found(ink: Ink, parameters: FormBoxParameters | None = None) -> list[tuple[int, int, int, int]]:
    mask, faint = binarize(ink)
    return [box.inside for box in find_form_boxes(ink, mask, faint, parameters)]


def test_faint_boxes_that_hold_the_writing_are_a_form() -> None:
    ink, inside = faint_form(0.06)
    assert not boxes_in(binarize(ink)[1])
    boxes = found(ink)
    assert len(boxes) == len(inside)
    assert np.abs(np.array(boxes) - inside).max() <= 5


def test_faint_rectangles_beside_the_writing_are_folds() -> None:
    ink, _ = faint_form(0.06, rows=slice(0, 0))
    drawn = np.zeros(ink.shape, np.uint8)
    cv2.putText(drawn, "31415926", (60, 485), cv2.FONT_HERSHEY_SIMPLEX, 2, 255, 6)
    assert found(np.maximum(ink, 0.8 * inky(drawn))) == []


def test_faint_boxes_complete_inked_ones() -> None:
    ink, inside = faint_form(0.06)
    frames = np.zeros(ink.shape, np.uint8)
    for x, y, wide, tall in inside[7:]:
        cv2.rectangle(frames, (x, y), (x + wide, y + tall), 255, 2)
    boxes = found(np.maximum(ink, 0.7 * inky(frames)))
    assert len(boxes) == len(inside)
    assert np.abs(np.array(boxes) - inside).max() <= 5


def test_longer_lines_may_be_asked_for() -> None:
    ink, _ = faint_form(0.06)
    assert found(ink, FormBoxParameters(faint_runs=30)) == []


@pytest.mark.parametrize("insets", [(12,), (24, 36)])
def test_of_boxes_within_boxes_the_outer_ones_hold_the_writing(insets: tuple[int, ...]) -> None:
    mask, inside = form(shared=False)
    for x, y, wide, tall in inside:
        for inset in insets:
            cv2.rectangle(mask, (x + inset, y + inset), (x + wide - inset, y + tall - inset), 255, 2)
    boxes = [box.inside for box in boxes_in(mask)]
    assert len(boxes) == len(inside)
    assert np.abs(np.array(boxes) - inside).max() <= 5

"""What stands in a box: digits, nothing, or something that is no digit."""

import itertools

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from inkdigits.forms.alternatives import BLANK, OTHER
from inkdigits.forms.box_recognizer import (
    AT_SIDE,
    CROSSED_OUT,
    NOTE,
    SMALL_MARK,
    BoxReading,
    BoxRecognizer,
    single_characters,
)
from inkdigits.forms.cells import Cell
from tests.forms.sheets import Pen


def cell(image: NDArray[np.uint8], scale: int = 2) -> Cell:
    """A cell of 8 pixels for a millimetre with a digit uint8 (28, 28)."""
    large = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC).astype(np.float32) / 255
    ink = np.pad(np.clip(large, 0, 1), 6)
    mask = np.asarray((ink > 0.3) * np.uint8(255), np.uint8)
    length = max(cv2.boundingRect(mask)[2:]) / 8
    return Cell(mask, np.asarray(ink * (mask > 0), np.float32), length, length, mask.size)


def test_the_probability_of_one_character_is_the_sum_over_its_alignments() -> None:
    steps = np.random.default_rng(0).dirichlet(np.ones(3), 5).astype(np.float32)  # blank and two characters
    expected = np.zeros(2)
    for path in itertools.product(range(3), repeat=5):
        merged = [c for c, _ in itertools.groupby(path) if c]
        if len(merged) == 1:
            expected[merged[0] - 1] += np.prod([steps[t, c] for t, c in enumerate(path)])
    assert single_characters(steps[None])[0] == pytest.approx(expected, rel=1e-5)


def test_digits_are_read_and_a_blank_box_is_blank(boxes: BoxRecognizer, pen: Pen) -> None:
    empty = Cell(np.zeros((60, 60), np.uint8), np.zeros((60, 60), np.float32), 0.0, 0.0, 3600)
    read = boxes.read([*(cell(image) for image in pen.digits.values()), empty])
    assert [int(one.shares.argmax()) for one in read] == [*range(10), BLANK]
    assert all(one.shares.sum() == pytest.approx(1) for one in read)
    assert min(float(one.shares.max()) for one in read) > 0.97
    assert {one.doubt for one in read} == {None}


def test_a_box_is_read_alike_alone_and_among_others(boxes: BoxRecognizer, pen: Pen) -> None:
    many = boxes.read([cell(image) for image in pen.digits.values()])
    (alone,) = boxes.read([cell(pen.digits["3"])])
    assert alone.shares == pytest.approx(many[3].shares, abs=0.01)


def test_a_digit_that_is_crossed_out_is_no_digit(boxes: BoxRecognizer, pen: Pen) -> None:
    image = pen.digits["5"].copy()
    for ends in (((3, 5), (25, 22)), ((3, 22), (25, 5)), ((3, 14), (25, 13))):
        cv2.line(image, *ends, 255, 2, cv2.LINE_AA)
    (read,) = boxes.read([cell(image)])
    assert read.shares.argmax() == OTHER
    assert read.doubt == CROSSED_OUT


def test_a_small_mark_may_be_nothing(boxes: BoxRecognizer) -> None:
    image = np.zeros((28, 28), np.uint8)
    cv2.line(image, (12, 12), (15, 15), 255, 2)
    (read,) = boxes.read([cell(image)])
    assert read.doubt == SMALL_MARK
    assert read.shares[BLANK] == pytest.approx(0.5, abs=0.01)


def test_a_stroke_along_a_side_is_a_1_or_nothing(boxes: BoxRecognizer) -> None:
    (read,) = boxes.read([Cell(np.zeros((60, 60), np.uint8), np.zeros((60, 60), np.float32), 0.0, 0.0, 3600, True)])
    assert read.doubt == AT_SIDE
    assert read.shares[BLANK] < 0.6
    assert read.shares[1] > 0.2


def test_a_note_withdraws_what_is_in_the_box() -> None:
    shares = np.zeros(12)
    shares[7] = 1.0
    read = BoxReading(shares).with_note()
    assert read.doubt == NOTE
    assert read.shares[[7, OTHER]] == pytest.approx([0.05, 0.95])


def test_no_boxes_are_read_as_none(boxes: BoxRecognizer) -> None:
    assert boxes.read([]) == []

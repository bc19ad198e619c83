"""What is written on a made sheet, and where."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from inkdigits.reader import Recognizer
from inkdigits.synthetic.filled_forms import BLANK, TICK, WORDS, Entry, FilledPage, Filling, NeatWriter, fill_page

DPI = 150
SCALE = DPI / 25.4
NEAT = Filling(crossed_out=0, overwritten=0, stained=0)
ROW = [(10.0 + 9 * n, 20.0, 7.0, 9.0) for n in range(10)]  # mm


def filled(texts: str, filling: Filling = NEAT, seed: int = 0) -> FilledPage:
    rng = np.random.default_rng(seed)
    blank = np.full((300, 640), 255, np.uint8)
    entries = [Entry(box, text) for box, text in zip(ROW, texts, strict=False)]
    return fill_page(blank, entries, NeatWriter(rng), DPI, rng, filling)


def ink(page: FilledPage, box: tuple[float, float, float, float]) -> int:
    """Inked pixels in a box (mm)."""
    left, top, width, height = (round(SCALE * value) for value in box)
    return int((page.image[top : top + height, left : left + width].min(2) < 200).sum())


def crop(page: FilledPage, box: tuple[float, float, float, float]) -> NDArray[np.uint8]:
    left, top, width, height = (round(SCALE * value) for value in box)
    return page.image[top : top + height, left : left + width]


def test_ink_is_in_the_boxes_that_are_written_in_and_nowhere_else() -> None:
    page = filled("07" + BLANK + TICK + WORDS)
    assert page.states == ("written", "written", "blank", "written", "written")
    inked = [ink(page, box) > 20 for box in ROW[:6]]
    assert inked == [True, True, False, True, True, False]
    assert ink(page, (0, 0, 100, 18)) == ink(page, (0, 32, 100, 15)) == 0


def test_the_packaged_model_reads_what_the_neat_writer_wrote() -> None:
    recognizer = Recognizer()
    right = 0
    for seed in range(8):
        page = filled("0123456789", seed=seed)
        right += sum(one.digit == n for n, one in enumerate(recognizer.read_crops([crop(page, box) for box in ROW])))
    assert right >= 74  # of 80


def test_a_crossed_out_digit_has_the_right_one_above_where_there_is_room() -> None:
    page = filled("5", replace(NEAT, crossed_out=1))
    assert page.states == ("crossed_out",)
    above = (10.0, 15.5, 6.0, 4.4)
    assert ink(page, above) > 10
    rng = np.random.default_rng(0)
    entries = [Entry(ROW[0], "5"), Entry((10.0, 10.5, 7.0, 9.0), BLANK)]  # a box above
    crowded = fill_page(
        np.full((300, 640), 255, np.uint8), entries, NeatWriter(rng), DPI, rng, replace(NEAT, crossed_out=1)
    )
    assert ink(crowded, above) < 10


def test_an_overwritten_digit_has_more_ink_than_one_that_is_written_once() -> None:
    once = sum(ink(filled("1", seed=seed), ROW[0]) for seed in range(5))
    twice = sum(ink(filled("1", replace(NEAT, overwritten=1), seed), ROW[0]) for seed in range(5))
    assert twice > 1.3 * once


def test_coffee_colours_the_paper_and_leaves_the_writing_dark() -> None:
    page = filled("0123456789", replace(NEAT, stained=1))
    assert page.stained
    paper = page.image.reshape(-1, 3)[page.image.reshape(-1, 3).max(1) > 120]
    assert paper[:, 0].mean() > paper[:, 2].mean() + 1  # brown takes blue light
    assert ink(page, ROW[0]) > 20


@pytest.mark.parametrize("seed", range(3))
def test_the_same_seed_fills_the_same_page(seed: int) -> None:
    assert np.array_equal(filled("0123", seed=seed).image, filled("0123", seed=seed).image)

"""What is measured of a page before it is binarized: the paper's noise, the strokes' width, the ink's strength."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from inkdigits.imaging.binarize import light_on_dark, noise_level, stroke_width, strongest_ink


def grain(sd: float, width: int = 900) -> NDArray[np.float32]:
    """Ink of blank paper, shares below 0 cut off, as a page has it."""
    return np.random.default_rng(0).normal(0, sd, (600, width)).clip(0).astype(np.float32)


@pytest.mark.parametrize("sd", [0.01, 0.03, 0.06])
def test_the_noise_level_grows_with_the_noise_and_is_even_on_even_paper(sd: float) -> None:
    level = noise_level(grain(sd))
    assert level.shape == (600, 900)
    assert 0.5 * sd < level.min() <= level.max() < 0.8 * sd


def test_noise_is_measured_where_it_is_and_writing_is_none() -> None:
    drawn = np.zeros((600, 900), np.uint8)
    cv2.putText(drawn, "31415", (60, 330), cv2.FONT_HERSHEY_SIMPLEX, 4, 255, 10)
    ink = np.concatenate([grain(0.01, 450), grain(0.05, 450)], 1)
    level, below = noise_level(np.maximum(ink, drawn / np.float32(255))), noise_level(ink)
    assert level[:, :200].max() < 0.01
    assert level[:, -200:].min() > 0.02
    assert level[280:330].max() < 1.5 * below[280:330].max()


@pytest.mark.parametrize("width", [3, 5, 9, 13])
def test_the_stroke_width_is_that_of_the_pen(width: int) -> None:
    mask = np.zeros((300, 300), np.uint8)
    mask[50 : 50 + width, 20:280] = mask[150:280, 100 : 100 + width] = 255
    assert stroke_width(mask) == pytest.approx(width, rel=0.08)


def test_the_stroke_width_of_hairlines_and_of_nothing_is_one_pixel() -> None:
    mask = np.zeros((50, 50), np.uint8)
    assert stroke_width(mask) == 1
    mask[20, 5:45] = 255
    assert stroke_width(mask) == 1


def test_the_strongest_ink_is_that_of_nine_pixels_in_ten() -> None:
    ink = np.linspace(0, 1, 101, dtype=np.float32)
    assert strongest_ink(np.random.default_rng(0).permutation(ink)) == pytest.approx(0.9, abs=0.011)
    assert strongest_ink(ink[-1:]) == 1


@pytest.mark.parametrize(("light", "dark", "expected"), [(72, 60, True), (65, 60, False), (60, 72, False)])
def test_a_page_is_light_on_dark_where_light_writing_is_clearly_stronger(light: int, dark: int, expected: bool) -> None:
    page = np.full((400, 600), 128, np.uint8)
    for shade, row in ((128 + light, 150), (128 - dark, 320)):
        cv2.putText(page, "31415", (40, row), cv2.FONT_HERSHEY_SIMPLEX, 3, shade, 8, cv2.LINE_AA)
    assert light_on_dark(page) == expected

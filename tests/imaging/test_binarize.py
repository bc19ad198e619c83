"""Paper and ink: light on dark and dark on light, shadows, colours and grain."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from inkdigits.imaging.binarize import binarize, light_on_dark, normalize_background


def page(paper: int = 220, pen: int = 40) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Numbers on paper, and where their ink is."""
    truth = np.zeros((400, 600), np.uint8)
    for row, text in enumerate(("31415", "92653")):
        cv2.putText(truth, text, (40, 150 + 150 * row), cv2.FONT_HERSHEY_SIMPLEX, 3, 255, 8, cv2.LINE_AA)
    share = truth[..., None] / 255
    return (paper * (1 - share) + pen * share).astype(np.uint8)[..., 0], truth


def agreement(mask: NDArray[np.uint8], truth: NDArray[np.uint8]) -> float:
    both, either = (mask > 0) & (truth > 127), (mask > 0) | (truth > 127)
    return float(both.sum() / either.sum())


@pytest.mark.parametrize(("paper", "pen"), [(250, 0), (120, 60), (30, 200), (0, 255)])
def test_ink_is_found_on_light_and_on_dark_paper(paper: int, pen: int) -> None:
    image, truth = page(paper, pen)
    assert light_on_dark(image) == (pen > paper)
    assert agreement(binarize(normalize_background(image))[0], truth) > 0.8


def test_a_shadow_and_grain_are_no_ink() -> None:
    image, truth = page()
    light = 1 - 0.6 / (1 + np.exp(-(np.arange(600) - 300) / 20))
    noise = np.random.default_rng(0).normal(0, 4, image.shape)
    seen = (image * light + noise).clip(0, 255).astype(np.uint8)
    assert agreement(binarize(normalize_background(seen))[0], truth) > 0.75


def test_small_writing_below_a_broad_shadow_is_dark_on_light() -> None:
    image, _ = page()
    wide = np.full((400, 1400), 220, np.uint8)
    wide[180:380, 600:900] = cv2.resize(image, (300, 200), interpolation=cv2.INTER_AREA)
    light = 1 - 0.5 / (1 + np.exp(-(np.arange(400) - 120) / 25))
    shaded = np.asarray(wide * light[:, None], np.uint8)
    assert not light_on_dark(shaded)
    assert light_on_dark(255 - shaded)


def test_pink_on_white_is_ink_though_grey_hardly_shows_it() -> None:
    image, truth = page(255, 0)
    pink = np.stack([np.full_like(image, 255), 165 + image // 3, 165 + image // 3], 2)
    assert agreement(binarize(normalize_background(pink))[0], truth) > 0.8


@pytest.mark.parametrize("shade", [0, 128, 255])
def test_blank_paper_has_no_ink(shade: int) -> None:
    assert not binarize(normalize_background(np.full((300, 200), shade, np.uint8)))[0].any()


def test_a_pages_faint_line_counts_only_where_nothing_stronger_is_near() -> None:
    image, _ = page()
    image[380, :] = 190
    image[110, :] = np.minimum(image[110], 190)
    mask, faint = binarize(normalize_background(image))
    assert faint[110].mean() > 250
    assert mask[110, :300].mean() < 160

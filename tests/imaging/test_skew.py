"""Skew: the angle of straight lines, and of pages without them."""

import cv2
import numpy as np
import pytest

from inkdigits.imaging.skew import SkewParameters, estimate_skew
from tests.imaging.drawings import form, inky, ruled, written


@pytest.mark.parametrize("angle", [-12.0, -3.0, 0.0, 6.0, 15.0])
def test_the_skew_of_ruled_paper_is_measured(angle: float) -> None:
    assert estimate_skew(inky(ruled(angle) | written())) == pytest.approx(angle, abs=0.3)


def test_the_skew_of_faint_and_narrow_squares_is_measured() -> None:
    lines = np.zeros((320, 460), np.uint8)
    for at in range(-100, 600, 15):
        cv2.line(lines, (0, at), (460, round(at - 0.05 * 460)), 255, 1, cv2.LINE_AA)
        cv2.line(lines, (at, 0), (round(at + 0.05 * 320), 320), 255, 1, cv2.LINE_AA)
    noise = np.random.default_rng(0).normal(0, 0.01, lines.shape).astype(np.float32)
    assert estimate_skew(inky(lines) * np.float32(0.12) + noise.clip(0)) == pytest.approx(
        -np.degrees(np.arctan(0.05)), abs=0.3
    )


def test_the_skew_of_boxes_as_faint_as_the_papers_noise_is_measured() -> None:
    drawn, _ = form(shared=False)
    height, width = drawn.shape
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), -4.0, 1.0)
    faint = np.float32(0.03) * cv2.warpAffine(inky(drawn), turn, (width, height))
    grain = np.random.default_rng(0).normal(0, 0.03, drawn.shape).astype(np.float32)
    assert estimate_skew((faint + grain).clip(0)) == pytest.approx(4.0, abs=1.0)


def test_a_page_without_ruled_lines_has_no_skew() -> None:
    grain = np.random.default_rng(0).normal(0, 0.025, (600, 900)).astype(np.float32)
    assert estimate_skew(inky(written())) == 0
    assert estimate_skew((inky(written()) + grain).clip(0, 1)) == 0


def test_lines_steeper_than_the_limit_are_left() -> None:
    ink = inky(ruled(6.0) | written())
    assert estimate_skew(ink, SkewParameters(steepest=4.0)) == pytest.approx(0, abs=1)
    assert estimate_skew(ink) == pytest.approx(6.0, abs=0.3)

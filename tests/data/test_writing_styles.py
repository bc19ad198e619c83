"""Writing styles: what is added to MNIST's digits, and what stays unchanged."""

import cv2
import numpy as np
import pytest

from inkdigits.data import Dataset
from inkdigits.data.writing_styles import crossed_seven, one_pen, slashed_zero, with_writing_styles


def test_a_share_of_the_ones_and_sevens_gains_ink_and_nothing_else_changes(
    small: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inkdigits.data.writing_styles.ONE_PEN", 0.0)
    images, labels = small.train.images, small.train.labels
    out = with_writing_styles(images, labels, 0.5, np.random.default_rng(1))
    changed = (out != images).any((1, 2))
    assert (out >= images).all()
    assert not changed[~np.isin(labels, [0, 1, 7])].any()
    for digit in (1, 7):
        assert 0.35 < changed[labels == digit].mean() < 0.65
    assert 0.03 < changed[labels == 0].mean() < 0.3
    assert np.array_equal(out, with_writing_styles(images, labels, 0.5, np.random.default_rng(1)))


def test_one_pen_keeps_the_digit(small: Dataset) -> None:
    rng = np.random.default_rng(3)
    for image in small.train.images[:20]:
        out = one_pen(image, rng)
        assert np.corrcoef(cv2.blur(out, (5, 5)).ravel(), cv2.blur(image, (5, 5)).ravel())[0, 1] > 0.7


def test_a_flag_is_left_of_the_top_of_a_one(small: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inkdigits.data.writing_styles.ONE_PEN", 0.0)
    ones = small.train.images[small.train.labels == 1]
    added = with_writing_styles(ones, np.ones(len(ones), int), 1.0, np.random.default_rng(2)).astype(int) - ones
    columns = np.arange(28)
    head = [(image[:14].sum(0) @ columns) / image[:14].sum() for image in ones.astype(float)]
    flag = [(image[:14].sum(0) @ columns) / max(1, image[:14].sum()) for image in added]
    assert np.mean(np.array(flag) < np.array(head)) > 0.9


def test_a_bar_crosses_a_sevens_stem_and_a_slash_fills_a_zero(small: Dataset) -> None:
    rng = np.random.default_rng(4)
    for image in small.train.images[small.train.labels == 7][:20]:
        drawn = crossed_seven(image, rng)
        rows, columns = np.nonzero(drawn > image)
        assert np.ptp(columns) > np.ptp(rows)  # nearly horizontal
        ink = np.nonzero(image > 100)[0]
        assert 0.25 < (rows.mean() - ink.min()) / np.ptp(ink) < 0.8  # half-way down
    for image in small.train.images[small.train.labels == 0][:20]:
        rows, columns = np.nonzero(slashed_zero(image, rng) > image)
        assert np.corrcoef(rows, columns)[0, 1] < -0.5  # from the lower left to the upper right

"""Degradations: random, seeded, different for each digit, and never beyond recognition."""

import pytest
import torch
from torch import Tensor

from inkdigits.data import Dataset
from inkdigits.data.augment import degraded, robust
from inkdigits.data.degrade import DEGRADATIONS
from inkdigits.training.inference import to_input


@pytest.fixture
def digits(small: Dataset) -> Tensor:
    return to_input(torch.tensor(small.train.images[:64]))


def sampler(seed: int, count: int = 64) -> object:
    generator = torch.Generator().manual_seed(seed)
    return lambda *shape: torch.rand(count, *shape, generator=generator)


@pytest.mark.parametrize("degrade", DEGRADATIONS, ids=lambda f: f.__name__)
def test_a_degradation_is_seeded_and_changes_each_digit_in_its_own_way(degrade: object, digits: Tensor) -> None:
    same = digits[:1].expand(64, -1, -1, -1).contiguous()
    out = degrade(same, sampler(1))  # type: ignore[operator]
    assert out.shape == digits.shape
    assert out.isfinite().all()
    assert torch.equal(out, degrade(same, sampler(1)))  # type: ignore[operator]
    change = (out - same).abs().amax((1, 2, 3))
    assert (change > 0.05).float().mean() > 0.5
    assert len(torch.unique(out.flatten(1), dim=0)) > 16


def similarity(x: Tensor, y: Tensor) -> Tensor:
    """The absolute correlation of each image of x with that of y, (B,)."""
    x, y = (z.flatten(1) - z.flatten(1).mean(1, keepdim=True) for z in (x, y))
    return (x * y).sum(1).abs() / (x.norm(dim=1) * y.norm(dim=1)).clamp(min=1e-6)


@pytest.mark.parametrize("degrade", DEGRADATIONS, ids=lambda f: f.__name__)
def test_most_digits_still_resemble_the_original(degrade: object, digits: Tensor) -> None:
    out = degrade(digits, sampler(2))  # type: ignore[operator]
    by_pixels = similarity(out, digits)
    by_edges = similarity(out.diff(dim=2).abs(), digits.diff(dim=2).abs())  # edges survive an inversion
    assert torch.maximum(by_pixels, by_edges).median() > 0.5


def test_robust_is_seeded_stays_in_range_and_leaves_some_paper_clean(digits: Tensor) -> None:
    once, again = (robust(digits, torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(once, again)
    assert once.min() >= 0
    assert 0.9 <= once.max() <= 1
    paper = once.flatten(1).median(1).values
    assert 0.2 < (paper == 0).float().mean() < 0.9


def test_degraded_leaves_six_of_ten_digits_unchanged(digits: Tensor) -> None:
    many = digits.repeat(16, 1, 1, 1)
    out = degraded(many, torch.Generator().manual_seed(3))
    untouched = (out == many).flatten(1).all(1)
    assert 0.55 < untouched.float().mean() < 0.65
    assert out.min() >= 0
    assert 0.9 <= out.max() <= 1


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_blank_and_full_images_stay_finite(value: float) -> None:
    out = robust(torch.full((16, 1, 28, 28), value), torch.Generator().manual_seed(0))
    assert out.isfinite().all()

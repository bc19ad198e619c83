"""The random start of an attack and the reach of its steps, seen with losses of known gradients."""

import pytest
import torch
from torch import Tensor

from inkdigits.training.adversarial import pgd_attack

GREY = torch.full((4, 1, 28, 28), 0.5)


def flat(images: Tensor) -> Tensor:
    """A loss that gives no direction: the attack stays where it starts."""
    return 0 * images.sum()


def change(images: Tensor, epsilon: float, seed: int = 0, steps: int = 3) -> Tensor:
    return pgd_attack(flat, images, epsilon, steps, torch.Generator().manual_seed(seed)) - images


def test_the_start_is_uniform_within_epsilon() -> None:
    start = change(GREY, 0.1)
    shares = torch.histc(start, 10, -0.1, 0.1) / start.numel()
    assert shares.sum() == pytest.approx(1)
    assert shares.min() > 0.07
    assert shares.max() < 0.13


def test_the_start_comes_from_the_generator() -> None:
    assert torch.equal(change(GREY, 0.1, seed=1), change(GREY, 0.1, seed=1))
    assert not torch.equal(change(GREY, 0.1, seed=1), change(GREY, 0.1, seed=2))


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_the_start_is_an_image(value: float) -> None:
    images = torch.full((4, 1, 28, 28), value)
    moved = images + change(images, 0.1)
    assert moved.min() >= 0
    assert moved.max() <= 1
    assert (moved == value).float().mean() == pytest.approx(0.5, abs=0.05)  # the half that would leave [0, 1]


@pytest.mark.parametrize("steps", [1, 2, 10])
def test_the_steps_reach_every_point_of_the_ball(steps: int) -> None:
    moved = pgd_attack(lambda x: x.sum(), GREY, 0.1, steps, torch.Generator().manual_seed(0)) - GREY
    torch.testing.assert_close(moved, torch.full_like(moved, 0.1))


def test_no_step_is_longer_than_its_part_of_the_path() -> None:
    """Of 100 steps, each is 1/40 of epsilon: the loss is followed through places that are so near to each other."""
    places: list[Tensor] = []

    def loss(images: Tensor) -> Tensor:
        places.append(images.detach().clone())
        return images.sum()

    pgd_attack(loss, GREY, 0.1, 100, torch.Generator().manual_seed(0))
    assert (places[1] - places[0]).max().item() == pytest.approx(0.1 / 40, abs=1e-6)

"""Attacks against the usual traps: clean at zero, hopeless at one, never weaker with more work, never out of bounds."""

import pytest
import torch
from torch import Tensor, nn

from inkdigits.data import Dataset
from inkdigits.errors import UsageError
from inkdigits.evaluation.attacks import fgsm, pgd, robust_accuracy
from inkdigits.training import train
from inkdigits.training.inference import to_input


@pytest.fixture(scope="module")
def model(mnist_5k: Dataset) -> nn.Module:
    run = train("mlp", mnist_5k, options={"hidden": 64}, epochs=3, augment="none", ema=0.0, device="cpu")
    assert run.metrics["test_acc"] > 0.85
    return run.model


@pytest.fixture(scope="module")
def digits(mnist_5k: Dataset) -> tuple[Tensor, Tensor]:
    test = mnist_5k.test
    return to_input(torch.tensor(test.images[:200])), torch.tensor(test.labels[:200])


def surviving(model: nn.Module, digits: tuple[Tensor, Tensor], **settings: object) -> float:
    return robust_accuracy(model, *digits, pgd(model, *digits, **settings))  # type: ignore[arg-type]


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_at_zero_it_is_the_clean_accuracy(norm: str, model: nn.Module, digits: tuple[Tensor, Tensor]) -> None:
    images, labels = digits
    clean = (model(images).argmax(1) == labels).float().mean().item()
    assert surviving(model, digits, epsilon=0, norm=norm, steps=3, restarts=2) == pytest.approx(clean)
    assert robust_accuracy(model, images, labels, fgsm(model, images, labels, 0)) == pytest.approx(clean)


def test_at_one_nothing_survives(model: nn.Module, digits: tuple[Tensor, Tensor]) -> None:
    assert surviving(model, digits, epsilon=1) == 0
    assert surviving(model, digits, epsilon=28, norm="l2") == 0


@pytest.mark.parametrize(("norm", "epsilon"), [("linf", 0.08), ("l2", 1.0)])
def test_more_of_anything_never_helps_the_network(
    norm: str, epsilon: float, model: nn.Module, digits: tuple[Tensor, Tensor]
) -> None:
    by_steps = [surviving(model, digits, epsilon=epsilon, norm=norm, steps=steps) for steps in (0, 1, 5, 20)]
    assert by_steps == sorted(by_steps, reverse=True)
    assert by_steps[-1] < by_steps[0]
    by_restarts = [surviving(model, digits, epsilon=epsilon, norm=norm, steps=5, restarts=n) for n in (1, 2, 5)]
    assert by_restarts == sorted(by_restarts, reverse=True)
    by_epsilon = [surviving(model, digits, epsilon=epsilon * factor, norm=norm, steps=20) for factor in (0.5, 1, 2)]
    assert by_epsilon == sorted(by_epsilon, reverse=True)


def test_pgd_is_at_least_as_strong_as_fgsm(model: nn.Module, digits: tuple[Tensor, Tensor]) -> None:
    images, labels = digits
    one_step = robust_accuracy(model, images, labels, fgsm(model, images, labels, 0.08))
    assert surviving(model, digits, epsilon=0.08) <= one_step + 0.01


@pytest.mark.parametrize(("norm", "epsilon"), [("linf", 0.1), ("l2", 1.5)])
def test_changes_stay_within_the_ball_and_the_image(
    norm: str, epsilon: float, model: nn.Module, digits: tuple[Tensor, Tensor]
) -> None:
    images, labels = digits
    change = pgd(model, images, labels, epsilon, norm, steps=10, restarts=2) - images  # type: ignore[arg-type]
    size = change.abs().amax((1, 2, 3)) if norm == "linf" else change.flatten(1).norm(dim=1)
    assert size.max() <= epsilon + 1e-5
    assert size.max() > 0.5 * epsilon
    assert (images + change).min() >= 0
    assert (images + change).max() <= 1


def test_the_same_seed_gives_the_same_images(model: nn.Module, digits: tuple[Tensor, Tensor]) -> None:
    images, labels = digits
    once, again = (pgd(model, images, labels, 0.05, steps=2, restarts=3, seed=1) for _ in range(2))
    assert torch.equal(once, again)


@pytest.mark.parametrize("wrong", [{"norm": "l1"}, {"epsilon": -0.1}, {"steps": -1}, {"restarts": 0}])
def test_an_invalid_setting_is_refused(
    wrong: dict[str, object], model: nn.Module, digits: tuple[Tensor, Tensor]
) -> None:
    with pytest.raises(UsageError, match="an attack takes"):
        pgd(model, *digits, **({"epsilon": 0.1} | wrong))  # type: ignore[arg-type]

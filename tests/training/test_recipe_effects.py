"""What a recipe's settings do to the weights, and what changes from one epoch to the next."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from inkdigits.data import Dataset
from inkdigits.training import Recipe, train
from inkdigits.training.optimisation import make_optimizer
from inkdigits.training.training_data import TrainingData, make_training_data

STILL = {"schedule": "constant", "lr": 1e-9, "ema": 0.0, "augment": "none", "validation": 0, "device": "cpu"}


@pytest.mark.parametrize("optimizer", ["adamw", "adam", "sgd"])
def test_weight_decay_changes_weight_matrices_and_kernels_but_no_bias_or_norm(optimizer: str, small: Dataset) -> None:
    """One step from the same start with the same gradients: decay alone makes the difference."""
    settings: dict[str, Any] = STILL | {"lr": 0.01, "epochs": 1, "batch_size": len(small.train), "optimizer": optimizer}
    plain, decayed = (train("cnn", small, weight_decay=decay, **settings) for decay in (0.0, 0.5))
    before = dict(plain.model.named_parameters())
    for name, parameter in decayed.model.named_parameters():
        assert torch.equal(parameter, before[name]) == (parameter.ndim < 2), name
    assert any(parameter.ndim < 2 for parameter in before.values())


@pytest.mark.parametrize("optimizer", ["adamw", "adam", "sgd"])
@pytest.mark.parametrize("decay", [0.0, 0.3])
def test_the_optimizer_is_told_what_decays_and_what_does_not(optimizer: str, decay: float) -> None:
    """Said outright: a group without a decay of its own would get the optimizer's default, 0.01 in AdamW."""
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, 2))
    groups = make_optimizer(Recipe(optimizer=optimizer, weight_decay=decay), model).param_groups
    told = {parameter: group["weight_decay"] for group in groups for parameter in group["params"]}
    assert told == {parameter: decay if parameter.ndim >= 2 else 0.0 for parameter in model.parameters()}


def test_every_epoch_takes_all_digits_in_an_order_of_its_own(small: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: dict[int, list[int]] = {}
    batch = TrainingData.batch

    def recorded(data: TrainingData, index: Tensor, epoch: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        taken.setdefault(epoch, []).extend(index.tolist())
        return batch(data, index, epoch, generator)

    monkeypatch.setattr(TrainingData, "batch", recorded)
    train("mlp", small, epochs=3, batch_size=60, **STILL)
    assert [sorted(order) for order in taken.values()] == [list(range(600))] * 3
    for a, b in ((1, 2), (2, 3), (1, 3)):
        same = sum(x == y for x, y in zip(taken[a], taken[b], strict=True))
        assert same < 20  # of 600; chance leaves one in its place


def test_without_a_teacher_the_digits_are_shown_as_they_are(small: Dataset) -> None:
    data = make_training_data(small.train, Recipe(epochs=5), 0, torch.device("cpu"), None)
    assert data.images.shape == (1, 600, 28, 28)
    assert (data.images[0].numpy() == small.train.images).all()


@pytest.fixture
def masks() -> Iterator[list[Tensor]]:
    """What every dropout of a training step lets through, in the order of the steps: bool (B, units)."""
    kept: list[Tensor] = []

    def record(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        if isinstance(module, nn.Dropout) and module.training:
            kept.append((output != 0) & (inputs[0] != 0))

    hook = nn.modules.module.register_module_forward_hook(record)
    yield kept
    hook.remove()


def test_every_epoch_drops_units_of_its_own(
    small: Dataset, masks: list[Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The order is held still, so that the same units would be dropped for the same digits."""
    monkeypatch.setattr(torch, "randperm", lambda n, **_: torch.arange(n))
    train("mlp", small, epochs=3, batch_size=600, options={"hidden": 32, "activation": "sigmoid"}, **STILL)
    assert len(masks) == 6  # two layers in each of three steps
    for first, second in ((0, 2), (2, 4), (0, 4)):
        agree = (masks[first] == masks[second]).float().mean()
        assert 0.5 < agree < 0.66  # 0.7 ** 2 + 0.3 ** 2 = 0.58 by chance


def test_every_epoch_distorts_the_digits_anew(small: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[Tensor] = []

    def record(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        if isinstance(module, nn.Flatten) and module.training:
            shown.append(output)

    monkeypatch.setattr(torch, "randperm", lambda n, **_: torch.arange(n))
    hook = nn.modules.module.register_module_forward_hook(record)
    train("mlp", small, epochs=2, batch_size=600, **STILL | {"augment": "geometric"})
    hook.remove()
    first, second = shown
    assert (first != second).any(1).float().mean() > 0.99  # of the digits

"""Optimizer, loss and averaged weights, each against its definition."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from inkdigits.training import Recipe
from inkdigits.training.optimisation import make_average, make_criterion, make_optimizer

LOGITS = torch.tensor([[2.0, 0.5, -1.0] + [0.0] * 7, [0.0, 1.0, 3.0] + [-2.0] * 7])
LABELS = torch.tensor([0, 1])


@pytest.mark.parametrize(
    ("settings", "kind", "expected"),
    [
        ({"optimizer": "adamw", "momentum": 0.8, "beta2": 0.95}, torch.optim.AdamW, {"betas": (0.8, 0.95)}),
        ({"optimizer": "adam", "momentum": 0.7, "beta2": 0.9}, torch.optim.Adam, {"betas": (0.7, 0.9)}),
        ({"optimizer": "sgd", "momentum": 0.85}, torch.optim.SGD, {"momentum": 0.85, "nesterov": True}),
        ({"optimizer": "sgd", "momentum": 0.0}, torch.optim.SGD, {"momentum": 0.0, "nesterov": False}),
    ],
)
def test_the_optimizer_is_that_of_the_recipe(
    settings: dict[str, Any], kind: type[torch.optim.Optimizer], expected: dict[str, Any]
) -> None:
    optimizer = make_optimizer(Recipe(lr=0.03, **settings), nn.Linear(2, 2))
    assert type(optimizer) is kind
    for group in optimizer.param_groups:
        assert {key: group[key] for key in expected} == expected
        assert group["lr"] == 0.03


def test_weights_that_take_no_gradient_are_left_to_themselves() -> None:
    model = nn.Linear(2, 2)
    model.weight.requires_grad_(False)
    groups = make_optimizer(Recipe(), model).param_groups
    assert [parameter.shape for group in groups for parameter in group["params"]] == [(2,)]


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_label_smoothing_gives_every_class_a_part_of_the_target(smoothing: float) -> None:
    targets = (1 - smoothing) * F.one_hot(LABELS, 10) + smoothing / 10
    expected = -(targets * LOGITS.log_softmax(1)).sum(1).mean()
    torch.testing.assert_close(make_criterion(Recipe(label_smoothing=smoothing))(LOGITS, LABELS), expected)


def test_averaged_weights_follow_quickly_at_first_and_slowly_later() -> None:
    """The first step copies; the decay of step t after it is (1 + t) / (10 + t), at most that of the recipe."""
    model = nn.Linear(1, 1, bias=False)
    average = make_average(model, 0.5)
    expected, seen = 0.0, []
    for step in range(20):
        with torch.no_grad():
            model.weight.fill_(step)
        average.update_parameters(model)
        decay = min(0.5, (1 + step) / (10 + step)) if step else 0.0
        expected = decay * expected + (1 - decay) * step
        seen.append((average.module.weight.item(), expected))
    assert [value for value, _ in seen] == pytest.approx([value for _, value in seen])


def test_buffers_are_averaged_and_counters_are_copied() -> None:
    model = nn.BatchNorm1d(1)
    average = make_average(model, 0.5)
    for step in range(30):
        model.running_mean.fill_(step)
        model.num_batches_tracked.fill_(step)
        average.update_parameters(model)
    assert average.module.num_batches_tracked == 29
    assert 27 < average.module.running_mean.item() < 28.5  # one step behind: 1/2 + 1/4 + 1/8 + ...

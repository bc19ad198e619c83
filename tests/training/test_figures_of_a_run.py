"""What a run reports while it trains, after each epoch, and at its end."""

import math
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim.optimizer import register_optimizer_step_pre_hook

from inkdigits.data import Dataset, DigitSet
from inkdigits.training import Recipe, loop, train
from inkdigits.training.checkpoint import EpochRow
from inkdigits.training.inference import logits_of, predict_logits, score, to_input
from inkdigits.training.optimisation import learning_rate

CPU = torch.device("cpu")
SMALL = {"batch_size": 20, "options": {"hidden": 16}, "device": "cpu"}


class Recorded:
    """A progress that keeps what it is told."""

    def __init__(self) -> None:
        self.steps: list[tuple[int, int, float, float]] = []
        self.rows: list[EpochRow] = []

    def step(self, epoch: int, images: int, loss: float, accuracy: float) -> None:
        self.steps.append((epoch, images, loss, accuracy))

    def epoch(self, row: EpochRow) -> None:
        self.rows.append(row)


def scores_on(model: nn.Module, digits: DigitSet) -> tuple[float, float, float]:
    logits, labels = predict_logits(model, torch.tensor(digits.images)), torch.tensor(digits.labels)
    mse = (logits.softmax(1) - F.one_hot(labels, 10)).square().mean()
    return F.cross_entropy(logits, labels).item(), mse.item(), (logits.argmax(1) == labels).float().mean().item()


def test_progress_is_reported_every_ten_steps_and_at_the_end_of_an_epoch(small: Dataset) -> None:
    progress = Recorded()
    run = train("mlp", small, epochs=2, progress=progress, **SMALL)
    assert [(epoch, images) for epoch, images, _, _ in progress.steps] == [
        (epoch, images) for epoch in (1, 2) for images in (200, 400, 540)
    ]
    for _, images, _, accuracy in progress.steps:
        assert accuracy * images == pytest.approx(round(accuracy * images), abs=1e-6)
        assert 0 < accuracy < 1
    assert progress.rows == run.history


def test_progress_is_the_mean_of_the_epoch_so_far(small: Dataset) -> None:
    """Without learning, dropout and batches of changing statistics, it is the loss of the digits that were shown."""
    progress = Recorded()
    still = SMALL | {"lr": 1e-9, "schedule": "constant", "ema": 0.0, "augment": "none", "validation": 0}
    run = train("lenet5", small, epochs=1, progress=progress, **still | {"options": {}})
    _, images, loss, accuracy = progress.steps[-1]
    cross_entropy, _, right = scores_on(run.model, small.train)
    assert images == 600
    assert (loss, accuracy) == (pytest.approx(cross_entropy, rel=1e-3), pytest.approx(right, abs=0.01))


def test_a_row_holds_the_scores_of_the_kept_weights_on_each_set(small: Dataset) -> None:
    run = train("mlp", small, epochs=2, ema=0.9, **SMALL)
    train_digits, validation = loop.train_validation_split(run, small)
    row = run.history[-1]
    for name, digits in (("train", train_digits), ("val", validation), ("test", small.test)):
        found = [getattr(row, f"{name}_{kind}") for kind in ("ce", "mse", "acc")]
        assert found == pytest.approx(scores_on(run.model, digits), rel=1e-5)
        assert found == [run.metrics[f"{name}_{kind}"] for kind in ("ce", "mse", "acc")]
    assert run.metrics["train_s"] == pytest.approx(sum(row.seconds for row in run.history), abs=0.01)
    assert run.metrics["cpu_s"] == pytest.approx(sum(row.cpu_seconds for row in run.history), abs=0.01)


@pytest.mark.parametrize("measure_all", [False, True])
def test_the_curve_takes_some_training_digits_and_the_last_figures_all_if_asked(
    measure_all: bool, small: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "CURVE_DIGITS", 100)
    run = train("mlp", small, epochs=1, measure_all=measure_all, **SMALL)
    digits, _ = loop.train_validation_split(run, small)
    whole = scores_on(run.model, digits)
    figures = [run.metrics[f"train_{kind}"] for kind in ("ce", "mse", "acc")]
    row = run.history[-1]
    assert row.train_acc * 100 == pytest.approx(round(row.train_acc * 100))
    assert row.train_ce != pytest.approx(whole[0], rel=1e-4)
    assert figures == (pytest.approx(whole) if measure_all else [row.train_ce, row.train_mse, row.train_acc])
    assert {"test_ce", "val_mse", "test_acc", "train_s", "cpu_s"} <= run.metrics.keys()
    assert all(run.metrics[key] == round(run.metrics[key], 2) for key in ("train_s", "cpu_s"))


def test_every_step_takes_the_rate_of_the_schedule(small: Dataset) -> None:
    rates: list[float] = []

    def record(optimizer: torch.optim.Optimizer, *_: Any) -> None:
        rates.append(optimizer.param_groups[0]["lr"])
        assert {group["lr"] for group in optimizer.param_groups} == {rates[-1]}

    hook = register_optimizer_step_pre_hook(record)
    run = train("mlp", small, epochs=3, lr=0.02, schedule="one-cycle", validation=0, **SMALL | {"batch_size": 60})
    hook.remove()
    recipe = Recipe.from_dict(run.settings["recipe"])
    assert rates == pytest.approx([learning_rate(recipe, step / 30) for step in range(30)])
    assert [row.lr for row in run.history] == pytest.approx([rates[9], rates[19], rates[29]])


def test_one_digit_in_ten_is_for_validation_but_at_most_5000(small: Dataset) -> None:
    assert train("mlp", small, epochs=1, **SMALL).settings["data"]["validation"] == 60
    assert loop.default_validation(40_000) == 4_000
    assert loop.default_validation(60_000) == 5_000


def test_logits_of_no_images_are_an_empty_table() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
    assert predict_logits(model, torch.empty(0, 28, 28, dtype=torch.uint8)).shape == (0, 10)


def test_logits_are_those_of_evaluation_and_the_mode_is_given_back(small: Dataset) -> None:
    model = nn.Sequential(nn.Flatten(), nn.Dropout(0.9), nn.Linear(784, 10))
    images = small.train.images[:70]
    with torch.no_grad():
        expected: Tensor = model[2](torch.tensor(images).flatten(1) / 255)
    for training in (True, False):
        model.train(training)
        found = predict_logits(model, torch.tensor(images), batch_size=32)
        torch.testing.assert_close(found, expected)
        assert model.training == training
    assert logits_of(model, images) == pytest.approx(expected.numpy(), abs=1e-5)
    assert logits_of(model, images).dtype == np.float32


def test_input_is_one_channel_from_0_to_1() -> None:
    images = torch.tensor([[[0, 51], [204, 255]]], dtype=torch.uint8)
    torch.testing.assert_close(to_input(images), torch.tensor([[[[0.0, 0.2], [0.8, 1.0]]]]))


def test_scores_of_certain_and_of_even_answers() -> None:
    labels = torch.tensor([0, 1, 2, 3])
    even = score(torch.zeros(4, 10), labels)
    assert (even.cross_entropy, even.mse) == (pytest.approx(math.log(10)), pytest.approx(0.09))
    certain = score(100.0 * F.one_hot(torch.tensor([0, 1, 2, 9]), 10), labels)
    assert (certain.accuracy, certain.mse) == (0.75, pytest.approx(2 / 40))
    assert certain.cross_entropy == pytest.approx(25.0)

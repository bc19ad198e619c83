import json
import math
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from inkdigits.data import Dataset
from inkdigits.errors import RunError, UsageError
from inkdigits.training import Recipe, load_run, train
from inkdigits.training.checkpoint import EpochRow, is_finished
from inkdigits.training.inference import softmax_mse
from inkdigits.training.optimisation import learning_rate, make_average
from inkdigits.training.trainer import NoProgress

QUICK = {"epochs": 2, "batch_size": 64, "device": "cpu"}


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


class StopAfter(NoProgress):
    """Interrupts as Ctrl-C does, in the middle of the epoch after ``epochs``."""

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs

    def step(self, epoch: int, images: int, loss: float, accuracy: float) -> None:
        if epoch > self.epochs:
            raise KeyboardInterrupt


def test_a_network_learns(small: Dataset) -> None:
    run = train("lenet5", small, epochs=12, batch_size=32, ema=0.0, device="cpu")
    assert run.metrics["test_acc"] > 0.8
    assert run.history[-1].train_ce < run.history[0].train_ce / 2
    assert [row.epoch for row in run.history] == list(range(1, 13))


def test_the_same_seed_gives_the_same_weights_and_another_does_not(small: Dataset, tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        train("cnn", small, seed=seed, out=tmp_path / name, **QUICK)
    assert same(weights(tmp_path / "a"), weights(tmp_path / "b"))
    assert not same(weights(tmp_path / "a"), weights(tmp_path / "c"))


def test_training_leaves_the_callers_random_state_unchanged(small: Dataset) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    train("mlp", small, epochs=1, batch_size=64, device="cpu")
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize(
    ("model", "overrides"),
    [
        ("resnet", {"augment": "geometric", "ema": 0.9}),
        ("mlp", {"optimizer": "sgd", "lr": 0.05, "ema": 0.0}),
        ("lenet5", {"optimizer": "sgd", "lr": 0.05, "momentum": 0.0}),
        ("densenet", {"optimizer": "adam", "schedule": "cosine"}),
    ],
)
def test_an_interrupted_run_ends_with_the_weights_of_an_uninterrupted_one(
    model: str, overrides: dict[str, object], small: Dataset, tmp_path: Path
) -> None:
    settings = {"epochs": 3, "batch_size": 32, "device": "cpu", **overrides}
    small = replace(small, train=small.train[:120], test=small.test[:20])
    train(model, small, out=tmp_path / "whole", **settings)
    for stop in (1, 2):
        with pytest.raises(KeyboardInterrupt):
            train(model, small, out=tmp_path / "cut", resume=True, progress=StopAfter(stop), **settings)
        assert not is_finished(tmp_path / "cut")
    run = train(model, small, out=tmp_path / "cut", resume=True, **settings)
    assert same(weights(tmp_path / "whole"), weights(tmp_path / "cut"))
    assert [row.epoch for row in run.history] == [1, 2, 3]
    events = [json.loads(line)["event"] for line in (tmp_path / "cut" / "log.jsonl").read_text().splitlines()]
    assert events == ["start", "epoch", "resume", "epoch", "resume", "epoch", "finished"]


def test_a_killed_process_loses_at_most_one_epoch(small_npz: Path, tmp_path: Path) -> None:
    cut, settings = tmp_path / "cut", {"epochs": 8, "batch_size": 16, "device": "cpu"}
    options = [f"--{name.replace('_', '-')}={value}" for name, value in settings.items()]
    command = [sys.executable, "-m", "inkdigits.cli", "train", "lenet5", "--data", str(small_npz), "--out", str(cut)]
    with subprocess.Popen([*command, *options], stderr=subprocess.PIPE) as process:
        deadline = time.monotonic() + 120
        history = cut / "history.csv"
        while not (history.exists() and len(history.read_text().splitlines()) > 2):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    kept = len(history.read_text().splitlines()) - 1
    assert 2 <= kept < 8
    run = train("lenet5", str(small_npz), out=cut, resume=True, **settings)
    assert [row.epoch for row in run.history] == list(range(1, 9))
    train("lenet5", str(small_npz), out=tmp_path / "whole", **settings)
    assert same(weights(cut), weights(tmp_path / "whole"))
    rows = history.read_text().splitlines()
    assert [int(row.split(",")[0]) for row in rows[1:]] == list(range(1, 9))


def test_a_finished_run_is_not_trained_again_and_not_overwritten(small: Dataset, tmp_path: Path) -> None:
    out = tmp_path / "run"
    train("mlp", small, out=out, **QUICK)
    before = (out / "model.json").stat().st_mtime_ns
    assert train("mlp", small, out=out, resume=True, **QUICK).metrics["test_acc"] > 0.1
    assert (out / "model.json").stat().st_mtime_ns == before
    with pytest.raises(RunError, match="already holds a run"):
        train("mlp", small, out=out, **QUICK)
    with pytest.raises(RunError, match=r"started with recipe.epochs 2, not 5"):
        train("mlp", small, out=out, resume=True, epochs=5, batch_size=64, device="cpu")


def test_an_unfinished_run_is_continued_only_on_request_and_with_the_same_settings(
    small: Dataset, tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        train("mlp", small, out=tmp_path, progress=StopAfter(1), **QUICK)
    with pytest.raises(RunError, match="--resume continues"):
        train("mlp", small, out=tmp_path, **QUICK)
    with pytest.raises(RunError, match="started with seed 0, not 7"):
        train("mlp", small, out=tmp_path, resume=True, seed=7, **QUICK)
    with pytest.raises(RunError, match="unfinished run"):
        load_run(tmp_path)


def test_choices_cannot_read_the_test_set(small: Dataset) -> None:
    """Weights, validation figures and the epoch kept are the same whatever the test set holds."""
    other = Dataset("small", small.train, small.test[:50])
    runs = [train("mlp", data, **QUICK) for data in (small, other)]
    assert same(runs[0].model.state_dict(), runs[1].model.state_dict())
    assert runs[0].metrics["val_ce"] == runs[1].metrics["val_ce"]


def test_a_loss_that_is_no_longer_finite_ends_the_run_with_advice(small: Dataset) -> None:
    with pytest.raises(RunError, match="lower --lr"):
        train("lenet5", small, optimizer="sgd", lr=100.0, epochs=3, batch_size=16, device="cpu")


def test_more_digits_in_a_batch_than_there_are_is_refused(small: Dataset) -> None:
    with pytest.raises(UsageError, match="batch-size 1000 is larger than the 540 digits"):
        train("mlp", small, batch_size=1000, device="cpu")
    with pytest.raises(UsageError, match="600 of 600 digits"):
        train("mlp", small, validation=600, device="cpu")


def test_one_cycle_rises_and_falls_and_cosine_falls() -> None:
    recipe = Recipe(lr=1.0, schedule="one-cycle", warmup=0.25)
    rates = [learning_rate(recipe, i / 100) for i in range(101)]
    assert rates[0] == pytest.approx(0.04)
    assert learning_rate(recipe, 0.125) == pytest.approx((1 + 0.04) / 2)  # halfway up
    assert learning_rate(recipe, 0.625) == pytest.approx(0.5)  # and halfway down
    assert max(rates) == rates[25] == pytest.approx(1.0)
    assert rates[100] == pytest.approx(0.0)
    assert rates == sorted(rates[:26]) + sorted(rates[26:], reverse=True)
    cosine = Recipe(lr=1.0, schedule="cosine")
    assert [learning_rate(cosine, x) for x in (0, 0.5, 1)] == pytest.approx([1, 0.5, 0])
    assert learning_rate(Recipe(lr=0.3, schedule="constant"), 0.9) == 0.3


def test_the_average_of_constant_weights_is_those_weights_and_follows_a_change_slowly() -> None:
    model = torch.nn.Linear(2, 1)
    average = make_average(model, 0.9)
    for _ in range(3):
        average.update_parameters(model)
    assert torch.allclose(average.module.weight, model.weight)
    start = model.weight.detach().clone()
    for _ in range(300):
        average.update_parameters(model)
    with torch.no_grad():
        model.weight += 1
    average.update_parameters(model)
    assert torch.allclose(average.module.weight, start + 0.1, atol=1e-5)


def test_mse_is_that_of_the_probabilities() -> None:
    logits = torch.tensor([[0.0] * 10])
    expected = (0.9**2 + 9 * 0.1**2) / 10
    assert softmax_mse(logits, torch.tensor([3])).item() == pytest.approx(expected)


def test_mse_trains_too(small: Dataset) -> None:
    run = train("mlp", small, loss="mse", epochs=8, batch_size=32, device="cpu")
    assert run.metrics["test_acc"] > 0.75


def test_without_validation_digits_the_network_learns_from_all(small: Dataset, tmp_path: Path) -> None:
    run = train("mlp", small, validation=0, out=tmp_path, **QUICK)
    assert run.settings["data"] == {
        "name": "small",
        "sha256": small.sha256,
        "train": 600,
        "validation": 0,
    }
    assert "val_acc" not in run.metrics
    again = load_run(tmp_path)
    assert math.isnan(again.history[0].val_acc)
    for line in (tmp_path / "log.jsonl").read_text().splitlines():
        assert "NaN" not in line
    assert isinstance(again.history[0], EpochRow)

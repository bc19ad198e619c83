"""The plan of a comparison, before anything is trained."""

from pathlib import Path
from typing import Any

import pytest

from inkdigits.data import Dataset
from inkdigits.errors import UsageError
from inkdigits.experiments.grid import Entry, PlannedRun, parse_entries, plan_grid
from inkdigits.models import list_models


def plan(dataset: Dataset, **changes: Any) -> list[PlannedRun]:
    settings = {"seeds": 1, "epochs": None, "quick": False, "validation": None, "device": "cpu"} | changes
    return plan_grid([Entry("mlp"), Entry("mlp", "best")], dataset, Path("out"), **settings)


def test_every_network_comes_with_the_first_seed_before_any_with_the_second(small: Dataset) -> None:
    planned = plan(small, seeds=2)
    assert [run.title for run in planned] == ["mlp seed 0", "mlp:best seed 0", "mlp seed 1", "mlp:best seed 1"]
    folders = [str(Path("out/runs", name)) for name in ("mlp-s0", "mlp-best-s0", "mlp-s1", "mlp-best-s1")]
    assert [run.settings["out"] for run in planned] == folders


def test_batches_are_cut_for_small_data(small: Dataset, mnist_5k: Dataset) -> None:
    assert {run.settings["batch_size"] for run in plan(small)} == {540 // 8}
    assert {run.settings["batch_size"] for run in plan(small, validation=0)} == {600 // 8}
    assert {run.settings["batch_size"] for run in plan(mnist_5k)} == {256}


def test_a_quick_run_never_lengthens_training(mnist_5k: Dataset) -> None:
    assert {run.epochs for run in plan(mnist_5k, quick=True)} == {9}
    assert {run.epochs for run in plan(mnist_5k, quick=True, epochs=3)} == {3}
    assert {run.images for run in plan(mnist_5k)} == {3600}


def test_entries_are_every_network_or_those_named_once() -> None:
    assert [entry.label for entry in parse_entries(None)] == list_models()
    assert [entry.label for entry in parse_entries(["cnn", " mlp:best"])] == ["cnn", "mlp:best"]
    with pytest.raises(UsageError, match="each model once"):
        parse_entries(["cnn", "cnn:standard"])

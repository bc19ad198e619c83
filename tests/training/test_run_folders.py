"""Folders of runs: where they are made, and what a strange weights file is told apart by."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from inkdigits.data import Dataset
from inkdigits.errors import ModelError
from inkdigits.training import load_run, train

QUICK = {"epochs": 1, "batch_size": 64, "device": "cpu", "options": {"hidden": 16}}


def test_the_folders_above_a_run_are_made(small: Dataset, tmp_path: Path) -> None:
    train("mlp", small, out=tmp_path / "a" / "b" / "run", **QUICK)
    assert load_run(tmp_path / "a" / "b" / "run").name == "mlp"


def test_weights_with_a_layer_too_many_are_named(small: Dataset, tmp_path: Path) -> None:
    train("mlp", small, out=tmp_path, **QUICK)
    tensors = load_file(tmp_path / "model.safetensors")
    save_file(tensors | {"extra.weight": torch.zeros(2)}, tmp_path / "model.safetensors")
    with pytest.raises(ModelError, match=r"holds extra\.weight, which mlp does not have"):
        load_run(tmp_path)

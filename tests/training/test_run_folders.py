"""Folders of runs: where they are made, who writes them, and what a strange weights file is told apart by."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from inkdigits import files
from inkdigits.data import Dataset
from inkdigits.errors import BusyError, ModelError
from inkdigits.experiments import compare
from inkdigits.files import locked
from inkdigits.training import load_run, train
from inkdigits.training.checkpoint import EpochRow
from inkdigits.training.ensembling import ensemble
from inkdigits.training.run_card import DataFacts, Environment, Hardware, RunSettings
from inkdigits.training.trainer import NoProgress

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


class StopAt(NoProgress):
    """Interrupts training in an epoch, before its state is kept."""

    def __init__(self, epoch: int) -> None:
        self.last = epoch

    def epoch(self, row: EpochRow) -> None:
        if row.epoch == self.last:
            raise KeyboardInterrupt


def events(folder: Path) -> list[str]:
    return [json.loads(line)["event"] for line in (folder / "log.jsonl").read_text().splitlines()]


def in_use(folder: Path, command: Callable[[], object]) -> None:
    """Run a command in a thread of its own, as another process has no part in the lock of ``folder``."""
    with locked(folder), ThreadPoolExecutor(1) as other, pytest.raises(BusyError, match=r"is in use by process \d+"):
        other.submit(command).result()


def test_a_folder_in_use_is_left_as_it_is(small: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "LOCK_WAIT", 0.1)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".state.safetensors.x1.tmp").touch()  # the other process writes it
    in_use(tmp_path / "run", lambda: train("mlp", small, out=tmp_path / "run", resume=True, **QUICK))
    assert [path.name for path in (tmp_path / "run").iterdir()] == [".state.safetensors.x1.tmp"]
    in_use(tmp_path / "cmp", lambda: compare(["mlp"], small, epochs=1, device="cpu", out=tmp_path / "cmp"))
    assert not (tmp_path / "cmp").exists()
    for seed in (0, 1):
        train("mlp", small, out=tmp_path / f"s{seed}", seed=seed, **QUICK)
    in_use(tmp_path / "both", lambda: ensemble([tmp_path / "s0", tmp_path / "s1"], small, tmp_path / "both"))
    with locked(tmp_path / "s0"):  # a finished run is read, which needs no lock
        train("mlp", small, out=tmp_path / "s0", resume=True, **QUICK)


def test_what_a_killed_process_left_is_removed(small: Dataset, tmp_path: Path) -> None:
    for name in (".state.safetensors.x1.tmp", ".model.json.x2.tmp", ".note.tmp"):
        (tmp_path / name).touch()
    train("mlp", small, out=tmp_path, **QUICK)
    assert sorted(path.name for path in tmp_path.glob(".*")) == [".note.tmp"]


@pytest.mark.parametrize("cut", [0, 20, None])
def test_a_log_that_a_kill_cut_off_is_completed(cut: int | None, small: Dataset, tmp_path: Path) -> None:
    """The process was killed after it kept the state of epoch 1: with none, 20 or all characters of the line logged."""
    settings = QUICK | {"epochs": 2, "out": tmp_path}
    with pytest.raises(KeyboardInterrupt):
        train("mlp", small, progress=StopAt(2), **settings)
    started, epoch = (tmp_path / "log.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "log.jsonl").write_text(started + epoch[:cut])
    train("mlp", small, resume=True, **settings)
    assert events(tmp_path) == ["start", "epoch", "resume", "epoch", "finished"]


@pytest.mark.parametrize("logged", [False, True])
def test_a_run_that_is_killed_at_its_very_end_is_closed(logged: bool, small: Dataset, tmp_path: Path) -> None:
    train("mlp", small, out=tmp_path, **QUICK)
    (tmp_path / "state.safetensors").touch()  # it is removed last
    lines = (tmp_path / "log.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "log.jsonl").write_text("".join(lines if logged else lines[:-1]))
    train("mlp", small, out=tmp_path, resume=True, **QUICK)
    assert events(tmp_path) == ["start", "epoch", "finished"]
    assert not (tmp_path / "state.safetensors").exists()


def test_a_card_without_its_optional_facts_has_their_defaults() -> None:
    hardware = Hardware("processor", 2, 1, "cpu")
    environment = Environment({"inkdigits": "0.1"}, hardware)
    assert (environment.data_source, environment.notes, environment.plugins) == ("", [], {})
    settings = RunSettings("mlp", {}, {}, 0, DataFacts("mnist", "", 0, 0))  # made lines need no training digits
    assert (settings.members, settings.teacher) == ([], None)
    for digits in ((-1, 0), (0, -1)):
        with pytest.raises(ValueError, match="0 or more"):
            DataFacts("mnist", "", *digits)

"""A line network from its first batch to a run on disk, and what other parts say when they are given one."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from inkdigits import DigitClassifier
from inkdigits.data import Dataset
from inkdigits.data.fonts import FONTS
from inkdigits.errors import RunError, UsageError
from inkdigits.evaluation import evaluate
from inkdigits.evaluation.connectivity import graph_network
from inkdigits.experiments.grid import parse_entries
from inkdigits.experiments.subjects import load_subjects
from inkdigits.exporting.hugging_face import write_folder
from inkdigits.exporting.onnx_file import export
from inkdigits.training import line_task, load_run, train
from inkdigits.training.checkpoint import is_finished
from inkdigits.training.ensembling import ensemble
from inkdigits.training.trainer import NoProgress

OPTIONS = {"channels": [4, 4, 8], "features": 16, "dilations": [1]}
QUICK: dict[str, Any] = {"preset": "fast", "options": OPTIONS, "lines": 64, "batch_size": 16, "device": "cpu"}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No font is fetched, and networks are measured on few lines."""
    monkeypatch.setattr(line_task, "fonts_or_reason", lambda fonts=FONTS: ((), "no fonts"))
    monkeypatch.setattr(line_task, "MEASURED", 16)


class StopAfter(NoProgress):
    """Interrupts as Ctrl-C does, in the epoch after ``epochs``."""

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs

    def step(self, epoch: int, images: int, loss: float, accuracy: float) -> None:
        if epoch > self.epochs:
            raise KeyboardInterrupt


def same(one: Path, other: Path) -> bool:
    a, b = (load_file(folder / "model.safetensors") for folder in (one, other))
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


def test_a_line_network_learns(small: Dataset) -> None:
    run = train("line-ctc", small, epochs=6, ema=0.0, **QUICK | {"batch_size": 8})
    assert [row.epoch for row in run.history] == list(range(1, 7))
    assert run.history[-1].train_ce < 0.8 * run.history[0].train_ce
    assert run.history[-1].test_ce < 0.8 * run.history[0].test_ce
    assert run.history[-1].test_mse < run.history[0].test_mse
    assert "no fonts" in run.environment["notes"]
    assert run.settings["fonts"] == 0


def test_an_interrupted_run_ends_with_the_weights_of_an_uninterrupted_one(small: Dataset, tmp_path: Path) -> None:
    """Four batches an epoch: the second epoch starts within a group of lines that are made together."""
    train("line-ctc", small, epochs=2, out=tmp_path / "whole", **QUICK)
    with pytest.raises(KeyboardInterrupt):
        train("line-ctc", small, epochs=2, out=tmp_path / "cut", progress=StopAfter(1), **QUICK)
    assert not is_finished(tmp_path / "cut")
    run = train("line-ctc", small, epochs=2, out=tmp_path / "cut", resume=True, **QUICK)
    assert same(tmp_path / "whole", tmp_path / "cut")
    assert [row.epoch for row in run.history] == [1, 2]


def test_a_run_is_continued_only_with_as_many_fonts(
    small: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(KeyboardInterrupt):
        train("line-ctc", small, epochs=2, out=tmp_path, progress=StopAfter(1), **QUICK)
    monkeypatch.setattr(line_task, "fonts_or_reason", lambda *_: ((Path("a.woff2"),), ""))
    with pytest.raises(RunError, match="was started with fonts 0, not 2"):
        train("line-ctc", small, epochs=2, out=tmp_path, resume=True, **QUICK)


def test_a_run_of_lines_is_read_back(line_run: Path) -> None:
    run = load_run(line_run)
    assert run.name == "line-ctc"
    assert run.settings["recipe"]["lines"] == 64
    assert {"train_ce", "val_ce", "test_ce", "test_acc", "test_mse"} <= set(run.metrics)
    logits, edges = run.model(torch.zeros(1, 1, 40, 80))
    assert logits.shape == (1, 24, 17)
    assert edges.shape == (1, 24, 4)
    assert "no fonts" in run.environment["notes"]
    events = [json.loads(line)["event"] for line in (line_run / "log.jsonl").read_text().splitlines()]
    assert events == ["start", "epoch", "finished"]


def test_what_takes_digit_networks_refuses_it(line_run: Path, small: Dataset, tmp_path: Path) -> None:
    run = load_run(line_run)
    for call, says in (
        (lambda: evaluate(run, small.test), "`evaluate` measures"),
        (lambda: evaluate(line_run, small.test), "`evaluate` measures"),
        (lambda: parse_entries(["mlp", "line-ctc:fast"]), "`compare` trains"),
        (lambda: load_subjects([line_run]), "`robust` measures"),
        (lambda: ensemble([line_run, line_run], small), "`ensemble` combines"),
        (lambda: write_folder(run, small, tmp_path / "hub"), "`export --format huggingface` writes"),
        (lambda: export(run, small, tmp_path / "lines.onnx"), "this function writes"),
        (lambda: train("mlp", small, teacher=run, distill=0.5), "--teacher takes"),
        (lambda: train("mlp", small, teacher=line_run, distill=0.5), "--teacher takes"),
    ):
        with pytest.raises(UsageError) as error:
            call()  # type: ignore[no-untyped-call]
        assert str(error.value) == f"line-ctc reads lines; {says} networks that read digits"
    with pytest.raises(UsageError, match=r"^line-ctc has no graph; explain a run of gnn or gnn-attention$"):
        graph_network(line_run)
    with pytest.raises(ValueError, match="line-ctc reads lines; DigitClassifier trains networks that read digits"):
        DigitClassifier("line-ctc").fit(small.train.images, small.train.labels)
    assert not list(tmp_path.iterdir())

"""Fine-tuning learns new digits and lines, keeps the old, writes one file, and refuses what cannot be learned from."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from inkdigits.cli.finetuning import _own_digits
from inkdigits.data import DigitSet, load
from inkdigits.exporting import finetuned
from inkdigits.exporting.packaged import load_onnx
from inkdigits.reader.line_recognizer import LineRecognizer
from inkdigits.reader.reader import Reader
from inkdigits.reader.recognizer import Recognizer, bundled
from inkdigits.server.feedback import Feedback
from inkdigits.server.inference import as_png
from inkdigits.synthetic.lines import Writers, make_line
from inkdigits.training import line_task, rehearsal
from inkdigits.training.finetuning import DIGITS, tune
from inkdigits.training.inference import measure
from inkdigits.training.own_lines import with_separators, without_separators
from inkdigits.training.rehearsal import keep_statistics
from inkdigits.training.reviewed import is_review, reviewed_digits
from inkdigits.training.trainer import NoProgress

Cli = Callable[..., tuple[int, str, str]]
EACH = 6


@pytest.fixture(scope="module")
def digits() -> DigitSet:
    """Digits in a form that the packaged network does not know: mirrored from top to bottom and hollow."""
    train = load("mnist-5k").train
    chosen = train.split(10 * EACH, seed=3)[1]
    hollow = np.stack([cv2.morphologyEx(image, cv2.MORPH_GRADIENT, np.ones((3, 3))) for image in chosen.images])
    return DigitSet(hollow.astype(np.uint8), chosen.labels)


@pytest.fixture(scope="module")
def folder(digits: DigitSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("crops")
    for index, (image, label) in enumerate(zip(digits.images, digits.labels, strict=True)):
        (root / str(label)).mkdir(exist_ok=True)
        cv2.imwrite(str(root / str(label) / f"{index}.png"), image)
    return root


@pytest.fixture(autouse=True)
def short_training(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few old digits and lines, and short epochs."""
    monkeypatch.setattr(finetuned, "REHEARSED", 200)
    monkeypatch.setattr(rehearsal, "FEWEST_STEPS", 3)
    monkeypatch.setattr(line_task, "fonts_or_reason", lambda *_: ((), "no fonts"))
    monkeypatch.setattr(line_task, "MEASURED", 16)
    monkeypatch.setattr(line_task, "SORTED", 2)


def test_the_command_learns_digits_and_writes_a_file_that_predict_uses(
    folder: Path, tmp_path: Path, run_cli: Cli
) -> None:
    out = tmp_path / "mine.onnx"
    code, text, err = run_cli("finetune", folder, "--out", out, "--data", "mnist-5k", "--epochs", 2)
    assert code == 0, err
    assert "before" in text
    assert "10 held out" in text
    card = Recognizer(out).card
    assert card["data"]["name"] == "own"
    assert card["run_sha256"] != Recognizer().card["run_sha256"]
    picture = next((folder / "0").iterdir())
    assert run_cli("predict", picture, "--model", out)[0] == 0
    assert load_onnx(out).settings["options"] == load_onnx(bundled()).settings["options"]


def test_a_review_gives_the_digits_of_its_pages_with_the_corrections(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    page = np.full((120, 300), 235, np.uint8)
    glyphs = load("mnist-5k").test
    for place, digit in enumerate((3, 7, 1)):
        image = glyphs.images[np.flatnonzero(glyphs.labels == digit)[int(rng.integers(5))]]
        big = cv2.resize(image, (56, 56))
        page[30:86, 40 + 62 * place : 96 + 62 * place] -= np.minimum(big, 200)
    cv2.imwrite(str(tmp_path / "page.png"), page)
    review = tmp_path / "review.csv"
    head = "source,page,line,place,read,truth"
    review.write_text(f"{head}\n{tmp_path / 'page.png'},0,0,1,7,2\n")
    assert is_review(review)
    digits, names = reviewed_digits(review, Reader())
    assert digits.labels.tolist() == [3, 2, 1]
    assert "place 2" in names[1]
    assert Recognizer().run(digits.images).logits.argmax(1).tolist() == [3, 7, 1]


def test_the_corrections_of_the_service_are_digits(digits: DigitSet, tmp_path: Path) -> None:
    stored = Feedback(tmp_path / "corrections")
    for image, label in zip(digits.images[::20], digits.labels[::20], strict=True):
        stored.add("model", as_png(image), None, int(label))
    stored.close()
    found, names = _own_digits(tmp_path / "corrections")
    assert found.labels.tolist() == digits.labels[::20].tolist()
    assert names == ["correction 1", "correction 2", "correction 3"]


def test_batch_norm_keeps_its_statistics() -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)).train()
    keep_statistics(model)
    assert not model[1].training
    assert model[0].training


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("shifted", "no better than chance"),
        ("few", "too few"),
        ("broken", "0.png"),
        ("empty", "no images"),
    ],
)
def test_what_cannot_be_learned_from_is_one_line_and_no_file(
    change: str, message: str, folder: Path, tmp_path: Path, run_cli: Cli
) -> None:
    mine, out = tmp_path / "crops", tmp_path / "mine.onnx"
    if change == "shifted":
        for label in range(10):
            shutil.copytree(folder / str(label), mine / str((label + 1) % 10))
    elif change == "few":
        for label in (1, 2, 3):
            (mine / str(label)).mkdir(parents=True)
            shutil.copy(next((folder / str(label)).iterdir()), mine / str(label))
    elif change == "broken":
        shutil.copytree(folder, mine)
        (mine / "4" / "0.png").write_bytes(b"no picture")
    else:
        mine.mkdir()
    code, _, err = run_cli("finetune", mine, "--out", out, "--data", "mnist-5k")
    assert code == 1
    assert message in err.splitlines()[-1]
    assert not out.exists()


def test_ctrl_c_keeps_the_best_so_far(digits: DigitSet, monkeypatch: pytest.MonkeyPatch) -> None:
    start, cpu, calls = load_onnx(bundled()), torch.device("cpu"), []
    recipe = replace(DIGITS, batch_size=16, augment="none", epochs=9)
    task = rehearsal.DigitRehearsal(start, recipe, digits, digits, 0, cpu)
    kept = task.loss

    def interrupted(*arguments: Any) -> Any:
        calls.append(1)
        if len(calls) > task.steps:
            raise KeyboardInterrupt
        return kept(*arguments)

    monkeypatch.setattr(task, "loss", interrupted)
    tuned = tune(start, task, recipe, lambda model: (measure(model, digits, cpu),) * 2, NoProgress(), cpu, 1.0)
    assert tuned.interrupted
    assert (tuned.best, tuned.epochs) == (1, 2)
    assert tuned.new[1].cross_entropy < tuned.new[0].cross_entropy
    assert measure(tuned.run.model, digits, cpu) == tuned.new[1]


def test_nothing_better_than_the_start_is_the_start(digits: DigitSet) -> None:
    start, cpu = load_onnx(bundled()), torch.device("cpu")
    wrong = DigitSet(digits.images, (digits.labels + 1) % 10)
    recipe = replace(DIGITS, batch_size=16, augment="none", epochs=1)
    task = rehearsal.DigitRehearsal(start, recipe, wrong, wrong, 0, cpu)
    tuned = tune(start, task, recipe, lambda model: (measure(model, digits, cpu),) * 2, NoProgress(), cpu, 1.0)
    assert tuned.share == 0
    assert tuned.new[0] == tuned.new[1]
    for name, value in start.model.state_dict().items():
        assert torch.equal(value, tuned.run.model.state_dict()[name]), name


def test_the_command_learns_lines_and_writes_a_file_that_reads(tmp_path: Path, run_cli: Cli) -> None:
    rng, rows = np.random.default_rng(0), ["file,number"]
    writers = Writers(load("mnist-5k").train.split(300, 0)[1])
    for index in range(24):
        text = "".join(map(str, rng.integers(0, 10, 4)))
        cv2.imwrite(str(tmp_path / f"{index}.png"), make_line(rng, writers, text=text).image)
        rows.append(f"{index}.png,{text}")
    (tmp_path / "labels.csv").write_text("\n".join(rows))
    (tmp_path / "3.png").write_bytes(b"no picture")
    out = tmp_path / "lines.onnx"
    code, text, err = run_cli("finetune", tmp_path, "--lines", "--out", out, "--data", "mnist-5k", "--epochs", 1)
    assert code == 0, err
    assert "3.png" in err
    assert "made lines" in text
    assert LineRecognizer(out).card["data"]["train"] + LineRecognizer(out).card["data"]["validation"] == 23


@pytest.mark.parametrize(
    ("read", "label", "expected"),
    [("1.234,5-", "12845", "1.284,5-"), ("12", "12", "12"), ("", "7", "7"), ("x1?", "1", "1?")],
)
def test_separators_that_labels_lack_come_from_the_reading(read: str, label: str, expected: str) -> None:
    assert with_separators(read, label) == expected


def test_labels_with_a_separator_are_taken_as_they_are() -> None:
    assert without_separators(["12", "1'000"])
    assert not without_separators(["12", "1.50"])

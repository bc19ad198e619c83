import json
import os
import pickle
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from inkdigits.data import Dataset
from inkdigits.errors import InkdigitsError, ModelError, RunError
from inkdigits.files import write_json
from inkdigits.training import load_run, train
from inkdigits.training.inference import predict_logits


@pytest.fixture(scope="module")
def finished(small: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "mlp"
    train("mlp", small, epochs=1, batch_size=64, device="cpu", options={"hidden": 32}, out=out)
    return out


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "run"))


class Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("exploded",)


def test_a_loaded_run_has_the_same_logits_and_metrics(small: Dataset, tmp_path: Path) -> None:
    run = train("cnn", small, epochs=1, batch_size=64, device="cpu", out=tmp_path)
    images = torch.tensor(small.test.images)
    again = load_run(tmp_path)
    assert torch.equal(predict_logits(run.model, images), predict_logits(again.model, images))
    assert again.metrics == run.metrics
    assert again.settings == json.loads(json.dumps(run.settings))


def test_model_json_says_what_a_person_asks(finished: Path, small: Dataset) -> None:
    card = json.loads((finished / "model.json").read_text())
    assert card["model"] == "mlp"
    assert card["options"] == {"hidden": 32, "activation": "relu", "dropout": 0.3}
    assert card["data"]["sha256"] == small.sha256
    assert card["recipe"]["epochs"] == 1
    assert card["environment"]["versions"]["torch"] == str(torch.__version__)
    assert 0 <= card["metrics"]["test_acc"] <= 1
    assert sorted(path.name for path in finished.iterdir()) == [
        "history.csv",
        "log.jsonl",
        "model.json",
        "model.safetensors",
    ]


def test_a_printed_run_is_five_lines_for_a_person(finished: Path, small: Dataset) -> None:
    run = load_run(finished)
    network, data, epochs, figures, folder = str(run).splitlines()
    assert network == "mlp: hidden=32, activation='relu', dropout=0.3"
    assert data == "data: small, 540 training and 60 validation digits; seed 0"
    assert epochs == f"epochs: 1, trained in {run.metrics['train_s']:.1f} s"
    assert figures == "accuracy (cross-entropy): " + ", ".join(
        f"{name} {100 * run.metrics[f'{key}_acc']:.2f} % ({run.metrics[f'{key}_ce']:.4f})"
        for name, key in (("train", "train"), ("validation", "val"), ("test", "test"))
    )
    assert folder == f"folder: {finished}"
    assert repr(run) == f"Run('mlp', data='small', seed=0, folder='{finished}')"
    in_memory = train("mlp", small, epochs=1, batch_size=64, device="cpu", options={"hidden": 8}, validation=0)
    lines = str(in_memory).splitlines()
    assert lines[1] == "data: small, 600 training and no validation digits; seed 0"
    assert "validation" not in lines[3]
    assert lines[4] == "folder: none, in memory only"


def test_a_pickle_in_place_of_the_weights_is_never_opened(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(run)
    (run / "model.safetensors").write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(RunError, match="no safetensors file"):
        load_run(run)
    assert not (run / "exploded").exists()


def test_weights_of_another_model_are_named(run: Path, small: Dataset, tmp_path: Path) -> None:
    train("lenet5", small, epochs=1, batch_size=64, device="cpu", out=tmp_path / "other")
    shutil.copy(tmp_path / "other" / "model.safetensors", run / "model.safetensors")
    with pytest.raises(ModelError, match="does not fit mlp: it lacks layers"):
        load_run(run)


def test_missing_keys_other_shapes_and_swapped_weights_are_named(run: Path) -> None:
    path = run / "model.safetensors"
    tensors = load_file(path)
    save_file({key: value for key, value in tensors.items() if key != "layers.2.weight"}, path)
    with pytest.raises(ModelError, match=r"lacks layers\.2\.weight"):
        load_run(run)
    save_file(tensors | {"layers.2.weight": torch.zeros(3, 3)}, path)
    with pytest.raises(ModelError, match=r"layers\.2\.weight is \(3, 3\), not \(32, 784\)"):
        load_run(run)
    save_file(tensors | {"layers.2.weight": torch.zeros(32, 784)}, path)
    with pytest.raises(RunError, match=r"not the file that model\.json describes"):
        load_run(run)


def test_broken_cards_are_named(run: Path) -> None:
    card = json.loads((run / "model.json").read_text())
    for broken, says in (
        ({key: value for key, value in card.items() if key != "options"}, "lacks 'options'"),
        (card | {"model": "gnm"}, "there is no model 'gnm'"),
        (card | {"recipe": card["recipe"] | {"epoch": 3}}, "did you mean 'epochs'"),
    ):
        write_json(run / "model.json", broken)
        with pytest.raises(InkdigitsError, match=says):
            load_run(run)
    (run / "model.json").write_text("{")
    with pytest.raises(RunError, match="cannot read"):
        load_run(run)
    with pytest.raises(RunError, match="does not exist"):
        load_run(run / "nowhere")


def limit_file_size(limit: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))


def test_a_disk_that_fills_up_leaves_no_half_written_file(small_npz: Path, tmp_path: Path) -> None:
    """The limit on a file's size stands in for a full disk: the system refuses a write with an error."""
    command = [sys.executable, "-m", "inkdigits.cli", "train", "mlp", "--data", small_npz, "--epochs", "1"]
    done = subprocess.run(
        [*map(str, command), "--out", str(tmp_path / "run")],
        capture_output=True,
        text=True,
        timeout=120,
        preexec_fn=lambda: limit_file_size(500_000),
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("inkdigits: cannot write")
    assert "free space there" in done.stderr
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["log.jsonl"]


@pytest.fixture
def nobody() -> Iterator[None]:
    """Give up root's right to write everywhere, where the tests run as root."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    yield
    os.seteuid(user)


def test_a_read_only_folder_is_one_line(tmp_path: Path, nobody: None) -> None:
    with pytest.raises(
        RunError, match=r"cannot write .*: Permission denied; free space there or choose another folder"
    ):
        write_json(Path("/usr/inkdigits-run/model.json"), {})


def test_what_stood_there_survives_a_failed_write(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    before = (run / "model.json").read_text()
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RunError, match="No space left on device"):
        write_json(run / "model.json", {"half": 1})
    assert (run / "model.json").read_text() == before
    assert len(list(run.iterdir())) == 4
    assert load_run(run).name == "mlp"

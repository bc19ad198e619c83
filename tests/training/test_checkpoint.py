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
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from inkdigits.data import Dataset
from inkdigits.errors import InkdigitsError, ModelError, RunError
from inkdigits.files import write_json
from inkdigits.training import checkpoint, load_run, train
from inkdigits.training.inference import predict_logits
from inkdigits.training.trainer import NoProgress

UNFINISHED = {"epochs": 2, "batch_size": 64, "device": "cpu", "options": {"hidden": 16}}


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


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda card: card.pop("options"), "missing required field `options`"),
        (lambda card: card.pop("weights_sha256"), "missing required field `weights_sha256`"),
        (lambda card: card.update(model=5), r"Expected `str`, got `int` - at `\$\.model`"),
        (lambda card: card.update(model="gnm"), "there is no model 'gnm'"),
        (lambda card: card.update(options=[1]), r"got `array` - at `\$\.options`"),
        (lambda card: card.update(options={"hidden": "x"}), "mlp cannot be built with"),
        (lambda card: card.update(recipe=None), r"got `null` - at `\$\.recipe`"),
        (lambda card: card["recipe"].update(epoch=3), "did you mean 'epochs'"),
        (lambda card: card["recipe"].update(epochs="x"), "epochs must be a whole number, not 'x'"),
        (lambda card: card["recipe"].update(epochs=1.5), "epochs must be a whole number, not 1.5"),
        (lambda card: card["recipe"].update(lr="x"), "lr must be a number, not 'x'"),
        (lambda card: card["recipe"].update(lr=float("nan")), "lr must be above 0"),
        (lambda card: card["recipe"].update(lr=True), r"got `bool` - at `\$\.recipe"),
        (lambda card: card["recipe"].update(loss=3), "loss must be a text, not 3"),
        (lambda card: card.update(seed="a"), r"Expected `int`, got `str` - at `\$\.seed`"),
        (lambda card: card.update(seed=-1), "`seed` is 0 or more"),
        (lambda card: card.update(data=3), r"at `\$\.data`"),
        (lambda card: card["data"].update(validation=-5), "`train` and `validation` are 0 or more"),
        (lambda card: card["data"].pop("sha256"), r"missing required field `sha256` - at `\$\.data`"),
        (lambda card: card.update(metrics=[]), r"at `\$\.metrics`"),
        (lambda card: card["metrics"].update(test_acc="high"), r"at `\$\.metrics"),
        (lambda card: card.update(environment=7), r"at `\$\.environment`"),
        (lambda card: card["environment"].update(plugins=[]), r"at `\$\.environment\.plugins`"),
        (lambda card: card["environment"].update(notes="a"), r"at `\$\.environment\.notes`"),
        (lambda card: card["environment"]["versions"].pop("inkdigits"), "`versions` lacks `inkdigits`"),
        (lambda card: card.update(members=[5]), r"at `\$\.members\[0\]`"),
        (lambda card: card.update(teacher="t"), r"at `\$\.teacher`"),
        (lambda card: "{", "Expecting"),
        (lambda card: "[" * 100_000, "nested more than 100 deep"),
    ],
)
def test_broken_cards_are_one_line(change, says: str, run: Path) -> None:
    card = json.loads((run / "model.json").read_text())
    answer = change(card)
    (run / "model.json").write_text(answer if answer in ("{", "[" * 100_000) else json.dumps(card))
    with pytest.raises(RunError, match=rf"(?s)model\.json.*{says}"):
        load_run(run)


def test_a_missing_card_and_a_pipe_are_one_line(run: Path) -> None:
    with pytest.raises(RunError, match="does not exist"):
        load_run(run / "nowhere")
    for name in ("model.safetensors", "history.csv", "model.json"):
        content = (run / name).read_bytes()
        (run / name).unlink()
        os.mkfifo(run / name)
        with pytest.raises(RunError, match=rf"{name}.*a pipe or a device"):
            load_run(run)
        (run / name).unlink()
        (run / name).write_bytes(content)


@pytest.mark.parametrize(
    "content", ["a,b\n1,2\n", "epoch\nx\n", "\0", "", 'epoch,"' + "x" * 200_000, "epoch,train_ce\n1\n"]
)
def test_a_broken_history_is_one_line(content: str, run: Path) -> None:
    (run / "history.csv").write_text(content)
    with pytest.raises(RunError, match=r"cannot read .*history\.csv") as caught:
        load_run(run)
    assert len(str(caught.value).splitlines()) == 1


class StopAfterOne(NoProgress):
    def step(self, epoch: int, images: int, loss: float, accuracy: float) -> None:
        if epoch > 1:
            raise KeyboardInterrupt


@pytest.fixture(scope="module")
def stopped(small: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An unfinished run, stopped after its first epoch."""
    out = tmp_path_factory.mktemp("runs") / "stopped"
    with pytest.raises(KeyboardInterrupt):
        train("mlp", small, out=out, progress=StopAfterOne(), **UNFINISHED)
    return out


def change_state(path: Path, change, with_checksum: bool = True) -> None:
    """Write another state: tensors and metadata after ``change``, with the checksum that belongs to them."""
    with safe_open(path, "pt") as file:
        metadata = dict(file.metadata())
    tensors = load_file(path)
    metadata.pop("sha256")
    change(tensors, metadata)
    checksum = {"sha256": checkpoint._checksum(tensors, metadata)} if with_checksum else {}
    save_file(tensors, path, metadata | checksum)


def rename(tensors: dict[str, torch.Tensor], old: str, new: str) -> None:
    tensors[new] = tensors.pop(old)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda t, m: m.clear(), "is no state of a run"),
        (lambda t, m: m.pop("history"), "is no state of a run"),
        (lambda t, m: m.update(history="[" * 100_000), "nested more than 100 deep"),
        (lambda t, m: m.update(history="[]x"), "Extra data"),
        (lambda t, m: m.update(history='[{"epoch": "x"}]'), "Expected `int`, got `str`"),
        (lambda t, m: m.update(history=m["history"].replace('"epoch": 1', '"epoch": 2')), "history lacks an epoch"),
        (lambda t, m: m.update(settings="[]"), "Expected `object`, got `array`"),
        (lambda t, m: m.update(settings="{}"), "was started with model None, not 'mlp'"),
        (lambda t, m: rename(t, "model.layers.2.weight", "strange"), "a tensor is called 'strange'"),
        (lambda t, m: rename(t, "model.layers.2.weight", "other.layers.2.weight"), "a tensor is called 'other"),
        (lambda t, m: rename(t, "optimizer.0.step", "optimizer.x.step"), "a tensor is called 'optimizer.x.step'"),
        (lambda t, m: rename(t, "optimizer.0.step", "optimizer.0.steps"), "does not fit the optimizer adamw"),
        (lambda t, m: rename(t, "optimizer.0.step", "optimizer.99.step"), "does not fit the optimizer adamw"),
        (lambda t, m: t.update({"optimizer.0.exp_avg": torch.zeros(3)}), "does not fit the optimizer adamw"),
        (lambda t, m: rename(t, "model.layers.2.weight", "model.x"), "does not fit the model"),
        (lambda t, m: t.update({"model.layers.2.weight": torch.zeros(3)}), r"is \(3,\), not"),
        (lambda t, m: t.pop("average.n_averaged"), "does not fit the average: it lacks n_averaged"),
    ],
)
def test_a_state_that_is_not_this_run_s_is_one_line(
    change, says: str, stopped: Path, small: Dataset, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(stopped, tmp_path / "run"))
    change_state(folder / "state.safetensors", change)
    with pytest.raises(InkdigitsError, match=says) as caught:
        train("mlp", small, out=folder, resume=True, **UNFINISHED)
    assert len(str(caught.value).splitlines()) == 1


def test_a_state_with_a_changed_byte_is_refused_by_its_checksum(stopped: Path, small: Dataset, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(stopped, tmp_path / "run"))
    content = bytearray((folder / "state.safetensors").read_bytes())
    content[-100] ^= 1
    (folder / "state.safetensors").write_bytes(content)
    with pytest.raises(RunError, match=r"its checksum is another.*remove it to start again"):
        train("mlp", small, out=folder, resume=True, **UNFINISHED)


def test_a_state_of_an_earlier_version_is_resumed_without_a_checksum(
    stopped: Path, small: Dataset, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(stopped, tmp_path / "run"))
    change_state(folder / "state.safetensors", lambda tensors, metadata: None, with_checksum=False)
    assert len(train("mlp", small, out=folder, resume=True, **UNFINISHED).history) == 2


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

from pathlib import Path

import pytest
import torch

from inkdigits.data import Dataset
from inkdigits.errors import ModelError, RunError, UsageError
from inkdigits.evaluation import evaluate
from inkdigits.models import create_model, list_models
from inkdigits.training import load_run, train, validation_digits
from inkdigits.training.ensembling import ensemble
from inkdigits.training.inference import predict_logits


@pytest.fixture(scope="module")
def members(small: Dataset, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("members")
    common = {"epochs": 1, "batch_size": 50}
    train("mlp", small, options={"hidden": 32}, out=folder / "mlp", **common)
    train("lenet5", small, augment="none", seed=1, out=folder / "lenet5", **common)
    return [folder / "mlp", folder / "lenet5"]


def test_an_ensembles_logits_are_the_mean_of_its_members(members: list[Path], small: Dataset, tmp_path: Path) -> None:
    whole = ensemble(members, small, tmp_path / "ensemble")
    images = torch.tensor(small.test.images)
    expected = torch.stack([predict_logits(load_run(folder).model, images) for folder in members]).mean(0)
    torch.testing.assert_close(predict_logits(whole.model, images), expected)
    assert whole.metrics["test_acc"] == (expected.argmax(1).numpy() == small.test.labels).mean()


def test_an_ensemble_is_a_run_like_any_other(members: list[Path], small: Dataset, tmp_path: Path) -> None:
    whole = ensemble(members, small, tmp_path / "ensemble")
    again = load_run(tmp_path / "ensemble")
    assert again.settings["members"] == [
        {"weights_sha256": load_run(folder).weights_sha256, "seed": seed}
        for folder, seed in zip(members, (0, 1), strict=True)
    ]
    assert again.settings["seed"] == 0  # that of the first
    assert evaluate(again, small.test).scores.accuracy == whole.metrics["test_acc"]
    assert "ensemble" not in list_models()  # there is nothing to train
    lines = str(again).splitlines()
    assert len(lines) == 5
    assert lines[2] == "epochs: none of its own"
    assert max(map(len, lines)) <= 120
    with pytest.raises(RunError, match="already holds a run"):
        ensemble(members, small, tmp_path / "ensemble")


def test_an_ensemble_has_validation_digits_only_if_all_members_have_the_same(
    members: list[Path], small: Dataset, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="leaves none to calibrate on"):  # seeds 0 and 1 split differently
        validation_digits(ensemble(members, small), small)
    train("cnn", small, epochs=1, batch_size=50, augment="none", out=tmp_path / "cnn")
    same = ensemble([members[0], tmp_path / "cnn"], small)
    facts = [run.settings["data"] for run in (ensemble(members, small), same, load_run(members[0]))]
    assert facts[0]["train"] == facts[1]["train"] + facts[1]["validation"] == len(small.train)
    assert facts[1] == facts[2]
    assert (validation_digits(same, small).images == validation_digits(load_run(members[0]), small).images).all()


def test_an_unfinished_run_is_not_overwritten(members: list[Path], small: Dataset, tmp_path: Path) -> None:
    state = tmp_path / "ensemble" / "state.safetensors"
    state.parent.mkdir()
    state.write_bytes(b"half of it")
    with pytest.raises(RunError, match="holds an unfinished run"):
        ensemble(members, small, tmp_path / "ensemble")
    assert state.read_bytes() == b"half of it"


def test_wrong_members_are_named(members: list[Path], small: Dataset, mnist_5k: Dataset, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="named twice"):
        ensemble([members[0], members[0]], small)
    with pytest.raises(ModelError, match="2 to 5 members, not 1"):
        ensemble(members[:1], small)
    train("mlp", mnist_5k, epochs=1, options={"hidden": 8}, out=tmp_path / "other")
    with pytest.raises(UsageError, match="learned from other data"):
        ensemble([members[0], tmp_path / "other"], small)
    with pytest.raises(UsageError, match="learned from other data than mnist-5k holds"):
        ensemble(members, mnist_5k)
    with pytest.raises(ModelError, match="its options are: members"):
        create_model("ensemble", hidden=3)

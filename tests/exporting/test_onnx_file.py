import json
import logging
import re
import shlex
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from inkdigits.data import Dataset
from inkdigits.errors import ModelError, RunError, UsageError
from inkdigits.evaluation.calibration import fit_temperature
from inkdigits.exporting import onnx_file
from inkdigits.exporting.deployed import calibrate
from inkdigits.exporting.hugging_face import model_card, write_folder
from inkdigits.exporting.onnx_file import Exported, export
from inkdigits.reader import Recognizer
from inkdigits.training import Run, load_run, train, validation_digits
from inkdigits.training.inference import logits_of

ROW = {"augment": "none", "clean": 0.9, "published": {"fog": 0.5}, "published_mean": 0.5, "worst": ["fog", 0.5]}
SETTINGS = {"epochs": 2, "batch_size": 50, "validation": 100}


@pytest.fixture(scope="module")
def run(small: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("run") / "cnn"
    train("cnn", small, out=folder, outliers=0.1, **SETTINGS)
    return load_run(folder)


@pytest.fixture(scope="module")
def exported(run: Run, small: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    return export(run, small, tmp_path_factory.mktemp("out") / "digits.onnx")


@pytest.mark.parametrize("size", [0, 1, 2, 7, 200])
def test_it_agrees_with_the_network_in_batches_of_any_size(
    size: int, run: Run, exported: Exported, small: Dataset
) -> None:
    images = small.test.images[:size]
    answers = Recognizer(exported.path).run(images)
    assert answers.logits.shape == answers.probabilities.shape == (size, 10)
    assert answers.refusal.shape == (size,)
    np.testing.assert_allclose(answers.logits, logits_of(run.model, images), atol=1e-4)


def test_calibration_and_refusal_are_inside_the_graph(run: Run, exported: Exported, small: Dataset) -> None:
    validation_set = validation_digits(run, small)
    temperature = fit_temperature(logits_of(run.model, validation_set.images), validation_set.labels)
    answers = Recognizer(exported.path).run(small.test.images)
    scaled = np.exp(answers.logits / temperature)
    np.testing.assert_allclose(answers.probabilities, scaled / scaled.sum(1, keepdims=True), atol=1e-5)
    policy = Recognizer(exported.path).policy
    score = np.log(answers.probabilities.max(1)) + policy.max_logit_weight * answers.logits.max(1)
    np.testing.assert_allclose(answers.refusal, -score, atol=1e-5)
    assert (score >= policy.threshold).mean() > 0.9


def test_the_policy_is_fitted_on_validation_digits(run: Run, exported: Exported, small: Dataset) -> None:
    policy, outputs = (
        Recognizer(exported.path).policy,
        Recognizer(exported.path).run(validation_digits(run, small).images),
    )
    assert (-outputs.refusal >= policy.threshold - 1e-5).mean() >= 0.99
    largest = outputs.logits.max(1)
    assert policy.digit_logit == pytest.approx(np.quantile(largest, 0.007), abs=1e-3)
    assert policy.outlier_exposure
    assert policy.anchor == 0


def test_the_anchor_of_a_model_without_outliers_is_fitted(small: Dataset, tmp_path: Path) -> None:
    """Logits that are all shifted are the same network: its policy accepts the same digits, equally surely."""
    train("cnn", small, out=tmp_path / "plain", **SETTINGS)
    plain = load_run(tmp_path / "plain")
    settings = calibrate(plain, validation_digits(plain, small))
    bias = plain.model.layers[-1].bias
    with torch.no_grad():
        bias -= 6
    shifted = calibrate(plain, validation_digits(plain, small))
    assert not settings.refusal.outlier_exposure
    assert shifted.refusal.anchor == pytest.approx(settings.refusal.anchor - 6, abs=1e-3)
    assert shifted.refusal.threshold == pytest.approx(settings.refusal.threshold - 0.3, abs=1e-3)
    before = logits_of(plain.model, small.test.images) + 6
    after = logits_of(plain.model, small.test.images)
    first, second = settings.refusal, shifted.refusal
    np.testing.assert_allclose(first.log_probability(before), second.log_probability(after), atol=1e-4)
    shares = np.exp(before - np.logaddexp.reduce(before, axis=1)[:, None])
    assert first.decide(shares, before) == second.decide(shares, after)


def test_the_file_says_what_it_is(run: Run, exported: Exported) -> None:
    model = onnx.load(exported.path)
    card = json.loads({entry.key: entry.value for entry in model.metadata_props}["inkdigits"])
    assert card == exported.card
    assert card["run_sha256"] == run.weights_sha256
    assert card["labels"] == list("0123456789")
    assert card["opset"] == model.opset_import[0].version
    assert model.graph.input[0].type.tensor_type.elem_type == onnx.TensorProto.UINT8
    assert "/" not in str(model.graph.node[0].metadata_props)  # no path of the machine that made it


def test_the_8_bit_form_is_smaller_and_reads_nearly_as_well(exported: Exported, small: Dataset) -> None:
    assert exported.int8_path is not None
    assert exported.int8_path.name == "digits.int8.onnx"
    assert exported.int8_path.stat().st_size < 0.5 * exported.path.stat().st_size
    assert exported.int8_accuracy == pytest.approx(exported.accuracy, abs=0.02)
    answers = Recognizer(exported.int8_path).run(small.test.images)
    assert (answers.logits.argmax(1) == small.test.labels).mean() == exported.int8_accuracy


def test_a_file_that_disagrees_is_not_written(
    run: Run, small: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_file, "TOLERANCE", 0.0)
    with pytest.raises(ModelError, match=r"differ by .* not written"):
        export(run, small, tmp_path / "digits.onnx", int8=False)
    assert not list(tmp_path.iterdir())


def test_a_run_without_validation_digits_is_refused(small: Dataset, mnist_5k: Dataset, tmp_path: Path) -> None:
    train("mlp", small, out=tmp_path / "all", epochs=1, batch_size=50, validation=0)
    with pytest.raises(UsageError, match="leaves none to calibrate on"):
        export(load_run(tmp_path / "all"), small, tmp_path / "a.onnx")
    with pytest.raises(UsageError, match="learned from other data"):
        export(load_run(tmp_path / "all"), mnist_5k, tmp_path / "a.onnx")


def test_a_folder_for_a_hub_has_weights_settings_and_a_card_of_its_figures(
    run: Run, small: Dataset, tmp_path: Path
) -> None:
    row = ROW | {"weights_sha256": run.weights_sha256, "cross_dataset": {"x|<b>": 0.25}}
    (tmp_path / "robustness.json").write_text(json.dumps({"n_test": 20, "base": None, "runs": {"cnn": row}}))
    weights, config, card = write_folder(run, small, tmp_path / "hub", tmp_path / "robustness.json")
    assert run.folder is not None
    assert weights.read_bytes() == (run.folder / "model.safetensors").read_bytes()
    assert json.loads(config.read_text())["temperature"] > 0
    text = card.read_text()
    head, body = text.split("---\n")[1:3]
    assert "license: apache-2.0" in head
    assert f"| accuracy | {100 * run.metrics['test_acc']:.2f} %" in body
    assert "| mean over the 15 corruptions of MNIST-C, the first 20 digits | 50.00 % |" in body
    assert r"| accuracy on x\|\<b\> | 25.00 % |" in body
    assert "    inkdigits train cnn --data small --seed 0 --validation 100 --epochs 2 --batch-size 50 " in body
    assert "Trained by inkdigits on 500 digits of small; 100 validation digits were" in " ".join(body.split())
    assert max(len(line) for line in body.splitlines() if not line.startswith(("|", "    "))) <= 100


def test_the_name_of_a_data_set_stays_text_in_the_card(run: Run, small: Dataset, tmp_path: Path) -> None:
    name = "<img src=x onerror=alert(1)> $(touch x)'\n# [a](b)"
    settings = run.settings | {"data": run.settings["data"] | {"name": name}}
    text = model_card(replace(run, settings=settings), replace(small, name=name), 1.0)
    head, body = text.split("---\n")[1:3]
    assert json.loads(head.splitlines()[-1].partition(": ")[2])[0]["results"][0]["dataset"]["name"] == name
    prose, _, rest = body.partition("Command:")
    assert not re.search(r"(?<!\\)[<\[]", prose)
    command = next(line for line in rest.splitlines() if line.startswith("    inkdigits"))
    assert shlex.split(command)[shlex.split(command).index("--data") + 1] == name.replace("\n", r"\n")


def test_figures_of_another_run_are_refused_and_nothing_is_written(run: Run, small: Dataset, tmp_path: Path) -> None:
    other = tmp_path / "summary.json"
    for content, says in (
        ({"models": []}, "missing required field `n_test`"),
        ({"n_test": 20, "base": None, "runs": {"mlp": {"clean": "x"}}}, r"at `\$\.runs"),
        ({"n_test": 20, "base": None, "runs": {"mlp": ROW | {"weights_sha256": "other"}}}, "has no figures of"),
    ):
        other.write_text(json.dumps(content))
        with pytest.raises(RunError, match=says):
            write_folder(run, small, tmp_path / "hub", other)
    assert not (tmp_path / "hub").exists()


def test_few_digits_are_enough_for_the_8_bit_form_and_loggers_are_left_as_they_were(
    small: Dataset, tmp_path: Path
) -> None:
    few = replace(small, train=small.train[:200])
    train("mlp", few, out=tmp_path / "run", epochs=1, batch_size=50, options={"hidden": 16})
    loggers = [logging.getLogger(), logging.getLogger("torch.onnx")]
    before = [logger.level for logger in loggers]
    done = export(load_run(tmp_path / "run"), few, tmp_path / "digits.onnx")
    assert done.int8_path is not None
    assert done.int8_path.exists()
    assert [logger.level for logger in loggers] == before

import csv
import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inkdigits.data import Dataset
from inkdigits.errors import DataError, UsageError
from inkdigits.evaluation.refusal import LOGIT_SCORES, outliers_by_kind
from inkdigits.experiments import Comparison, robustness, suites
from inkdigits.experiments.robustness import RobustnessReport, measure_robustness, summary
from inkdigits.experiments.subjects import runs_of
from inkdigits.experiments.suites import ATTACKS, SUITES, Suite, SuiteContext, SuiteSettings
from inkdigits.reader.recognizer import Recognizer, bundled
from inkdigits.report.html import write_report
from inkdigits.report.robustness_figures import write_robustness
from inkdigits.synthetic.corruptions import MNIST_C, corrupt
from inkdigits.training import train
from inkdigits.training.ensembling import ensemble


@pytest.fixture(scope="module")
def folders(comparison: Comparison) -> list[Path]:
    return [run.folder for run in (comparison.runs["mlp"][0], comparison.runs["lenet5"][0]) if run.folder]


@pytest.fixture(scope="module", autouse=True)
def few_outliers() -> Iterator[None]:
    """Thirty of each kind; making them takes most of the time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(suites, "outliers_by_kind", partial(outliers_by_kind, per_kind=30))
        yield


@pytest.fixture(scope="module")
def report(folders: list[Path], few_outliers: None) -> RobustnessReport:
    return measure_robustness(folders, suites=list(SUITES), digits=20, settings=SuiteSettings(steps=3))


@pytest.fixture(scope="module")
def written(report: RobustnessReport, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write_robustness(report, tmp_path_factory.mktemp("robust"))


def test_every_run_has_every_figure(report: RobustnessReport) -> None:
    found = summary(report)
    assert list(found["runs"]) == ["mlp-s0", "lenet5-s0"]
    for row in found["runs"].values():
        assert len(row["published"]) == 28
        assert 0 <= row["published_mean"] <= row["clean"] <= 1
        assert {name: len(values) for name, values in row["attacks"].items()} == {n: len(e) for n, e in ATTACKS.items()}
        assert row["attacks"]["linf"][0] == pytest.approx(row["clean"])
        assert row["attacks"]["linf"][-1] <= row["attacks"]["linf"][0]
        assert set(row["cross_dataset"]) == {"uci-digits"}
        assert "mce" not in row  # there is no cnn to relate it to
        assert row["worst"][1] == min(row["published"][name] for name in MNIST_C)
        assert row["calibration"]["nll"] > 0
        assert 0 <= row["calibration"]["coverage_at_99.95%"] <= 1
        assert set(row["refusal"]) == {*LOGIT_SCORES, "distance"}


def test_the_files_hold_what_was_measured(report: RobustnessReport, written: list[Path]) -> None:
    assert [path.name for path in written] == [
        *("robustness.csv", "robustness.json", "heat_map.png", "sweeps.png", "attacks.png", "reliability.png"),
        *("risk_coverage.png", "refusal.png", "corruptions.png", "unseen_outliers.png"),
    ]
    assert all(path.stat().st_size > 1000 for path in written)
    with written[0].open() as file:
        rows = list(csv.DictReader(file))
    fog = [float(r["accuracy"]) for r in rows if (r["run"], r["distortion"]) == ("mlp-s0", "fog")]
    assert fog == pytest.approx(report.results["mlp-s0"].corrupted["fog"].tolist())
    found = json.loads(written[1].read_text())
    assert found["n_test"] == 20
    assert found["data"]["name"] == "small.npz"
    assert len(found["data"]["sha256"]) == 64


def test_a_measurement_of_fewer_suites_leaves_no_figure_of_another(
    report: RobustnessReport, written: list[Path], tmp_path: Path
) -> None:
    shutil.copytree(written[0].parent, tmp_path, dirs_exist_ok=True)
    fewer = {
        label: {k: v for k, v in own.items() if k in ("clean", "corruptions")} for label, own in report.measured.items()
    }
    write_robustness(replace(report, measured=fewer), tmp_path)
    left = {path.name for path in (tmp_path / "figures").iterdir()}
    assert "heat_map.png" in left
    assert not left & {"attacks.png", "refusal.png", "unseen_outliers.png"}


def test_an_invalid_request_is_refused(folders: list[Path]) -> None:
    with pytest.raises(UsageError, match="did you mean 'corruptions'"):
        measure_robustness(folders, suites=["corruption"])
    with pytest.raises(UsageError, match="at least one run"):
        measure_robustness([])
    with pytest.raises(UsageError, match="mlp-s0 is named twice"):
        measure_robustness([folders[0], folders[0] / ".." / "mlp-s0"])
    with pytest.raises(UsageError, match="at least 0"):
        SuiteSettings(epsilons={"linf": [-0.1]})


def test_missing_data_is_reported_before_anything_is_measured(folders: list[Path], tmp_path: Path) -> None:
    lines: list[str] = []
    for wrong in (SuiteSettings(mnist_c=tmp_path), SuiteSettings(cross_dataset=["uci-digit"])):
        with pytest.raises((DataError, UsageError)):
            measure_robustness(folders, digits=10, notify=lines.append, settings=wrong)
    assert not [line for line in lines if "severities" in line or "amounts" in line]


def test_runs_of_one_name_are_told_apart(folders: list[Path], tmp_path: Path) -> None:
    for path in (tmp_path / "a" / "runs" / "mlp-s0", tmp_path / "b" / "runs" / "mlp-s0"):
        shutil.copytree(folders[0], path)
    same = [folder / "runs" / "mlp-s0" for folder in (tmp_path / "a", tmp_path / "b")]
    report = measure_robustness([*same, "bundled"], suites=["cross-dataset"], digits=10)
    assert list(report.results) == ["a/runs/mlp-s0", "b/runs/mlp-s0", "bundled"]


def test_a_run_that_learned_from_other_data_is_noted(folders: list[Path]) -> None:
    lines: list[str] = []
    report = measure_robustness([folders[0], "bundled"], suites=[], digits=10, notify=lines.append)
    note = "bundled learned from mnist; whether that overlaps small.npz is unknown"
    assert note in lines
    assert note in report.data["notes"]
    assert not [line for line in report.data["notes"] if line.startswith("mlp-s0")]


def test_an_ensemble_is_named_as_one_and_has_no_distance(
    folders: list[Path], comparison: Comparison, tmp_path: Path
) -> None:
    ensemble(folders, comparison.dataset, tmp_path / "both")
    report = measure_robustness([tmp_path / "both"], suites=["refusal"], digits=20)
    row = summary(report)["runs"]["both"]
    assert row["augment"] == "ensemble of 2"
    assert set(row["refusal"]) == set(LOGIT_SCORES)


def test_it_joins_the_report_of_a_comparison(
    report: RobustnessReport, written: list[Path], comparison: Comparison, tmp_path: Path
) -> None:
    assert runs_of(comparison.folder)[0] == comparison.runs["mlp"][0].folder
    assert runs_of(comparison.folder / "runs" / "mlp-s0") == [comparison.folder / "runs" / "mlp-s0"]
    shutil.copytree(written[0].parent, tmp_path / "robust")
    text = write_report(replace(comparison, folder=tmp_path)).read_text()
    section = text[text.index(">Robustness</h2>") :]
    assert f"<td>mlp-s0</td><td>{report.runs['mlp-s0'].settings['recipe']['augment']}</td>" in section
    assert section.count("data:image/png") >= 8


def test_an_exported_model_is_measured_beside_a_run(folders: list[Path], tmp_path: Path) -> None:
    lines: list[str] = []
    chosen = ["corruptions", "cross-dataset", "calibration", "refusal"]
    report = measure_robustness([folders[0], "bundled"], suites=chosen, digits=20, notify=lines.append)
    found = summary(report)["runs"]
    assert list(found) == ["mlp-s0", "bundled"]
    assert found["bundled"]["clean"] > 0.95
    assert found["bundled"]["cross_dataset"]["uci-digits"] > 0.95
    assert found["bundled"]["calibration"]["temperature"] == Recognizer().card["temperature"]
    assert found["bundled"]["weights_sha256"] == Recognizer().card["run_sha256"]
    assert ["refusal" in row for row in found.values()] == [True, False]
    assert any("refusal: measured for runs only, not for bundled" in line for line in lines)
    assert len(write_robustness(report, tmp_path)) > 4


def test_a_copy_of_an_exported_model_has_its_figures_under_the_name_of_its_file(small: Dataset, tmp_path: Path) -> None:
    copy = tmp_path / "copy.onnx"
    copy.write_bytes(bundled().read_bytes())
    lines: list[str] = []
    chosen = ["calibration", "refusal"]
    report = measure_robustness(["bundled", copy], small, suites=chosen, digits=20, notify=lines.append)
    found = summary(report)["runs"]
    assert list(found) == ["bundled", "copy.onnx"]
    assert found["bundled"] == found["copy.onnx"]
    assert any("refusal: measured for runs only, not for bundled, copy.onnx" in line for line in lines)


def test_an_attack_of_chosen_sizes(folders: list[Path]) -> None:
    settings = SuiteSettings(steps=2, epsilons={"linf": [0.0, 1.0]})
    report = measure_robustness(folders[:1], suites=["adversarial"], digits=10, settings=settings)
    found = summary(report)
    assert found["epsilons"] == {"linf": [0.0, 1.0]}
    assert found["runs"]["mlp-s0"]["attacks"]["linf"][0] == pytest.approx(found["runs"]["mlp-s0"]["clean"])


def test_a_new_suite_is_an_entry_in_the_table(folders: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    class Inverted(Suite):
        name = "inverted"

        def measure(self, context: SuiteContext) -> dict[str, float]:
            images, labels = 255 - context.test.images, context.test.labels
            return {label: float((f(images) == labels).mean()) for label, f in context.classifiers.items()}

        def figures(self, own: Any, base: Any) -> dict[str, Any]:
            return {"inverted": own[self.name]}

    monkeypatch.setattr(robustness, "SUITES", {**SUITES, "inverted": Inverted})
    report = measure_robustness(folders, suites=["inverted"], digits=20)
    for row in summary(report)["runs"].values():
        assert 0 <= row["inverted"] < row["clean"]
    with pytest.raises(UsageError, match="did you mean 'inverted'"):
        measure_robustness(folders, suites=["inverter"])


def test_the_official_mnist_c_is_measured_from_its_files(folders: list[Path], small: Dataset, tmp_path: Path) -> None:
    digits = small.test[:20]
    for name in MNIST_C:
        (tmp_path / name).mkdir()
        np.save(tmp_path / name / "test_images.npy", corrupt(digits.images, name))
        np.save(tmp_path / name / "test_labels.npy", digits.labels)
    settings = SuiteSettings(mnist_c=tmp_path)
    row = summary(measure_robustness(folders[:1], suites=["corruptions"], digits=20, settings=settings))["runs"][
        "mlp-s0"
    ]
    assert row["mnist_c"] == {name: row["published"][name] for name in MNIST_C}


def test_without_validation_digits_the_temperature_is_1_which_is_noted_once(small: Dataset, tmp_path: Path) -> None:
    run = train("mlp", small, options={"hidden": 8}, epochs=1, batch_size=50, validation=0, out=tmp_path / "all")
    lines: list[str] = []
    context = SuiteContext({"all": run}, small, small.test, lines.append)
    (scaled,) = SUITES["calibration"](SuiteSettings()).measure(context).values()
    assert scaled.temperature == 1
    assert scaled.before.nll == scaled.after.nll
    _, threshold_digits, held_out = context.split("all")
    assert (len(threshold_digits), held_out) == (300, False)
    assert len(lines) == 1
    assert "leaves none to calibrate on; temperature 1" in lines[0]

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from inkdigits.errors import DataError, UsageError
from inkdigits.experiments import Comparison
from inkdigits.experiments.robustness import (
    ATTACKS,
    SUITES,
    RobustnessReport,
    measure_robustness,
    runs_of,
    summary,
)
from inkdigits.reader.recognizer import Recognizer, bundled
from inkdigits.report.html import write_report
from inkdigits.report.robustness_figures import write_robustness
from inkdigits.synthetic.corruptions import MNIST_C
from inkdigits.training.ensembling import ensemble


@pytest.fixture(scope="module")
def folders(comparison: Comparison) -> list[Path]:
    return [run.folder for run in (comparison.runs["mlp"][0], comparison.runs["lenet5"][0]) if run.folder]


@pytest.fixture(scope="module")
def report(folders: list[Path]) -> RobustnessReport:
    return measure_robustness(folders, suites=SUITES, digits=20, steps=3)


def test_every_run_has_every_figure(report: RobustnessReport) -> None:
    found = summary(report)
    assert list(found["runs"]) == ["mlp-s0", "lenet5-s0"]
    for row in found["runs"].values():
        assert len(row["published"]) == 28
        assert 0 <= row["published_mean"] <= row["clean"] <= 1
        assert {name: len(values) for name, values in row["attacks"].items()} == {n: len(e) for n, e in ATTACKS.items()}
        assert row["attacks"]["linf"][0] == pytest.approx(row["clean"])
        assert row["attacks"]["linf"][-1] <= row["attacks"]["linf"][0]
        assert set(row["cross-dataset"]) == {"uci-digits"}
        assert "mce" not in row  # there is no cnn to relate it to
        assert row["worst"][1] == min(row["published"][name] for name in MNIST_C)
        assert row["calibration"]["nll"] > 0
        assert 0 <= row["calibration"]["coverage_at_99.95%"] <= 1
        assert set(row["refusal"]) == {"energy", "max-logit", "distance"}


def test_the_files_hold_what_was_measured(report: RobustnessReport, tmp_path: Path) -> None:
    paths = write_robustness(report, tmp_path)
    assert [path.name for path in paths] == [
        *("robustness.csv", "robustness.json", "heat_map.png", "sweeps.png", "attacks.png", "reliability.png"),
        *("risk_coverage.png", "refusal.png", "corruptions.png", "unseen_outliers.png"),
    ]
    assert all(path.stat().st_size > 1000 for path in paths)
    with paths[0].open() as file:
        rows = list(csv.DictReader(file))
    fog = [float(r["accuracy"]) for r in rows if (r["run"], r["distortion"]) == ("mlp-s0", "fog")]
    assert fog == pytest.approx(report.results["mlp-s0"].corrupted["fog"].tolist())
    found = json.loads(paths[1].read_text())
    assert found["n_test"] == 20
    assert found["data"]["name"] == "small.npz"
    assert len(found["data"]["sha256"]) == 64
    write_robustness(replace(report, attacks={}, refusals={}), tmp_path)  # measured anew, by fewer suites
    left = {path.name for path in (tmp_path / "figures").iterdir()}
    assert "heat_map.png" in left
    assert not left & {"attacks.png", "refusal.png", "unseen_outliers.png"}


def test_a_mistake_is_said(folders: list[Path]) -> None:
    with pytest.raises(UsageError, match="did you mean 'corruptions'"):
        measure_robustness(folders, suites=["corruption"])
    with pytest.raises(UsageError, match="at least one run"):
        measure_robustness([])
    with pytest.raises(UsageError, match="mlp-s0 is named twice"):
        measure_robustness([folders[0], folders[0] / ".." / "mlp-s0"])
    with pytest.raises(UsageError, match="at least 0"):
        measure_robustness(folders, epsilons={"linf": [-0.1]})


def test_what_cannot_be_read_is_said_before_anything_is_measured(folders: list[Path], tmp_path: Path) -> None:
    said: list[str] = []
    for wrong in ({"mnist_c": tmp_path}, {"cross-dataset": ["uci-digit"]}):
        with pytest.raises((DataError, UsageError)):
            measure_robustness(folders, digits=10, notify=said.append, **wrong)
    assert not [line for line in said if "severities" in line or "amounts" in line]


def test_runs_of_one_name_are_told_apart(folders: list[Path], tmp_path: Path) -> None:
    for path in (tmp_path / "a" / "runs" / "mlp-s0", tmp_path / "b" / "runs" / "mlp-s0"):
        shutil.copytree(folders[0], path)
    same = [folder / "runs" / "mlp-s0" for folder in (tmp_path / "a", tmp_path / "b")]
    report = measure_robustness([*same, "bundled"], suites=["cross-dataset"], digits=10)
    assert list(report.results) == ["a/runs/mlp-s0", "b/runs/mlp-s0", "bundled"]


def test_who_learned_from_other_data_is_said(folders: list[Path]) -> None:
    said: list[str] = []
    report = measure_robustness([folders[0], "bundled"], suites=[], digits=10, notify=said.append)
    note = "bundled learned from mnist; what of it is in small.npz is not known"
    assert note in said
    assert note in report.data["notes"]
    assert not [line for line in report.data["notes"] if line.startswith("mlp-s0")]


def test_a_vote_is_named_as_one_and_has_no_distance(
    folders: list[Path], comparison: Comparison, tmp_path: Path
) -> None:
    ensemble(folders, comparison.dataset, tmp_path / "vote")
    report = measure_robustness([tmp_path / "vote"], suites=["refusal"], digits=20)
    row = summary(report)["runs"]["vote"]
    assert row["augment"] == "vote of 2"
    assert set(row["refusal"]) == {"energy", "max-logit"}


def test_it_joins_the_report_of_a_comparison(report: RobustnessReport, comparison: Comparison, tmp_path: Path) -> None:
    assert runs_of(comparison.folder)[0] == comparison.runs["mlp"][0].folder
    assert runs_of(comparison.folder / "runs" / "mlp-s0") == [comparison.folder / "runs" / "mlp-s0"]
    copy = replace(comparison, folder=tmp_path)
    assert "What they withstand" not in write_report(copy).read_text()
    write_robustness(report, tmp_path / "robust")
    text = write_report(copy).read_text()
    section = text[text.index("What they withstand") :]
    assert f"<td>mlp-s0</td><td>{report.runs['mlp-s0'].settings['recipe']['augment']}</td>" in section
    assert section.count("data:image/png") >= 8


def test_an_exported_model_is_measured_beside_a_run(folders: list[Path], tmp_path: Path) -> None:
    copy = tmp_path / "copy.onnx"
    copy.write_bytes(bundled().read_bytes())
    said: list[str] = []
    suites = ["corruptions", "cross-dataset", "calibration", "refusal"]
    report = measure_robustness([folders[0], "bundled", copy], suites=suites, digits=50, notify=said.append)
    found = summary(report)["runs"]
    assert list(found) == ["mlp-s0", "bundled", "copy.onnx"]
    assert found["bundled"] == found["copy.onnx"]
    assert found["bundled"]["clean"] > 0.95
    assert found["bundled"]["cross-dataset"]["uci-digits"] > 0.95
    assert found["bundled"]["calibration"]["temperature"] == Recognizer().card["temperature"]
    assert found["bundled"]["weights_sha256"] == Recognizer().card["run_sha256"]
    assert ["refusal" in row for row in found.values()] == [True, False, False]
    assert any("refusal: of runs alone; not of bundled, copy.onnx" in line for line in said)
    assert len(write_robustness(report, tmp_path)) > 4


def test_an_attack_of_one_length(folders: list[Path]) -> None:
    report = measure_robustness(folders[:1], suites=["adversarial"], digits=10, steps=2, epsilons={"linf": [0.0, 1.0]})
    found = summary(report)
    assert found["epsilons"] == {"linf": [0.0, 1.0]}
    assert found["runs"]["mlp-s0"]["attacks"]["linf"][0] == pytest.approx(found["runs"]["mlp-s0"]["clean"])

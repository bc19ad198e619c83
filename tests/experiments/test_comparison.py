import csv
import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from inkdigits.errors import RunError, UsageError
from inkdigits.experiments import Comparison, compare, gather
from inkdigits.experiments.comparison import Row
from inkdigits.experiments.grid import QUICK_DIGITS, Entry


def test_results_have_a_row_for_every_network_and_seed(comparison: Comparison) -> None:
    with (comparison.folder / "results.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["model"], row["seed"]) for row in rows] == [
        (model, str(seed)) for model in ("mlp", "lenet5", "autoencoder", "gnn") for seed in (0, 1)
    ]
    assert list(rows[0]) == [field.name for field in dataclasses.fields(Row)]
    for row in rows:
        assert float(row["acc_low"]) < float(row["test_acc"]) < float(row["acc_high"])
        assert int(row["n_train"]) == 540
        assert int(row["n_test"]) == 200


def test_accuracies_are_those_of_the_kept_probabilities(comparison: Comparison) -> None:
    for row in comparison.rows:
        predicted = comparison.probabilities[row.model][row.seed].argmax(1)
        assert row.test_acc == pytest.approx((predicted == comparison.dataset.test.labels).mean())


def test_the_summary_is_the_mean_over_seeds_with_its_spread(comparison: Comparison) -> None:
    summary = json.loads((comparison.folder / "summary.json").read_text())
    first = summary["results"][0]
    values = [row.test_acc for row in comparison.rows if row.model == "mlp"]
    assert first["test_acc"] == pytest.approx(np.mean(values))
    assert first["test_acc_sd"] == pytest.approx(np.std(values, ddof=1))
    assert [pair["sentence"] for pair in summary["pairs"]] == [pair.sentence(200) for pair in comparison.pairs]
    assert len(summary["pairs"]) == 6
    assert summary["versions"]["torch"]
    assert set(summary["reconstruction_mse"]) == {"autoencoder"}


def test_finished_runs_are_not_trained_again_and_new_ones_are_added(
    comparison: Comparison, small_npz: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(comparison.folder, folder)
    before = {p: p.stat().st_mtime_ns for p in folder.glob("runs/*/model.safetensors")}
    lines: list[str] = []
    again = compare(["mlp", "cnn"], str(small_npz), seeds=1, epochs=3, device="cpu", out=folder, notify=lines.append)
    assert {p: p.stat().st_mtime_ns for p in before} == before
    assert again.labels == ["mlp", "cnn"]
    assert [line.split(":")[0] for line in lines] == ["mlp seed 0", "cnn seed 0"]
    with pytest.raises(RunError, match=r"started with recipe.epochs 3, not 4"):
        compare(["mlp"], str(small_npz), epochs=4, device="cpu", out=folder)


def test_runs_side_by_side_are_the_runs_one_by_one(comparison: Comparison, small_npz: Path, tmp_path: Path) -> None:
    side = compare(["mlp", "lenet5"], str(small_npz), seeds=1, epochs=3, jobs=2, device="cpu", out=tmp_path)
    for row in side.rows:
        alone = next(r for r in comparison.rows if (r.model, r.seed) == (row.model, row.seed))
        assert row.test_ce == pytest.approx(alone.test_ce, rel=0.05)  # the number of threads changes the rounding
    assert (tmp_path / "results.csv").exists()


def test_a_comparison_is_read_back_from_its_folder(comparison: Comparison, small_npz: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(comparison.folder, folder)
    models = ["mlp", "autoencoder"]
    measured = compare(models, str(small_npz), seeds=2, epochs=3, device="cpu", out=folder)
    again = gather(folder)
    assert len(again.rows) == len(measured.rows) == 4
    for mine, theirs in zip(again.rows, measured.rows, strict=True):
        for name, value in dataclasses.asdict(theirs).items():
            assert getattr(mine, name) == (pytest.approx(value, rel=1e-5) if isinstance(value, float) else value)


def test_changed_data_and_missing_runs_are_errors(comparison: Comparison, tmp_path: Path, small_npz: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(comparison.folder, folder)
    other = tmp_path / "other.npz"
    with np.load(small_npz) as arrays:
        np.savez(other, **{**arrays, "x_test": 255 - arrays["x_test"]})
    plan = json.loads((folder / "summary.json").read_text())
    (folder / "summary.json").write_text(json.dumps(plan | {"data": str(other)}))
    with pytest.raises(RunError, match="trained on other data"):
        gather(folder)
    shutil.rmtree(folder / "runs" / "mlp-s0")
    with pytest.raises(RunError, match="mlp-s0"):
        gather(folder)
    with pytest.raises(RunError, match="does not exist"):
        gather(tmp_path / "nowhere")


def test_quick_cuts_the_epochs_and_is_recorded(small_npz: Path, tmp_path: Path) -> None:
    cut = round(QUICK_DIGITS / 600)
    quick = compare(["mlp"], str(small_npz), quick=True, epochs=cut + 7, device="cpu", out=tmp_path)
    assert quick.rows[0].epochs == cut
    assert json.loads((tmp_path / "summary.json").read_text())["quick"] is True


def test_entries_name_a_preset() -> None:
    assert Entry.parse("mlp:best").label == "mlp:best"
    assert Entry.parse("cnn").label == "cnn"
    with pytest.raises(UsageError, match="preset of cnn 'bets'"):
        Entry.parse("cnn:bets")


@pytest.mark.parametrize("wrong", [{"models": []}, {"models": ["mlp", "mlp"]}, {"seeds": 0}, {"jobs": 0}])
def test_invalid_settings_are_refused(wrong: dict[str, object], small_npz: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        compare(**{"models": ["mlp"], "data": str(small_npz), "out": tmp_path, **wrong})  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


def test_explanations_are_measured_once_and_read_back(comparison: Comparison, small_npz: Path, tmp_path: Path) -> None:
    rows = comparison.faithfulness["gnn"].rows
    assert {row.n for row in rows} == {10}
    assert all(row.planted[0] == row.planted[0] for row in rows)
    assert all(row.seeds[0] == row.seeds[0] for row in rows)
    again = gather(comparison.folder).faithfulness["gnn"]
    assert again.to_dict() == comparison.faithfulness["gnn"].to_dict()
    folder = tmp_path / "copy"
    shutil.copytree(comparison.folder, folder)
    written = (folder / "faithfulness.json").stat().st_mtime_ns
    compare(["gnn"], str(small_npz), seeds=2, epochs=3, faithfulness=10, device="cpu", out=folder)
    assert (folder / "faithfulness.json").stat().st_mtime_ns == written
    kept = json.loads((folder / "faithfulness.json").read_text())
    kept["gnn"]["weights"] = "of another run"
    (folder / "faithfulness.json").write_text(json.dumps(kept))
    assert gather(folder).faithfulness == {}  # a measurement of other weights is not shown
    (folder / "faithfulness.json").write_text('{"gnn": {}}')
    with pytest.raises(RunError, match="of another version"):
        gather(folder)


def test_misread_digits_are_counted_by_their_holes(comparison: Comparison) -> None:
    assert sum(form.n for form in comparison.forms) == 200
    assert sum(form.errors for form in comparison.forms) == comparison.misread.sum() > 0
    assert comparison.graph_networks == ["gnn"]

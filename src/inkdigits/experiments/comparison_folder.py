"""The folder of a comparison: written from its runs, and read back.

::

    results.csv        one row per network and seed
    summary.json       means, spreads, intervals, tests of pairs, recipes, versions and hardware
    faithfulness.json  faithfulness of the explanations of graph networks, where it was measured
    figures/*.png      each figure of the report
    report.html        all of it in one file
    runs/              one folder per run; finished runs are never trained again
"""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np
from numpy.typing import NDArray

from inkdigits.data import Dataset, load
from inkdigits.data.digits import CLASSES
from inkdigits.errors import RunError
from inkdigits.escape import csv_table
from inkdigits.evaluation.faithfulness import Explained
from inkdigits.evaluation.metrics import count_macs, count_parameters, evaluate, milliseconds_per_image
from inkdigits.evaluation.statistics import wilson
from inkdigits.experiments.comparison import Comparison, Row
from inkdigits.experiments.grid import Entry
from inkdigits.files import atomic_path, read_bytes, read_json, write_json, write_text
from inkdigits.models import model_spec
from inkdigits.training import Run, load_run

TABLES = RESULTS, SUMMARY, FAITHFULNESS = "results.csv", "summary.json", "faithfulness.json"


@dataclass(frozen=True)
class Plan:
    """What is read of summary.json: the networks, the number of seeds, and the data set with the notes on it."""

    models: list[str]
    seeds: int
    quick: bool
    data: str
    notes: list[str]

    def __post_init__(self) -> None:
        """Raise ValueError for a comparison of nothing."""
        if not self.models or self.seeds < 1:
            raise ValueError("a comparison has at least one network and one seed")


def gather(folder: str | Path) -> Comparison:
    """Read a finished comparison back from its folder; nothing is written and nothing is timed again.

    Raises
    ------
    RunError
        When the folder is no comparison, a run is missing, or the data set is not the one it was made on.
    """
    folder = Path(folder)
    plan = read_json(folder / SUMMARY, Plan)
    entries = [Entry.parse(label) for label in plan.models]
    dataset = replace(load(plan.data), notes=tuple(plan.notes))
    return collect(folder, entries, plan.seeds, plan.quick, dataset, _read_rows(folder / RESULTS))


def collect(
    folder: Path, entries: Sequence[Entry], seeds: int, quick: bool, dataset: Dataset, rows: list[Row] | None = None
) -> Comparison:
    """Load the runs of a comparison, and measure its rows unless they are given.

    Raises
    ------
    RunError
        When a run is missing, or was trained on other data than ``dataset``.
    """
    runs = {entry.label: [load_run(folder / entry.run_folder(seed)) for seed in range(seeds)] for entry in entries}
    for run in (run for group in runs.values() for run in group):
        if run.settings["data"]["sha256"] != dataset.sha256:
            raise RunError(f"{run.folder} was trained on other data than {dataset.name} as it is now; train it again")
    probabilities = {
        label: np.stack([_test_probabilities(run, dataset) for run in group]) for label, group in runs.items()
    }
    if rows is None:
        rows = [row for label, group in runs.items() for row in _measured_rows(label, group, dataset)]
    return Comparison(folder, dataset, runs, probabilities, rows, quick, _read_faithfulness(folder, runs))


def _test_probabilities(run: Run, dataset: Dataset) -> NDArray[np.float32]:
    """Return float32 (n_test, 10), computed once and kept in the run's folder under the hash of the weights."""
    assert run.folder is not None
    path = run.folder / f"test_probabilities-{run.weights_sha256[:12]}.npy"
    try:
        kept: NDArray[np.float32] = np.load(io.BytesIO(read_bytes(path)), allow_pickle=False)
        whole = kept.dtype == np.float32 and kept.shape == (len(dataset.test), CLASSES)
    except (OSError, ValueError, EOFError, MemoryError):
        whole = False
    if not whole:
        kept = evaluate(run, dataset.test).probabilities
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            np.save(file, kept)
    return kept


def _measured_rows(label: str, runs: Sequence[Run], dataset: Dataset) -> list[Row]:
    """Return a row for each run of one network; size and speed are those of the first."""
    model = runs[0].model
    cost = {
        "params": count_parameters(model),
        "macs": count_macs(model, dataset.test),
        "ms_per_image": milliseconds_per_image(model, dataset.test),
    }
    return [_row(label, run, dataset, cost) for run in runs]


def _row(label: str, run: Run, dataset: Dataset, cost: Mapping[str, Any]) -> Row:
    n_test = len(dataset.test)
    metrics: Mapping[str, Any] = run.metrics
    low, high = wilson(round(metrics["test_acc"] * n_test), n_test)
    return Row(
        model=label,
        data=dataset.name,
        seed=run.settings["seed"],
        n_train=run.settings["data"]["train"],
        n_test=n_test,
        **{key: metrics[key] for key in ("train_ce", "test_ce", "train_mse", "test_mse", "train_acc", "test_acc")},
        acc_low=low,
        acc_high=high,
        **cost,
        epochs=len(run.history),
        train_s=metrics["train_s"],
        cpu_s=metrics["cpu_s"],
        threads=run.environment["hardware"]["threads"],
        data_sha256=dataset.sha256,
        version=run.environment["versions"]["inkdigits"],
    )


def _read_rows(path: Path) -> list[Row]:
    kinds = get_type_hints(Row)
    try:
        rows = csv.DictReader(read_bytes(path).decode().splitlines())
        return [Row(**{key: kinds[key](value) for key, value in row.items()}) for row in rows]
    except (OSError, ValueError, TypeError, KeyError, csv.Error) as error:
        raise RunError(f"cannot read {path}: {error}; run `inkdigits compare` again") from error


def write_tables(comparison: Comparison) -> None:
    """Write results.csv and summary.json."""
    rows = [[f"{v:.6g}" if isinstance(v, float) else v for v in asdict(row).values()] for row in comparison.rows]
    write_text(comparison.folder / RESULTS, csv_table([f.name for f in fields(Row)], rows))
    write_json(comparison.folder / SUMMARY, _summary(comparison))


def _summary(comparison: Comparison) -> dict[str, Any]:
    first = {label: runs[0] for label, runs in comparison.runs.items()}
    any_run = next(iter(first.values()))
    n_test = len(comparison.dataset.test)
    return {
        "data": comparison.dataset.source,
        "notes": list(comparison.dataset.notes),
        "models": comparison.labels,
        "seeds": len(next(iter(comparison.runs.values()))),
        "quick": comparison.quick,
        "n_test": n_test,
        "data_sha256": comparison.dataset.sha256,
        **{key: any_run.environment[key] for key in ("versions", "hardware")},
        "papers": {label: model_spec(Entry.parse(label).model).paper for label in comparison.labels},
        "recipes": {label: run.settings["recipe"] for label, run in first.items()},
        "options": {label: run.settings["options"] for label, run in first.items()},
        "results": [
            {key: None if value != value else value for key, value in asdict(summary).items()}  # JSON has no NaN
            for summary in comparison.summaries
        ],
        "reconstruction_mse": comparison.reconstruction,
        "pairs": [{**asdict(pair), "sentence": pair.sentence(n_test)} for pair in comparison.pairs],
    }


def weights_of(runs: Sequence[Run]) -> str:
    """Return the name of the weights that a measurement of faithfulness uses: those of the first two seeds."""
    return "+".join(run.weights_sha256[:12] for run in runs[:2])


def write_faithfulness(comparison: Comparison) -> None:
    """Write faithfulness.json; measurements of networks that are not in this comparison stay in it."""
    path = comparison.folder / FAITHFULNESS
    others = read_json(path, dict[str, Any]) if path.exists() else {}
    write_json(path, others | {label: kept.to_dict() for label, kept in comparison.faithfulness.items()})


def _read_faithfulness(folder: Path, runs: Mapping[str, Sequence[Run]]) -> dict[str, Explained]:
    """Return the measurements of these weights; those of other weights are left out."""
    path = folder / FAITHFULNESS
    if not path.exists():
        return {}
    try:
        kept = {label: Explained.from_dict(values) for label, values in read_json(path, dict[str, Any]).items()}
    except ValueError as error:
        raise RunError(f"{path} is of another version ({error}); remove it and measure again") from error
    return {label: kept[label] for label in runs if label in kept and kept[label].weights == weights_of(runs[label])}

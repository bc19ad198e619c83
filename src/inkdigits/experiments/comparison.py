"""The grid of networks and seeds: trained once, kept on disk, gathered into one folder that can be read and redrawn.

::

    results.csv      one row per network and seed
    summary.json     means, spreads, intervals, pairs, and what it ran on
    faithfulness.json  how far explanations of the graph networks can be believed, where that was measured
    figures/*.png    every figure alone
    report.html      all of it in one file
    runs/            a folder per run; finished ones are never trained again
"""

import csv
import io
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np
import torch
from numpy.typing import NDArray

from inkdigits.data import Dataset, load
from inkdigits.errors import RunError, UsageError
from inkdigits.evaluation.faithfulness import Explained
from inkdigits.evaluation.faithfulness import faithfulness as measure_faithfulness
from inkdigits.evaluation.metrics import (
    count_macs,
    count_parameters,
    evaluate,
    milliseconds_per_image,
    reconstruction_mse,
)
from inkdigits.evaluation.statistics import Pair, compare_pairs, mean_sd, wilson
from inkdigits.evaluation.topology import Form, Topology, error_by_form, topology
from inkdigits.files import atomic_path, read_json, write_json, write_text
from inkdigits.models import list_models, model_spec
from inkdigits.models.gnn import GNN
from inkdigits.training import Progress, Run, load_run, train
from inkdigits.training.loop import default_validation
from inkdigits.training.recipe import recipe_for

RESULTS, SUMMARY, REPORT, FIGURES, RUNS = "results.csv", "summary.json", "report.html", "figures", "runs"
FAITHFULNESS = "faithfulness.json"
QUICK_DIGITS = 36_000  # digits that a quick run sees in all: nine passes over mnist-5k, one over MNIST

Notify = Callable[[str], None]


@dataclass(frozen=True)
class Entry:
    """One network under one preset; ``mlp:best`` on the command line."""

    model: str
    preset: str = "standard"

    @classmethod
    def parse(cls, text: str) -> "Entry":
        """Read ``model`` or ``model:preset``.

        Raises
        ------
        UsageError
            When there is no such model or preset of it.
        """
        model, _, preset = text.strip().partition(":")
        entry = cls(model, preset or "standard")
        recipe_for(entry.model, entry.preset)
        return entry

    @property
    def label(self) -> str:
        """How tables and figures call it."""
        return self.model if self.preset == "standard" else f"{self.model}:{self.preset}"

    def run_folder(self, seed: int) -> Path:
        """Where its run with that seed lies in a comparison's folder."""
        return Path(RUNS) / f"{self.label.replace(':', '-')}-s{seed}"


@dataclass(frozen=True)
class Row:
    """One row of results.csv: times in seconds, accuracies in [0, 1], the Wilson 95 % interval of test_acc."""

    model: str
    data: str
    seed: int
    n_train: int
    n_test: int
    train_ce: float
    test_ce: float
    train_mse: float
    test_mse: float
    train_acc: float
    test_acc: float
    acc_low: float
    acc_high: float
    params: int
    macs: int
    epochs: int
    train_s: float
    cpu_s: float
    threads: int
    ms_per_image: float
    data_sha256: str
    version: str


@dataclass(frozen=True)
class Summary:
    """One network over its seeds."""

    model: str
    seeds: int
    test_acc: float
    test_acc_sd: float  # NaN for one seed
    acc_low: float  # Wilson 95 % interval of the mean accuracy, on n_test digits
    acc_high: float
    train_acc: float
    train_ce: float
    test_ce: float
    train_mse: float
    test_mse: float
    params: int
    macs: int
    epochs: int
    train_s: float
    cpu_s: float
    ms_per_image: float


@dataclass
class Comparison:
    """A finished grid.

    Attributes
    ----------
    runs
        For each label its runs, in the order of the seeds.
    probabilities
        For each label float32 (seeds, n_test, 10).
    faithfulness
        For graph networks by label, where it was measured.
    """

    folder: Path
    dataset: Dataset = field(repr=False)
    runs: dict[str, list[Run]] = field(repr=False)
    probabilities: dict[str, NDArray[np.float32]] = field(repr=False)
    rows: list[Row] = field(repr=False)
    quick: bool = False
    faithfulness: dict[str, Explained] = field(repr=False, default_factory=dict)

    @property
    def labels(self) -> list[str]:
        """The networks, in the order of the comparison."""
        return list(self.runs)

    @cached_property
    def summaries(self) -> list[Summary]:
        """Means over the seeds, one entry per network."""
        summaries = []
        for label in self.labels:
            rows = [row for row in self.rows if row.model == label]
            mean: dict[str, Any] = {
                f.name: float(np.mean([getattr(row, f.name) for row in rows]))
                for f in fields(Summary)
                if f.name not in ("model", "seeds", "test_acc", "test_acc_sd", "acc_low", "acc_high")
            }
            accuracy, spread = mean_sd([row.test_acc for row in rows])
            n = rows[0].n_test
            low, high = wilson(round(accuracy * n), n)
            whole = {name: round(mean.pop(name)) for name in ("params", "macs", "epochs")}
            summaries.append(Summary(label, len(rows), accuracy, spread, low, high, **mean, **whole))
        return summaries

    def right(self, label: str) -> NDArray[np.bool_]:
        """Whether the first seed's network read each test digit rightly, bool (n_test,)."""
        return np.asarray(self.probabilities[label][0].argmax(1) == self.dataset.test.labels)

    @property
    def graph_networks(self) -> list[str]:
        """Those of the networks that see a digit as a graph of pixels."""
        return [label for label, runs in self.runs.items() if isinstance(runs[0].model, GNN)]

    @cached_property
    def shapes(self) -> Topology:
        """Pieces, holes, ends and junctions of each test digit."""
        return topology(self.dataset.test.images)

    @cached_property
    def misread(self) -> NDArray[np.bool_]:
        """Whether at least one network, first seed of each, read a test digit wrongly, bool (n_test,)."""
        return np.asarray(~np.all([self.right(label) for label in self.labels], axis=0))

    @cached_property
    def forms(self) -> list[Form]:
        """The test digits by class and number of holes, and how many of them a network misread."""
        return error_by_form(self.shapes, self.dataset.test.labels, self.misread)

    @cached_property
    def reconstruction(self) -> dict[str, list[float]]:
        """For each autoencoder the mean squared error of its pixels in [0, 1] on the test digits, per seed."""
        errors = {
            label: [reconstruction_mse(run.model, self.dataset.test) for run in runs]
            for label, runs in self.runs.items()
        }
        return {
            label: [e for e in values if e is not None] for label, values in errors.items() if values[0] is not None
        }

    @cached_property
    def pairs(self) -> list[Pair]:
        """Every pair of the first seed's networks; the first seed is fixed in advance, not chosen by its result."""
        return compare_pairs({label: self.right(label) for label in self.labels})


def compare(
    models: Sequence[str] | None = None,
    data: str | Dataset = "mnist",
    *,
    seeds: int = 1,
    epochs: int | None = None,
    quick: bool = False,
    faithfulness: int = 0,
    jobs: int = 1,
    validation: int | None = None,
    device: str = "auto",
    out: str | Path = "runs/compare",
    progress_for: Callable[[str, int, int], Progress] | None = None,
    notify: Notify | None = None,
) -> Comparison:
    """Train every network with every seed and write the comparison's folder.

    Parameters
    ----------
    models
        Names, or ``name:preset``; None for every network.
    data
        A data set, or what :func:`inkdigits.load` takes.
    seeds
        How many; they are 0, 1, … in this order.
    epochs
        In place of each recipe's own.
    quick
        Cut the epochs so that each network sees about 36,000 digits.
    faithfulness
        On how many test digits, all classes alike, to measure the explanations of graph networks: some minutes for
        500. Standard presets only; what was measured on so many already is kept.
    jobs
        Runs side by side, the cores shared among them.
    out
        The folder; runs that are finished there are not trained again.
    progress_for
        Gives for a run's title, epochs and digits per epoch who follows its steps (with one job only).
    notify
        Takes a line of text for each finished run.

    Raises
    ------
    UsageError
        When a setting cannot be meant.
    RunError
        When the folder holds runs of other settings, or cannot be written.
    """
    entries = [Entry.parse(text) for text in (models if models is not None else list_models())]
    if not entries or len(set(entries)) < len(entries):
        raise UsageError("name each model once, and at least one")
    if seeds < 1 or jobs < 1 or faithfulness < 0:
        raise UsageError(
            f"seeds and jobs must be at least 1 and faithfulness at least 0, not {seeds}, {jobs} and {faithfulness}"
        )
    dataset = load(data) if isinstance(data, str) else data
    if not len(dataset.test):
        raise UsageError(f"{dataset.name} has no test digits to compare on")
    learn = len(dataset.train) - (default_validation(len(dataset.train)) if validation is None else validation)
    folder = Path(out)
    grid: list[tuple[str, dict[str, Any]]] = []
    for seed in range(seeds):
        for entry in entries:
            recipe, _ = recipe_for(entry.model, entry.preset, {"epochs": epochs})
            chosen = min(recipe.epochs, max(1, round(QUICK_DIGITS / len(dataset.train)))) if quick else recipe.epochs
            settings: dict[str, Any] = {
                "model": entry.model,
                "preset": entry.preset,
                "seed": seed,
                "epochs": chosen,
                "batch_size": min(recipe.batch_size, max(2, learn // 8)),  # small data sets of one's own
                "validation": validation,
                "device": device,
                "out": str(folder / entry.run_folder(seed)),
                "resume": True,
                "measure_all": True,
            }
            grid.append((f"{entry.label} seed {seed}", settings))
    say = notify or (lambda line: None)
    if jobs == 1:
        for title, settings in grid:
            bar = progress_for(title, settings["epochs"], learn) if progress_for else None
            run = train(data=dataset, progress=bar, **settings)
            say(_finished(title, run.metrics))
    else:
        if not dataset.source:
            raise UsageError("runs side by side load the data anew; give its name or path, or jobs=1")
        _train_side_by_side(grid, dataset.source, jobs, say)
    comparison = _collect(folder, entries, seeds, quick, dataset)
    if faithfulness:
        _measure_faithfulness(comparison, faithfulness, say)
    _write_tables(comparison)
    return comparison


def _measure_faithfulness(comparison: Comparison, asked: int, say: Notify) -> None:
    """Measure what is not measured yet; written after each network, as each takes minutes."""
    labels = [label for label in comparison.graph_networks if ":" not in label]
    if not labels:
        say("explanations are measured of gnn and gnn-attention with their standard preset; there is none here")
    test = comparison.dataset.test
    images = (test if asked >= len(test) else test.split(asked, seed=0)[1]).images
    for label in labels:
        runs = comparison.runs[label]
        kept = comparison.faithfulness.get(label)
        if kept and kept.asked == asked:
            continue
        say(f"{label}: measuring what its explanations are worth, on {len(images)} digits")
        rows = measure_faithfulness(runs, images, notify=say)
        comparison.faithfulness[label] = Explained(_weights(runs), asked, rows)
        path = comparison.folder / FAITHFULNESS
        others = read_json(path) if path.exists() else {}
        write_json(path, others | {name: e.to_dict() for name, e in comparison.faithfulness.items()})


def _weights(runs: Sequence[Run]) -> str:
    """Name the weights that a measurement of these runs rests on: those of the first, and of the one beside it."""
    return "+".join(run.weights_sha256[:12] for run in runs[:2])


def _read_faithfulness(folder: Path, runs: Mapping[str, Sequence[Run]]) -> dict[str, Explained]:
    """Return what was measured of these very weights."""
    path = folder / FAITHFULNESS
    if not path.exists():
        return {}
    try:
        kept = {name: Explained.from_dict(values) for name, values in read_json(path).items()}
    except (KeyError, TypeError, AttributeError) as error:
        raise RunError(f"{path} is of another version ({error!r}); remove it, and measure again") from error
    return {name: kept[name] for name in runs if name in kept and kept[name].weights == _weights(runs[name])}


def _finished(title: str, metrics: Mapping[str, float]) -> str:
    return f"{title}: test accuracy {100 * metrics['test_acc']:.2f} %, trained in {metrics['train_s']:.0f} s"


def _train_side_by_side(grid: Sequence[tuple[str, dict[str, Any]]], data: str, jobs: int, say: Notify) -> None:
    threads = max(1, (os.cpu_count() or 1) // jobs)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, context, initializer=_start_worker, initargs=(threads,)) as pool:
        waiting = {pool.submit(_train_one, data, settings): title for title, settings in grid}
        try:
            for done in as_completed(waiting):
                say(_finished(waiting[done], done.result()))
        except BaseException as error:
            pool.shutdown(wait=False, cancel_futures=True)
            for worker in multiprocessing.active_children():
                worker.terminate()  # an epoch at most is lost: state is written whole or not at all
            if isinstance(error, BrokenProcessPool):
                raise RunError("a run was killed, perhaps for want of memory; go on with fewer --jobs") from error
            raise


def _start_worker(threads: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends its workers
    threading.Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(threads)


def _end_with_parent() -> None:
    """End this worker when its parent is gone, killed perhaps, so that no run is trained on unseen."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _train_one(data: str, settings: dict[str, Any]) -> dict[str, float]:
    return train(data=data, **settings).metrics


def gather(folder: str | Path) -> Comparison:
    """Read a finished comparison back from its folder; nothing is written and nothing timed again.

    Raises
    ------
    RunError
        When the folder is no comparison, a run is missing, or the data set is not the one it was made on.
    """
    folder = Path(folder)
    plan = read_json(folder / SUMMARY)
    try:
        entries = [Entry.parse(label) for label in plan["models"]]
        seeds, quick, data, notes = int(plan["seeds"]), bool(plan["quick"]), str(plan["data"]), tuple(plan["notes"])
    except KeyError as error:
        raise RunError(f"{folder / SUMMARY} lacks {error}; it was not written by `inkdigits compare`") from error
    return _collect(folder, entries, seeds, quick, replace(load(data), notes=notes), _read_rows(folder / RESULTS))


def _collect(
    folder: Path, entries: Sequence[Entry], seeds: int, quick: bool, dataset: Dataset, rows: list[Row] | None = None
) -> Comparison:
    """Load the runs of a comparison; measure what its rows need, unless they are given."""
    runs: dict[str, list[Run]] = {}
    probabilities: dict[str, NDArray[np.float32]] = {}
    measured = []
    for entry in entries:
        runs[entry.label] = [load_run(folder / entry.run_folder(seed)) for seed in range(seeds)]
        for run in runs[entry.label]:
            if run.settings["data"]["sha256"] != dataset.sha256:
                raise RunError(f"{run.folder} was trained on other data than {dataset.name} as it is now; train anew")
        probabilities[entry.label] = np.stack([_test_probabilities(run, dataset) for run in runs[entry.label]])
        if rows is None:
            model = runs[entry.label][0].model
            cost = {
                "params": count_parameters(model),
                "macs": count_macs(model, dataset.test),
                "ms_per_image": milliseconds_per_image(model, dataset.test),
            }
            measured += [_row(entry.label, run, dataset, cost) for run in runs[entry.label]]
    return Comparison(
        folder,
        dataset,
        runs,
        probabilities,
        measured if rows is None else rows,
        quick,
        _read_faithfulness(folder, runs),
    )


def _read_rows(path: Path) -> list[Row]:
    kinds = get_type_hints(Row)
    try:
        with path.open() as file:
            return [Row(**{key: kinds[key](value) for key, value in row.items()}) for row in csv.DictReader(file)]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise RunError(f"cannot read {path}: {error}; run `inkdigits compare` again") from error


def _test_probabilities(run: Run, dataset: Dataset) -> NDArray[np.float32]:
    """Return float32 (n_test, 10), computed once and kept in the run's folder."""
    assert run.folder is not None
    path = run.folder / f"test_probabilities-{run.weights_sha256[:12]}.npy"  # of these weights and no others
    try:
        kept: NDArray[np.float32] = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        kept = evaluate(run, dataset.test).probabilities
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            np.save(file, kept)
    return kept


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


def _write_tables(comparison: Comparison) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([f.name for f in fields(Row)])
    for row in comparison.rows:
        writer.writerow([f"{v:.6g}" if isinstance(v, float) else v for v in asdict(row).values()])
    write_text(comparison.folder / RESULTS, text.getvalue())
    first = next(iter(comparison.runs.values()))[0]
    n_test = len(comparison.dataset.test)
    summary = {
        "data": comparison.dataset.source,
        "notes": list(comparison.dataset.notes),
        "models": comparison.labels,
        "seeds": len(next(iter(comparison.runs.values()))),
        "quick": comparison.quick,
        "n_test": n_test,
        "data_sha256": comparison.dataset.sha256,
        **{key: first.environment[key] for key in ("versions", "hardware")},
        "papers": {label: model_spec(Entry.parse(label).model).paper for label in comparison.labels},
        "recipes": {label: runs[0].settings["recipe"] for label, runs in comparison.runs.items()},
        "options": {label: runs[0].settings["options"] for label, runs in comparison.runs.items()},
        "results": [
            {key: None if value != value else value for key, value in asdict(summary).items()}
            for summary in comparison.summaries
        ],
        "reconstruction_mse": comparison.reconstruction,
        "pairs": [{**asdict(pair), "says": pair.sentence(n_test)} for pair in comparison.pairs],
    }
    write_json(comparison.folder / SUMMARY, summary)

"""The results of a finished comparison, with means, intervals, tests of pairs, and errors by number of holes."""

from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inkdigits.data import Dataset
from inkdigits.evaluation.connectivity import Connectivity, connectivity
from inkdigits.evaluation.faithfulness import Explained
from inkdigits.evaluation.metrics import reconstruction_mse
from inkdigits.evaluation.statistics import Pair, compare_pairs, mean_sd, wilson
from inkdigits.evaluation.topology import Form, Topology, error_by_form, topology
from inkdigits.models.gnn import GNN
from inkdigits.training import Run


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
    """One network over its seeds: means, but for the number of seeds, the spread and the interval."""

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

    @classmethod
    def of(cls, label: str, rows: list[Row]) -> "Summary":
        """Return the summary of a network's rows, one per seed, at least one."""
        not_means = ("model", "seeds", "test_acc", "test_acc_sd", "acc_low", "acc_high")
        names = [f.name for f in fields(cls) if f.name not in not_means]
        mean: dict[str, Any] = {name: float(np.mean([getattr(row, name) for row in rows])) for name in names}
        mean |= {name: round(mean[name]) for name in ("params", "macs", "epochs")}
        accuracy, spread = mean_sd([row.test_acc for row in rows])
        n = rows[0].n_test
        low, high = wilson(round(accuracy * n), n)
        return cls(label, len(rows), accuracy, spread, low, high, **mean)


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

    @property
    def graph_networks(self) -> list[str]:
        """The networks that take a digit as a graph of pixels."""
        return [label for label, runs in self.runs.items() if isinstance(runs[0].model, GNN)]

    def correct(self, label: str) -> NDArray[np.bool_]:
        """Return whether the first seed's network classified each test digit correctly, bool (n_test,)."""
        return np.asarray(self.probabilities[label][0].argmax(1) == self.dataset.test.labels)

    def explain(self, index: int, cut: bool) -> Connectivity:
        """Return the first graph network's explanation of one test digit, by integrated gradients."""
        run = self.runs[self.graph_networks[0]][0]
        return connectivity(run, self.dataset.test.images[index], methods=["integrated-gradients"], cut=cut)

    @cached_property
    def summaries(self) -> list[Summary]:
        """One summary per network."""
        return [Summary.of(label, [row for row in self.rows if row.model == label]) for label in self.labels]

    @cached_property
    def pairs(self) -> list[Pair]:
        """Every pair of the first seed's networks; the first seed is fixed in advance, not chosen by its result."""
        return compare_pairs({label: self.correct(label) for label in self.labels})

    @cached_property
    def shapes(self) -> Topology:
        """Components, holes, ends and junctions of each test digit."""
        return topology(self.dataset.test.images)

    @cached_property
    def misread(self) -> NDArray[np.bool_]:
        """Whether at least one network (first seed) misread each test digit, bool (n_test,)."""
        return np.asarray(~np.all([self.correct(label) for label in self.labels], axis=0))

    @cached_property
    def forms(self) -> list[Form]:
        """The test digits by class and number of holes, and how many of them at least one network misread."""
        return error_by_form(self.shapes, self.dataset.test.labels, self.misread)

    @cached_property
    def reconstruction(self) -> dict[str, list[float]]:
        """For each autoencoder the mean squared error of its pixels in [0, 1] on the test digits, per seed."""
        test = self.dataset.test
        errors = {label: [reconstruction_mse(run.model, test) for run in runs] for label, runs in self.runs.items()}
        measured = {label: [error for error in values if error is not None] for label, values in errors.items()}
        return {label: values for label, values in measured.items() if values}

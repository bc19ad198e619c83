"""The robustness of runs and exported models side by side, as one folder: tables, figures, and what was measured.

::

    robustness.csv    one row per run, corruption and severity, and per run, distortion and amount
    robustness.json   means, mCE, break points, attacks, accuracy on other data sets
    figures/*.png
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from inkdigits.data import Dataset, DigitSet, load
from inkdigits.errors import unknown
from inkdigits.escape import Cell, csv_table
from inkdigits.evaluation.attacks import Norm
from inkdigits.evaluation.refusal import Refusal
from inkdigits.evaluation.robustness import Robustness, accuracy
from inkdigits.evaluation.statistics import wilson
from inkdigits.experiments.subjects import Subject, data_note, facts_of, load_subjects
from inkdigits.experiments.suites import (
    DEFAULT_SUITES,
    SUITES,
    Notify,
    OfficialMnistC,
    Results,
    Scaled,
    Suite,
    SuiteContext,
    SuiteSettings,
    robustness_of,
)
from inkdigits.files import write_json, write_text
from inkdigits.synthetic.corruptions import SEVERITIES
from inkdigits.synthetic.sweeps import SWEEPS
from inkdigits.training import Run

TABLE, FIGURES_JSON = "robustness.csv", "robustness.json"


@dataclass(frozen=True)
class RunFigures:
    """What is read of one run's figures in robustness.json; a suite that was not measured has left its figures out."""

    augment: str
    clean: float
    weights_sha256: str = ""
    published: dict[str, float] = field(default_factory=dict)
    published_mean: float = math.nan
    worst: tuple[str, float] = ("", math.nan)
    mce: float = math.nan
    relative_mce: float = math.nan
    cross_dataset: dict[str, float] = field(default_factory=dict)
    calibration: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Raise ValueError when figures that are written together are not all there."""
        if self.published and (math.isnan(self.published_mean) or not self.worst[0]):
            raise ValueError("`published` stands without `published_mean` and `worst`")
        for key in ("nll", "coverage_at_99.95%"):
            if self.calibration and key not in self.calibration:
                raise ValueError(f"`calibration` lacks `{key}`")


@dataclass(frozen=True)
class DataNotes:
    """Notes on the test digits."""

    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class RobustnessFile:
    """What is read of robustness.json."""

    n_test: int
    base: str | None
    runs: dict[str, RunFigures]
    data: DataNotes = field(default_factory=DataNotes)

    @property
    def cross_dataset_names(self) -> list[str]:
        """The data sets by other writers."""
        return list(next((run.cross_dataset for run in self.runs.values()), {}))

    def __post_init__(self) -> None:
        """Raise ValueError when two runs were measured on other data sets."""
        if len({tuple(run.cross_dataset) for run in self.runs.values()}) > 1:
            raise ValueError("`cross_dataset` differs between the runs")


@dataclass
class RobustnessReport:
    """The results of :func:`measure_robustness`.

    Attributes
    ----------
    data
        The data set of the test digits: name, sha256, and notes for whoever uses the figures.
    measured
        By label of the run, its clean accuracy and a result by name of suite.
    base
        The run that mCE is relative to: the first one of ``cnn``, or None.
    """

    data: dict[str, Any]
    digits: DigitSet
    runs: Mapping[str, Subject]
    suites: Sequence[Suite]
    settings: SuiteSettings
    measured: dict[str, dict[str, Any]]
    base: str | None

    def by_run(self, suite: str) -> dict[str, Any]:
        """Return the results of one suite by run, for the runs that have it."""
        return {label: results[suite] for label, results in self.measured.items() if suite in results}

    @property
    def results(self) -> dict[str, Robustness]:
        """Clean, corrupted and swept accuracies by run."""
        return {label: robustness_of(results) for label, results in self.measured.items()}

    @property
    def attacks(self) -> dict[str, dict[Norm, list[float]]]:
        """Accuracy at each epsilon, by run and norm."""
        return self.by_run("adversarial")

    @property
    def cross_dataset(self) -> dict[str, dict[str, float]]:
        """Accuracy on digits by other writers, by run and data set."""
        return self.by_run("cross-dataset")

    @property
    def cross_dataset_names(self) -> list[str]:
        """The data sets by other writers."""
        return list(next(iter(self.cross_dataset.values()), {}))

    @property
    def calibrations(self) -> dict[str, Scaled]:
        """Calibration before and after temperature scaling, by run."""
        return self.by_run("calibration")

    @property
    def refusals(self) -> dict[str, dict[str, Refusal]]:
        """Quality of each refusal score, by run and score."""
        return self.by_run("refusal")


def measure_robustness(
    paths: Sequence[str | Path],
    data: str | Dataset | None = None,
    *,
    suites: Sequence[str] = DEFAULT_SUITES,
    digits: int | None = None,
    settings: SuiteSettings | None = None,
    notify: Notify | None = None,
) -> RobustnessReport:
    """Measure several networks on the same digits.

    Parameters
    ----------
    paths
        Folders of runs, .onnx files that were exported from runs, or ``bundled``, the model in the package.
    data
        The data set of the test digits; the first run's own by default.
    suites
        Names from :data:`SUITES`. The official MNIST-C is measured whenever the settings name its folder.
    digits
        How many test digits, the first ones; all by default. Attacks use at most 1,000.

    Raises
    ------
    UsageError
        When a suite does not exist, or no run or the same run twice is named.
    RunError, ModelError, DataError
        When a run, a data set or a file of MNIST-C cannot be read; all are read before anything is measured.
    """
    say = notify or (lambda line: None)
    settings = settings or SuiteSettings()
    for name in suites:
        if name not in SUITES:
            raise unknown("suite", name, SUITES)
    subjects = load_subjects(paths)
    whole = _test_data(data, subjects)
    context = SuiteContext(subjects, whole, whole.test[:digits], say)
    notes = [*whole.notes, *(note for label, run in subjects.items() if (note := data_note(label, run, whole)))]
    for note in notes:
        say(note)
    chosen = [make(settings) for name, make in SUITES.items() if name in suites]
    if settings.mnist_c:
        chosen.append(OfficialMnistC(settings))
    base = next((label for label, run in context.runs.items() if run.name == "cnn"), None)
    facts = {"name": whole.name, "sha256": whole.sha256, "notes": notes}
    return RobustnessReport(facts, context.test, subjects, chosen, settings, _measure(context, chosen), base)


def _test_data(data: str | Dataset | None, subjects: Mapping[str, Subject]) -> Dataset:
    """Return the given data set, or that of the first run, or MNIST."""
    if isinstance(data, Dataset):
        return data
    own = (subject.environment.get("data_source") for subject in subjects.values() if isinstance(subject, Run))
    return load(data or next(own, None) or "mnist")


def _measure(context: SuiteContext, suites: Sequence[Suite]) -> dict[str, dict[str, Any]]:
    """Return by label the clean accuracy and the results of all suites."""
    measured: dict[str, dict[str, Any]] = {
        label: {"clean": accuracy(classify, context.test)} for label, classify in context.classifiers.items()
    }
    exported = [label for label in context.subjects if label not in context.runs]
    for suite in suites:
        if suite.needs_run and exported:
            context.notify(f"{suite.name}: measured for runs only, not for {', '.join(exported)}")
        for label, result in suite.measure(context).items():
            measured[label][suite.name] = result
    return measured


def summary(report: RobustnessReport) -> dict[str, Any]:
    """Return the figures of a report for robustness.json; mCE is relative to the first run of ``cnn``."""
    found: dict[str, Any] = {"data": report.data, "n_test": len(report.digits), "base": report.base}
    if report.attacks:
        found["epsilons"] = {norm: list(values) for norm, values in report.settings.epsilons.items()}
    return {**found, "runs": {label: _run_figures(report, label) for label in report.measured}}


def _run_figures(report: RobustnessReport, label: str) -> dict[str, Any]:
    own: Results = report.measured[label]
    base = report.measured[report.base] if report.base else None
    n = len(report.digits)
    clean = {"clean": own["clean"], "clean_interval": wilson(round(own["clean"] * n), n)}
    figures: dict[str, Any] = {**facts_of(report.runs[label]), **clean}
    for suite in report.suites:
        if suite.name in own:
            figures |= suite.figures(own, base)
    return figures


def write_tables(report: RobustnessReport, folder: Path) -> list[Path]:
    """Write robustness.csv and robustness.json to ``folder``; return their paths."""
    lines: list[list[Cell]] = []
    for label, result in report.results.items():
        rows: list[tuple[str, Cell, float]] = [("none", "", result.clean)]
        for name, values in result.corrupted.items():
            rows += [(name, severity, value) for severity, value in zip(SEVERITIES, values, strict=True)]
        for name, values in result.swept.items():
            rows += [(name, amount, value) for amount, value in zip(SWEEPS[name].amounts, values, strict=True)]
        lines += [[label, name, at, f"{value:.6g}", len(report.digits)] for name, at, value in rows]
    paths = [folder / TABLE, folder / FIGURES_JSON]
    write_text(paths[0], csv_table(("run", "distortion", "amount", "accuracy", "n"), lines))
    write_json(paths[1], summary(report))
    return paths

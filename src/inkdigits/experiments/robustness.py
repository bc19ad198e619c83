"""The robustness of runs and of exported models side by side, as one folder: tables, figures, and what was run.

::

    robustness.csv    a row for each run, corruption and severity, and for each distortion and amount
    robustness.json   means, mCE, break points, attacks, cross_dataset digits
    figures/*.png
"""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from inkdigits.data import Dataset, DigitSet, load
from inkdigits.errors import UsageError, unknown
from inkdigits.evaluation.attacks import Norm, pgd, robust_accuracy
from inkdigits.evaluation.calibration import TARGET, Calibration, calibration, fit_temperature
from inkdigits.evaluation.refusal import Refusal, refusal, scores_of
from inkdigits.evaluation.robustness import LEVELS, Read, Robustness, accuracy, load_mnist_c, reader_of, robustness
from inkdigits.evaluation.statistics import wilson
from inkdigits.experiments.comparison import SUMMARY, Entry
from inkdigits.files import read_json, write_json, write_text
from inkdigits.reader.recognizer import Recognizer, bundled
from inkdigits.synthetic.corruptions import CORRUPTIONS, MNIST_C, SEVERITIES
from inkdigits.synthetic.sweeps import SWEEPS
from inkdigits.synthetic.unseen_outliers import UNSEEN_OUTLIERS, Sources, matplotlib_fonts
from inkdigits.training import Run, load_run, train_validation_split
from inkdigits.training.inference import logits_of, to_input

SUITES = ("corruptions", "sweeps", "cross-dataset", "calibration", "refusal", "adversarial")
DEFAULT_SUITES = SUITES[:-1]
OF_RUNS = ("refusal", "adversarial")  # suites that need a network's training digits or its gradients
BUNDLED = "bundled"  # names the model that comes with the package
CROSS_DATASET = ("uci-digits",)
ATTACKS: dict[Norm, tuple[float, ...]] = {
    "linf": (0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3),
    "l2": (0.0, 0.5, 1.0, 1.5, 2.0),
}
ATTACKED = 1000  # digits that are attacked: the first ones
ATTACK_BATCH = 250
TABLE, FIGURES_JSON = "robustness.csv", "robustness.json"
LEARNED = 5000  # training digits whose features the distance is measured from

Notify = Callable[[str], None]
Subject = Run | Recognizer  # what is measured: a trained network, or the file that was exported of one


@dataclass(frozen=True)
class Scaled:
    """Calibration on test digits before and after temperature scaling; T is 1 where no digits were held out."""

    temperature: float
    before: Calibration
    after: Calibration


@dataclass
class RobustnessReport:
    """What :func:`measure_robustness` found.

    Attributes
    ----------
    data
        Whose test digits: name, sha256, and notes that whoever reads the figures must know.
    results
        By run.
    attacks
        By run and norm, the accuracy at each of ``epsilons``.
    cross_dataset
        By run, the accuracy on other people's digits, by data set.
    official
        By run, the accuracy on MNIST-C's own files, where they were given.
    calibrations
        By run, of its probabilities as they are and after temperature scaling.
    refusals
        By run, what each score of refusal is worth.
    """

    data: dict[str, Any]
    digits: DigitSet
    runs: dict[str, Subject]
    results: dict[str, Robustness]
    attacks: dict[str, dict[str, list[float]]]
    epsilons: Mapping[Norm, Sequence[float]]
    cross_dataset: dict[str, dict[str, float]]
    official: dict[str, dict[str, float]]
    calibrations: dict[str, "Scaled"]
    refusals: dict[str, dict[str, Refusal]]
    base: str | None

    @property
    def cross_dataset_names(self) -> list[str]:
        """The data sets by other hands."""
        return list(next(iter(self.cross_dataset.values())))


def labels_of(runs: Sequence[Subject]) -> list[str]:
    """Return a name for each run: its folder's or file's, with as many of the folders above as tell them apart.

    Raises
    ------
    UsageError
        When one is named twice.
    """
    paths = [_path(run).parts for run in runs]
    for path in paths:
        if paths.count(path) > 1:
            raise UsageError(f"{Path(*path)} is named twice")

    def name(path: tuple[str, ...]) -> str:
        alike = [other for other in paths if other != path]
        apart = (d for d in range(1, len(path)) if all(other[-d:] != path[-d:] for other in alike))
        depth = next(apart, len(path))
        return "/".join(path[-depth:])

    return [name(path) for path in paths]


def _path(run: Subject) -> Path:
    if isinstance(run, Run):
        return run.folder.resolve() if run.folder else Path(run.name)
    return Path(BUNDLED) if run.path == bundled() else run.path.resolve()


def _subject(path: str | Path) -> Subject:
    path = Path(path)
    if path.suffix == ".onnx":
        return Recognizer(path)
    return Recognizer() if path == Path(BUNDLED) and not path.exists() else load_run(path)


def runs_of(folder: Path) -> list[Path]:
    """Return the folder of a run as it is, and of a comparison the runs of its first seed."""
    if not (folder / SUMMARY).exists():
        return [folder]
    return [folder / Entry.parse(label).run_folder(0) for label in read_json(folder / SUMMARY).get("models", [])]


def measure_robustness(
    folders: Sequence[str | Path],
    data: str | Dataset | None = None,
    *,
    suites: Sequence[str] = DEFAULT_SUITES,
    digits: int | None = None,
    cross_dataset: Sequence[str] = CROSS_DATASET,
    mnist_c: Path | None = None,
    restarts: int = 1,
    steps: int = 40,
    epsilons: Mapping[Norm, Sequence[float]] = ATTACKS,
    notify: Notify | None = None,
) -> RobustnessReport:
    """Measure several runs on the same corrupted digits.

    Parameters
    ----------
    folders
        Of runs; an .onnx file that was exported of one is measured too, and ``bundled``, the model in the package.
    data
        Whose test digits; the first run's own by default.
    suites
        Of :data:`SUITES`.
    digits
        How many test digits, the first ones; all by default. Attacks take 1,000 at most.
    cross_dataset
        Data sets by other hands, all their digits.
    mnist_c
        The folder of MNIST-C's own files, where one has them.
    restarts, steps, epsilons
        Of the attacks; by norm, how far they may go.

    Raises
    ------
    UsageError
        When there is no such suite, no run, one twice, or an attack cannot be meant.
    RunError, DataError
        When a run, a data set or a file of MNIST-C cannot be read; all are read before anything is measured.
    """
    for suite in suites:
        if suite not in SUITES:
            raise unknown("suite", suite, SUITES)
    if not folders:
        raise UsageError("name at least one run")
    if any(epsilon < 0 for values in epsilons.values() for epsilon in values):
        raise UsageError("an attack goes as far as epsilon, which is at least 0")
    say = notify or (lambda line: None)
    runs = [_subject(folder) for folder in folders]
    named: dict[str, Subject] = dict(zip(labels_of(runs), runs, strict=True))
    trained = {label: run for label, run in named.items() if isinstance(run, Run)}
    for suite in OF_RUNS:
        if suite in suites and len(trained) < len(named):
            say(f"{suite}: of runs alone; not of {', '.join(label for label in named if label not in trained)}")
    chosen = data or next((run.environment.get("data_source") for run in trained.values()), None) or "mnist"
    whole = load(chosen) if isinstance(chosen, str) else chosen
    test = whole.test[:digits]
    notes = [*whole.notes, *(note for label, run in named.items() if (note := _stranger(label, run, whole)))]
    for note in notes:
        say(note)
    by_others = [load(name) for name in cross_dataset] if "cross-dataset" in suites else []
    of_mnist_c = load_mnist_c(mnist_c) if mnist_c else {}
    readers = {label: _reader(run) for label, run in named.items()}
    results = robustness(
        readers,
        test,
        tuple(CORRUPTIONS) if "corruptions" in suites else (),
        tuple(SWEEPS) if "sweeps" in suites else (),
        notify=say,
    )
    attacks: dict[str, dict[str, list[float]]] = {}
    if "adversarial" in suites:
        for label, run in trained.items():
            say(f"{label}: attacks of {steps} steps, {restarts} restart{'s' if restarts > 1 else ''}")
            attacks[label] = _attacked(run, test[:ATTACKED], epsilons, steps, restarts)
    others: dict[str, dict[str, float]] = {label: {} for label in named}
    for dataset in by_others:
        everything = DigitSet.joined(dataset.train, dataset.test)
        for label, read in readers.items():
            others[label][dataset.name] = accuracy(read, everything)
    official = {
        label: {name: accuracy(read, corrupted) for name, corrupted in of_mnist_c.items()}
        for label, read in readers.items()
    }
    calibrations: dict[str, Scaled] = {}
    refusals: dict[str, dict[str, Refusal]] = {}
    for label, subject in named.items():
        if isinstance(subject, Recognizer):
            if "calibration" in suites:
                calibrations[label] = _scaled(subject.run(test.images).logits, test, float(subject.card["temperature"]))
            continue
        learned, validation_set, fresh = _training_digits(subject, whole, say)
        if "calibration" in suites:
            temperature = (
                fit_temperature(logits_of(subject.model, validation_set.images), validation_set.labels)
                if fresh
                else 1.0
            )
            calibrations[label] = _scaled(logits_of(subject.model, test.images), test, temperature)
        if "refusal" in suites:
            say(f"{label}: refusal of {len(UNSEEN_OUTLIERS)} kinds of non-digits")
            scores = scores_of(subject.model, learned)
            refusals[label] = refusal(scores, validation_set, test, Sources(test.images, matplotlib_fonts()))
    base = next((label for label, run in trained.items() if run.name == "cnn"), None)
    facts = {"name": whole.name, "sha256": whole.sha256, "notes": notes}
    return RobustnessReport(
        facts, test, named, results, attacks, epsilons, others, official, calibrations, refusals, base
    )


def _stranger(label: str, subject: Subject, data: Dataset) -> str | None:
    """Return what must be said where a network learned from other data than it is measured on, or None."""
    learned = subject.settings["data"] if isinstance(subject, Run) else subject.card.get("data", {})
    if learned.get("sha256") == data.sha256:
        return None
    return f"{label} learned from {learned.get('name', 'other data')}; what of it is in {data.name} is not known"


def _reader(subject: Subject) -> Read:
    if isinstance(subject, Run):
        return reader_of(subject.model)
    return lambda images: np.asarray(subject.run(images).logits.argmax(1), np.int64)


def _training_digits(run: Run, data: Dataset, say: Notify) -> tuple[DigitSet, DigitSet, bool]:
    """Return training digits, at most :data:`LEARNED`, others for the threshold, and whether those were held out."""
    try:
        (learned, validation_set), fresh = train_validation_split(run, data), True
    except UsageError as error:
        say(f"{error}; temperature 1, and training digits for the threshold of refusal")
        learned, validation_set = data.train.split(min(LEARNED, len(data.train) // 2), seed=1)
        fresh = False
    return learned.split(min(LEARNED, len(learned) // 2), seed=0)[1], validation_set, fresh


def _scaled(logits: NDArray[np.float32], test: DigitSet, temperature: float) -> Scaled:
    return Scaled(temperature, calibration(logits, test.labels), calibration(logits, test.labels, temperature))


def _attacked(
    run: Run, digits: DigitSet, epsilons: Mapping[Norm, Sequence[float]], steps: int, restarts: int
) -> dict[str, list[float]]:
    images, labels = to_input(torch.tensor(digits.images)), torch.tensor(digits.labels)

    def survives(norm: Norm, epsilon: float) -> float:
        right = 0.0
        for x, y in zip(images.split(ATTACK_BATCH), labels.split(ATTACK_BATCH), strict=True):
            attacked = pgd(run.model, x, y, epsilon, norm, steps, restarts)
            right += robust_accuracy(run.model, x, y, attacked) * len(x)
        return right / len(images)

    return {norm: [survives(norm, epsilon) for epsilon in values] for norm, values in epsilons.items()}


def summary(report: RobustnessReport) -> dict[str, Any]:
    """Return the figures of a report as JSON knows them; mCE is relative to the first run of ``cnn``."""
    found: dict[str, Any] = {"data": report.data, "n_test": len(report.digits), "base": report.base, "runs": {}}
    if report.attacks:
        found["epsilons"] = {norm: list(values) for norm, values in report.epsilons.items()}
    base = report.results[report.base] if report.base else None
    for label, result in report.results.items():
        right = round(result.clean * len(report.digits))
        row: dict[str, Any] = {
            **_facts(report.runs[label]),
            "clean": result.clean,
            "clean_interval": wilson(right, len(report.digits)),
        }
        if result.corrupted:
            row["published_mean"] = result.published_mean
            row["published"] = {n: float(v[CORRUPTIONS[n].published - 1]) for n, v in result.corrupted.items()}
            row["worst"] = min(((name, row["published"][name]) for name in MNIST_C), key=lambda pair: pair[1])
            if base:
                errors = {
                    "mce": result.mean_corruption_error(base),
                    "relative_mce": result.relative_corruption_error(base),
                }
                row |= {key: value for key, value in errors.items() if value is not None}
        if result.swept:
            row["break_points"] = {
                name: {f"{level:.0%}": result.break_point(name, level) for level in LEVELS} for name in result.swept
            }
        for key, values in (
            ("attacks", report.attacks),
            ("cross_dataset", report.cross_dataset),
            ("mnist_c", report.official),
        ):
            if values.get(label):
                row[key] = values[label]
        if label in report.calibrations:
            row["calibration"] = _calibration_figures(report.calibrations[label])
        if label in report.refusals:
            row["refusal"] = {name: asdict(found_) for name, found_ in report.refusals[label].items()}
        found["runs"][label] = row
    return found


def _facts(subject: Subject) -> dict[str, str]:
    if isinstance(subject, Run):
        augment = subject.settings["recipe"]["augment"]
        if "members" in subject.settings:
            augment = f"vote of {len(subject.settings['members'])}"
        elif subject.settings["recipe"]["epsilon"]:
            augment = "attacked"
        return {"model": subject.name, "augment": augment, "weights_sha256": subject.weights_sha256}
    card = subject.card
    return {"model": card.get("model", ""), "augment": "exported", "weights_sha256": card.get("run_sha256", "")}


def _calibration_figures(scaled: Scaled) -> dict[str, float]:
    after = scaled.after
    figures = {"temperature": scaled.temperature, "nll_before": scaled.before.nll, "ece_before": scaled.before.ece}
    figures |= {"nll": after.nll, "brier": after.brier, "ece": after.ece}
    return figures | {f"coverage_at_{TARGET:.2%}": after.coverage_at(TARGET)}


def write_tables(report: RobustnessReport, folder: Path) -> list[Path]:
    """Write robustness.csv and robustness.json to ``folder``; return their paths."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["run", "distortion", "amount", "accuracy", "n"])
    for label, result in report.results.items():
        writer.writerow([label, "none", "", f"{result.clean:.6g}", len(report.digits)])
        for name, values in result.corrupted.items():
            for severity, value in zip(SEVERITIES, values, strict=True):
                writer.writerow([label, name, severity, f"{value:.6g}", len(report.digits)])
        for name, values in result.swept.items():
            for amount, value in zip(SWEEPS[name].amounts, values, strict=True):
                writer.writerow([label, name, amount, f"{value:.6g}", len(report.digits)])
    paths = [folder / TABLE, folder / FIGURES_JSON]
    write_text(paths[0], text.getvalue())
    write_json(paths[1], summary(report))
    return paths

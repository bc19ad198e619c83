"""The suites of a robustness measurement. A new suite is a class here and an entry in :data:`SUITES`."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

import torch

from inkdigits.data import Dataset, DigitSet, load
from inkdigits.errors import UsageError
from inkdigits.evaluation.attacks import Norm, pgd, robust_accuracy
from inkdigits.evaluation.calibration import TARGET, Calibration, calibration, fit_temperature
from inkdigits.evaluation.refusal import (
    LOGIT_SCORES,
    Refusal,
    accuracy_at_coverage,
    outliers_by_kind,
    refusal,
    scores_of,
)
from inkdigits.evaluation.robustness import (
    LEVELS,
    Accuracies,
    Classifier,
    Robustness,
    accuracy,
    corruption_accuracies,
    load_mnist_c,
    sweep_accuracies,
)
from inkdigits.experiments.subjects import Subject, subject_classifier, subject_logits
from inkdigits.synthetic.corruptions import CORRUPTIONS, MNIST_C
from inkdigits.synthetic.unseen_outliers import Sources, matplotlib_fonts
from inkdigits.training import Run, train_validation_split
from inkdigits.training.inference import to_input

CROSS_DATASET = ("uci-digits",)
ATTACKS: Mapping[Norm, tuple[float, ...]] = MappingProxyType(
    {"linf": (0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3), "l2": (0.0, 0.5, 1.0, 1.5, 2.0)}
)
ATTACK_DIGITS = 1000  # test digits under attack, the first ones: an attack takes hundreds of passes
ATTACK_BATCH = 250  # digits per batch of an attack
COVERAGES = (0.95, 0.9)  # shares of the digits that are accepted
FEATURE_DIGITS = 5000  # training digits whose features the distance score is fitted on

Notify = Callable[[str], None]  # takes a line of text for people
Results = Mapping[str, Any]  # what was measured of one subject: clean accuracy, and a result by name of suite


@dataclass(frozen=True)
class SuiteSettings:
    """Settings of the suites.

    Attributes
    ----------
    cross_dataset
        Names or paths of data sets by other writers; all their digits are used.
    mnist_c
        Folder of the official files of MNIST-C; None when there is none.
    restarts, steps
        Of each attack, at least 1.
    epsilons
        By norm, sizes of the change that an attack may make, at least 0; ``linf`` per pixel, of ink from 0 to 1.
    """

    cross_dataset: Sequence[str] = CROSS_DATASET
    mnist_c: Path | None = None
    restarts: int = 1
    steps: int = 40
    epsilons: Mapping[Norm, Sequence[float]] = field(default_factory=lambda: ATTACKS)

    def __post_init__(self) -> None:
        """Refuse negative epsilons before anything is measured."""
        if any(epsilon < 0 for values in self.epsilons.values() for epsilon in values):
            raise UsageError("epsilon, the size of an attack, must be at least 0")


class SuiteContext:
    """The networks that every suite measures, and the digits that they are measured on."""

    def __init__(self, subjects: Mapping[str, Subject], data: Dataset, test: DigitSet, notify: Notify) -> None:
        self.subjects, self.data, self.test, self.notify = subjects, data, test, notify
        self.classifiers: dict[str, Classifier] = {
            label: subject_classifier(subject) for label, subject in subjects.items()
        }
        self.runs = {label: subject for label, subject in subjects.items() if isinstance(subject, Run)}
        self._splits: dict[str, tuple[DigitSet, DigitSet, bool]] = {}

    def split(self, label: str) -> tuple[DigitSet, DigitSet, bool]:
        """Return a run's training digits, its validation digits, and whether it did not learn from the latter.

        A run without validation digits gets training digits in their place, which is reported once.
        """
        if label not in self._splits:
            try:
                self._splits[label] = (*train_validation_split(self.runs[label], self.data), True)
            except UsageError as error:
                self.notify(f"{error}; temperature 1, and training digits for the refusal threshold")
                train = self.data.train
                self._splits[label] = (*train.split(min(FEATURE_DIGITS, len(train) // 2), seed=1), False)
        return self._splits[label]


class Suite(ABC):
    """One kind of measurement; files that it needs are read when it is built.

    Attributes
    ----------
    name
        As ``--suite`` takes it.
    needs_run
        Whether it needs training digits or gradients, which an exported model does not have.
    """

    name: ClassVar[str]
    needs_run: ClassVar[bool] = False

    def __init__(self, settings: SuiteSettings) -> None:
        self.settings = settings

    @abstractmethod
    def measure(self, context: SuiteContext) -> Mapping[str, Any]:
        """Return a result for each subject by label; only for runs when ``needs_run``."""

    @abstractmethod
    def figures(self, own: Results, base: Results | None) -> dict[str, Any]:
        """Return the entries of robustness.json for one subject; ``base`` are the results of the reference run."""


class Corruptions(Suite):
    """Accuracy under every corruption at every severity."""

    name = "corruptions"

    def measure(self, context: SuiteContext) -> dict[str, Accuracies]:
        """Return accuracies by corruption, (5,)."""
        return corruption_accuracies(context.classifiers, context.test, notify=context.notify)

    def figures(self, own: Results, base: Results | None) -> dict[str, Any]:
        """Return the accuracies at the published severities, their mean and worst, and mCE relative to the base."""
        found = robustness_of(own)
        published = {n: float(values[CORRUPTIONS[n].published - 1]) for n, values in found.corrupted.items()}
        worst = min(((name, published[name]) for name in MNIST_C), key=lambda pair: pair[1])
        figures = {"published_mean": found.published_mean, "published": published, "worst": worst}
        if base is None:
            return figures
        reference = robustness_of(base)
        errors = {
            "mce": found.mean_corruption_error(reference),
            "relative_mce": found.relative_corruption_error(reference),
        }
        return figures | {name: value for name, value in errors.items() if value is not None}


class Sweeps(Suite):
    """Accuracy under single distortions of increasing strength."""

    name = "sweeps"

    def measure(self, context: SuiteContext) -> dict[str, Accuracies]:
        """Return accuracies by distortion, one per amount."""
        return sweep_accuracies(context.classifiers, context.test, notify=context.notify)

    def figures(self, own: Results, base: Results | None) -> dict[str, Any]:
        """Return the break points of each distortion."""
        found = robustness_of(own)
        return {
            "break_points": {
                name: {f"{level:.0%}": found.break_point(name, level) for level in LEVELS} for name in found.swept
            }
        }


class CrossDataset(Suite):
    """Accuracy on whole data sets by other writers."""

    name = "cross-dataset"

    def __init__(self, settings: SuiteSettings) -> None:
        super().__init__(settings)
        self.digits = {
            dataset.name: DigitSet.joined(dataset.train, dataset.test) for dataset in map(load, settings.cross_dataset)
        }

    def measure(self, context: SuiteContext) -> dict[str, dict[str, float]]:
        """Return accuracy by data set."""
        return _accuracies(context.classifiers, self.digits)

    def figures(self, own: Results, base: Results | None) -> dict[str, Any]:
        """Return the accuracies."""
        return {"cross_dataset": own[self.name]}


class Selective(Suite):
    """Accuracy on data sets by other writers when the most doubtful digits are refused, by refusal score."""

    name = "selective"

    def __init__(self, settings: SuiteSettings) -> None:
        super().__init__(settings)
        self.digits = CrossDataset(settings).digits

    def measure(self, context: SuiteContext) -> dict[str, dict[str, Any]]:
        """Return by data set and score the accuracy at each of :data:`COVERAGES`."""
        return {label: self._by_set(subject) for label, subject in context.subjects.items()}

    def _by_set(self, subject: Subject) -> dict[str, dict[str, dict[str, float]]]:
        found: dict[str, dict[str, dict[str, float]]] = {}
        for name, digits in self.digits.items():
            logits = torch.tensor(subject_logits(subject, digits.images))
            correct = logits.argmax(1).numpy() == digits.labels
            found[name] = {
                score: {f"{c:.0%}": accuracy_at_coverage(rule(logits).numpy(), correct, c) for c in COVERAGES}
                for score, rule in LOGIT_SCORES.items()
            }
        return found

    def figures(self, own: Results, base: Results | None) -> dict[str, Any]:
        """Return the accuracies."""
        return {"selective": own[self.name]}


class OfficialMnistC(Suite):
    """Accuracy on the official files of MNIST-C, measured whenever their folder is given."""

    name = "mnist-c"

    def __init__(self, settings: SuiteSettings) -> None:
        super().__init__(settings)
        self.digits = load_mnist_c(settings.mnist_c) if settings.mnist_c else {}

    def measure(self, context: SuiteContext) -> dict[str, dict[str, float]]:
        """Return accuracy by corruption."""
        return _accuracies(context.classifiers, self.digits)

    def figures(self, own: Results, base: Results | None) -> dict[str, Any]:
        """Return the accuracies."""
        return {"mnist_c": own[self.name]}


def _accuracies(classifiers: Mapping[str, Classifier], sets: Mapping[str, DigitSet]) -> dict[str, dict[str, float]]:
    return {
        label: {name: accuracy(classify, digits) for name, digits in sets.items()}
        for label, classify in classifiers.items()
    }


@dataclass(frozen=True)
class Scaled:
    """Calibration on the test digits before and after temperature scaling; T is 1 without validation digits."""

    temperature: float
    before: Calibration
    after: Calibration


class CalibrationSuite(Suite):
    """Quality of the probabilities, with the temperature that validation digits give."""

    name = "calibration"

    def measure(self, context: SuiteContext) -> dict[str, Scaled]:
        """Return the calibration; the temperature of an exported model is the one in its card."""
        found = {}
        for label, subject in context.subjects.items():
            temperature = self._temperature(context, label, subject)
            logits, labels = subject_logits(subject, context.test.images), context.test.labels
            found[label] = Scaled(temperature, calibration(logits, labels), calibration(logits, labels, temperature))
        return found

    @staticmethod
    def _temperature(context: SuiteContext, label: str, subject: Subject) -> float:
        if not isinstance(subject, Run):
            return float(subject.card["temperature"])
        _, validation, held_out = context.split(label)
        return fit_temperature(subject_logits(subject, validation.images), validation.labels) if held_out else 1.0

    def figures(self, own: Results, base: Results | None) -> dict[str, Any]:
        """Return likelihood, Brier score, calibration error and coverage."""
        scaled: Scaled = own[self.name]
        before, after = scaled.before, scaled.after
        figures = {"temperature": scaled.temperature, "nll_before": before.nll, "ece_before": before.ece}
        figures |= {"nll": after.nll, "brier": after.brier, "ece": after.ece}
        return {"calibration": figures | {f"coverage_at_{TARGET:.2%}": after.coverage_at(TARGET)}}


class RefusalSuite(Suite):
    """Separation of digits from outliers by each refusal score."""

    name = "refusal"
    needs_run = True

    def measure(self, context: SuiteContext) -> dict[str, dict[str, Refusal]]:
        """Return the quality of each score; the threshold is set on validation digits."""
        if not context.runs:
            return {}
        outliers, found = outliers_by_kind(Sources(context.test.images, matplotlib_fonts())), {}
        for label, run in context.runs.items():
            learned, validation, _ = context.split(label)
            features = learned.split(min(FEATURE_DIGITS, len(learned) // 2), seed=0)[1]
            context.notify(f"{label}: refusal of {len(outliers)} kinds of outliers")
            found[label] = refusal(scores_of(run.model, features), validation, context.test, outliers)
        return found

    def figures(self, own: Results, base: Results | None) -> dict[str, Any]:
        """Return threshold, accepted digits, AUROC and refused outliers by score."""
        return {"refusal": {score: asdict(found) for score, found in own[self.name].items()}}


class Adversarial(Suite):
    """Accuracy under PGD attacks."""

    name = "adversarial"
    needs_run = True

    def measure(self, context: SuiteContext) -> dict[str, dict[Norm, list[float]]]:
        """Return by norm the accuracy at each epsilon, on the first test digits."""
        steps, restarts = self.settings.steps, self.settings.restarts
        digits = context.test[:ATTACK_DIGITS]
        found = {}
        for label, run in context.runs.items():
            context.notify(f"{label}: attacks of {steps} steps, {restarts} restart{'s' if restarts > 1 else ''}")
            found[label] = {
                norm: [self._surviving(run, digits, norm, epsilon) for epsilon in epsilons]
                for norm, epsilons in self.settings.epsilons.items()
            }
        return found

    def _surviving(self, run: Run, digits: DigitSet, norm: Norm, epsilon: float) -> float:
        """Return the share of digits that is still classified correctly."""
        images, labels = to_input(torch.tensor(digits.images)), torch.tensor(digits.labels)
        correct = 0.0
        for x, y in zip(images.split(ATTACK_BATCH), labels.split(ATTACK_BATCH), strict=True):
            adversarial = pgd(run.model, x, y, epsilon, norm, self.settings.steps, self.settings.restarts)
            correct += robust_accuracy(run.model, x, y, adversarial) * len(x)
        return correct / len(images)

    def figures(self, own: Results, base: Results | None) -> dict[str, Any]:
        """Return the accuracies."""
        return {"attacks": own[self.name]}


def robustness_of(results: Results) -> Robustness:
    """Return the accuracies of one subject together, those that were measured."""
    return Robustness(results["clean"], results.get(Corruptions.name, {}), results.get(Sweeps.name, {}))


SUITE_CLASSES = (Corruptions, Sweeps, CrossDataset, Selective, CalibrationSuite, RefusalSuite, Adversarial)
SUITES: MappingProxyType[str, type[Suite]] = MappingProxyType({suite.name: suite for suite in SUITE_CLASSES})
DEFAULT_SUITES = tuple(name for name in SUITES if name != Adversarial.name)  # attacks take minutes per run

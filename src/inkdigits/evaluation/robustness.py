"""How accuracy falls as digits get worse: named corruptions, and single distortions of increasing strength.

mCE and relative mCE after D. Hendrycks, T. Dietterich, "Benchmarking neural network robustness to common corruptions
and perturbations", ICLR 2019, arXiv:1903.12261, section 4.2.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import nn

from inkdigits.data import DigitSet
from inkdigits.data.own_npz import read_npy
from inkdigits.errors import DataError
from inkdigits.synthetic.corruptions import CORRUPTIONS, MNIST_C, SEVERITIES, corrupt
from inkdigits.synthetic.sweeps import SWEEPS, sweep
from inkdigits.training.inference import logits_of

Images = NDArray[np.uint8]
Classifier = Callable[[Images], NDArray[np.int64]]  # images (N, 28, 28) to digits (N,)
Accuracies = dict[str, NDArray[np.float64]]  # by corruption or distortion, one value per severity or amount
Notify = Callable[[str], None]

LEVELS = (0.99, 0.95)  # accuracies whose break points are reported


def classifier_of(model: nn.Module) -> Classifier:
    """Return a function that classifies uint8 images (N, 28, 28) with a network and returns digits int64 (N,)."""
    return lambda images: np.asarray(logits_of(model, images).argmax(1), np.int64)


def accuracy(classify: Classifier, digits: DigitSet, images: Images | None = None) -> float:
    """Return the share of digits, in [0, 1], that are classified correctly.

    ``images`` replaces the digits' own images, for example by corrupted copies of them.
    """
    return float((classify(digits.images if images is None else images) == digits.labels).mean())


@dataclass(frozen=True, eq=False)
class Robustness:
    """Accuracy of one network on clean, corrupted and distorted digits.

    Attributes
    ----------
    clean
        Accuracy on the digits as they are, in [0, 1].
    corrupted
        By corruption, accuracy at severities 1 to 5, (5,).
    swept
        By distortion, accuracy at each of the amounts of :data:`inkdigits.synthetic.sweeps.SWEEPS`.
    """

    clean: float
    corrupted: Accuracies
    swept: Accuracies

    @property
    def published_mean(self) -> float:
        """Mean accuracy over the fifteen corruptions of MNIST-C, each at its published severity."""
        return float(np.mean([self.corrupted[name][c.published - 1] for name, c in MNIST_C.items()]))

    def mean_corruption_error(self, base: "Robustness") -> float | None:
        """Return mCE: the error summed over severities, divided by the base's, averaged over the fifteen corruptions.

        None when the base makes no error under one of them.
        """
        return self._mean_ratio(base, 1.0, 1.0)

    def relative_corruption_error(self, base: "Robustness") -> float | None:
        """Return relative mCE: like mCE, with the errors in excess of those on clean digits."""
        return self._mean_ratio(base, self.clean, base.clean)

    def _mean_ratio(self, base: "Robustness", own: float, others: float) -> float | None:
        errors = np.array([(own - self.corrupted[name]).sum() for name in MNIST_C])
        of_base = np.array([(others - base.corrupted[name]).sum() for name in MNIST_C])
        return float((errors / of_base).mean()) if (of_base > 1e-9).all() else None

    def break_point(self, name: str, level: float) -> float | None:
        """Return the amount at which accuracy first falls below ``level``, linearly interpolated, or None."""
        chosen = SWEEPS[name]
        return break_point([chosen.neutral, *chosen.amounts], [self.clean, *self.swept[name]], level)


def break_point(amounts: Sequence[float], accuracies: Sequence[float], level: float) -> float | None:
    """Return where a curve first falls below ``level``, linear between its points; None when it does not."""
    for i, value in enumerate(accuracies):
        if value < level:
            if i == 0:
                return float(amounts[0])
            share = (accuracies[i - 1] - level) / (accuracies[i - 1] - value)
            return float(amounts[i - 1] + share * (amounts[i] - amounts[i - 1]))
    return None


def corruption_accuracies(
    classifiers: Mapping[str, Classifier],
    digits: DigitSet,
    corruptions: Sequence[str] | None = None,
    seed: int = 0,
    notify: Notify | None = None,
) -> dict[str, Accuracies]:
    """Return for each classifier its accuracy by corruption, at severities 1 to 5, all on the same corrupted digits.

    ``corruptions`` are names; None stands for all.
    """
    found: dict[str, Accuracies] = {label: {} for label in classifiers}
    for name in CORRUPTIONS if corruptions is None else corruptions:
        if notify:
            notify(f"{name}: severities 1 to 5")
        versions = [corrupt(digits.images, name, severity, seed) for severity in SEVERITIES]
        for label, classify in classifiers.items():
            found[label][name] = np.array([accuracy(classify, digits, images) for images in versions])
    return found


def sweep_accuracies(
    classifiers: Mapping[str, Classifier],
    digits: DigitSet,
    sweeps: Sequence[str] = tuple(SWEEPS),
    seed: int = 0,
    notify: Notify | None = None,
) -> dict[str, Accuracies]:
    """Return for each classifier its accuracy by distortion, at each amount, all on the same distorted digits."""
    found: dict[str, Accuracies] = {label: {} for label in classifiers}
    for name in sweeps:
        if notify:
            notify(f"{name}: {len(SWEEPS[name].amounts)} amounts")
        versions = [sweep(digits.images, name, amount, seed) for amount in SWEEPS[name].amounts]
        for label, classify in classifiers.items():
            found[label][name] = np.array([accuracy(classify, digits, images) for images in versions])
    return found


def robustness(
    classifiers: Mapping[str, Classifier],
    digits: DigitSet,
    corruptions: Sequence[str] | None = None,
    sweeps: Sequence[str] = tuple(SWEEPS),
    seed: int = 0,
    notify: Notify | None = None,
) -> dict[str, Robustness]:
    """Measure several classifiers on the same clean, corrupted and distorted digits.

    Parameters
    ----------
    classifiers
        By name; see :func:`classifier_of`.
    corruptions, sweeps
        Names; all by default.
    notify
        Receives a line of text for each corruption and distortion.
    """
    corrupted = corruption_accuracies(classifiers, digits, corruptions, seed, notify)
    swept = sweep_accuracies(classifiers, digits, sweeps, seed, notify)
    return {
        label: Robustness(accuracy(classify, digits), corrupted[label], swept[label])
        for label, classify in classifiers.items()
    }


def load_mnist_c(folder: Path) -> dict[str, DigitSet]:
    """Return the official corrupted digits by name: FOLDER/CORRUPTION/test_images.npy and test_labels.npy.

    Raises
    ------
    DataError
        When one of the fifteen is missing or has another format; the message names the file.
    """
    found = {}
    for name in MNIST_C:
        images, labels = (read_npy(folder / name / f"test_{part}.npy") for part in ("images", "labels"))
        images = images[..., 0] if images.ndim == 4 and images.shape[3] == 1 else images
        if not np.issubdtype(labels.dtype, np.integer) or not labels.size:
            raise DataError(f"{folder / name}: labels are {labels.dtype} {labels.shape}, not integers (N,)")
        try:
            found[name] = DigitSet(images, labels.astype(np.int64))
        except DataError as error:
            raise DataError(f"{folder / name}: {error}") from error
    return found

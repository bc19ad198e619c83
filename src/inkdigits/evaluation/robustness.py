"""How accuracy falls as digits get worse: named corruptions, and single distortions turned up until they break it.

mCE and relative mCE after D. Hendrycks, T. Dietterich, "Benchmarking neural network robustness to common corruptions
and perturbations", ICLR 2019, arXiv:1903.12261, section 4.2.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from inkdigits.data import DigitSet
from inkdigits.errors import DataError
from inkdigits.synthetic.corruptions import CORRUPTIONS, MNIST_C, SEVERITIES, corrupt
from inkdigits.synthetic.sweeps import SWEEPS, sweep
from inkdigits.training.inference import logits_of

Read = Callable[[NDArray[np.uint8]], NDArray[np.int64]]  # images (N, 28, 28) to digits (N,)
Notify = Callable[[str], None]

LEVELS = (0.99, 0.95)  # accuracies whose break points are sought


def reader_of(model: nn.Module) -> Read:
    """Return a function that reads uint8 images (N, 28, 28) with a network: digits int64 (N,)."""
    return lambda images: np.asarray(logits_of(model, images).argmax(1), np.int64)


def accuracy(read: Read, digits: DigitSet, images: NDArray[np.uint8] | None = None) -> float:
    """Return the share of digits, in [0, 1], that are read rightly: from their images, or from others of the same."""
    return float((read(digits.images if images is None else images) == digits.labels).mean())


@dataclass(frozen=True, eq=False)
class Robustness:
    """What a network reads of corrupted digits.

    Attributes
    ----------
    clean
        Accuracy on the digits as they are, in [0, 1].
    corrupted
        By corruption, its accuracy at severities 1 to 5, (5,).
    swept
        By distortion, its accuracy at each of the amounts of :data:`inkdigits.synthetic.sweeps.SWEEPS`.
    """

    clean: float
    corrupted: dict[str, NDArray[np.float64]]
    swept: dict[str, NDArray[np.float64]]

    @property
    def published_mean(self) -> float:
        """The mean accuracy over the fifteen of MNIST-C, each at its published severity."""
        return float(np.mean([self.corrupted[name][c.published - 1] for name, c in MNIST_C.items()]))

    def mean_corruption_error(self, base: "Robustness") -> float | None:
        """Return mCE: over the fifteen, the mean ratio of the errors, summed over severities, to those of the base.

        None where the base makes no error under one of them.
        """
        return self._mean_ratio(base, 1.0, 1.0)

    def relative_corruption_error(self, base: "Robustness") -> float | None:
        """Return relative mCE: the same of the errors that come on top of those on clean digits; None likewise."""
        return self._mean_ratio(base, self.clean, base.clean)

    def _mean_ratio(self, base: "Robustness", own: float, others: float) -> float | None:
        errors = np.array([(own - self.corrupted[name]).sum() for name in MNIST_C])
        of_base = np.array([(others - base.corrupted[name]).sum() for name in MNIST_C])
        return float((errors / of_base).mean()) if (of_base > 1e-9).all() else None

    def break_point(self, name: str, level: float) -> float | None:
        """Return the amount at which accuracy first falls below ``level``, between the tried ones linearly; or None."""
        chosen = SWEEPS[name]
        return break_point([chosen.neutral, *chosen.amounts], [self.clean, *self.swept[name]], level)


def break_point(amounts: Sequence[float], accuracies: Sequence[float], level: float) -> float | None:
    """Return where a curve first falls below ``level``, straight between its points; None where it does not."""
    for i, value in enumerate(accuracies):
        if value < level:
            if i == 0:
                return float(amounts[0])
            share = (accuracies[i - 1] - level) / (accuracies[i - 1] - value)
            return float(amounts[i - 1] + share * (amounts[i] - amounts[i - 1]))
    return None


def robustness(
    readers: Mapping[str, Read],
    digits: DigitSet,
    corruptions: Sequence[str] = tuple(CORRUPTIONS),
    sweeps: Sequence[str] = tuple(SWEEPS),
    seed: int = 0,
    notify: Notify | None = None,
) -> dict[str, Robustness]:
    """Let several readers read the same corrupted digits.

    Parameters
    ----------
    readers
        By name; see :func:`reader_of`.
    notify
        Takes a line of text for each corruption.
    """
    say = notify or (lambda line: None)
    found = {label: Robustness(accuracy(read, digits), {}, {}) for label, read in readers.items()}
    for name in corruptions:
        say(f"{name}: severities 1 to 5")
        versions = [corrupt(digits.images, name, severity, seed) for severity in SEVERITIES]
        for label, read in readers.items():
            found[label].corrupted[name] = np.array([accuracy(read, digits, images) for images in versions])
    for name in sweeps:
        say(f"{name}: {len(SWEEPS[name].amounts)} amounts")
        versions = [sweep(digits.images, name, amount, seed) for amount in SWEEPS[name].amounts]
        for label, read in readers.items():
            found[label].swept[name] = np.array([accuracy(read, digits, images) for images in versions])
    return found


def load_mnist_c(folder: Path) -> dict[str, DigitSet]:
    """Return the official corrupted digits by name: FOLDER/CORRUPTION/test_images.npy and test_labels.npy.

    Raises
    ------
    DataError
        When one of the fifteen is missing or of another form; names the file.
    """
    found = {}
    for name in MNIST_C:
        images, labels = (_array(folder / name / f"test_{part}.npy") for part in ("images", "labels"))
        images = images[..., 0] if images.ndim == 4 and images.shape[3] == 1 else images
        if not np.issubdtype(labels.dtype, np.integer) or not labels.size:
            raise DataError(f"{folder / name}: labels are {labels.dtype} {labels.shape}, not integers (N,)")
        try:
            found[name] = DigitSet(images, labels.astype(np.int64))
        except DataError as error:
            raise DataError(f"{folder / name}: {error}") from error
    return found


def _array(path: Path) -> NDArray[Any]:
    try:
        with path.open("rb") as file:
            return np.lib.format.read_array(file, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"cannot read {path} ({error}); MNIST-C has it for each corruption") from error

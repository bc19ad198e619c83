"""Calibration of probabilities, and the share of digits that can be read automatically at a given accuracy.

Temperature scaling and expected calibration error after C. Guo et al., "On calibration of modern neural networks",
ICML 2017, arXiv:1706.04599; risk against coverage after Y. Geifman, R. El-Yaniv, 2017, arXiv:1705.08500.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from inkdigits.errors import UsageError

BINS = 15  # of the reliability diagram, equally wide
TARGET = 0.9995  # accuracy at which coverage is reported

Floats = NDArray[np.floating]
Labels = NDArray[np.int64]


@dataclass(frozen=True)
class Calibration:
    """Quality of the probabilities on a set of digits.

    Attributes
    ----------
    nll
        Mean negative log-likelihood, nats.
    brier
        Mean over digits of the squared differences to the one-hot label, summed over classes, in [0, 2].
    ece
        Expected calibration error in [0, 1]: the mean gap between confidence and accuracy, by :data:`BINS` bins.
    confidence, accuracy, count
        By bin, (BINS,): mean confidence and accuracy (NaN in an empty one), and number of digits.
    coverage
        Share of the digits that are read, in order of falling confidence, (N,).
    risk
        Error rate on those digits, (N,).
    """

    nll: float
    brier: float
    ece: float
    confidence: Floats
    accuracy: Floats
    count: Labels
    coverage: Floats
    risk: Floats

    def coverage_at(self, accuracy: float = TARGET) -> float:
        """Return the largest share of the digits, most confident first, that is read with at least that accuracy."""
        good = np.flatnonzero(self.risk <= 1 - accuracy + 1e-12)
        return float(self.coverage[good[-1]]) if len(good) else 0.0


def fit_temperature(logits: Floats, labels: Labels) -> float:
    """Return the T above 0 for which softmax(logits / T) has the least negative log-likelihood.

    Parameters
    ----------
    logits
        (N, 10), of validation digits: the network has not learned from them, and no result is reported on them.
    labels
        (N,)

    Raises
    ------
    UsageError
        When there are no digits.
    """
    if not len(labels):
        raise UsageError("there are no validation digits to fit a temperature on; train with --validation 5000")
    found = minimize_scalar(
        lambda log_t: negative_log_likelihood(logits / np.exp(log_t), labels), bounds=(-3, 3), method="bounded"
    )
    return float(np.exp(found.x))


def negative_log_likelihood(logits: Floats, labels: Labels) -> float:
    """Return the mean negative log-likelihood, nats, of labels (N,) under logits (N, 10)."""
    return float(-log_softmax(logits.astype(np.float64), axis=1)[np.arange(len(labels)), labels].mean())


def calibration(logits: Floats, labels: Labels, temperature: float = 1.0) -> Calibration:
    """Return the quality of softmax(logits / temperature), logits (N, 10), labels (N,)."""
    scaled = logits.astype(np.float64) / temperature
    probabilities = np.exp(log_softmax(scaled, axis=1))
    confidence = probabilities.max(1)
    correct = probabilities.argmax(1) == labels
    squares = (probabilities - np.eye(probabilities.shape[1])[labels]) ** 2
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    count = np.bincount(bins, minlength=BINS)
    with np.errstate(invalid="ignore"):
        by_bin = np.bincount(bins, confidence, BINS) / count, np.bincount(bins, correct, BINS) / count
    gaps = np.nan_to_num(np.abs(by_bin[0] - by_bin[1]))
    order = np.argsort(-confidence, kind="stable")
    read = np.arange(1, len(labels) + 1)
    return Calibration(
        nll=negative_log_likelihood(scaled, labels),
        brier=float(squares.sum(1).mean()),
        ece=float((gaps * count).sum() / len(labels)),
        confidence=by_bin[0],
        accuracy=by_bin[1],
        count=count,
        coverage=read / len(labels),
        risk=np.cumsum(~correct[order]) / read,
    )

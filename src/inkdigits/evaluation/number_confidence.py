"""How well the confidence of whole numbers tells which are right: scaling, calibration error, risk against coverage.

Logistic scaling: J. Platt, 1999. Expected calibration error: C. Guo et al., 2017, arXiv:1706.04599. Area under the risk
over coverage: Y. Geifman, G. Uziel, R. El-Yaniv, 2019, arXiv:1805.08206.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import logit

from inkdigits.evaluation.calibration import BINS
from inkdigits.reader.confidence import LEAST, Scaling

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
RIDGE = 1e-3  # of the scaling's difference to none; keeps it finite where all numbers are right


@dataclass(frozen=True)
class NumberConfidence:
    """Quality of the confidences of N numbers.

    Attributes
    ----------
    ece
        Expected calibration error, [0, 1], by :data:`~inkdigits.evaluation.calibration.BINS` bins.
    confidence, accuracy, count
        By bin: means (NaN in an empty one), and how many numbers.
    coverage, risk
        Share of the numbers accepted, the most confident first, and the share of wrong ones among them, (N,) each.
    """

    ece: float
    confidence: Floats
    accuracy: Floats
    count: NDArray[np.int64]
    coverage: Floats
    risk: Floats

    @property
    def area(self) -> float:
        """Area under the risk over coverage; lower is better."""
        return float(self.risk.mean())


def number_confidence(confidence: Floats, right: Bools) -> NumberConfidence:
    """Return the quality of confidences (N,), in [0, 1], of numbers that are right or not (N,); N is at least 1."""
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    count = np.bincount(bins, minlength=BINS)
    with np.errstate(invalid="ignore"):
        means = [np.bincount(bins, values, BINS) / count for values in (confidence, right)]
    order = np.argsort(-confidence, kind="stable")
    accepted = np.arange(1, len(order) + 1)
    return NumberConfidence(
        ece=float((np.nan_to_num(np.abs(means[0] - means[1])) * count).sum() / len(order)),
        confidence=means[0],
        accuracy=means[1],
        count=count,
        coverage=accepted / len(order),
        risk=np.cumsum(~right[order]) / accepted,
    )


def fit_scaling(probability: Floats, right: Bools) -> Scaling:
    """Return the scaling with the least cross-entropy for probabilities (N,) of numbers that are right or not (N,)."""
    odds = logit(np.clip(probability, LEAST, 1 - LEAST))

    def loss(values: Floats) -> float:
        scaled = values[0] * odds + values[1]
        cross_entropy = np.logaddexp(0, np.where(right, -scaled, scaled)).mean()
        return float(cross_entropy + RIDGE * ((values[0] - 1) ** 2 + values[1] ** 2))

    slope, offset = minimize(loss, np.array([1.0, 0.0]), bounds=[(0.05, 20), (-20, 20)]).x
    return Scaling(float(slope), float(offset))


def accepted_share(confidence: Floats, right: Bools, threshold: float) -> tuple[float, float]:
    """Return the share of the numbers with at least this confidence, and the share of those that is right."""
    accepted = confidence >= threshold
    return float(accepted.mean()), float(right[accepted].mean()) if accepted.any() else float("nan")


def errors_by_confidence(confidence: Floats, right: Bools, steps: int = 200) -> list[tuple[float, float, float]]:
    """Return (confidence, share of wrong numbers from it upwards, their share of all), by rising confidence."""
    quality, ranked = number_confidence(confidence, right), -np.sort(-confidence)
    last = np.flatnonzero(np.append(ranked[1:] < ranked[:-1], True))  # equal confidences are accepted together
    picked = np.unique(last[np.linspace(0, len(last) - 1, min(steps, len(last))).round().astype(int)])[::-1]
    return [(float(ranked[i]), float(quality.risk[i]), float(quality.coverage[i])) for i in picked]

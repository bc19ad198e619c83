"""Intervals of proportions and means, paired tests of classifiers, and correction for many tests."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

import numpy as np
from numpy.typing import NDArray

ALPHA = 0.05  # significance level, over all pairs together


def wilson(correct: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return the Wilson score interval of a proportion (E. Wilson, JASA 22, 1927).

    Parameters
    ----------
    correct, n
        Successes among ``n`` independent trials, n at least 1.
    """
    z, p = NormalDist().inv_cdf((1 + confidence) / 2), correct / n
    centre, scale = p + z * z / (2 * n), 1 + z * z / n
    half = z * (p * (1 - p) / n + (z / (2 * n)) ** 2) ** 0.5
    return max(0.0, (centre - half) / scale), min(1.0, (centre + half) / scale)


def mean_sd(values: Sequence[float]) -> tuple[float, float]:
    """Return mean and sample standard deviation (n - 1 in the denominator; NaN for a single value)."""
    array = np.asarray(values, float)
    return float(array.mean()), float(array.std(ddof=1)) if len(array) > 1 else float("nan")


def mean_interval(values: NDArray[np.float64]) -> tuple[float, float, float]:
    """Return the mean of (n,) values and its 95 % interval, by the normal distribution; n should be some hundreds."""
    mean, spread = mean_sd(values.tolist())
    half = NormalDist().inv_cdf(0.975) * spread / len(values) ** 0.5
    return mean, mean - half, mean + half


def mcnemar_exact(correct_a: NDArray[np.bool_], correct_b: NDArray[np.bool_]) -> tuple[int, int, float]:
    """Compare two classifiers on the same digits (Q. McNemar, Psychometrika 12, 1947; exact binomial form).

    Parameters
    ----------
    correct_a, correct_b
        bool (N,): whether each classified each digit correctly.

    Returns
    -------
    only_a, only_b, p
        Digits that only one of them classified correctly, and the two-sided p-value; 1.0 when they never differ.
    """
    from scipy.stats import binomtest  # its import takes longer than a short training run

    only_a = int((correct_a & ~correct_b).sum())
    only_b = int((correct_b & ~correct_a).sum())
    p = binomtest(only_a, only_a + only_b).pvalue if only_a + only_b else 1.0
    return only_a, only_b, float(p)


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values adjusted for their number, in the same order (S. Holm, Scand. J. Statist. 6, 1979)."""
    m = len(p_values)
    order = sorted(range(m), key=lambda i: p_values[i])
    adjusted = [0.0] * m
    running = 0.0
    for rank, index in enumerate(order):
        running = max(running, min(1.0, (m - rank) * p_values[index]))
        adjusted[index] = running
    return adjusted


@dataclass(frozen=True)
class Pair:
    """Two models on the same digits."""

    first: str
    second: str
    only_first: int  # digits that only the first classified correctly
    only_second: int
    p: float
    p_holm: float

    @property
    def verdict(self) -> Literal["first", "second", "none"]:
        """Which is better, if the difference is significant at 5 % over all pairs together."""
        if self.p_holm >= ALPHA:
            return "none"
        return "first" if self.only_first > self.only_second else "second"

    def sentence(self, n: int) -> str:
        """Return in words what these ``n`` digits show."""
        sides = [(self.only_first, self.first), (self.only_second, self.second)]
        (behind_alone, behind), (ahead_alone, ahead) = sorted(sides, key=lambda side: side[0])
        claim = f"No evidence that {ahead} beats" if self.verdict == "none" else f"{ahead} beats"
        return (
            f"{claim} {behind} on these {n:,} digits "
            f"({ahead_alone} against {behind_alone} correct by only one of the two, p = {self.p_holm:.2g})."
        )


def compare_pairs(correct: Mapping[str, NDArray[np.bool_]]) -> list[Pair]:
    """Return every pair of models with its exact McNemar test, Holm's correction over all of them.

    Parameters
    ----------
    correct
        For each model bool (N,), whether it classified each digit correctly.
    """
    names = list(itertools.combinations(correct, 2))
    tests = [mcnemar_exact(correct[a], correct[b]) for a, b in names]
    adjusted = holm([p for _, _, p in tests])
    return [Pair(a, b, x, y, p, q) for (a, b), (x, y, p), q in zip(names, tests, adjusted, strict=True)]

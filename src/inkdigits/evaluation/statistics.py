"""What a figure shows and what it does not: intervals, paired tests, correction for many of them."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

import numpy as np
from numpy.typing import NDArray

ALPHA = 0.05  # chance of a false alarm that is accepted, over all pairs together


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


def mcnemar_exact(right_a: NDArray[np.bool_], right_b: NDArray[np.bool_]) -> tuple[int, int, float]:
    """Compare two classifiers on the same digits (Q. McNemar, Psychometrika 12, 1947; exact binomial form).

    Parameters
    ----------
    right_a, right_b
        bool (N,): whether each read each digit rightly.

    Returns
    -------
    only_a, only_b, p
        Digits that only one of them read rightly, and the two-sided p-value; 1.0 where they never differ.
    """
    from scipy.stats import binomtest  # takes longer to import than many a run to train

    only_a = int((right_a & ~right_b).sum())
    only_b = int((right_b & ~right_a).sum())
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
    only_first: int  # digits that only the first read rightly
    only_second: int
    p: float
    p_holm: float

    @property
    def verdict(self) -> Literal["first", "second", "none"]:
        """Which is better, at 5 % over all pairs together, if the digits show it."""
        if self.p_holm >= ALPHA:
            return "none"
        return "first" if self.only_first > self.only_second else "second"

    def sentence(self, n: int) -> str:
        """Say in plain words what these ``n`` digits show."""
        sides = [(self.only_first, self.first), (self.only_second, self.second)]
        (behind_alone, behind), (ahead_alone, ahead) = sorted(sides, key=lambda side: side[0])
        says = f"No evidence that {ahead} beats" if self.verdict == "none" else f"{ahead} beats"
        return (
            f"{says} {behind} on these {n:,} digits "
            f"({ahead_alone} against {behind_alone} read rightly by one alone, p = {self.p_holm:.2g})."
        )


def compare_pairs(right: Mapping[str, NDArray[np.bool_]]) -> list[Pair]:
    """Return every pair of models with its exact McNemar test, Holm's correction over all of them.

    Parameters
    ----------
    right
        For each model bool (N,), whether it read each digit rightly.
    """
    names = list(itertools.combinations(right, 2))
    tests = [mcnemar_exact(right[a], right[b]) for a, b in names]
    adjusted = holm([p for _, _, p in tests])
    return [Pair(a, b, x, y, p, q) for (a, b), (x, y, p), q in zip(names, tests, adjusted, strict=True)]

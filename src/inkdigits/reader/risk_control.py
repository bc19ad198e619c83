"""A threshold of confidence for which few accepted numbers are wrong, with a proof for numbers of the same kind.

Learn then Test (A. N. Angelopoulos et al., 2021, arXiv:2110.01052): each threshold is a hypothesis, "of the numbers
that it accepts, more than the wanted share is wrong", which is rejected by a p-value. The p-value is the binomial one
(C. J. Clopper, E. S. Pearson, 1934) where each page holds one number. Where pages hold several, the page is the unit:
the share of wrong numbers on a page is averaged over the pages with an accepted number. The p-value is then
the binomial one of a number drawn at random from each page, or, where most pages hold several, comes from betting
against the hypothesis (I. Waudby-Smith, A. Ramdas, 2024, arXiv:2010.09686). The thresholds are tested from the highest
by the fallback procedure (B. L. Wiens, A. Dmitrienko, 2005), so that the probability of any false rejection stays below
one minus the wanted certainty.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

STARTS = (0.2, 0.5, 0.8)  # places among the thresholds that share the error probability; it goes on from what is proven
RATIO = 1.05  # of the numbers accepted at one threshold and the next
SEVERAL = 2.0  # numbers of a page on average; with fewer, one drawn from each page tells more than betting on all
BETS = (0.3, 0.6, 0.8, 0.97)  # shares of the wealth that a page whose numbers are all wrong costs

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Observations:
    """Numbers whose truth is known.

    Attributes
    ----------
    confidence
        Of each number, float64 (N,); infinite for a number that was lost without a trace, which no threshold excludes.
    wrong
        Whether the number is wrong, bool (N,).
    page
        The page that each number stands on, int64 (N,).
    """

    confidence: Floats
    wrong: NDArray[np.bool_]
    page: NDArray[np.int64]


@dataclass(frozen=True)
class Bound:
    """A threshold with its proof.

    Attributes
    ----------
    threshold
        Numbers of at least this confidence are accepted.
    accepted, wrong
        How many of the observed numbers that are, and how many of them are wrong.
    """

    threshold: float
    accepted: int
    wrong: int


def binomial_p_value(wrong: int, accepted: int, risk: float) -> float:
    """Return the probability of at most ``wrong`` errors among ``accepted`` numbers when each has the risk ``risk``."""
    logs = [
        math.lgamma(accepted + 1) - math.lgamma(k + 1) - math.lgamma(accepted - k + 1)
        + k * math.log(risk) + (accepted - k) * math.log1p(-risk)
        for k in range(wrong + 1)
    ]  # fmt: skip
    return min(1.0, math.fsum(map(math.exp, logs)))


def betting_p_value(excess: Floats) -> float:
    """Return a p-value of the hypothesis that the mean of independent values is at least 0.

    Parameters
    ----------
    excess
        Float64 (N,), each at most 1.

    Notes
    -----
    One bets against the hypothesis: a bet b multiplies the wealth by 1 - b x for each value x. The mean wealth of all
    BETS has a mean of at most 1 under the hypothesis, so it exceeds 1 / p with a probability of at most p (A. Markov).
    """
    wealth = np.log1p(-np.outer(BETS, excess)).sum(1)
    return float(min(1.0, len(BETS) / np.exp(wealth - wealth.max()).sum() * math.exp(-wealth.max())))


def find_bound(seen: Observations, risk: float, certainty: float) -> Bound | None:
    """Return the lowest threshold for which the share of wrong numbers is proven to be at most ``risk``.

    Parameters
    ----------
    seen
        Numbers drawn as those to come will be.
    risk
        Largest share of the accepted numbers that may be wrong, in (0, 1).
    certainty
        Probability, over draws of ``seen``, that the bound holds, in (0, 1).

    Returns
    -------
        None when no threshold can be proven.
    """
    counts = _counts(len(seen.confidence), risk, certainty)
    order = np.argsort(-seen.confidence, kind="stable")
    ranked, wrong = seen.confidence[order], seen.wrong[order]
    share = (1 - certainty) / len(STARTS)
    starts = {int(len(counts) * place) for place in STARTS}
    found, passed_on = None, 0.0
    for index, count in enumerate(counts):
        threshold = float(ranked[count - 1])
        accepted = int((ranked >= threshold).sum())
        level = passed_on + share * (index in starts)
        passed_on = level if level and _p_value(seen, threshold, risk) <= level else 0.0
        if passed_on:
            found = Bound(threshold, accepted, int(wrong[:accepted].sum()))
    return found if found is not None and math.isfinite(found.threshold) else None


def _counts(numbers: int, risk: float, certainty: float) -> list[int]:
    """Return how many numbers the thresholds accept: from what could be proven without an error to all."""
    out, count = [], float(numbers_needed(risk, certainty))
    while count < numbers:
        out.append(math.ceil(count))
        count = max(count + 1, count * RATIO)
    return [*out, numbers] if out or count == numbers else []


def _p_value(seen: Observations, threshold: float, risk: float) -> float:
    accepted = seen.confidence >= threshold
    pages, place = np.unique(seen.page[accepted], return_inverse=True)
    share = np.bincount(place, seen.wrong[accepted]) / np.bincount(place)
    if len(seen.page) < SEVERAL * len(np.unique(seen.page)):
        drawn = np.random.default_rng(0).random(int(seen.page.max()) + 1)[pages] < share
        return binomial_p_value(int(drawn.sum()), len(pages), risk)
    return betting_p_value((share - risk) / (1 - risk))


def numbers_needed(risk: float, certainty: float, wrong: int = 0) -> int:
    """Return how many accepted numbers prove a risk at the least when ``wrong`` of them are wrong."""
    low, high = wrong, wrong + 1
    while binomial_p_value(wrong, high, risk) > 1 - certainty:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if binomial_p_value(wrong, middle, risk) > 1 - certainty else (low, middle)
    return high


def same_distribution_p_value(one: Floats, other: Floats) -> float:
    """Return the p-value of the two-sample test of Kolmogorov and Smirnov, by its asymptotic distribution.

    Parameters
    ----------
    one, other
        (N,), (M,), both at least 1.
    """
    values = np.sort(np.concatenate([one, other]))
    shares = [np.searchsorted(np.sort(sample), values, side="right") / len(sample) for sample in (one, other)]
    distance = float(np.abs(shares[0] - shares[1]).max())
    size = math.sqrt(len(one) * len(other) / (len(one) + len(other)))
    scaled = (size + 0.12 + 0.11 / size) * distance  # M. A. Stephens, 1970
    if scaled < 0.2:  # the series converges slowly, and its limit is 1
        return 1.0
    series = sum((1 if k % 2 else -1) * math.exp(-2 * (k * scaled) ** 2) for k in range(1, 101))
    return min(1.0, 2 * series)

"""Alternatives: the likeliest texts of a row of boxes, from what may stand in each box.

Each box has a distribution over twelve outcomes: the ten digits, blank, and other writing, such as a digit that is
crossed out. A beam search over the boxes finds the likeliest texts.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

OUTCOMES = "0123456789 ?"  # of a box: a digit, blank, other writing
BLANK, OTHER = 10, 11  # places in OUTCOMES

Shares = NDArray[np.float64]  # (N, 12): the outcomes of N boxes, rows of sum 1


@dataclass(frozen=True)
class Alternative:
    """A text or value with its probability in [0, 1]."""

    text: str
    probability: float


def likeliest_texts(shares: Shares, width: int = 256) -> list[Alternative]:
    """Return the likeliest texts of N boxes, the likeliest first: characters of OUTCOMES, at most ``width`` texts.

    The probabilities are those of the boxes multiplied; without the texts that were dropped, they sum to less than 1.
    """
    scores = np.zeros(1)
    chosen = np.zeros((1, 0), np.intp)  # (K, boxes so far)
    for row in np.log(np.maximum(shares, 1e-300)):
        total = (scores[:, None] + row).ravel()  # (K * 12,)
        kept = np.argsort(-total, kind="stable")[:width]
        kept = kept[total[kept] > -600]
        scores = total[kept]
        chosen = np.concatenate([chosen[kept // len(row)], (kept % len(row))[:, None]], 1)
    return [
        Alternative("".join(OUTCOMES[i] for i in row), float(p))
        for row, p in zip(chosen.tolist(), np.exp(scores), strict=True)
    ]


def ranked(weights: dict[str, float], least: float = 0.0) -> tuple[Alternative, ...]:
    """Return texts with probabilities of at least ``least``, the likeliest first; equal ones in the order of texts."""
    found = [Alternative(text, weight) for text, weight in weights.items() if weight >= least]
    return tuple(sorted(found, key=lambda one: (-one.probability, one.text)))


def normalized(weights: dict[str, float]) -> dict[str, float]:
    """Return weights that sum to 1; an empty dictionary, or one whose weights are all 0, as it is."""
    total = sum(weights.values())
    return {text: weight / total for text, weight in weights.items()} if total > 0 else dict(weights)


def as_columns(alternatives: Sequence[Alternative]) -> tuple[list[str], Shares]:
    """Return the texts, and their probabilities (K,)."""
    return [one.text for one in alternatives], np.array([one.probability for one in alternatives])

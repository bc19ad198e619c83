"""Labels that look wrong, by confident learning, and labellings that cannot be learned from.

C. Northcutt, L. Jiang, I. Chuang, "Confident learning: estimating uncertainty in dataset labels", Journal of Artificial
Intelligence Research 70, 2021, arXiv:1911.00068. The probabilities are those of a network that has not learned from
these labels, so that no cross-validation is needed.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SUSPECT_FROM = 0.9  # probability of the other digit, at least; a network that does not know the writing is less sure
MOSTLY = 0.5  # share of a class that looks like one other class; from here on, the class is taken for mislabelled
SIGMAS = 2.0  # standard deviations above chance that the agreement of labels and network must reach


@dataclass(frozen=True)
class LabelErrors:
    """Labels that look wrong.

    Attributes
    ----------
    suspects
        Indices of the digits, the most certain first, int64 (S,).
    likely
        The digit that each of them looks like, int64 (S,).
    agreement
        Share of all labels that the network agrees with, in [0, 1].
    refusal
        Why this labelling cannot be learned from; an empty text where it can.
    """

    suspects: NDArray[np.int64]
    likely: NDArray[np.int64]
    agreement: float
    refusal: str

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """Index of each suspect digit, and the digit that it looks like."""
        return list(zip(self.suspects.tolist(), self.likely.tolist(), strict=True))


def find_label_errors(probabilities: NDArray[np.floating], labels: NDArray[np.int64]) -> LabelErrors:
    """Return the labels that look wrong.

    A digit is counted as class j if its probability of j reaches the mean that digits labelled j have, and is the
    largest of those that do. It is suspect if j is not its label and the probability is at least 0.9.

    Parameters
    ----------
    probabilities
        (N, K), of a network that has not learned from these labels.
    labels
        int64 (N,), 0 to K - 1.
    """
    count, classes = probabilities.shape
    guess = probabilities.argmax(1)
    own = probabilities[np.arange(count), labels]
    means = np.array([own[labels == k].mean() if (labels == k).any() else 1.0 for k in range(classes)])
    confident = np.where(probabilities >= means, probabilities, -1.0)
    likely = confident.argmax(1)
    value = confident.max(1)
    suspect = np.flatnonzero((likely != labels) & (value >= SUSPECT_FROM))
    suspect = suspect[np.argsort(own[suspect] - value[suspect], kind="stable")]
    agreement = float((guess == labels).mean())
    return LabelErrors(suspect, likely[suspect], agreement, _refusal(labels, suspect, likely, agreement, guess))


def _refusal(
    labels: NDArray[np.int64],
    suspect: NDArray[np.int64],
    likely: NDArray[np.int64],
    agreement: float,
    guess: NDArray[np.int64],
) -> str:
    """Return why a labelling cannot be learned from, or an empty text."""
    shares = np.bincount(labels) / len(labels)
    chance = float((shares * np.bincount(guess, minlength=len(shares))[: len(shares)] / len(labels)).sum())
    if agreement <= chance + SIGMAS * (chance * (1 - chance) / len(labels)) ** 0.5:
        return f"the labels agree with the pictures no better than chance ({100 * agreement:.0f} %)"
    for label in np.unique(labels):
        mine = np.flatnonzero(labels == label)
        other = np.bincount(likely[np.intersect1d(suspect, mine)], minlength=len(shares))
        if other.max() > MOSTLY * len(mine):
            return f"{other.max()} of the {len(mine)} digits labelled {label} look like a {other.argmax()}"
    return ""

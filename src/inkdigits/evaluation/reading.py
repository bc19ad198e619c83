"""Errors of a reader on pages with known numbers: edit distance, correct pages, errors by confidence."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein

from inkdigits.reader import Reading


@dataclass(frozen=True)
class PageScore:
    """Edits between the digits read and those written, all lines together, and the number of digits written."""

    edits: int
    digits: int

    @property
    def rate(self) -> float:
        """Character error rate, at most 1."""
        return min(1.0, self.edits / max(1, self.digits))


def score(read: str, written: str) -> PageScore:
    """Compare two texts by their digits only, in reading order (V. Levenshtein, 1966)."""
    found, truth = (("".join(c for c in text if c.isdigit())) for text in (read, written))
    return PageScore(int(Levenshtein.distance(found, truth)), len(truth))


def pooled(scores: Sequence[PageScore]) -> dict[str, float]:
    """Return the character error rate over all digits, its mean over pages, and how many pages have no error."""
    return {
        "pooled": sum(s.edits for s in scores) / max(1, sum(s.digits for s in scores)),
        "mean": float(np.mean([s.rate for s in scores])) if scores else 0.0,
        "right": sum(s.edits == 0 for s in scores),
        "pages": len(scores),
        "digits": sum(s.digits for s in scores),
    }


def judged(reading: Reading, written: str) -> list[tuple[float, bool]]:
    """Return the confidence of every digit that was read, and whether it is correct after aligning the texts."""
    digits = [digit for digit in reading.digits if digit.digit is not None]
    found = "".join(str(digit.digit) for digit in digits)
    truth = "".join(c for c in written if c.isdigit())
    correct = np.zeros(len(found), bool)
    for block in Levenshtein.opcodes(found, truth):
        if block.tag == "equal":
            correct[block.src_start : block.src_end] = True
    return [(digit.confidence, bool(known)) for digit, known in zip(digits, correct, strict=True)]


def errors_by_confidence(
    judgements: Sequence[tuple[float, bool]], written: int, steps: int = 200
) -> list[tuple[float, float, float]]:
    """Return (confidence, error rate of the digits at or above it, their share of ``written`` digits), ascending."""
    confidence = np.array([c for c, _ in judgements])
    correct = np.array([c for _, c in judgements])
    order = np.argsort(-confidence, kind="stable")
    wrong: NDArray[np.float64] = np.cumsum(~correct[order]) / np.arange(1, len(order) + 1)
    picked = np.unique(np.linspace(0, len(order) - 1, min(steps, len(order))).round().astype(int))[::-1]
    return [(float(confidence[order][i]), float(wrong[i]), (i + 1) / max(1, written)) for i in picked]

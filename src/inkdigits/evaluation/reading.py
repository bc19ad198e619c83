"""Errors of a reader on pages with known numbers: edit distance, correct pages, errors by confidence."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein

from inkdigits.reader import Reading


@dataclass(frozen=True)
class PageScore:
    """Edits between the digits read and those written, all lines together, and how many were written."""

    edits: int
    digits: int

    @property
    def rate(self) -> float:
        """Character error rate, at most 1."""
        return min(1.0, self.edits / max(1, self.digits))


def score(read: str, written: str) -> PageScore:
    """Compare two texts by their digits alone, in reading order (V. Levenshtein, 1966)."""
    found, truth = (("".join(c for c in text if c.isdigit())) for text in (read, written))
    return PageScore(int(Levenshtein.distance(found, truth)), len(truth))


def pooled(scores: Sequence[PageScore]) -> dict[str, float]:
    """Return the character error rate over all digits, its mean over pages, and how many pages are entirely right."""
    return {
        "pooled": sum(s.edits for s in scores) / max(1, sum(s.digits for s in scores)),
        "mean": float(np.mean([s.rate for s in scores])) if scores else 0.0,
        "right": sum(s.edits == 0 for s in scores),
        "pages": len(scores),
        "digits": sum(s.digits for s in scores),
    }


def judged(reading: Reading, written: str) -> list[tuple[float, bool]]:
    """Return of every digit that was read its confidence, and whether it is right once the texts are aligned."""
    digits = [digit for digit in reading.digits if digit.digit is not None]
    found = "".join(str(digit.digit) for digit in digits)
    truth = "".join(c for c in written if c.isdigit())
    right = np.zeros(len(found), bool)
    for block in Levenshtein.opcodes(found, truth):
        if block.tag == "equal":
            right[block.src_start : block.src_end] = True
    return [(digit.confidence, bool(fine)) for digit, fine in zip(digits, right, strict=True)]


def errors_by_confidence(
    judgements: Sequence[tuple[float, bool]], written: int, steps: int = 200
) -> list[tuple[float, float, float]]:
    """Return (confidence, share of errors among digits at least so sure, share of ``written`` digits read), sorted."""
    confidence = np.array([c for c, _ in judgements])
    right = np.array([r for _, r in judgements])
    order = np.argsort(-confidence, kind="stable")
    wrong: NDArray[np.float64] = np.cumsum(~right[order]) / np.arange(1, len(order) + 1)
    picked = np.unique(np.linspace(0, len(order) - 1, min(steps, len(order))).round().astype(int))[::-1]
    return [(float(confidence[order][i]), float(wrong[i]), (i + 1) / max(1, written)) for i in picked]

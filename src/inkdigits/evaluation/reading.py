"""Errors of a reader on pages with known numbers: edit distance, and correct pages."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from rapidfuzz.distance import Levenshtein


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

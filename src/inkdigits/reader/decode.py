"""Which of a line's candidates are its digits: the likeliest way from its first piece to its last."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inkdigits.imaging.segment import Candidate, TextLine

DIGIT = -0.7  # log-probability that every further digit costs
CUT = -0.5  # what it costs to cut one stroke's width of ink
SHORT = -6.0  # what it costs to be lower than a digit of the line, times the share that is lacking beyond a quarter
WIDE = -9.0  # what it costs to be wider than the height of the line, times what is beyond
GAP = -4.0  # what it costs that its pieces stand apart, times the paper between them, in heights of the line
SPECK = -0.4  # what it costs to leave out a speck
LEFT_OUT = -7.0  # and ink as high as a digit


@dataclass(frozen=True)
class Step:
    """A run of pieces, and whether it is read as a digit."""

    candidate: Candidate
    index: int
    read: bool


def path(
    line: TextLine, candidates: Sequence[Candidate], likelihood: NDArray[np.float64]
) -> tuple[list[Step], float]:
    """Return the likeliest steps through a line, without the specks left out, and their log-probability.

    Parameters
    ----------
    likelihood
        float64 (N,): the log-probability that a candidate is some digit, no digit being one of the outcomes.
    """
    count = len(line.pieces)
    best = np.full(count + 1, -np.inf)
    best[0] = 0.0
    came: list[Step | None] = [None] * (count + 1)
    for index, candidate in sorted(enumerate(candidates), key=lambda item: item[1].start):
        if not np.isfinite(best[candidate.start]):
            continue
        share = candidate.box[3] / line.height
        tied = CUT * candidate.cut
        shape = SHORT * max(0.0, 0.75 - share) + WIDE * max(0.0, candidate.box[2] / line.height - 1.0)
        read = likelihood[index] + DIGIT + tied + shape + GAP * candidate.gap / line.height
        skipped = -np.inf
        if candidate.stop == candidate.start + 1:
            big = min(1.0, max(share, 0.6 * candidate.box[2] / line.height))
            skipped = (SPECK if big < 0.45 else LEFT_OUT * big) + tied
        score = best[candidate.start] + max(read, skipped)
        if score > best[candidate.stop]:
            best[candidate.stop] = score
            came[candidate.stop] = Step(candidate, index, bool(read >= skipped))
    steps: list[Step] = []
    position = count
    while position:
        step = came[position]
        assert step is not None  # every single piece is a candidate, so there is always a way
        if step.read or step.candidate.box[3] >= 0.45 * line.height:
            steps.append(step)
        position = step.candidate.start
    return steps[::-1], float(best[count])

"""Which of a line's candidates are its digits: the likeliest way from its first piece to its last."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inkdigits.imaging.segment import CORE, Candidate, TextLine

DIGIT = -0.45  # log-probability that every further digit costs
CUT = -0.7  # what it costs to cut one stroke's width of ink
SHORT = -4.0  # what it costs to be lower than a digit of the line, times the share that is lacking beyond a quarter
WIDE = -6.0  # what it costs to be wider than the height of the line, times what is beyond
WIDTHS = np.array([1.1, 0.7, 1.25, 1.0, 1.0, 1.3, 0.95, 1.0, 1.0, 0.85])  # over heights, as nine tenths of MNIST's
SLACK = -2.0  # what it costs to be wider for its height than that, times what is beyond
GAP = -4.0  # what it costs that its pieces stand apart, times the paper between them, in heights of the line
SPECK = -0.4  # what it costs to leave out a speck
LEFT_OUT = -10.0  # and ink as high as a digit


@dataclass(frozen=True)
class Step:
    """A candidate, by its index, and whether it is read as a digit; ink as high as one that is not is declined."""

    candidate: Candidate
    index: int
    read: bool


def path(
    line: TextLine,
    candidates: Sequence[Candidate],
    digits: NDArray[np.integer],
    likelihood: NDArray[np.float64],
    length: int | None = None,
) -> tuple[list[Step], float]:
    """Return the likeliest steps through a line, without the specks left out, and their log-probability.

    Parameters
    ----------
    digits, likelihood
        (N,): the digit that a candidate most likely is, and the log-probability that it is, no digit being one of the
        outcomes.
    length
        How many digits must be read; where no way has so many, the likeliest way of all is returned.
    """
    read, skipped = _costs(line, candidates, digits, likelihood)
    if length is not None:
        steps, score = _best(len(line.pieces), candidates, read, skipped, length)
        if np.isfinite(score):
            return [s for s in steps if s.read], score
    steps, score = _best(len(line.pieces), candidates, read, skipped, None)
    return [s for s in steps if s.read or s.candidate.box[3] >= CORE * line.height], score


def _costs(
    line: TextLine, candidates: Sequence[Candidate], digits: NDArray[np.integer], likelihood: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the log-probability of every candidate as a digit, and left out, (N,) each."""
    wide, tall, cut, gap, alone = (
        np.array(values, float)
        for values in zip(*((c.box[2], c.box[3], c.cut, c.gap, c.stop - c.start == 1) for c in candidates), strict=True)
    )
    slack = (wide / tall - WIDTHS[digits]).clip(0)
    wide, tall, gap = wide / line.height, tall / line.height, gap / line.height
    shape = SHORT * (0.75 - tall).clip(0) + WIDE * (wide - 1).clip(0) + SLACK * slack + GAP * gap
    big = np.maximum(tall, 0.6 * wide).clip(0, 1)
    skipped = np.where(big < CORE, SPECK, LEFT_OUT * big) + CUT * cut
    return likelihood + DIGIT + CUT * cut + shape, np.where(alone > 0, skipped, -np.inf)


def _best(
    count: int,
    candidates: Sequence[Candidate],
    read: NDArray[np.float64],
    skipped: NDArray[np.float64],
    length: int | None,
) -> tuple[list[Step], float]:
    """Return the best way to the end of ``count`` pieces; with ``length``, among those that read so many digits."""
    most = 0 if length is None else length
    best = np.full((count + 1, most + 1), -np.inf)
    best[0, 0] = 0.0
    came: dict[tuple[int, int], tuple[Step, int]] = {}
    for index in sorted(range(len(candidates)), key=lambda i: candidates[i].start):
        candidate = candidates[index]
        for digits in range(most + 1):
            here = best[candidate.start, digits]
            if not np.isfinite(here):
                continue
            for is_read, cost in ((True, read[index]), (False, skipped[index])):
                after = digits + int(is_read and length is not None)
                if after <= most and here + cost > best[candidate.stop, after]:
                    best[candidate.stop, after] = here + cost
                    came[candidate.stop, after] = Step(candidate, index, is_read), digits
    position, digits = count, most
    if not np.isfinite(best[position, digits]):
        return [], -np.inf
    steps: list[Step] = []
    while position:
        step, digits = came[position, digits]
        steps.append(step)
        position = step.candidate.start
    return steps[::-1], float(best[count, most])

"""Decoding of a line: Viterbi's algorithm over the candidates finds the likeliest sequence of digits.

Costs are log-probabilities, or fractions of them for the shape of a candidate (A. J. Viterbi, 1967,
doi:10.1109/TIT.1967.1054010).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inkdigits.imaging.oversegmentation import Candidate


@dataclass(frozen=True)
class DecodingParameters:
    """What a sequence of candidates costs, in nats; heights are those of the line's digits."""

    digit: float = -0.45  # per digit; else two halves of a digit would beat the whole
    cut: float = -0.7  # per stroke width of ink that was cut
    short: float = -4.0  # per height that is missing beyond a quarter; digits of a line are about equally high
    short_from: float = 0.75  # heights; a lower candidate is short
    wide: float = -6.0  # per height by which it is wider than the line is high
    slack: float = -2.0  # per height by which it is wider than its digit usually is
    usual_widths: tuple[float, ...] = (1.1, 0.7, 1.25, 1.0, 1.0, 1.3, 0.95, 1.0, 1.0, 0.85)  # width over height of
    # the digits 0 to 9: nine tenths of MNIST's are narrower
    gap: float = -4.0  # per height of paper between its pieces
    speck: float = -0.4  # for each speck that is left out
    left_out: float = -10.0  # per height of larger ink that is left out
    core: float = 0.45  # heights; ink that is at least so high is no speck, and is rejected when it is left out


@dataclass(frozen=True)
class Step:
    """A candidate with its index, and whether it is read as a digit; larger ink that is not is rejected."""

    candidate: Candidate
    index: int
    read: bool


def viterbi(
    count: int,
    height: float,
    candidates: Sequence[Candidate],
    digits: NDArray[np.integer],
    log_probabilities: NDArray[np.float64],
    length: int | None = None,
    parameters: DecodingParameters | None = None,
) -> list[Step]:
    """Return the likeliest steps from the first piece of a line to its last, without the specks that are left out.

    Parameters
    ----------
    count
        Pieces of the line.
    height
        Of the line's digits, pixels.
    digits, log_probabilities
        (N,): the likeliest digit of each candidate, and the log-probability that the candidate is that digit.
    length
        Digits that must be read; where no sequence has so many, the likeliest of any length is returned.
    """
    p = parameters or DecodingParameters()
    if not candidates:
        return []
    read, skipped = _costs(height, candidates, digits, log_probabilities, p)
    if length is not None:
        steps, score = _best_path(count, candidates, read, skipped, length)
        if np.isfinite(score):
            return [step for step in steps if step.read]
    steps, _ = _best_path(count, candidates, read, skipped, None)
    return [step for step in steps if step.read or step.candidate.box[3] >= p.core * height]


def _costs(
    height: float,
    candidates: Sequence[Candidate],
    digits: NDArray[np.integer],
    log_probabilities: NDArray[np.float64],
    p: DecodingParameters,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the score of each candidate as a digit, and when it is left out, (N,) each."""
    wide, tall, cut, gap, alone = (
        np.array(values, float)
        for values in zip(
            *((c.box[2], c.box[3], c.cut_cost, c.gap, c.stop - c.start == 1) for c in candidates), strict=True
        )
    )
    slack = (wide / tall - np.array(p.usual_widths)[digits]).clip(0)
    wide, tall, gap = wide / height, tall / height, gap / height
    shape = p.short * (p.short_from - tall).clip(0) + p.wide * (wide - 1).clip(0) + p.slack * slack + p.gap * gap
    big = np.maximum(tall, 0.6 * wide).clip(0, 1)
    skipped = np.where(big < p.core, p.speck, p.left_out * big) + p.cut * cut
    return log_probabilities + p.digit + p.cut * cut + shape, np.where(alone > 0, skipped, -np.inf)


def _best_path(
    count: int,
    candidates: Sequence[Candidate],
    read: NDArray[np.float64],
    skipped: NDArray[np.float64],
    length: int | None,
) -> tuple[list[Step], float]:
    """Return the best path to the end of ``count`` pieces, of ``length`` digits if that is given, and its score."""
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

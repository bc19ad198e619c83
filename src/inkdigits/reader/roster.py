"""Rosters: the likeliest number of a list, though the reader saw a digit wrong, too few digits or too many.

A weighted edit distance compares what was read with each number (R. A. Wagner and M. J. Fischer, "The string-to-string
correction problem", 1974). Its weights are the reader's own probabilities, so it is the log-likelihood of a noisy
channel (M. D. Kernighan et al., "A spelling correction program based on a noisy channel model", 1990). Bayes' rule
gives the posterior of each number, and of none of them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inkdigits.errors import DataError, UsageError
from inkdigits.files import read_bytes
from inkdigits.reader.checksums import Decoded

UNREAD = "?"  # of a reading: a place where something stands that was not read

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class RosterParameters:
    """How often a reader errs without knowing it, and how a number is looked for. Probabilities, if not said."""

    substituted: float = 0.02  # that a digit of which the reader is certain is any digit
    missed: float = 0.005  # that a digit left no trace in what was read
    added: float = 0.003  # that a place with a certain digit holds none, at least
    unread: float = 0.5  # that a place which was not read holds a digit
    unlisted: float = 0.02  # that the written number is not on the roster, before it is read
    readings: float = 0.5  # weight of the readings of the whole line; the rest is that of its single digits
    least_reading: float = 1e-3  # share of a reading that is looked at
    most_changes: int = 3  # digits that are missing or too many


@dataclass(frozen=True)
class _Sequence:
    """L places that may hold digits: probabilities of the digits (L, 10), of any digit (L,), and of this sequence."""

    shares: Floats
    present: Floats
    weight: float


def on_roster(
    shares: Floats,
    present: Floats,
    roster: tuple[str, ...],
    readings: Sequence[tuple[str, float]] = (),
    parameters: RosterParameters | None = None,
) -> Decoded | None:
    """Return the likeliest number of a roster; None if there is none with nearly as many digits.

    Parameters
    ----------
    shares
        Probabilities of the digits at each of L places, (L, 10).
    present
        Probability that there is a digit at each place, (L,).
    roster
        Numbers, of digits alone.
    readings
        Numbers that may stand there, ``?`` for a place that was not read, with their probabilities.
    """
    p = parameters or RosterParameters()
    numbers = _by_length(roster)
    sequences = list(_sequences(shares, present, readings, p))
    best: list[tuple[float, str]] = []
    sums, taken = [], 0.0
    for length, digits in numbers.items():
        scores = _scores(sequences, digits, p)
        if scores is None:
            continue
        sums.append(float(np.logaddexp.reduce(scores)))
        taken += float(np.exp(sums[-1] - length * np.log(10)))
        best += [(float(scores[i]), "".join(map(str, digits[:, i]))) for i in np.argsort(-scores, kind="stable")[:2]]
    if not best or not len(shares):
        return None
    # the likelihoods are relative to that of any number, so what those of the roster leave is that of the unlisted ones
    unlisted = float(np.log(p.unlisted * max(1 - taken, 1e-3) * sum(digits.shape[1] for digits in numbers.values())))
    total = float(np.logaddexp.reduce([*sums, unlisted]))
    first, *others = [(text, float(np.exp(score - total))) for score, text in sorted(best, reverse=True)[:2]]
    places = _places(shares, present, first[0], p)
    return Decoded(*first, others[0] if others else None, places, float(np.exp(unlisted - total)))


@lru_cache(maxsize=4)
def _by_length(roster: tuple[str, ...]) -> dict[int, NDArray[np.uint8]]:
    """Return the digits of the K numbers of each length, (length, K)."""
    groups: dict[int, list[str]] = {}
    for number in sorted(set(roster)):
        groups.setdefault(len(number), []).append(number)
    return {n: np.array([[int(c) for c in number] for number in group], np.uint8).T for n, group in groups.items()}


def _sequences(
    shares: Floats, present: Floats, readings: Sequence[tuple[str, float]], p: RosterParameters
) -> Iterator[_Sequence]:
    """Yield what may stand there: the digits one by one, and the readings of the whole line."""
    total = sum(probability for _, probability in readings)
    yield _Sequence(shares, present, 1 - p.readings if total else 1.0)
    certain = {str(digit): (row, 1.0) for digit, row in enumerate(np.eye(10))} | {UNREAD: (np.full(10, 0.1), p.unread)}
    for text, probability in readings:
        if text and probability >= p.least_reading * total > 0:
            rows, there = zip(*(certain[c] for c in text), strict=True)
            yield _Sequence(np.array(rows), np.array(there), p.readings * probability / total)


def _scores(sequences: Sequence[_Sequence], digits: NDArray[np.uint8], p: RosterParameters) -> Floats | None:
    """Return the log-likelihoods (K,) of numbers with digits (length, K); None where all have another length."""
    found = [
        np.log(one.weight) + _table(one.shares, one.present, digits, p)[-1][-1]
        for one in sequences
        if abs(len(one.shares) - len(digits)) <= p.most_changes
    ]
    return np.logaddexp.reduce(found, axis=0) if found else None


def _table(shares: Floats, present: Floats, digits: NDArray[np.uint8], p: RosterParameters) -> list[list[Floats]]:
    """Return the likeliest alignments of the first i places with the first j digits of K numbers: [i][j] -> (K,), nats.

    Relative to the likelihood of any digit there, a digit counts ten times its probability.
    """
    match = np.log(10 * ((1 - p.substituted) * shares + p.substituted / 10))  # (L, 10)
    added, missed = np.log(np.maximum(1 - present, p.added)), float(np.log(p.missed))
    table = [[np.full(digits.shape[1], j * missed) for j in range(len(digits) + 1)]]
    for scores, extra in zip(match, added, strict=True):
        above = table[-1]
        row = [above[0] + extra]
        for j, digit in enumerate(digits):
            row.append(np.maximum(np.maximum(above[j] + scores[digit], above[j + 1] + extra), row[j] + missed))
        table.append(row)
    return table


def _places(shares: Floats, present: Floats, number: str, p: RosterParameters) -> tuple[int | None, ...]:
    """Return the place of each digit of a number on its likeliest alignment; None for a digit that was missed."""
    table = _table(shares, present, np.array([[int(c)] for c in number], np.uint8), p)
    missed = float(np.log(p.missed))
    out: list[int | None] = []
    i, j = len(shares), len(number)
    while j:
        if table[i][j] == table[i][j - 1] + missed:
            out.append(None)
            j -= 1
        elif i and table[i][j] == table[i - 1][j] + np.log(max(1 - present[i - 1], p.added)):
            i -= 1
        else:
            i, j = i - 1, j - 1
            out.append(i)
    return tuple(reversed(out))


def read_roster(path: Path) -> tuple[str, ...]:
    """Return the numbers of a file: the first comma-separated field of digits on each line.

    Raises
    ------
    DataError
        When the file cannot be read or holds no number.
    UsageError
        When the file does not exist.
    """
    try:
        lines = read_bytes(path).decode("utf-8-sig").splitlines()
    except FileNotFoundError:
        raise UsageError(f"the roster {path} does not exist") from None
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"cannot read the roster {path} ({error}); give a text file with a number on each line"
        ) from None
    fields = ([field.strip().strip('"') for field in line.split(",")] for line in lines)
    numbers = [next((f for f in row if f.isascii() and f.isdigit()), "") for row in fields]
    found = tuple(dict.fromkeys(number for number in numbers if number))
    if not found:
        raise DataError(f"the roster {path} holds no number; write one on each line")
    return found

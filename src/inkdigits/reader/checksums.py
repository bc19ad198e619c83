"""Checksums: the likeliest number that satisfies a rule, and the second likeliest.

A rule computes a remainder digit by digit. Viterbi's algorithm, with the two best paths to each remainder, finds the
two likeliest numbers with the valid remainder; the forward algorithm sums the probability of all valid numbers.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inkdigits.errors import unknown


@dataclass(frozen=True)
class Decoded:
    """The likeliest number that satisfies a rule.

    Attributes
    ----------
    text
        Digits of the number.
    probability
        Probability of the number among all numbers that satisfy the rule.
    runner_up
        The second likeliest of those with its probability; None if there is no other.
    places
        Where each digit was read, as an index; None for a digit that was not.
    unlisted
        Probability that no number which satisfies the rule was written.
    """

    text: str
    probability: float
    runner_up: tuple[str, float] | None
    places: tuple[int | None, ...]
    unlisted: float = 0.0


@dataclass(frozen=True)
class Rule:
    """A checksum: how a digit changes the remainder, and which remainder is valid."""

    name: str
    step: Callable[[int, int, int, int], int]  # remainder, digit, place, length -> remainder
    valid: int  # remainder of a valid number
    lengths: tuple[int, ...] = ()  # lengths that a number may have; empty for any


def _luhn(remainder: int, digit: int, place: int, length: int) -> int:
    doubled = digit if (length - place) % 2 else sum(divmod(2 * digit, 10))
    return (remainder + doubled) % 10


def _isbn(remainder: int, digit: int, place: int, length: int) -> int:
    if length == 10:
        return (remainder + (10 - place) * digit) % 11
    return (remainder + digit * (3 if place % 2 else 1)) % 10


RULES = {
    "luhn": Rule("luhn", _luhn, 0),  # ISO/IEC 7812-1, annex B
    "mod97": Rule("mod97", lambda remainder, digit, place, length: (10 * remainder + digit) % 97, 1),  # ISO/IEC 7064
    "isbn": Rule("isbn", _isbn, 0, (10, 13)),  # ISO 2108
}


def rule(name: str) -> Rule:
    """Return the rule named ``luhn``, ``mod97`` or ``isbn``.

    Raises
    ------
    UsageError
        When there is no rule of that name.
    """
    if name not in RULES:
        raise unknown("check", name, RULES)
    return RULES[name]


def satisfying(probabilities: NDArray[np.floating], check: Rule) -> Decoded | None:
    """Return the likeliest number that satisfies ``check``; None if no number of this length can.

    Parameters
    ----------
    probabilities
        Of each digit at each of L places, (L, 10).
    """
    length = len(probabilities)
    if not length or (check.lengths and length not in check.lengths):
        return None
    logs = np.log(np.clip(probabilities, 1e-9, 1))
    paths: dict[int, list[tuple[float, str]]] = {0: [(0.0, "")]}
    mass = {0: 1.0}
    for place in range(length):
        longer: dict[int, list[tuple[float, str]]] = {}
        heavier: dict[int, float] = {}
        for remainder, best in paths.items():
            for digit in range(10):
                after = check.step(remainder, digit, place, length)
                longer.setdefault(after, []).extend(
                    (score + logs[place, digit], text + str(digit)) for score, text in best
                )
                heavier[after] = heavier.get(after, 0.0) + mass[remainder] * float(np.exp(logs[place, digit]))
        paths = {remainder: sorted(best, reverse=True)[:2] for remainder, best in longer.items()}
        mass = heavier
    if check.valid not in paths:
        return None
    return _decoded(paths[check.valid], mass[check.valid])


def _decoded(best: Sequence[tuple[float, str]], total: float) -> Decoded:
    shares = [(text, min(1.0, float(np.exp(score)) / max(total, 1e-300))) for score, text in best]
    text, probability = shares[0]
    return Decoded(text, probability, shares[1] if len(shares) > 1 else None, tuple(range(len(text))))

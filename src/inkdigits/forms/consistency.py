"""Sums: the likeliest table in which they add up, and the probability of each value in it.

What a field may hold is weighed together with the sums that it belongs to, by Bayes' rule. A writer adds up wrongly
now and then, so a table that does not add up keeps a small probability. A beam search over the fields finds the
likeliest tables.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Value = int | None  # a number in units of the last decimal place; None for one that is not known
Shares = Mapping[Value, float]  # probabilities of the values of one field


@dataclass(frozen=True)
class SumParameters:
    """How often people add up wrongly, and how widely tables are searched."""

    wrong: float = 0.02  # probability that a written sum is not that of the written numbers
    wrong_values: float = 20.0  # how many wrong sums are likely; most errors are by 1 or 10, or a carry
    unknown_values: float = 100.0  # how many values a number that is not known may have
    tables: int = 4096  # that are kept in the search
    values: int = 40  # of a field that are tried, at most


@dataclass(frozen=True)
class Sum:
    """A sum of a form: the indices of the numbers that are added, and that of their total."""

    parts: tuple[int, ...]
    total: int


@dataclass(frozen=True)
class Table:
    """The outcome.

    Attributes
    ----------
    shares
        The probabilities of the values of each field, given the sums.
    violated
        The probability, for each sum, that the written numbers do not add up.
    """

    shares: tuple[dict[Value, float], ...]
    violated: tuple[float, ...]


def likeliest_table(fields: Sequence[Shares], sums: Sequence[Sum], parameters: SumParameters | None = None) -> Table:
    """Weigh the values of F fields together with the sums over them.

    Parameters
    ----------
    fields
        The probabilities of the values of each field, as they were read.
    """
    p = parameters or SumParameters()
    options = [sorted(shares.items(), key=lambda item: -item[1])[: p.values] for shares in fields]
    scores, chosen = _likeliest(options, p.tables)
    log_weights, broken = scores.copy(), []
    for one in sums:
        difference, unknown = _difference(one, options, chosen)
        met = ~unknown & (difference == 0)
        log_weights += np.where(met, np.log(1 - p.wrong), np.log(p.wrong / p.wrong_values))
        log_weights[unknown] += -np.log(p.unknown_values) - np.log(p.wrong / p.wrong_values)
        broken.append(~met & ~unknown)
    weights = np.exp(log_weights - log_weights.max())
    weights /= weights.sum()
    after = []
    for index, values in enumerate(options):
        shares = np.bincount(chosen[:, index], weights, minlength=len(values))
        after.append({value: float(share) for (value, _), share in zip(values, shares, strict=True)})
    return Table(tuple(after), tuple(float(weights[one].sum()) for one in broken))


def _likeliest(
    options: Sequence[Sequence[tuple[Value, float]]], most: int
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Return the log-probabilities (K,) of the likeliest tables, and the place of each field's value in them (K, F)."""
    scores = np.zeros(1)
    chosen = np.zeros((1, 0), np.intp)
    for values in options:
        row = np.log(np.maximum([share for _, share in values], 1e-300))
        total = (scores[:, None] + row).ravel()
        kept = np.argsort(-total, kind="stable")[:most] if len(total) > most else np.arange(len(total))
        scores = total[kept]
        chosen = np.concatenate([chosen[kept // len(row)], (kept % len(row))[:, None]], 1)
    return scores, chosen


def _difference(
    one: Sum, options: Sequence[Sequence[tuple[Value, float]]], chosen: NDArray[np.intp]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return the total less the parts in each table (K,), and whether one of them is not known (K,)."""
    difference = np.zeros(len(chosen), np.int64)
    unknown = np.zeros(len(chosen), np.bool_)
    for index, sign in (*((part, -1) for part in one.parts), (one.total, 1)):
        values = [value for value, _ in options[index]]
        numbers = np.array([0 if value is None else sign * value for value in values], np.int64)
        difference += numbers[chosen[:, index]]
        unknown |= np.array([value is None for value in values], np.bool_)[chosen[:, index]]
    return difference, unknown

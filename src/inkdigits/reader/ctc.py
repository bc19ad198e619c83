"""Decoding of a line: from class probabilities along it to the likeliest texts and the place of each character.

The probability of a text is the sum over all alignments of it to the steps (A. Graves et al., "Connectionist temporal
classification", ICML 2006); prefix beam search finds the likeliest texts (A. Hannun et al., 2014, arXiv:1408.2873).
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from heapq import nlargest

import numpy as np
from numpy.typing import NDArray

BLANK = 0  # class of a step that ends no character


@dataclass(frozen=True)
class BeamParameters:
    """How widely the search looks."""

    width: int = 16  # prefixes that are kept after each step
    classes: int = 5  # that are tried at a step, at most
    least: float = 1e-3  # probability; a class below it is not tried at a step
    texts: int = 8  # that are returned, at most


@dataclass(frozen=True)
class Hypothesis:
    """A text, as classes 1, 2, …, and its probability."""

    classes: tuple[int, ...]
    probability: float


def likeliest_texts(probabilities: NDArray[np.float32], parameters: BeamParameters | None = None) -> list[Hypothesis]:
    """Return the likeliest texts of a line, the likeliest first.

    Parameters
    ----------
    probabilities
        float32 (T, C): of the classes at each step, class 0 for the blank.
    """
    p = parameters or BeamParameters()
    beams: dict[tuple[int, ...], tuple[float, float]] = {(): (1.0, 0.0)}  # ending with a blank, and without
    for step in probabilities.astype(float):
        order = np.argsort(-step)[: p.classes]
        likely = [(int(c), float(step[c])) for c in order if c != BLANK and step[c] >= p.least]
        blank = float(step[BLANK])
        after: dict[tuple[int, ...], list[float]] = defaultdict(lambda: [0.0, 0.0])
        for text, (with_blank, without) in beams.items():
            after[text][0] += (with_blank + without) * blank
            for character, share in likely:
                if text and text[-1] == character:
                    after[text][1] += without * share
                    if with_blank:  # a repeated character needs a blank before it
                        after[(*text, character)][1] += with_blank * share
                else:
                    after[(*text, character)][1] += (with_blank + without) * share
        kept = nlargest(p.width, after.items(), key=lambda item: item[1][0] + item[1][1])
        beams = {text: (one, other) for text, (one, other) in kept}
    return [Hypothesis(text, sum(shares)) for text, shares in list(beams.items())[: p.texts]]


def best_path(probabilities: NDArray[np.float32]) -> Hypothesis:
    """Return the text of the likeliest class at each step, repeated ones merged, and the probability of this path."""
    path = probabilities.argmax(1)
    kept = path[(path != BLANK) & (np.diff(path, prepend=BLANK) != 0)]
    return Hypothesis(tuple(kept.tolist()), float(np.prod(probabilities.max(1))))


def align(probabilities: NDArray[np.float32], classes: Sequence[int]) -> list[int]:
    """Return the step of each character of a text: where it is likeliest on the best alignment.

    Parameters
    ----------
    probabilities
        As for :func:`likeliest_texts`.
    classes
        The text; T is at least its length and one more for each repeated character.
    """
    path = [BLANK]
    for character in classes:
        path += [character, BLANK]
    scores = np.log(np.maximum(probabilities, 1e-12))[:, path].astype(float)  # (T, 2 K + 1)
    states = len(path)
    skips = np.array([s >= 2 and path[s] != BLANK and path[s] != path[s - 2] for s in range(states)])
    best = np.full(states, -np.inf)
    best[:2] = scores[0, :2]
    came = np.zeros((len(scores), states), int)
    for t in range(1, len(scores)):
        stay, one, two = best, np.r_[-np.inf, best[:-1]], np.r_[-np.inf, -np.inf, best[:-2]]
        ways = np.stack([stay, one, np.where(skips, two[:states], -np.inf)])
        came[t] = ways.argmax(0)
        best = ways.max(0) + scores[t]
    state = states - 1 if best[-1] >= best[max(0, states - 2)] else states - 2
    visited: dict[int, list[int]] = defaultdict(list)
    for t in range(len(scores) - 1, -1, -1):
        visited[state].append(t)
        state -= int(came[t, state])
    return [
        max(visited[2 * k + 1] or [0], key=lambda t: probabilities[t, character]) for k, character in enumerate(classes)
    ]


@lru_cache(maxsize=256)
def edits(one: tuple[int, ...] | str, other: tuple[int, ...] | str) -> list[tuple[str, int, int, int, int]]:
    """Return the fewest edits from one text to another (V. Levenshtein, 1966), as ``difflib`` states them.

    Each is ``equal``, ``replace``, ``delete`` or ``insert`` with start and stop in both texts, of one character each.
    """
    rows, columns = len(one), len(other)
    cost = [list(range(columns + 1))]
    for i in range(1, rows + 1):
        above, row = cost[-1], [i]
        for j in range(1, columns + 1):
            row.append(min(above[j - 1] + (one[i - 1] != other[j - 1]), above[j] + 1, row[j - 1] + 1))
        cost.append(row)
    out = []
    i, j = rows, columns
    while i or j:
        if i and j and cost[i][j] == cost[i - 1][j - 1] + (one[i - 1] != other[j - 1]):
            out.append(("equal" if one[i - 1] == other[j - 1] else "replace", i - 1, i, j - 1, j))
            i, j = i - 1, j - 1
        elif i and cost[i][j] == cost[i - 1][j] + 1:
            out.append(("delete", i - 1, i, j, j))
            i -= 1
        else:
            out.append(("insert", i, i, j - 1, j))
            j -= 1
    return out[::-1]


def readings_of(hypotheses: Sequence[Hypothesis], start: int, stop: int) -> dict[tuple[int, ...], float]:
    """Return what the texts say in the place of characters ``start`` to ``stop`` of the first one, with probabilities.

    The other texts are aligned to the first; what is added right before or after the place belongs to it.
    """
    best = hypotheses[0].classes
    out: dict[tuple[int, ...], float] = defaultdict(float)
    for hypothesis in hypotheses:
        first, last = len(hypothesis.classes), 0
        for _, low, high, there, end in edits(best, hypothesis.classes):
            if (low < stop and high > start) or (low == high and start <= low <= stop):
                first, last = min(first, there), max(last, end)
        out[hypothesis.classes[first:last]] += hypothesis.probability
    return dict(out)


def marginals(hypotheses: Sequence[Hypothesis], count: int) -> NDArray[np.float64]:
    """Return for each character of the first text the probability of each class there, (K, count).

    The other texts are aligned to the first. What is missing to 1 is the probability that there is no character.
    """
    best = hypotheses[0].classes
    out = np.zeros((len(best), count))
    total = sum(hypothesis.probability for hypothesis in hypotheses) or 1.0
    for hypothesis in hypotheses:
        share = hypothesis.probability / total
        for tag, place, _, there, _ in edits(best, hypothesis.classes):
            if tag in ("equal", "replace"):
                out[place, hypothesis.classes[there]] += share
    return out

"""The confidence of a whole number: a probability, scaled so that it tells how often such numbers are right.

The scaling is logistic in the log-odds (J. Platt, 1999), fitted on made lines and pages of validation digits by
``benchmarks/confidence.py``. The same file has the table of errors by confidence on these.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache

from inkdigits.errors import UsageError
from inkdigits.files import read_json
from inkdigits.reader.recognizer import bundled
from inkdigits.reader.results import Line

TABLE = "number_errors.json"  # beside the models
LEAST = 1e-9  # probability; log-odds are taken between it and its complement


@dataclass(frozen=True)
class Scaling:
    """How log-odds become those of being right: ``slope * log-odds + offset``."""

    slope: float = 1.0
    offset: float = 0.0

    def __call__(self, probability: float) -> float:
        """Return the confidence for a probability in [0, 1]; 0 stays 0."""
        if probability <= 0:
            return 0.0
        kept = min(max(probability, LEAST), 1 - LEAST)
        return 1 / (1 + math.exp(-self.slope * math.log(kept / (1 - kept)) - self.offset))

    def scaled(self, line: Line) -> Line:
        """Return a line whose probability, and those of the alternatives, are scaled.

        A number that a checksum or a roster chose keeps its probability, which is one among the numbers allowed.
        """
        before = line.confidence
        if line.rule is not None or not before:
            return line
        after = self(before)
        rest = (1 - after) / max(1 - before, LEAST)
        others = tuple((number, min(1 - after, share * rest)) for number, share in line.alternatives)
        return replace(line, probability=after, alternatives=others)


IDENTITY = Scaling()


@dataclass(frozen=True)
class ErrorTable:
    """What is read of the table.

    Attributes
    ----------
    model
        The reader's name.
    scaling
        Slope and offset by layout.
    rows
        Confidence, share of wrong numbers, and share accepted; the confidences rise.
    """

    model: str
    scaling: dict[str, tuple[float, float]]
    rows: list[tuple[float, float, float]]


@cache
def _table() -> ErrorTable:
    return read_json(bundled(TABLE), ErrorTable)


@cache
def scalings(model: str) -> Mapping[str, Scaling]:
    """Return the scaling by layout for a reader's :attr:`~inkdigits.reader.Reader.name`; empty for one not measured."""
    table = _table()
    found = table.scaling if table.model == model else {}
    return {layout: Scaling(*values) for layout, values in found.items()}


def confidence_for(max_error: float, model: str) -> tuple[float, float]:
    """Return the lowest confidence with a share of wrong numbers of at most ``max_error``, and the share accepted.

    Parameters
    ----------
    model
        The reader's :attr:`~inkdigits.reader.Reader.name`.

    Raises
    ------
    UsageError
        When no confidence leaves so few errors, or another model was measured.
    """
    table = _table()
    if table.model != model:
        raise UsageError(
            f"errors were measured for {table.model}, the models in the package, not for {model}; "
            "use inkdigits calibrate in place of --max-error"
        )
    for confidence, error, coverage in table.rows:
        if error <= max_error:
            return confidence, coverage
    least = min(error for _, error, _ in table.rows)
    raise UsageError(
        f"no threshold leaves an error of {100 * max_error:g} %; the least that was measured is {100 * least:.2g} %"
    )

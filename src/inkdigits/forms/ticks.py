"""Ticks: which options of a choice are marked, by the ink in their boxes."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from inkdigits.forms.alternatives import ranked
from inkdigits.forms.cells import Cell, CellParameters
from inkdigits.forms.fields import Choice
from inkdigits.forms.values import FieldValues

SEPARATOR = "; "  # between the options of one value
TICK_CELLS = CellParameters(within=0.15, dust=0.8)  # a tick may reach far out of its box


@dataclass(frozen=True)
class TickParameters:
    """When a box counts as ticked. Lengths are in millimetres."""

    least: float = 1.0  # of the ink in a ticked box, not near its sides; less may be a touch of the pen
    sure: float = 1.8  # of the ink; so much is a tick
    filled: float = 0.7  # of the box that is ink; so much may be a tick that was blotted out
    chance: float = 0.0005  # probability that a box is ticked, however blank, and the reverse
    touched: float = 0.1  # probability that a touch of the pen is a tick
    broken: float = 0.01  # probability that somebody ticks several boxes where one is asked for
    most: int = 12  # boxes whose ticks are looked at together; of longer lists only the doubtful ones are


def tick_probability(cell: Cell, parameters: TickParameters | None = None) -> float:
    """Return the probability that a box is ticked."""
    p = parameters or TickParameters()
    if cell.is_blank:
        return p.chance
    if cell.inner < p.least:
        return p.touched
    if cell.inner < p.sure or float(np.count_nonzero(cell.mask)) > p.filled * cell.area:
        return 0.5
    return 1 - p.chance


def choice_values(ticked: Sequence[float], design: Choice, parameters: TickParameters | None = None) -> FieldValues:
    """Return the values of a choice from the probability that each of its boxes is ticked."""
    p = parameters or TickParameters()
    free = sorted(range(len(ticked)), key=lambda index: abs(ticked[index] - 0.5))[: p.most]
    fixed = {index: ticked[index] > 0.5 for index in range(len(ticked)) if index not in free}
    weights: dict[str, float] = {}
    broken = 0.0
    for marks in product((False, True), repeat=len(free)):
        chosen = fixed | dict(zip(free, marks, strict=True))
        weight = float(np.prod([ticked[i] if chosen[i] else 1 - ticked[i] for i in free]))
        names = [option for index, option in enumerate(design.options) if chosen[index]]
        if len(names) > 1 and not design.several:
            weight *= p.broken
            broken += weight
        value = SEPARATOR.join(names)
        weights[value] = weights.get(value, 0.0) + weight
    total = sum(weights.values())
    shown = ranked({value: weight / total for value, weight in weights.items()}, 1e-6)[:12]
    return FieldValues(shown, broken / total, shown[0].text)

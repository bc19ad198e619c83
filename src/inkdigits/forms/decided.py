"""A pile with the decisions about its fields, and what a person must look at."""

from collections.abc import Sequence
from dataclasses import dataclass

from inkdigits.forms.decisions import Decision, WrongSum, decide
from inkdigits.forms.pages import Placement
from inkdigits.forms.pile import DOUBTFUL, KINDS, FilledCopy, Pile, Problem


@dataclass(frozen=True)
class Row:
    """A filled copy with the decisions about its fields by name, and its wrong sums."""

    copy: FilledCopy
    decisions: dict[str, Decision]
    sums: tuple[WrongSum, ...]

    @property
    def doubtful(self) -> list[str]:
        """The names of the doubtful fields."""
        return [name for name, one in self.decisions.items() if one.doubtful]


@dataclass(frozen=True)
class Results:
    """A pile with its decisions; ``problems`` includes the doubtful fields."""

    placement: Placement
    rows: tuple[Row, ...]
    problems: tuple[Problem, ...]

    @property
    def fields(self) -> list[Decision]:
        """All decisions."""
        return [one for row in self.rows for one in row.decisions.values()]


def decide_pile(placement: Placement, pile: Pile, problems: Sequence[Problem], threshold: float) -> Results:
    """Decide all fields of a pile; ``problems`` are those of pages that were not read."""
    rows = []
    found = [*problems, *pile.problems]
    for copy in pile.copies:
        decisions, wrong = decide(placement, copy, threshold)
        row = Row(copy, {one.name: one for one in decisions}, tuple(wrong))
        rows.append(row)
        found += [_doubt(row, row.decisions[name]) for name in row.doubtful]
    return Results(placement, tuple(rows), tuple(sorted(found, key=lambda one: KINDS.index(one.kind))))


def _doubt(row: Row, one: Decision) -> Problem:
    message = ", ".join(one.reasons)
    wrong = next((wrong for wrong in row.sums if wrong.total == one.name), None)
    if wrong is not None:
        message += f" (written {wrong.written or 'nothing'}, the parts are {wrong.added})"
    if one.value or one.alternatives:
        message += f"; read as {one.value or 'blank'} with {100 * one.confidence:.1f} %"
    scanned = one.scanned
    return Problem(DOUBTFUL, message, scanned.source, scanned.number, row.copy.copy, one.name)

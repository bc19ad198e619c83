"""Decisions: the value of each field of a filled copy, with its confidence, and whether a person must look at it.

Each field is one decision over its alternatives. Those of a sum are decided together: the likeliest table that adds up.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from inkdigits.forms.alternatives import Alternative
from inkdigits.forms.consistency import Sum, likeliest_table
from inkdigits.forms.fields import Choice, Date, Decimal, DigitField, Integer, Number, Roster
from inkdigits.forms.page_reader import FieldRead
from inkdigits.forms.pages import PlacedField, Placement
from inkdigits.forms.pile import FilledCopy, Scanned
from inkdigits.forms.sums import ExpandedSum, sums
from inkdigits.forms.values import FieldValues, units_of
from inkdigits.imaging.geometry import Box

THRESHOLD = 0.97  # confidence; a field of less is doubtful, where nothing else is said
LEAST_LIKELY = 0.1  # against what was read; a value that rules and sums put in its place may be the writer's error
BROKEN = 0.3  # probability that a rule is broken, from which that is named
WRONG = 0.5  # probability from which a sum is named as wrong

# reasons why a field is doubtful
UNSURE, EMPTY, SUM, DOUBLE = "not sure", "blank", "does not add up", "scanned twice"
CORRECTED = "another value was read"
SEVERAL, RANGE, CHECK, NO_DATE, UNLISTED = (
    "several ticked", "out of range", "wrong check digit", "no such date", "not on the roster",
)  # fmt: skip
RULES = SEVERAL, RANGE, CHECK, NO_DATE, UNLISTED


@dataclass(frozen=True)
class Decision:
    """What stands in a field.

    Attributes
    ----------
    name, kind
        Of the field.
    value
        As in the table; "" for a blank field, ``?`` for a box that was not read, ``_`` for one that is blank.
    confidence
        Probability that the value is right, in [0, 1].
    reasons
        Why a person must look at it; empty for an accepted field.
    alternatives
        The next likeliest values with their probabilities.
    text
        The likeliest text of its boxes, whatever the rules say; a space for a blank box.
    doubts
        Why single boxes are no digits, by their place in the field.
    scanned, place, box
        The page that it was read on, its place among the fields of the page, and its box on the picture, pixels.
    picture
        A field of text as PNG.
    """

    name: str
    kind: str
    value: str
    confidence: float
    reasons: tuple[str, ...]
    alternatives: tuple[Alternative, ...]
    text: str
    doubts: Mapping[int, str]
    scanned: Scanned
    place: int
    box: Box
    picture: bytes = b""

    @property
    def doubtful(self) -> bool:
        """Whether a person must look at it."""
        return bool(self.reasons)


@dataclass(frozen=True)
class WrongSum:
    """A sum that is not that of its parts, as they were read."""

    total: str
    written: str
    added: str


def decide(
    placement: Placement, one: FilledCopy, threshold: float = THRESHOLD
) -> tuple[list[Decision], list[WrongSum]]:
    """Return the decisions about the fields of a filled copy, in the order of the form, and its wrong sums."""
    read = one.fields
    placed = {field.name: field for field in placement.fields if field.name in read}
    values = {name: found.values for name, (_, _, found) in read.items() if found.values is not None}
    alternatives = {name: found.alternatives for name, found in values.items()}
    checked = [found for found in sums(placement.design) if _can_be_checked(found, placed, values)]
    violated = _weigh_sums(checked, placed, alternatives)
    wrong = {found.total: _wrong_sum(found, placed, alternatives) for found in checked if violated[found.total] > WRONG}
    used = _used_lines(placed, alternatives)
    out = []
    for name, field in placed.items():
        scanned, place, found = read[name]
        if found.values is None:
            out.append(
                Decision(name, field.field.kind, "", 1.0, (), (), "", {}, scanned, place, found.box, found.picture)
            )
            continue
        best, *rest = alternatives[name]
        confidence = 0.0 if "?" in best.text else best.probability
        reasons = _reasons(field, found, best.text, confidence, threshold, used)
        if name in wrong:
            reasons.append(SUM)
        if one.copy and one.occurrence > 1:
            reasons.append(DOUBLE)
        decision = Decision(
            name, field.field.kind, best.text, confidence, tuple(dict.fromkeys(reasons)), tuple(rest),
            values[name].text, found.doubts, scanned, place, found.box,
        )  # fmt: skip
        out.append(decision)
    return out, list(wrong.values())


def _reasons(
    field: PlacedField, found: FieldRead, value: str, confidence: float, threshold: float, used: set[tuple[str, int]]
) -> list[str]:
    """Return why a field is doubtful."""
    assert found.values is not None
    reasons = []
    if found.values.broken > BROKEN and value:
        reasons.append(_broken(field))
    if found.values.likelihoods.get(value, 1.0) < LEAST_LIKELY:
        reasons.append(f"{CORRECTED}: {found.values.plain or 'blank'}")
    if confidence < threshold:
        reasons += [doubt.replace("_", " ") for doubt in found.doubts.values()] or [UNSURE]
    if not value and not field.field.optional and _is_used(field, used):
        reasons.append(EMPTY)
    return reasons


def _broken(field: PlacedField) -> str:
    design = field.field
    if isinstance(design, Choice):
        return SEVERAL
    if isinstance(design, Date):
        return NO_DATE
    if isinstance(design, Roster):
        return UNLISTED
    return RANGE if isinstance(design, Integer | Decimal | Number) else CHECK


def _used_lines(
    placed: Mapping[str, PlacedField], alternatives: Mapping[str, Sequence[Alternative]]
) -> set[tuple[str, int]]:
    """Return the lines of tables in which something is written; fields on the others may be blank."""
    return {
        (field.table, field.line)
        for name, field in placed.items()
        if field.table is not None and field.line is not None and name in alternatives and alternatives[name][0].text
    }


def _is_used(field: PlacedField, used: set[tuple[str, int]]) -> bool:
    return field.table is None or field.line is None or (field.table, field.line) in used


def _can_be_checked(one: ExpandedSum, placed: Mapping[str, PlacedField], values: Mapping[str, FieldValues]) -> bool:
    """Return whether all fields of a sum were read, and the total is not left blank on purpose."""
    if not all(name in values for name in (one.total, *one.parts)):
        return False
    return bool(values[one.total].value) or not placed[one.total].field.optional


def _weigh_sums(
    checked: Sequence[ExpandedSum],
    placed: Mapping[str, PlacedField],
    alternatives: dict[str, tuple[Alternative, ...]],
) -> dict[str, float]:
    """Weigh the alternatives of the fields of sums together; return the probability that each total is wrong."""
    violated: dict[str, float] = {}
    for group in _connected(checked):
        names = list(dict.fromkeys(name for one in group for name in (*one.parts, one.total)))
        factor = max(_decimals(placed[name]) for name in names)
        units = {name: _units(placed[name], alternatives[name], factor) for name in names}
        before = [_shares(alternatives[name], units[name]) for name in names]
        indices = {name: index for index, name in enumerate(names)}
        table = likeliest_table(
            before, [Sum(tuple(indices[part] for part in one.parts), indices[one.total]) for one in group]
        )
        for name, old, new in zip(names, before, table.shares, strict=True):
            weighed = [
                Alternative(one.text, one.probability * new.get(value, 0.0) / old[value])
                for one, value in zip(alternatives[name], units[name], strict=True)
            ]
            alternatives[name] = tuple(sorted(weighed, key=lambda one: -one.probability))
        violated |= {one.total: share for one, share in zip(group, table.violated, strict=True)}
    return violated


def _connected(checked: Sequence[ExpandedSum]) -> list[list[ExpandedSum]]:
    """Return the sums in groups that share no field."""
    groups: list[list[ExpandedSum]] = []
    for one in checked:
        names = {one.total, *one.parts}
        touching = [group for group in groups if any(names & {other.total, *other.parts} for other in group)]
        groups = [group for group in groups if group not in touching]
        groups.append([other for group in touching for other in group] + [one])
    return groups


def _decimals(field: PlacedField) -> int:
    return field.field.after if isinstance(field.field, Decimal) else 0


def _units(field: PlacedField, alternatives: Sequence[Alternative], decimals: int) -> list[int | None]:
    assert isinstance(field.field, DigitField)
    scale = 10 ** (decimals - _decimals(field))
    found = [units_of(one.text, field.field) for one in alternatives]
    return [None if value is None else value * scale for value in found]


def _shares(alternatives: Sequence[Alternative], units: Sequence[int | None]) -> dict[int | None, float]:
    """Return the probability of each number; what is left to 1 is unknown."""
    out: dict[int | None, float] = defaultdict(float)
    for one, value in zip(alternatives, units, strict=True):
        out[value] += one.probability
    out[None] += max(0.0, 1 - sum(out.values()))
    return dict(out)


def _wrong_sum(
    one: ExpandedSum, placed: Mapping[str, PlacedField], alternatives: Mapping[str, Sequence[Alternative]]
) -> WrongSum:
    decimals = max(_decimals(placed[name]) for name in (one.total, *one.parts))
    added = sum(_units(placed[part], alternatives[part][:1], decimals)[0] or 0 for part in one.parts)
    shown = f"{added / 10**decimals:.{decimals}f}"
    return WrongSum(one.total, alternatives[one.total][0].text, shown)

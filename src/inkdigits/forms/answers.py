"""Random answers that a form allows: in range, with valid check digits, with sums that add up.

They fill made sheets, which show what a form looks like when it is used and measure how well it is read.
"""

import datetime
from collections.abc import Sequence

import numpy as np

from inkdigits.errors import UsageError
from inkdigits.forms.fields import (
    BOX,
    AnyField,
    Choice,
    Date,
    Decimal,
    DigitField,
    Digits,
    Integer,
    Number,
    Roster,
    TextField,
    rule_of,
)
from inkdigits.forms.pages import Placement
from inkdigits.forms.sums import sums

BLANK = " "  # a box that is left blank
TICKED = "x"  # a box that is ticked
WORDS = "~"  # a place with words
SKIPPED = 0.15  # share of the optional fields that are left blank
TRIES = 20_000  # to find a number with a valid check digit: one in 97 is valid
EARLIEST, LATEST = datetime.date(2020, 1, 1), datetime.date(2039, 12, 31)  # of a date without a range


def draw_answers(placement: Placement, rng: np.random.Generator, people: Sequence[str] = ()) -> dict[str, str]:
    """Return what stands in the boxes of each field, one character for each box.

    Parameters
    ----------
    people
        Numbers for the fields of the kind roster; the first with the length of a field is written into it.

    Raises
    ------
    UsageError
        When no answer satisfies a field or a sum.
    """
    fields = {one.name: one.field for one in placement.fields}
    answers = {name: _answer(field, rng, people) for name, field in fields.items()}
    for one in sums(placement.design):
        parts = [name for name in one.parts if name in fields]
        for _ in range(100):
            total = _written_total(fields[one.total], sum(_amount(fields[name], answers[name]) for name in parts))
            if total is not None:
                break
            answers |= {name: _answer(fields[name], rng, people) for name in parts}
        else:
            raise UsageError(f"no answers add up to the range of {one.total}; raise its maximum")
        answers[one.total] = total
    return answers


def _answer(field: AnyField, rng: np.random.Generator, people: Sequence[str]) -> str:
    if isinstance(field, Choice):
        return _ticks(field, rng)
    if isinstance(field, Number):
        raise UsageError(f"the form exists already, so no answers are drawn for {field.name}")
    if isinstance(field, TextField):
        return BLANK if field.optional and rng.random() < 0.5 else WORDS
    if field.optional and rng.random() < SKIPPED:
        return BLANK * field.digits
    if isinstance(field, Integer):
        return _right(str(rng.integers(field.minimum, field.maximum + 1)), field)
    if isinstance(field, Decimal):
        low, high = field.units
        return _decimal(int(rng.integers(low, high + 1)), field)
    if isinstance(field, Date):
        return _date(field, rng)
    if isinstance(field, Roster):
        return next((number for number in people if len(number) == field.length), "") or _number(field.length, rng)
    return _checked(field, rng)


def _ticks(field: Choice, rng: np.random.Generator) -> str:
    if field.several:
        ticked = rng.random(len(field.options)) < 0.4
    else:
        ticked = np.arange(len(field.options)) == rng.integers(len(field.options))
    if (field.optional and rng.random() < 0.5) or (len(field.options) == 1 and rng.random() < 0.5):
        ticked[:] = False
    return "".join(TICKED if one else BLANK for one in ticked)


def _number(length: int, rng: np.random.Generator) -> str:
    return "".join(map(str, rng.integers(0, 10, length)))


def _checked(field: Digits, rng: np.random.Generator) -> str:
    """Return digits with a valid check digit."""
    if field.check is None:
        return _number(field.length, rng)
    rule = rule_of(field.check)
    for _ in range(TRIES):
        number, remainder = _number(field.length, rng), 0
        for place, digit in enumerate(number):
            remainder = rule.step(remainder, int(digit), place, field.length)
        if remainder == rule.valid:
            return number
    raise UsageError(f"no number satisfies the check of {field.name}; change its weights")


def _date(field: Date, rng: np.random.Generator) -> str:
    low, high = field.earliest or EARLIEST, field.latest or LATEST
    if "YYYY" not in field.format:
        low, high = max(low, datetime.date(2000, 1, 1)), min(high, datetime.date(2099, 12, 31))
    day = low + datetime.timedelta(days=int(rng.integers((high - low).days + 1)))
    text = field.format.replace("DD", f"{day.day:02}").replace("MM", f"{day.month:02}")
    text = text.replace("YYYY", f"{day.year:04}").replace("YY", f"{day.year % 100:02}")
    return "".join(character for character, place in zip(text, field.pattern, strict=True) if place == BOX)


def _right(digits: str, field: DigitField) -> str:
    """Return digits moved to the right-hand boxes of a field."""
    return digits.rjust(field.digits, BLANK)


def _decimal(units: int, field: Decimal) -> str:
    return _right(str(units).rjust(field.after + 1, "0"), field)


def _amount(field: AnyField, written: str) -> int:
    """Return what stands in a field in units of 10 ** -6; blank is 0."""
    after = field.after if isinstance(field, Decimal) else 0
    return int(written.strip() or "0") * int(10 ** (6 - after))


def _written_total(field: AnyField, amount: int) -> str | None:
    """Return a total as it is written; None where the field cannot hold it."""
    if isinstance(field, Decimal):
        units, rest = divmod(amount, 10 ** (6 - field.after))
        low, high = field.units
        return _decimal(units, field) if not rest and low <= units <= high else None
    if isinstance(field, Integer):
        units, rest = divmod(amount, 10**6)
        return _right(str(units), field) if not rest and field.minimum <= units <= field.maximum else None
    return None

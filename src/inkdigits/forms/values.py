"""Values: from what may stand in the boxes of a field to its likeliest values, under the rule of its kind.

Every text of the boxes is either a value that the rule allows, or it breaks the rule. A writer breaks it now and then,
so by Bayes' rule a text that is allowed counts more than one that is not, by how rare allowed texts are.
"""

import datetime
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from inkdigits.forms.alternatives import Alternative, Shares, likeliest_texts, ranked
from inkdigits.forms.fields import BOX, DATE_PARTS, Date, Decimal, DigitField, Digits, Integer, Roster, rule_of

UNREAD = "?"  # of a value: a box that was not read
EMPTY = "_"  # of a value: a box that is blank though those around it are not
YEARS = 200  # that a date without limits may have


@dataclass(frozen=True)
class ValueParameters:
    """How often people break a rule, and how widely values are looked for."""

    broken: float = 0.02  # probability that what is written breaks the rule of its field
    blank: float = 0.05  # probability that a field is blank, before it is read
    texts: int = 300  # of the boxes that are looked at
    kept: int = 12  # alternatives of a field, at most
    least: float = 1e-6  # probability of an alternative


@dataclass(frozen=True)
class FieldValues:
    """What a field may hold.

    Attributes
    ----------
    alternatives
        Values with their probabilities, the likeliest first; "" for a blank field, "?" in the place of a box that
        cannot be read.
    broken
        Probability that what is written breaks the rule.
    text
        The likeliest text of the boxes, without the rule; a space for a blank box.
    plain
        That text as a value.
    likelihoods
        How likely the boxes alone make each alternative, against the likeliest.
    """

    alternatives: tuple[Alternative, ...]
    broken: float
    text: str
    plain: str = ""
    likelihoods: Mapping[str, float] = field(default_factory=dict)

    @property
    def value(self) -> str:
        """The likeliest value."""
        return self.alternatives[0].text

    @property
    def confidence(self) -> float:
        """Its probability, in [0, 1]; 0 for one that could not be read."""
        return 0.0 if UNREAD in self.value else self.alternatives[0].probability


@dataclass(frozen=True)
class Rule:
    """What a field's boxes may say.

    Attributes
    ----------
    value
        The value of a text; None for one that breaks the rule.
    allowed
        Share of all texts of digits that the rule allows, in (0, 1].
    numbers
        The texts that it allows, where they are few enough to be listed.
    """

    value: Callable[[str], str | None]
    allowed: float = 1.0
    numbers: tuple[str, ...] = ()


def field_values(
    shares: Shares, design: DigitField, rule: Rule, parameters: ValueParameters | None = None
) -> FieldValues:
    """Return what a field may hold.

    Parameters
    ----------
    shares
        Probabilities of the outcomes of its boxes, (N, 12).
    """
    p = parameters or ValueParameters()
    found = likeliest_texts(shares, p.texts)
    texts = {one.text: one.probability for one in found} | _listed(shares, rule)
    odds = _odds_of_broken(rule, len(shares), p)
    weights: dict[str, float] = {}
    alone: dict[str, float] = {}
    broken = 0.0
    for text, probability in texts.items():
        value = "" if not text.strip() else rule.value(text)
        weight = probability * (1.0 if value is not None else odds)
        shown = plain(text, design) if value is None else value
        weights[shown] = weights.get(shown, 0.0) + weight
        alone[shown] = alone.get(shown, 0.0) + probability
        broken += weight if value is None and UNREAD not in text else 0.0
    total = sum(weights.values()) + max(0.0, 1 - sum(texts.values())) * odds
    alternatives = ranked({text: weight / total for text, weight in weights.items()}, p.least)[: p.kept]
    likelihoods = {one.text: alone[one.text] / max(alone.values()) for one in alternatives}
    return FieldValues(alternatives, broken / total, found[0].text, max(alone, key=alone.__getitem__), likelihoods)


def _odds_of_broken(rule: Rule, boxes: int, p: ValueParameters) -> float:
    """Return how much less a text that breaks the rule counts than one that is allowed.

    Texts that break it are more than allowed ones, so each is rarer. But most are an allowed text with one wrong digit,
    so that those near an allowed one are not as rare as their number makes them.
    """
    if rule.allowed >= 1:
        return 1.0
    return p.broken / (1 - p.broken) * max(rule.allowed / (1 - rule.allowed), 1 / (9 * boxes))


def _listed(shares: Shares, rule: Rule) -> dict[str, float]:
    """Return the probability of each number that a rule lists."""
    if not rule.numbers:
        return {}
    digits = _digits_of(rule.numbers)  # (K, N)
    likely = np.prod(shares[np.arange(shares.shape[0]), digits], axis=1)
    best = np.argsort(-likely, kind="stable")[:40]
    return {rule.numbers[i]: float(likely[i]) for i in best}


@lru_cache(maxsize=16)
def _digits_of(numbers: tuple[str, ...]) -> np.ndarray:
    return np.array([[int(c) for c in number] for number in numbers], np.intp)


def plain(text: str, design: DigitField) -> str:
    """Return the text of the boxes with the characters that are printed between them."""
    if isinstance(design, Integer | Decimal):
        text = text.lstrip(" ").rjust(len(text), "\0")  # its first boxes may stay blank
    characters = iter(text.replace(" ", EMPTY))
    return "".join(next(characters) if c == BOX else c for c in design.pattern).replace("\0", "")


def rule_for(design: DigitField, roster: Sequence[str] = ()) -> Rule:
    """Return the rule of a field's kind.

    Parameters
    ----------
    roster
        The numbers that a field of the kind roster may have.
    """
    if isinstance(design, Digits):
        return _digits_rule(design)
    if isinstance(design, Roster):
        numbers = tuple(number for number in dict.fromkeys(roster) if len(number) == design.length)
        known = frozenset(numbers)
        return Rule(lambda text: text if text in known else None, len(known) / 10**design.length, numbers)
    if isinstance(design, Integer):
        low, high = design.minimum, design.maximum
        share = (high - low + 1) / 10**design.digits
        return Rule(lambda text: _whole(text, low, high), share)
    if isinstance(design, Decimal):
        return _decimal_rule(design)
    assert isinstance(design, Date)
    return _date_rule(design)


def _digits_rule(design: Digits) -> Rule:
    def written(text: str) -> str | None:
        number = text.rstrip(" ") if design.shorter else text
        return number if number.isdigit() else None

    if design.check is None:
        return Rule(written)
    check = rule_of(design.check)

    def value(text: str) -> str | None:
        if not text.isdigit():
            return None
        remainder = 0
        for place, digit in enumerate(text):
            remainder = check.step(remainder, int(digit), place, len(text))
        return text if remainder == check.valid else None

    modulus = (
        {"luhn": 10, "mod97": 97, "isbn": 11}[design.check] if isinstance(design.check, str) else design.check.modulus
    )
    return Rule(value, 1 / modulus)


def _whole(text: str, low: int, high: int) -> str | None:
    """Return a whole number; blank boxes stand on its left."""
    number = text.lstrip(" ")
    return str(int(number)) if number.isdigit() and low <= int(number) <= high else None


def _decimal_rule(design: Decimal) -> Rule:
    low, high = design.units

    def value(text: str) -> str | None:
        whole, rest = text[: design.before].lstrip(" "), text[design.before :].rstrip(" ")
        if not whole.isdigit() or (rest and not rest.isdigit()):
            return None
        units = int(whole + rest.ljust(design.after, "0"))
        return f"{units / 10**design.after:.{design.after}f}" if low <= units <= high else None

    return Rule(value, (high - low + 1) / 10**design.digits)


def _date_rule(design: Date) -> Rule:
    parts = DATE_PARTS.findall(design.format)
    low = design.earliest or datetime.date.min
    high = design.latest or datetime.date.max

    def value(text: str) -> str | None:
        if not text.isdigit():
            return None
        found, at = {}, 0
        for part in parts:
            found[part[0]] = int(text[at : at + len(part)]) + (2000 if part == "YY" else 0)
            at += len(part)
        try:
            day = datetime.date(found["Y"], found["M"], found["D"])
        except ValueError:
            return None
        return day.isoformat() if low <= day <= high else None

    years = YEARS if not (design.earliest and design.latest) else (high.year - low.year + 1)
    most = 100 if "YY" in parts and "YYYY" not in parts else years
    return Rule(value, min(0.5, 365 * min(years, most) / 10**design.digits))


def blank_values() -> FieldValues:
    """Return the values of a field in which nothing is written."""
    return FieldValues((Alternative("", 1.0),), 0.0, "")


def unread_values() -> FieldValues:
    """Return the values of a field that could not be read at all."""
    return FieldValues((Alternative(UNREAD, 0.0),), 0.0, UNREAD, UNREAD)


def units_of(value: str, design: DigitField) -> int | None:
    """Return a number in units of its last digit; 0 for a blank field, None for one that cannot be read."""
    if not value:
        return 0
    digits = value.replace(".", "").replace(",", "")
    return int(digits) if digits.isascii() and digits.isdigit() else None

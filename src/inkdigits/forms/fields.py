"""The kinds of fields that a form may have, as they stand in its TOML file.

They are msgspec's structs, which are frozen like dataclasses here: unlike those they tell fields apart by their
``kind`` and refuse unknown keys. Lengths on paper are millimetres.
"""

import datetime
import re
from typing import TYPE_CHECKING, Annotated, Literal

from msgspec import Meta, Struct

if TYPE_CHECKING:
    from inkdigits.reader.checksums import Rule

BOX = "#"  # of a pattern: a box for one digit; every other character is printed
DATE_PARTS = re.compile("DD|MM|YYYY|YY")

Name = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_-]{0,23}\Z")]
Text = Annotated[str, Meta(max_length=2000)]
Positive = Annotated[int, Meta(ge=1)]
BoxSize = tuple[Annotated[float, Meta(ge=5, le=20)], Annotated[float, Meta(ge=6, le=25)]]
Length = Annotated[float, Meta(ge=0, le=1000)]  # mm; NaN is refused too
Place = tuple[Length, Length]  # from the left and the top edge of the page
Side = Annotated[float, Meta(ge=1.5, le=1000)]  # mm
Rectangle = tuple[Length, Length, Side, Side]  # left, top, width, height


class Weights(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A checksum of one's own: the sum of weight times digit, divided by ``modulus``, leaves ``remainder``."""

    weights: Annotated[tuple[int, ...], Meta(min_length=2)]  # of each digit from the left, the check digit included
    modulus: Annotated[int, Meta(ge=2, le=1000)] = 10
    remainder: Annotated[int, Meta(ge=0)] = 0

    def __post_init__(self) -> None:
        if self.remainder >= self.modulus:
            raise ValueError(f"the remainder {self.remainder} is not below the modulus {self.modulus}")


class Field(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind"):
    """What every kind of field has.

    Attributes
    ----------
    name
        Names the column of the table; unique on the form.
    label, hint
        Printed before and after the boxes; the label is the name if empty.
    heading
        Printed above the field, at the left edge.
    optional
        Whether the field may be left blank.
    beside
        Whether it stands on the line of the field before, to its right.
    new_page
        Whether a page begins with it.
    at, page
        Left and top of its first box (mm), and the number of its page; placed below the field before if None.
    boxes
        Where its boxes stand on a form that exists already, from the left; empty where inkdigits places them.
    """

    name: Name
    label: Text = ""
    hint: Text = ""
    heading: Text = ""
    optional: bool = False
    beside: bool = False
    new_page: bool = False
    at: Place | None = None
    page: Positive = 1
    boxes: tuple[Rectangle, ...] = ()

    @property
    def title(self) -> str:
        """The label, or the name."""
        return self.label or self.name

    @property
    def kind(self) -> str:
        """The kind, as in the file."""
        return str(self.__struct_config__.tag)


class DigitField(Field, frozen=True, kw_only=True):
    """A field with one box for each digit. ``pattern`` has a ``#`` for each box, and the printed characters."""

    @property
    def pattern(self) -> str:
        """The boxes and what is printed between them, such as ``###.#``."""
        raise NotImplementedError

    @property
    def digits(self) -> int:
        """The number of boxes."""
        return self.pattern.count(BOX)


class Digits(DigitField, frozen=True, kw_only=True, tag="digits"):
    """Digits that are no quantity, such as an identity number: leading zeros count."""

    length: Annotated[int, Meta(ge=1, le=30)]
    shorter: bool = False  # whether boxes at the right may stay blank
    check: Literal["luhn", "mod97", "isbn"] | Weights | None = None

    def __post_init__(self) -> None:
        if isinstance(self.check, Weights) and len(self.check.weights) != self.length:
            raise ValueError(f"{self.name} has {self.length} digits and {len(self.check.weights)} weights")
        if self.check == "isbn" and self.length not in (10, 13):
            raise ValueError(f"{self.name}: an ISBN has 10 or 13 digits, not {self.length}")
        if self.check is not None and self.shorter:
            raise ValueError(f"{self.name}: a number with a check digit fills its boxes; remove shorter")
        if self.check is not None and self.length < 2:
            raise ValueError(f"{self.name}: a number with a check digit has at least 2 digits")

    @property
    def pattern(self) -> str:
        """See :class:`DigitField`."""
        return BOX * self.length


class Roster(DigitField, frozen=True, kw_only=True, tag="roster"):
    """A number of a list, which is named when the form is read, or here."""

    length: Annotated[int, Meta(ge=1, le=30)]
    file: str | None = None  # path of the list, relative to the design

    @property
    def pattern(self) -> str:
        """See :class:`DigitField`."""
        return BOX * self.length


class Integer(DigitField, frozen=True, kw_only=True, tag="integer"):
    """A whole number in a range; boxes on the left may stay blank."""

    minimum: Annotated[int, Meta(ge=0)] = 0
    maximum: Annotated[int, Meta(ge=0, le=10**12 - 1)]

    def __post_init__(self) -> None:
        ordered(self.name, self.minimum, self.maximum)

    @property
    def pattern(self) -> str:
        """See :class:`DigitField`."""
        return BOX * len(str(self.maximum))


class Decimal(DigitField, frozen=True, kw_only=True, tag="decimal"):
    """A number with a printed decimal point; boxes on the left, and those behind the point, may stay blank."""

    before: Annotated[int, Meta(ge=1, le=9)]  # digits before the point
    after: Annotated[int, Meta(ge=1, le=6)]  # and behind it
    point: Literal[".", ","] = "."
    minimum: Annotated[float, Meta(ge=0)] = 0.0
    maximum: Annotated[float, Meta(ge=0)] | None = None  # the largest number that the boxes hold if None

    def __post_init__(self) -> None:
        for limit in (self.minimum, self.maximum):
            if limit is not None and limit > self.largest:
                raise ValueError(f"{self.name}: {limit:g} does not fit into {self.pattern}")
        ordered(self.name, self.minimum, self.largest if self.maximum is None else self.maximum)

    @property
    def largest(self) -> float:
        """The largest number that the boxes hold."""
        return float("9" * self.before + "." + "9" * self.after)

    @property
    def pattern(self) -> str:
        """See :class:`DigitField`."""
        return BOX * self.before + self.point + BOX * self.after

    @property
    def units(self) -> tuple[int, int]:
        """The range in units of the last digit: 0.5 to 10 with one digit behind the point is (5, 100)."""
        high = self.largest if self.maximum is None else self.maximum
        return round(self.minimum * 10**self.after), round(high * 10**self.after)


class Date(DigitField, frozen=True, kw_only=True, tag="date"):
    """A date, all its boxes filled. A year of two digits is one of 2000 to 2099."""

    format: str = "DD.MM.YYYY"  # the parts in their order and what is printed between them
    earliest: datetime.date | None = None
    latest: datetime.date | None = None

    def __post_init__(self) -> None:
        parts = DATE_PARTS.findall(self.format)
        rest = DATE_PARTS.sub("", self.format)
        if sorted(part[0] for part in parts) != ["D", "M", "Y"] or re.search(r"[^ ./-]", rest):
            raise ValueError(f"{self.name}: a date is written as DD, MM and YYYY or YY, not {self.format!r}")
        if self.earliest and self.latest:
            ordered(self.name, self.earliest, self.latest)

    @property
    def pattern(self) -> str:
        """See :class:`DigitField`."""
        return re.sub("[DMY]", BOX, self.format)


class Choice(Field, frozen=True, kw_only=True, tag="choice"):
    """Boxes to tick, each with a text behind it."""

    options: Annotated[tuple[Annotated[str, Meta(min_length=1, max_length=60)], ...], Meta(min_length=1, max_length=30)]
    several: bool = False  # whether more than one may be ticked

    def __post_init__(self) -> None:
        if len(set(self.options)) < len(self.options):
            raise ValueError(f"{self.name} has the same option twice")


class TextField(Field, frozen=True, kw_only=True, tag="text"):
    """A place to write freely, which is kept as a picture."""

    width: Annotated[float, Meta(ge=5)] = 100.0  # mm
    height: Annotated[float, Meta(ge=5)] = 10.0  # mm


class Number(Field, frozen=True, kw_only=True, tag="number"):
    """A number that is written freely in one box of a form that exists already."""

    minimum: Annotated[float, Meta(ge=0)] = 0.0
    maximum: Annotated[float, Meta(ge=0)] | None = None  # any number if None

    def __post_init__(self) -> None:
        if self.maximum is not None:
            ordered(self.name, self.minimum, self.maximum)
        if not self.boxes:
            raise ValueError(f"{self.name}: a number without boxes for its digits needs boxes, its place on the blank")


AnyField = Digits | Roster | Integer | Decimal | Date | Choice | TextField | Number


class Rows(Field, frozen=True, kw_only=True, tag="rows"):
    """The same fields again on each line of a table; a field is named ``ROWS.LINE.FIELD``, lines from 1."""

    count: Annotated[int, Meta(ge=1, le=500)]
    fields: Annotated[tuple[AnyField, ...], Meta(min_length=1)]
    labels: tuple[Text, ...] = ()  # printed before the lines, which are numbered if there are none
    box: BoxSize = (6.0, 6.4)  # width and height of a box for one digit, mm; 30 lines fit on a page

    def __post_init__(self) -> None:
        if self.labels and len(self.labels) != self.count:
            raise ValueError(f"{self.name} has {self.count} lines and {len(self.labels)} labels")
        if self.at or self.beside or self.hint or self.optional:
            raise ValueError(f"the table {self.name} has no place, hint or beside, and its fields are optional, not it")
        unique([field.name for field in self.fields], f"of {self.name}")
        for field in self.fields:
            if (
                field.at
                or field.beside
                or field.new_page
                or field.heading
                or field.hint
                or field.boxes
                or isinstance(field, TextField)
            ):
                raise ValueError(
                    f"{self.name}.{field.name}: a field of a table is no text and has no place, heading or hint"
                )


def rule_of(check: str | Weights) -> "Rule":
    """Return the rule of a field's check digit, for :func:`inkdigits.reader.checksums.satisfying`."""
    from inkdigits.reader.checksums import Rule, rule  # here, as the import of the reader takes 0.4 s

    if isinstance(check, str):
        return rule(check)
    weights, modulus = check.weights, check.modulus
    return Rule(
        "weights",
        lambda remainder, digit, place, length: (remainder + weights[place] * digit) % modulus,
        check.remainder,
        (len(weights),),
    )


def ordered(name: str, low: object, high: object) -> None:
    """Raise ValueError unless a range is one."""
    if low > high:  # type: ignore[operator]
        raise ValueError(f"{name}: the range from {low} to {high} is reversed")


def unique(names: list[str], where: str) -> None:
    """Raise ValueError when a name is there twice."""
    doubles = sorted({name for name in names if names.count(name) > 1})
    if doubles:
        raise ValueError(f"two fields {where} are named {doubles[0]!r}")

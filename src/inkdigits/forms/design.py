"""The design of a form: a TOML file with the fields that people fill in.

msgspec checks the file against the classes below, so an error names its place, such as ``$.fields[2].kind``. They are
msgspec's structs, which are frozen like dataclasses here: unlike those they tell fields apart by their ``kind`` and
refuse unknown keys. Lengths on paper are millimetres.
"""

import datetime
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from inkdigits.errors import DataError, UsageError
from inkdigits.files import read_bytes

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
    """Digits that are no quantity, such as an identity number: every box is filled, leading zeros count."""

    length: Annotated[int, Meta(ge=1, le=30)]
    check: Literal["luhn", "mod97", "isbn"] | Weights | None = None

    def __post_init__(self) -> None:
        if isinstance(self.check, Weights) and len(self.check.weights) != self.length:
            raise ValueError(f"{self.name} has {self.length} digits and {len(self.check.weights)} weights")
        if self.check == "isbn" and self.length not in (10, 13):
            raise ValueError(f"{self.name}: an ISBN has 10 or 13 digits, not {self.length}")
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
        _ordered(self.name, self.minimum, self.maximum)

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
        _ordered(self.name, self.minimum, self.largest if self.maximum is None else self.maximum)

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
            _ordered(self.name, self.earliest, self.latest)

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


AnyField = Digits | Roster | Integer | Decimal | Date | Choice | TextField


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
        _unique([field.name for field in self.fields], f"of {self.name}")
        for field in self.fields:
            if (
                field.at
                or field.beside
                or field.new_page
                or field.heading
                or field.hint
                or isinstance(field, TextField)
            ):
                raise ValueError(
                    f"{self.name}.{field.name}: a field of a table is no text and has no place, heading or hint"
                )


class Sum(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A field that is the sum of others; a blank one counts as 0.

    A part ``ROWS.FIELD`` is that field of all lines. If the total is ``ROWS.FIELD`` too, there is one sum in each line.
    """

    total: str
    parts: Annotated[tuple[str, ...], Meta(min_length=1)]


class Design(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A form.

    Attributes
    ----------
    name
        Names the form in its QR code.
    version
        Of the form; the QR code also has a hash of the layout.
    guides
        Whether digits that show how to write are printed at the top.
    pages
        The number of pages that it may have.
    box
        Width and height of a box for one digit, mm.
    """

    name: Name
    title: Annotated[str, Meta(min_length=1, max_length=120)]
    version: Annotated[int, Meta(ge=1, le=9999)] = 1
    paper: Literal["A4", "Letter"] = "A4"
    instructions: Text = ""
    guides: bool = True
    pages: Annotated[int, Meta(ge=1, le=99)] = 20
    box: BoxSize = (7.0, 9.0)
    fields: Annotated[tuple[AnyField | Rows, ...], Meta(min_length=1)]
    sums: tuple[Sum, ...] = ()

    def __post_init__(self) -> None:
        _unique([field.name for field in self.fields], "of the form")
        for field in self.fields:
            if field.beside and (field.heading or field.new_page or field.at):
                raise ValueError(f"{field.name} stands beside another field, so it has no heading, new_page or at")
        for one in self.sums:
            expanded_sum(self, one)


class ExpandedSum(Struct, frozen=True):
    """The names of one total and of its parts, each of a single field, such as ``marks.3.points``."""

    total: str
    parts: tuple[str, ...]


def sums(design: Design) -> tuple[ExpandedSum, ...]:
    """Return the sums of a form, those of each line of a table one by one."""
    return tuple(expanded for one in design.sums for expanded in expanded_sum(design, one))


def expanded_sum(design: Design, one: Sum) -> list[ExpandedSum]:
    """Return the single sums that ``one`` stands for.

    Raises
    ------
    ValueError
        When it names a field that does not exist or is no number.
    """
    kinds = dict(_columns(design))
    for name in (one.total, *one.parts):
        if not isinstance(kinds.get(name), Integer | Decimal):
            raise ValueError(f"the sum {one.total} needs {name!r} as a field of the kind integer or decimal")
    if one.total in one.parts or len(set(one.parts)) < len(one.parts):
        raise ValueError(f"the sum {one.total} has a field twice")
    counts = {field.name: field.count for field in design.fields if isinstance(field, Rows)}
    table = one.total.split(".")[0] if "." in one.total else None
    if table is None:
        return [ExpandedSum(one.total, tuple(name for part in one.parts for name in _cells(part, counts)))]
    if any(part.split(".")[0] != table or "." not in part for part in one.parts):
        raise ValueError(f"the sum {one.total} is in a line of {table}, so its parts must be in {table} too")
    lines = zip(*(_cells(name, counts) for name in (one.total, *one.parts)), strict=True)
    return [ExpandedSum(total, tuple(parts)) for total, *parts in lines]


def _columns(design: Design) -> Iterator[tuple[str, AnyField]]:
    for field in design.fields:
        if isinstance(field, Rows):
            yield from ((f"{field.name}.{inner.name}", inner) for inner in field.fields)
        else:
            yield field.name, field


def _cells(name: str, counts: dict[str, int]) -> list[str]:
    table, _, column = name.partition(".")
    return [f"{table}.{line}.{column}" for line in range(1, counts[table] + 1)] if column else [name]


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


def load_design(path: Path) -> Design:
    """Read a design.

    Raises
    ------
    UsageError
        When the file does not exist, or says what a form cannot be; one line that says where.
    DataError
        When the file cannot be read.
    """
    try:
        return parse_design(read_bytes(path).decode("utf-8-sig"))
    except FileNotFoundError:
        raise UsageError(f"the form {path} does not exist; inkdigits form new {path} writes an example") from None
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read the form {path}: {error}") from None
    except ValueError as error:
        raise UsageError(f"{path}: {error}") from None


def parse_design(text: str) -> Design:
    """Return the design that the TOML ``text`` describes.

    Raises
    ------
    ValueError
        When it is no TOML, or no form; one line that says where.
    """
    try:
        return msgspec.toml.decode(text, type=Design)
    except RecursionError:
        raise ValueError("its lists are nested too deeply") from None
    except msgspec.ValidationError as error:
        known = ", ".join(sorted(kind.__struct_config__.tag for kind in (*AnyField.__args__, Rows)))
        unknown = str(error).startswith("Invalid value") and str(error).endswith(".kind`")
        raise ValueError(f"{error}; the kinds are {known}" if unknown else str(error)) from None


def _ordered(name: str, low: object, high: object) -> None:
    if low > high:  # type: ignore[operator]
        raise ValueError(f"{name}: the range from {low} to {high} is reversed")


def _unique(names: list[str], where: str) -> None:
    doubles = sorted({name for name in names if names.count(name) > 1})
    if doubles:
        raise ValueError(f"two fields {where} are named {doubles[0]!r}")

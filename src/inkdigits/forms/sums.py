"""The sums of a form: which field is the sum of which others, in a table line by line."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta, Struct

from inkdigits.forms.fields import AnyField, Decimal, Integer, Rows

if TYPE_CHECKING:
    from inkdigits.forms.design import Design


class Sum(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A field that is the sum of others; a blank one counts as 0.

    A part ``ROWS.FIELD`` is that field of all lines. If the total is ``ROWS.FIELD`` too, there is one sum in each line.
    """

    total: str
    parts: Annotated[tuple[str, ...], Meta(min_length=1)]


class ExpandedSum(Struct, frozen=True):
    """The names of one total and of its parts, each of a single field, such as ``marks.3.points``."""

    total: str
    parts: tuple[str, ...]


def sums(design: "Design") -> tuple[ExpandedSum, ...]:
    """Return the sums of a form, those of each line of a table one by one."""
    return tuple(expanded for one in design.sums for expanded in expanded_sum(design, one))


def expanded_sum(design: "Design", one: Sum) -> list[ExpandedSum]:
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


def _columns(design: "Design") -> Iterator[tuple[str, AnyField]]:
    for field in design.fields:
        if isinstance(field, Rows):
            yield from ((f"{field.name}.{inner.name}", inner) for inner in field.fields)
        else:
            yield field.name, field


def _cells(name: str, counts: dict[str, int]) -> list[str]:
    table, _, column = name.partition(".")
    return [f"{table}.{line}.{column}" for line in range(1, counts[table] + 1)] if column else [name]

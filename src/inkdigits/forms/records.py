"""Records: one for each field of each filled copy, as a line of fields.jsonl; and the rows of the table from them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
from msgspec import Struct

from inkdigits.errors import DataError, UsageError
from inkdigits.files import read_bytes
from inkdigits.forms.decided import Results, Row
from inkdigits.forms.decisions import Decision
from inkdigits.forms.design import Design

FIELDS, FORM = "fields.jsonl", "form.json"  # files of a folder of results
LEAST = 0.0005  # probability of an alternative that is kept


class Record(Struct, frozen=True, kw_only=True):
    """A field of a filled copy.

    Attributes
    ----------
    copy, occurrence, person
        The filled copy, see :class:`inkdigits.forms.pile.FilledCopy`.
    field, kind
        Its name and kind.
    value, confidence, doubtful, reasons, text
        What was decided, see :class:`inkdigits.forms.decisions.Decision`.
    alternatives
        The next likeliest values with their probabilities.
    boxes
        Why single boxes are no digits, by their place in the field.
    source, page, form_page, box
        The file, the page in it, the page of the form, and left, top, width, height on the page, pixels.
    picture
        Path of the picture of a field of text, relative to the folder; else empty.
    read
        What was read, where a person has looked at it; else None.
    model
        Names of the models that read it.
    """

    copy: int
    occurrence: int
    person: str
    field: str
    kind: str
    value: str
    confidence: float
    doubtful: bool
    reasons: list[str]
    text: str
    alternatives: list[tuple[str, float]]
    boxes: dict[str, str]
    source: str
    page: int
    form_page: int
    box: tuple[int, int, int, int]
    picture: str = ""
    read: str | None = None
    model: str = ""

    @property
    def copy_name(self) -> str:
        """The name of the filled copy in files and tables."""
        return copy_name(self.copy, self.occurrence)


@dataclass(frozen=True)
class TableCell:
    """A value of the table, and whether a person must look at it."""

    value: str
    doubtful: bool = False


@dataclass(frozen=True)
class TableRow:
    """A row of the table: the names of the filled copy and the person, and the cells by field."""

    name: str
    person: str
    cells: dict[str, TableCell]

    @property
    def doubtful(self) -> list[str]:
        """The names of the doubtful fields."""
        return [name for name, cell in self.cells.items() if cell.doubtful]

    def value(self, name: str) -> str:
        """Return the value of a field; empty where its page is missing."""
        return self.cells[name].value if name in self.cells else ""


def copy_name(copy: int, occurrence: int) -> str:
    """Return a name for a filled copy, such as ``3`` or ``3-2``; copy 0 is not numbered."""
    return str(copy) if occurrence == 1 and copy else f"{copy}-{occurrence}"


def records_of(results: Results) -> list[Record]:
    """Return the records of a pile."""
    return [_record(row, one) for row in results.rows for one in row.decisions.values()]


def _record(row: Row, one: Decision) -> Record:
    return Record(
        copy=row.copy.copy,
        occurrence=row.copy.occurrence,
        person=row.copy.person,
        field=one.name,
        kind=one.kind,
        value=one.value,
        confidence=round(one.confidence, 4),
        doubtful=one.doubtful,
        reasons=list(one.reasons),
        text=one.text,
        alternatives=[
            (other.text, round(other.probability, 4)) for other in one.alternatives if other.probability >= LEAST
        ],
        boxes={str(index): doubt for index, doubt in one.doubts.items()},
        source=one.scanned.source,
        page=one.scanned.number,
        form_page=one.scanned.read.payload.page,
        box=one.box,
        model=one.scanned.read.model,
        picture=f"pictures/{row.copy.name}.{one.name}.png" if one.picture else "",
    )


def table_rows(records: Iterable[Record]) -> list[TableRow]:
    """Return the rows of the table; a field of text has the path of its picture as value."""
    rows: dict[tuple[int, int, str], TableRow] = {}
    for one in records:
        key = one.copy, one.occurrence, one.person
        row = rows.setdefault(key, TableRow(one.copy_name, one.person, {}))
        row.cells[one.field] = TableCell(one.picture or one.value, one.doubtful)
    return list(rows.values())


def as_lines(records: Sequence[Record]) -> str:
    """Return records as JSON, one in each line."""
    return "".join(msgspec.json.encode(one).decode() + "\n" for one in records)


def load_records(folder: Path) -> list[Record]:
    """Return the records of a folder of results.

    Raises
    ------
    UsageError
        When it is no folder of results.
    DataError
        When the file is broken; names the line.
    """
    out: list[Record] = []
    try:
        lines = read_bytes(folder / FIELDS).decode().splitlines()
        out.extend(msgspec.json.decode(line, type=Record) for line in lines)
    except FileNotFoundError:
        raise UsageError(f"{folder} holds no {FIELDS}; name the folder that inkdigits form read wrote") from None
    except (OSError, ValueError) as error:
        where = f"line {len(out) + 1} of {folder / FIELDS}"
        raise DataError(f"cannot read {where} ({error}); read the forms again") from None
    return out


def load_form(folder: Path) -> Design:
    """Return the design of the form that a folder of results is of; raises as :func:`load_records` does."""
    try:
        return msgspec.json.decode(read_bytes(folder / FORM), type=Design)
    except FileNotFoundError:
        raise UsageError(f"{folder} holds no {FORM}; name the folder that inkdigits form read wrote") from None
    except (OSError, ValueError) as error:
        raise DataError(f"cannot read {folder / FORM} ({error}); read the forms again") from None

"""Marks into the gradebook of a learning platform: a column of the CSV file that Moodle or Canvas exported."""

import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from inkdigits.errors import DataError, UsageError
from inkdigits.escape import csv_table
from inkdigits.files import read_bytes
from inkdigits.forms.records import TableRow

IDENTITIES = {"moodle": ("ID number",), "canvas": ("SIS User ID", "SIS Login ID", "ID")}  # columns, in this order
PERSON = "person"  # in place of a field: the person for whom a copy was printed
POINTS = "Points Possible"  # begins the second row of a file of Canvas, which is no student


@dataclass(frozen=True)
class Filled:
    """A gradebook: its text, and how many marks it took; ``unknown`` are identities that it does not have."""

    text: str
    system: str
    marks: int
    unknown: tuple[str, ...]


@dataclass(frozen=True)
class Marks:
    """The marks of a pile by the identity of the student; ``left_out`` are the copies with a doubtful one."""

    marks: dict[str, str]
    left_out: tuple[str, ...]


def sure_marks(rows: Sequence[TableRow], identity: str, mark: str) -> Marks:
    """Return the marks that are sure, as the identities beside them are; of one that is there twice, none.

    Parameters
    ----------
    identity, mark
        The names of the two fields. On a copy printed for a person, ``person`` is the identity of that person.

    Raises
    ------
    UsageError
        When the form has no such field.
    """
    names = {name for row in rows for name in row.cells} | {PERSON}
    for name in (identity, mark):
        if name not in names:
            raise UsageError(f"the form has no field {name}; it has {', '.join(sorted(names))}")
    found: dict[str, str] = {}
    left_out = []
    seen = Counter(_identity(row, identity) for row in rows)
    for row in rows:
        doubtful = {identity, mark} & set(row.doubtful)
        key, value = _identity(row, identity), row.value(mark)
        if doubtful or not key or not value or seen[key] > 1:
            left_out.append(f"copy {row.name}")
        else:
            found[key] = value
    return Marks(found, tuple(left_out))


def _identity(row: TableRow, name: str) -> str:
    return row.person if name == PERSON else row.value(name)


def fill_gradebook(path: Path, marks: Mapping[str, str], item: str) -> Filled:
    """Return an exported gradebook with marks in a column.

    Parameters
    ----------
    path
        The file as Moodle (grades, export, plain text file) or Canvas (gradebook, export) wrote it.
    marks
        By the identity number of the student.
    item
        The column. Canvas adds a number in parentheses to its name, which may be left out. A new column is added.

    Raises
    ------
    UsageError
        When the file does not exist, has no column with identities, or has the item twice.
    DataError
        When it cannot be read.
    """
    rows = _rows(path)
    head = [cell.strip() for cell in rows[0]] if rows else []
    system = "canvas" if IDENTITIES["canvas"][0] in head else "moodle"
    identity = next((head.index(name) for name in IDENTITIES[system] if name in head and _used(rows, head, name)), None)
    if identity is None:
        raise UsageError(
            f"{path} has none of the columns {', '.join((*IDENTITIES['moodle'], *IDENTITIES['canvas']))}; "
            "export the gradebook with the identity numbers"
        )
    column = _column(head, item, path)
    if column == len(rows[0]):
        rows = [[*row, ""] for row in rows]
        rows[0][column] = item
    rest = dict(marks)
    taken = 0
    for row in rows[1:]:
        key = row[identity].strip() if identity < len(row) else ""
        if key in rest and not row[0].strip().startswith(POINTS):
            row += [""] * (column + 1 - len(row))
            row[column] = rest.pop(key)
            taken += 1
    return Filled(csv_table(rows[0], rows[1:]), system, taken, tuple(rest))


def _rows(path: Path) -> list[list[str]]:
    try:
        text = read_bytes(path).decode("utf-8-sig")
        return [row for row in csv.reader(io.StringIO(text, newline=""), skipinitialspace=True) if row]
    except FileNotFoundError:
        raise UsageError(f"the gradebook {path} does not exist; export it from Moodle or Canvas") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"cannot read the gradebook {path} ({error}); export it as CSV") from None


def _used(rows: Sequence[Sequence[str]], head: Sequence[str], name: str) -> bool:
    """Return whether a column has an identity for some student."""
    place = head.index(name)
    return any(len(row) > place and row[place].strip() for row in rows[1:])


def _column(head: Sequence[str], item: str, path: Path) -> int:
    """Return the place of an item, that of a new column if there is none."""
    found = [place for place, name in enumerate(head) if name == item or name.rpartition(" (")[0] == item]
    if len(found) > 1:
        raise UsageError(
            f"{path} has the column {item} {len(found)} times; name it in full, such as {head[found[0]]!r}"
        )
    return found[0] if found else len(head)

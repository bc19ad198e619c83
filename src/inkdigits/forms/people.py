"""The people of a roster, for whom one copy each is printed."""

import csv
import io
from dataclasses import dataclass
from pathlib import Path

from inkdigits.errors import DataError, UsageError
from inkdigits.files import read_bytes

IDENTITY = ("id", "number", "student", "student id", "student number", "username")  # headers of the identity's column
NAME = ("name", "full name", "student name")  # and of the name's
SEPARATORS = ",;\t"
LONGEST = 40  # characters of an identity: more make the modules of the QR code too small


@dataclass(frozen=True)
class Person:
    """A line of a roster: the identity, which the QR code names, and the printed name, which may be empty."""

    id: str
    name: str = ""


def read_people(path: Path) -> tuple[Person, ...]:
    """Return the people of a CSV file: columns ``id`` and ``name``, or without a header the first two columns.

    Raises
    ------
    UsageError
        When the file does not exist, holds nobody, or names an identity twice or not at all.
    DataError
        When the file cannot be read.
    """
    try:
        text = read_bytes(path).decode("utf-8-sig")
        separator = max(SEPARATORS, key=text.partition("\n")[0].count)
        rows = [
            [cell.strip() for cell in row] for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator)
        ]
    except FileNotFoundError:
        raise UsageError(f"the roster {path} does not exist") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"cannot read the roster {path} ({error}); save it as CSV in UTF-8") from None
    identity, name, header = _columns(rows[0] if rows else [])
    seen: dict[str, int] = {}
    people = []
    for number, row in enumerate(rows[header:], 1 + header):
        if not any(row):
            continue
        person = Person(_cell(row, identity), _cell(row, name))
        _require_identity(person, f"line {number} of the roster {path}", seen)
        seen[person.id] = number
        people.append(person)
    if not people:
        raise UsageError(f"the roster {path} names nobody; write an id and a name on each line")
    return tuple(people)


def _columns(first: list[str]) -> tuple[int, int, int]:
    """Return the columns of identity and name, and the number of header lines."""
    titles = [cell.lower() for cell in first]
    identity = next((column for column, title in enumerate(titles) if title in IDENTITY), None)
    name = next((column for column, title in enumerate(titles) if title in NAME), None)
    if identity is None and name is None:
        return 0, 1, 0
    if identity is None:
        identity = 1 if name == 0 else 0
    return identity, len(first) if name is None else name, 1


def _cell(row: list[str], column: int) -> str:
    return row[column] if column < len(row) else ""


def _require_identity(person: Person, where: str, seen: dict[str, int]) -> None:
    if not person.id:
        raise UsageError(f"{where} has no id; complete or remove it")
    if len(person.id) > LONGEST:
        raise UsageError(f"{where}: the id {person.id[:12]}… has more than {LONGEST} characters; shorten it")
    if person.id in seen:
        raise UsageError(f"{where}: the id {person.id} stands in line {seen[person.id]} already; remove one of them")

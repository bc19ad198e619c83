"""Merges corrections into a folder of results: the CSV files that review pages saved; who changed what is kept."""

import csv
import io
import os
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from inkdigits.errors import DataError, UsageError
from inkdigits.escape import Cell, csv_table, unguarded
from inkdigits.files import read_bytes, write_text
from inkdigits.forms.pile import DOUBTFUL
from inkdigits.forms.placement import place
from inkdigits.forms.records import FIELDS, Record, as_lines, load_form, load_records, table_rows
from inkdigits.forms.results import PROBLEMS, whole_folder
from inkdigits.forms.tables import write_tables

CHANGES = "changes.csv"
CHANGE_COLUMNS = ("copy", "occurrence", "person", "field", "read", "before", "value", "reviewer", "time", "file")
COLUMNS = ("copy", "occurrence", "person", "field", "read", "value", "reviewer", "time")  # of a review page's CSV

Key = tuple[int, int, str, str]  # copy, occurrence, person, field


@dataclass(frozen=True)
class FieldCorrection:
    """What a person says stands in a field.

    Attributes
    ----------
    key
        The field.
    read, value
        What was read, and what is right.
    reviewer, time, file
        Who, when (ISO 8601), and the name of the file that says so.
    """

    key: Key
    read: str
    value: str
    reviewer: str
    time: str
    file: str


@dataclass(frozen=True)
class Merged:
    """What a merge did.

    ``changed`` fields have another value, ``confirmed`` ones keep theirs, and of ``disputed`` ones the reviewers say
    different things, so they stay as they are.
    """

    changed: int
    confirmed: int
    disputed: tuple[Key, ...]
    doubtful: int


def read_corrections(paths: Iterable[Path]) -> list[FieldCorrection]:
    """Return the corrections in files that review pages of forms saved.

    Raises
    ------
    UsageError
        When a file does not exist.
    DataError
        When it cannot be read, or is of another kind; names the line.
    """
    out = []
    for path in paths:
        line = 1
        try:
            rows = csv.DictReader(io.StringIO(read_bytes(path).decode("utf-8-sig"), newline=""))
            if not set(COLUMNS) <= set(rows.fieldnames or ()):
                raise DataError(f"{path} is no CSV of a review page of forms, with the columns {', '.join(COLUMNS)}")
            for row in rows:
                line = rows.line_num
                person, field, read, value, reviewer = (unguarded(row[name]) for name in COLUMNS[2:7])
                key = int(row["copy"]), int(row["occurrence"]), person, field
                out.append(FieldCorrection(key, read, value.strip(), reviewer, row["time"], path.name))
        except FileNotFoundError:
            raise UsageError(f"the corrections {path} do not exist") from None
        except (OSError, ValueError, TypeError, csv.Error) as error:
            raise DataError(f"line {line} of {path} cannot be read ({error}); save the review as CSV again") from None
    return out


def merge_corrections(folder: Path, corrections: Sequence[FieldCorrection]) -> Merged:
    """Write corrections into the tables, the fields and the problems of a folder of results; add to changes.csv.

    The folder is written whole or not at all. The same corrections may be merged again.

    Raises
    ------
    UsageError
        When it is no folder of results, or a correction is of another reading.
    """
    records = load_records(folder)
    placement = place(load_form(folder))
    by_key = {_key(one): one for one in records}
    agreed, disputed = _agreed(corrections)
    earlier = _rows(folder / CHANGES)[1:]
    reviewers = {(int(row[0]), int(row[1]), row[2], row[3]): row[7] for row in earlier}
    changes: list[list[Cell]] = []
    changed = confirmed = 0
    for one in agreed:
        record = by_key.get(one.key)
        if record is None or one.read not in (record.value, record.read):
            raise UsageError(
                f"{one.file} corrects {one.key[3]} of copy {one.key[0]}, which was read otherwise; review it anew"
            )
        if record.read is not None and record.value == one.value:
            continue  # it was merged before
        if record.read is not None and reviewers.get(one.key) != one.reviewer:
            disputed.append(one.key)
            continue
        changed += record.value != one.value
        confirmed += record.value == one.value
        first = record.value if record.read is None else record.read
        changes.append([*one.key, first, record.value, one.value, one.reviewer, one.time, one.file])
        by_key[one.key] = msgspec.structs.replace(record, value=one.value, read=first, doubtful=False, reasons=[])
    new = list(by_key.values())
    with whole_folder(folder) as temporary:
        shutil.copytree(folder, temporary, dirs_exist_ok=True, copy_function=_link)
        write_tables(placement, table_rows(new), temporary)
        write_text(temporary / FIELDS, as_lines(new))
        write_text(temporary / PROBLEMS, _open_problems(folder / PROBLEMS, new))
        write_text(temporary / CHANGES, csv_table(CHANGE_COLUMNS, [*earlier, *changes]))
    return Merged(changed, confirmed, tuple(disputed), sum(one.doubtful for one in new))


def _key(one: Record) -> Key:
    return one.copy, one.occurrence, one.person, one.field


def _agreed(corrections: Sequence[FieldCorrection]) -> tuple[list[FieldCorrection], list[Key]]:
    """Return one correction for each field, the last of each reviewer, and the fields on which reviewers disagree."""
    last: dict[Key, dict[str, FieldCorrection]] = {}
    for one in sorted(corrections, key=lambda one: one.time):
        last.setdefault(one.key, {})[one.reviewer] = one
    agreed, disputed = [], []
    for key, by_reviewer in last.items():
        if len({one.value for one in by_reviewer.values()}) > 1:
            disputed.append(key)
        else:
            agreed.append(list(by_reviewer.values())[-1])
    return agreed, disputed


def _rows(path: Path) -> list[list[str]]:
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    return [[unguarded(cell) for cell in row] for row in csv.reader(io.StringIO(text, newline=""))]


def _link(source: str, target: str) -> None:
    """Give a file a second name, or copy it where the file system cannot."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _open_problems(path: Path, records: Sequence[Record]) -> str:
    """Return the problems without the doubtful fields that a person has looked at."""
    header, *rows = _rows(path)
    seen = {(one.source, str(one.page), one.field) for one in records if one.read is not None}
    place = [header.index(name) for name in ("source", "page", "field")]
    kind = header.index("kind")
    kept = [row for row in rows if row[kind] != DOUBTFUL or tuple(row[index] for index in place) not in seen]
    return csv_table(header, kept)

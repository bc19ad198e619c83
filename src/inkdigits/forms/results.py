"""Results: the folder of a pile that was read, written whole or not at all.

``table.csv``, ``table.xlsx`` and ``table.parquet`` have a row for each filled copy, and ``NAME.csv`` one for each line
of a table on the form; ``fields.jsonl`` has a line for each field, ``problems.csv`` what a person must look at,
``form.json`` the design, ``pages/`` the pages with what was read drawn on them, ``pictures/`` the fields of text, and
``review.html`` the doubtful fields to correct.
"""

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from inkdigits.errors import UsageError
from inkdigits.escape import Cell, csv_table
from inkdigits.files import cannot_write, write_bytes, write_text
from inkdigits.forms.decided import Results
from inkdigits.forms.overlay import overlay
from inkdigits.forms.pile import Problem
from inkdigits.forms.records import FIELDS, FORM, Record, as_lines, records_of, table_rows
from inkdigits.forms.review import field_review
from inkdigits.forms.tables import write_tables

PROBLEMS, PAGES, REVIEW = "problems.csv", "pages", "review.html"
PROBLEM_COLUMNS = ("kind", "source", "page", "copy", "field", "message")


def write_results(results: Results, folder: Path) -> list[Path]:
    """Write the folder, in place of earlier results; return the paths of the tables.

    Raises
    ------
    UsageError
        When the folder holds something else.
    RunError
        When it cannot be written.
    """
    require_results_folder(folder)
    with whole_folder(folder) as temporary:
        records = records_of(results)
        written = write_tables(results.placement, table_rows(records), temporary)
        write_text(temporary / FIELDS, as_lines(records))
        write_bytes(temporary / FORM, msgspec.json.encode(results.placement.design))
        write_text(temporary / PROBLEMS, csv_table(PROBLEM_COLUMNS, [_problem_row(one) for one in results.problems]))
        _write_pictures(results, records, temporary)
        write_text(temporary / REVIEW, field_review(results))
    return sorted(folder / path.name for path in (*written, temporary / PROBLEMS))


def require_results_folder(folder: Path) -> None:
    """Raise UsageError when a folder exists and holds other things than earlier results."""
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"--out {folder} is a file; name a folder")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / FIELDS).exists():
        raise UsageError(f"--out {folder} holds other files; name a new folder, or one of earlier results")


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """Yield a temporary folder beside ``folder``, which takes its place when the block succeeds."""
    temporary: Path | None = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".tmp", dir=folder.parent))
        temporary.chmod(0o755)
        yield temporary
        if folder.exists():
            old = temporary.with_suffix(".old")
            folder.replace(old)
            temporary.replace(folder)
            shutil.rmtree(old)
        else:
            temporary.replace(folder)
        temporary = None
    except OSError as error:
        raise cannot_write(folder, error) from error
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


def _problem_row(one: Problem) -> list[Cell]:
    copy = "" if one.copy is None else one.copy
    return [one.kind, one.source, one.page or "", copy, one.field, one.message]


def _write_pictures(results: Results, records: Sequence[Record], folder: Path) -> None:
    """Write the pages with what was read drawn on them, and the fields of text."""
    paths = {(one.copy, one.occurrence, one.person, one.field): one.picture for one in records}
    for row in results.rows:
        for number, scanned in row.copy.pages.items():
            here = [one for one in row.decisions.values() if one.scanned is scanned]
            write_bytes(folder / PAGES / f"{row.copy.name}-page-{number}.jpg", overlay(scanned.read, here))
        for one in row.decisions.values():
            if one.picture:
                write_bytes(folder / paths[row.copy.copy, row.copy.occurrence, row.copy.person, one.name], one.picture)

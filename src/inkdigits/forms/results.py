"""Results: the folder of a pile that was read, written whole or not at all.

``table.csv``, ``table.xlsx`` and ``table.parquet`` have a row for each filled copy, and ``NAME.csv`` one for each line
of a table on the form; ``fields.jsonl`` has a line for each field, ``problems.csv`` what a person must look at,
``pages/`` the pages with what was read drawn on them, and ``pictures/`` the fields of text.
"""

import json
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from inkdigits.errors import UsageError
from inkdigits.escape import Cell, csv_table
from inkdigits.files import cannot_write, write_bytes, write_text
from inkdigits.forms.decided import Results, Row
from inkdigits.forms.decisions import Decision
from inkdigits.forms.fields import Rows, TextField
from inkdigits.forms.overlay import overlay
from inkdigits.forms.pile import Problem
from inkdigits.forms.workbook import write_workbook

FIELDS, PROBLEMS, TABLE = "fields.jsonl", "problems.csv", "table"
PAGES, PICTURES = "pages", "pictures"
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
    with _whole(folder) as temporary:
        columns = [field.name for field in results.placement.fields]
        wide = [_row(row, columns) for row in results.rows]
        write_text(temporary / f"{TABLE}.csv", csv_table(_header(columns), wide))
        for name, header, rows in line_tables(results):
            write_text(temporary / f"{name}.csv", csv_table(header, rows))
        write_text(temporary / FIELDS, "".join(_json_lines(results)))
        problems = [_problem_row(one) for one in results.problems]
        write_text(temporary / PROBLEMS, csv_table(PROBLEM_COLUMNS, problems))
        _write_pictures(results, temporary)
        if find_spec("openpyxl"):
            write_workbook(results, temporary / f"{TABLE}.xlsx")
        if find_spec("pyarrow"):
            _write_parquet(results, temporary / f"{TABLE}.parquet")
        made = sorted(path.name for path in temporary.iterdir())
    return [folder / name for name in made if Path(name).suffix in (".csv", ".xlsx", ".parquet")]


def require_results_folder(folder: Path) -> None:
    """Raise UsageError when a folder exists and holds other things than earlier results."""
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"--out {folder} is a file; name a folder")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / FIELDS).exists():
        raise UsageError(f"--out {folder} holds other files; name a new folder, or one of earlier results")


@contextmanager
def _whole(folder: Path) -> Iterator[Path]:
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


def _header(columns: Sequence[str]) -> list[str]:
    return ["copy", "person", *columns, "doubtful"]


def _row(row: Row, columns: Sequence[str]) -> list[Cell]:
    return [row.copy.name, row.copy.person, *(_value(row, name) for name in columns), " ".join(row.doubtful)]


def _value(row: Row, name: str) -> str:
    """Return the value of a field; of a field of text, its picture; empty where its page is missing."""
    one = row.decisions.get(name)
    if one is None:
        return ""
    return _picture_path(row, one) if one.picture else one.value


def _picture_path(row: Row, one: Decision) -> str:
    return f"{PICTURES}/{row.copy.name}.{one.name}.png"


def line_tables(results: Results) -> Iterator[tuple[str, list[str], list[list[Cell]]]]:
    """Yield for each table on the form its name, the header, and a row for each line in which something is written."""
    for table in results.placement.design.fields:
        if not isinstance(table, Rows):
            continue
        columns = [field.name for field in table.fields if not isinstance(field, TextField)]
        rows: list[list[Cell]] = []
        for row in results.rows:
            for line in range(1, table.count + 1):
                names = [f"{table.name}.{line}.{column}" for column in columns]
                values = [_value(row, name) for name in names]
                doubtful = [column for name, column in zip(names, columns, strict=True) if name in row.doubtful]
                if any(values) or doubtful:
                    label = table.labels[line - 1] if table.labels else str(line)
                    rows.append([row.copy.name, row.copy.person, line, label, *values, " ".join(doubtful)])
        yield table.name, ["copy", "person", "line", "label", *columns, "doubtful"], rows


def _problem_row(one: Problem) -> list[Cell]:
    copy = "" if one.copy is None else one.copy
    return [one.kind, one.source, one.page or "", copy, one.field, one.message]


def _json_lines(results: Results) -> Iterator[str]:
    for row in results.rows:
        for one in row.decisions.values():
            facts: dict[str, Any] = {
                "copy": row.copy.copy,
                "occurrence": row.copy.occurrence,
                "person": row.copy.person,
                "field": one.name,
                "kind": one.kind,
                "value": one.value,
                "confidence": round(one.confidence, 4),
                "doubtful": one.doubtful,
                "reasons": list(one.reasons),
                "text": one.text,
                "alternatives": [
                    [other.text, round(other.probability, 4)]
                    for other in one.alternatives
                    if other.probability >= 0.0005
                ],
                "boxes": {str(index): doubt for index, doubt in one.doubts.items()},
                "source": one.scanned.source,
                "page": one.scanned.number,
                "form_page": one.scanned.read.payload.page,
                "box": list(one.box),
            }
            if one.picture:
                facts["picture"] = _picture_path(row, one)
            yield json.dumps(facts, ensure_ascii=True) + "\n"


def _write_pictures(results: Results, folder: Path) -> None:
    """Write the pages with what was read drawn on them, and the fields of text."""
    for row in results.rows:
        for number, scanned in row.copy.pages.items():
            here = [one for one in row.decisions.values() if one.scanned is scanned]
            write_bytes(folder / PAGES / f"{row.copy.name}-page-{number}.jpg", overlay(scanned.read, here))
        for one in row.decisions.values():
            if one.picture:
                write_bytes(folder / _picture_path(row, one), one.picture)


def _write_parquet(results: Results, path: Path) -> None:
    """Write the table with a list of the doubtful fields in each row."""
    import pyarrow
    from pyarrow import parquet

    columns = [field.name for field in results.placement.fields]
    content: dict[str, Any] = {
        "copy": [row.copy.name for row in results.rows],
        "person": [row.copy.person for row in results.rows],
        **{name: [_value(row, name) for row in results.rows] for name in columns},
        "doubtful": pyarrow.array([row.doubtful for row in results.rows], pyarrow.list_(pyarrow.string())),
    }
    parquet.write_table(pyarrow.table(content), path)

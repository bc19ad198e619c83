"""The tables of a folder of results: CSV, Excel and Parquet, a row for each filled copy or line of a form's table."""

from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from inkdigits.escape import Cell, csv_table
from inkdigits.files import atomic_path, write_text
from inkdigits.forms.fields import Rows, TextField
from inkdigits.forms.pages import Placement
from inkdigits.forms.records import TableRow
from inkdigits.forms.workbook import write_workbook

TABLE = "table"


def write_tables(placement: Placement, rows: Sequence[TableRow], folder: Path) -> list[Path]:
    """Write the tables of filled copies; return their paths."""
    columns = [field.name for field in placement.fields]
    written = [folder / f"{TABLE}.csv"]
    wide = [[row.name, row.person, *(row.value(name) for name in columns), " ".join(row.doubtful)] for row in rows]
    write_text(written[0], csv_table(["copy", "person", *columns, "doubtful"], wide))
    for name, header, lines in line_tables(placement, rows):
        written.append(folder / f"{name}.csv")
        write_text(written[-1], csv_table(header, lines))
    if find_spec("openpyxl"):
        written.append(folder / f"{TABLE}.xlsx")
        write_workbook(placement, rows, written[-1])
    if find_spec("pyarrow"):
        written.append(folder / f"{TABLE}.parquet")
        _write_parquet(columns, rows, written[-1])
    return written


def line_tables(placement: Placement, rows: Sequence[TableRow]) -> Iterator[tuple[str, list[str], list[list[Cell]]]]:
    """Yield for each table on the form its name, the header, and a row for each line in which something is written."""
    for table in placement.design.fields:
        if not isinstance(table, Rows):
            continue
        columns = [field.name for field in table.fields if not isinstance(field, TextField)]
        out: list[list[Cell]] = []
        for row in rows:
            for line in range(1, table.count + 1):
                names = [f"{table.name}.{line}.{column}" for column in columns]
                values = [row.value(name) for name in names]
                doubtful = [column for name, column in zip(names, columns, strict=True) if name in row.doubtful]
                if any(values) or doubtful:
                    label = table.labels[line - 1] if table.labels else str(line)
                    out.append([row.name, row.person, line, label, *values, " ".join(doubtful)])
        yield table.name, ["copy", "person", "line", "label", *columns, "doubtful"], out


def _write_parquet(columns: Sequence[str], rows: Sequence[TableRow], path: Path) -> None:
    """Write the table with a list of the doubtful fields in each row."""
    import pyarrow
    from pyarrow import parquet

    content: dict[str, Any] = {
        "copy": [row.name for row in rows],
        "person": [row.person for row in rows],
        **{name: [row.value(name) for row in rows] for name in columns},
        "doubtful": pyarrow.array([row.doubtful for row in rows], pyarrow.list_(pyarrow.string())),
    }
    with atomic_path(path) as temporary:
        parquet.write_table(pyarrow.table(content), temporary)

"""The file of a shard: Parquet or CSV with a row for each number, or JSON Lines with a line for each page."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Protocol

from inkdigits.bulk.storage import pyarrow
from inkdigits.errors import unknown
from inkdigits.escape import Cell, csv_table, printable
from inkdigits.reader.results import Reading
from inkdigits.reader.tables import NUMBER_COLUMNS, number_rows

COLUMNS = ("id", "sha256", "member", *NUMBER_COLUMNS)
FORMATS = ("parquet", "jsonl", "csv")
NUMBERS = frozenset(("page", "row", "column", "left", "top", "width", "height"))  # columns of int32
BUFFERED = 5000  # rows that become one group of a Parquet file

Row = Sequence[Cell]


def page_rows(form: str, reading: Reading, identity: str, sha256: str, member: str) -> list[Row]:
    """Return the rows of a page; a page without numbers has one row, so that every page is in the output.

    A row of JSON Lines is one cell, the line.
    """
    if form == "jsonl":
        content = {"id": identity, "sha256": sha256, "member": member, **reading.to_dict()}
        return [(json.dumps(content) + "\n",)]
    start = identity, sha256, member
    empty: list[Cell] = [reading.source, reading.page + 1, *[""] * (len(NUMBER_COLUMNS) - 2)]
    return [[*start, *row] for row in number_rows(reading) or [empty]]


class Writer(Protocol):
    """Takes the rows of pages."""

    def add(self, rows: list[Row]) -> None:
        """Write rows, now or later."""

    def close(self) -> None:
        """Complete the file."""


@contextmanager
def open_writer(form: str, path: Path) -> Iterator[Writer]:
    """Yield the writer of a file, which is closed when the block ends."""
    with closing(writer_of(form)(path)) as writer:
        yield writer


class JsonLines:
    """A line of JSON for each page."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w", encoding="ascii")

    def add(self, rows: list[Row]) -> None:
        """Write the lines of pages."""
        self._file.writelines(str(line) for (line,) in rows)

    def close(self) -> None:
        """Complete the file."""
        self._file.close()


class Csv:
    """A table with a header, safe to open in a spreadsheet."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w", encoding="utf-8", newline="")
        self._file.write(csv_table(COLUMNS, []))

    def add(self, rows: list[Row]) -> None:
        """Write rows."""
        self._file.write(csv_table(COLUMNS, rows).partition("\n")[2])

    def close(self) -> None:
        """Complete the file."""
        self._file.close()


class Parquet:
    """A Parquet file; cells that are empty in CSV are null, and control characters in names are escapes."""

    def __init__(self, path: Path) -> None:
        arrow = pyarrow("pyarrow")
        types = {"confidence": arrow.float32(), "doubtful": arrow.bool_(), **dict.fromkeys(NUMBERS, arrow.int32())}
        self._schema = arrow.schema([(name, types.get(name, arrow.string())) for name in COLUMNS])
        self._table = arrow.Table
        self._writer = pyarrow("pyarrow.parquet").ParquetWriter(path, self._schema, compression="zstd")
        self._rows: list[Row] = []

    def add(self, rows: list[Row]) -> None:
        """Keep rows until there are enough for a group."""
        self._rows += rows
        if len(self._rows) >= BUFFERED:
            self._flush()

    def close(self) -> None:
        """Complete the file."""
        self._flush()
        self._writer.close()

    def _flush(self) -> None:
        columns = {name: [_typed(name, row[place]) for row in self._rows] for place, name in enumerate(COLUMNS)}
        self._writer.write_table(self._table.from_pydict(columns, self._schema))
        self._rows = []


def _typed(column: str, cell: Cell) -> Any:
    if cell == "" and column != "member":
        return None
    if column == "doubtful":
        return bool(cell)
    return printable(cell) if isinstance(cell, str) else cell


def writer_of(form: str) -> Callable[[Path], Writer]:
    """Return the writer of a format.

    Raises
    ------
    UsageError
        When there is no such format.
    """
    writers: dict[str, Callable[[Path], Writer]] = {"parquet": Parquet, "jsonl": JsonLines, "csv": Csv}
    if form not in writers:
        raise unknown("format", form, FORMATS)
    return writers[form]

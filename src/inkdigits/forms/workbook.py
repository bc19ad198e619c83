"""The table as an Excel workbook: numbers as numbers, identities as text, doubtful cells coloured."""

import datetime
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from inkdigits.escape import printable
from inkdigits.files import atomic_path
from inkdigits.forms.fields import AnyField, Date, Decimal, Integer, Rows, TextField
from inkdigits.forms.pages import Placement
from inkdigits.forms.records import TableRow

AMBER = "FFFFD966"  # of a doubtful cell, as alpha, red, green and blue
TEXT = "@"  # the format of a cell that is text


def write_workbook(placement: Placement, rows: Sequence[TableRow], path: Path) -> None:
    """Write a sheet with a row for each filled copy, and one for each table on the form with a row for each line."""
    from openpyxl import Workbook

    book = Workbook(write_only=True)
    fields = {field.name: field.field for field in placement.fields}
    names = list(fields)
    sheet = book.create_sheet("table")
    sheet.append(["copy", "person", *names])
    for row in rows:
        sheet.append([_text(sheet, row.name), _text(sheet, row.person), *_cells(sheet, row, names, fields)])
    for table in placement.design.fields:
        if isinstance(table, Rows):
            _write_lines(book.create_sheet(table.name), rows, table, fields)
    with atomic_path(path) as temporary:
        book.save(temporary)


def _write_lines(sheet: Any, rows: Sequence[TableRow], table: Rows, fields: dict[str, AnyField]) -> None:
    columns = [field.name for field in table.fields if not isinstance(field, TextField)]
    sheet.append(["copy", "person", "line", *columns])
    for row in rows:
        for line in range(1, table.count + 1):
            names = [f"{table.name}.{line}.{column}" for column in columns]
            found = [row.cells[name] for name in names if name in row.cells]
            if any(cell.value or cell.doubtful for cell in found):
                start = [_text(sheet, row.name), _text(sheet, row.person), line]
                sheet.append([*start, *_cells(sheet, row, names, fields)])


def _cells(sheet: Any, row: TableRow, names: Sequence[str], fields: dict[str, AnyField]) -> list[Any]:
    from openpyxl.styles import PatternFill

    out = []
    for name in names:
        one = row.cells.get(name)
        value = "" if one is None or isinstance(fields[name], TextField) else one.value
        cell = _cell(sheet, value, fields[name])
        if one is not None and one.doubtful:
            cell.fill = PatternFill("solid", fgColor=AMBER)
        out.append(cell)
    return out


def _cell(sheet: Any, value: str, field: AnyField) -> Any:
    """Return the cell of a value: a number or a date where it can be read as one, else text."""
    from openpyxl.cell import WriteOnlyCell

    if not value:
        return WriteOnlyCell(sheet)
    try:
        if isinstance(field, Integer):
            return WriteOnlyCell(sheet, int(value))
        if isinstance(field, Decimal):
            return WriteOnlyCell(sheet, float(value.replace(",", ".")))
        if isinstance(field, Date):
            return WriteOnlyCell(sheet, datetime.date.fromisoformat(value))
    except ValueError:  # a value that was not read whole
        pass
    return _text(sheet, value)


def _text(sheet: Any, value: str) -> Any:
    """Return a cell of text, which no spreadsheet takes for a formula or a number."""
    from openpyxl.cell import WriteOnlyCell

    cell = WriteOnlyCell(sheet)
    cell.value = printable(value)
    cell.data_type = "s"
    cell.number_format = TEXT
    return cell

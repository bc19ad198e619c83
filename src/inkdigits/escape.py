"""Text from elsewhere (names of files, cells) on a terminal, in JSON, in a spreadsheet and in Markdown.

Control characters would move a terminal's cursor or forge a line, a formula would run in a spreadsheet, and HTML would
run in a page. The functions return text in which all of them are only shown.
"""

import csv
import io
import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

# C0 and C1, marks that change the direction of text, line separators, and surrogates, which UTF-8 cannot encode and
# which stand for undecodable bytes in the name of a file
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
FORMULA = "=+-@\uff1d\uff0b\uff0d\uff20"  # how a cell starts that a spreadsheet would run; the last four are wide forms
STARTS_FORMULA = re.compile(rf"^[\t\n]|(?:^|(?<=;))(?=[{re.escape(FORMULA)}])")  # a semicolon separates cells in Europe
GUARD = re.compile(rf"(?:^|(?<=;))'(?=[\t\n{re.escape(FORMULA)}])")
MARKDOWN = re.compile(r"([\\`*_\[\]|<>#&~])")

Cell = str | int | float


def printable(text: object, keep: str = "") -> str:
    r"""Return text with its control characters as escapes such as ``\x1b``, except those in ``keep``.

    >>> print(printable("a\x1b[2Jb\n.png"))
    a\x1b[2Jb\n.png
    """

    def escaped(found: re.Match[str]) -> str:
        return found[0] if found[0] in keep else found[0].encode("unicode_escape").decode()

    return CONTROL.sub(escaped, str(text))


def json_text(value: Any) -> str:
    """Return indented JSON, control characters and lone surrogates in strings as escapes; it reads back the same."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    return CONTROL.sub(lambda found: found[0] if found[0] == "\n" else f"\\u{ord(found[0]):04x}", text)


def csv_table(columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """Return rows as CSV with a header; a text that a spreadsheet would run as a formula gets an apostrophe in front.

    Control characters other than tabs and line feeds are escaped as :func:`printable` does.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_guarded(cell) for cell in row] for row in rows)
    return text.getvalue()


def _guarded(cell: Cell) -> Cell:
    if not isinstance(cell, str):
        return cell
    return STARTS_FORMULA.sub(lambda found: f"'{found[0]}", printable(cell, keep="\t\n"))


def unguarded(cell: str) -> str:
    """Return a cell without the apostrophes that :func:`csv_table` put in front of formulas."""
    return GUARD.sub("", cell)


def markdown(text: object) -> str:
    """Return text as it stands in a line of Markdown: neither HTML, nor links, nor cells of a table."""
    return MARKDOWN.sub(r"\\\1", printable(text))

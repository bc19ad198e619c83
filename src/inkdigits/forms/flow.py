"""Places the fields of a form one below the other, page after page. Lengths are millimetres.

A change of a length below moves the boxes of forms that are printed already: the hash of their layout then differs, and
they are refused.
"""

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field

from inkdigits.errors import UsageError
from inkdigits.forms.design import Design
from inkdigits.forms.fields import BOX, AnyField, Choice, DigitField, Rows, TextField
from inkdigits.forms.pages import (
    CODE_RIM,
    CODE_SIZE,
    MARK_IDS,
    MARK_INSET,
    MARK_SIZE,
    PAPERS,
    Box,
    Mark,
    PlacedField,
    PlacedPage,
    PrintedText,
)

SIDE = 14.0  # mm from the edges to what is printed
LINE_GAP = 4.5  # mm between two lines of fields
BOX_GAP = 1.2  # mm between two boxes
PRINTED_GAP = 3.0  # mm for a printed character between two boxes
FIELD_GAP = 8.0  # mm between two fields on a line
LABEL_WIDTH = 52.0  # mm for the label of a field
ROW_LABEL = 40.0  # mm for the label of a table's line
ROW_GAP = 0.8  # mm between two lines of a table
TICK = 5.0  # mm, side of a box to tick
TEXT_SIZE = 3.5  # mm, height of a line of printed text (10 pt)
SMALL_SIZE = 2.8  # mm (8 pt)
TITLE_SIZE = 5.6  # mm (16 pt)
LETTER_WIDTH = 0.52  # of the text's size; what a letter takes on average, so that no font is needed to place text
LEADING = 1.2  # of the text's size, from line to line
GUIDE_DIGITS = "0123456789"
GUIDE_BOX = (5.0, 6.4)  # width and height, mm


def pattern_places(pattern: str, box: tuple[float, float]) -> tuple[list[float], list[tuple[str, float]], float]:
    """Return the left edges of the boxes of a pattern, the printed characters with their middles, and the width, mm."""
    lefts: list[float] = []
    printed: list[tuple[str, float]] = []
    x = 0.0
    for character, following in zip(pattern, pattern[1:] + " ", strict=True):
        if character == BOX:
            lefts.append(x)
            x += box[0] + (BOX_GAP if following == BOX else 0.0)
        else:
            printed.append((character, x + PRINTED_GAP / 2))
            x += PRINTED_GAP
    return lefts, printed, x


def _lines(text: str, width: float, size: float) -> list[str]:
    """Return a text in lines of about ``width`` mm."""
    letters = max(4, int(width / (size * LETTER_WIDTH)))
    return [line for part in text.splitlines() for line in textwrap.wrap(part, letters) or [""]]


def _text_width(text: str, size: float) -> float:
    return len(text) * size * LETTER_WIDTH + 1.0


@dataclass
class _Page:
    """A page while it grows."""

    fields: list[PlacedField] = field(default_factory=list)
    texts: list[PrintedText] = field(default_factory=list)


@dataclass
class Flow:
    """Where the next field goes: ``y`` is the top of the free part of the last page, ``x`` the end of the last line."""

    design: Design
    sheets: list[_Page] = field(default_factory=list)
    y: float = 0.0
    x: float = 0.0
    line_top: float = 0.0  # of the line that a field beside joins

    def __post_init__(self) -> None:
        self.width, self.height = PAPERS[self.design.paper]
        self.top = MARK_INSET + CODE_SIZE + CODE_RIM
        self.bottom = self.height - MARK_INSET - MARK_SIZE - 3.0
        self.right = self.width - SIDE
        self._new_page("its first field")
        if self.design.instructions:
            self.y = self._print(self.design.instructions.strip("\n"), SIDE, self.y, self.right - SIDE) + LINE_GAP
        if self.y > self.bottom:
            raise UsageError("the instructions fill more than a page; shorten them")

    def _new_page(self, name: str) -> None:
        if len(self.sheets) == self.design.pages:
            raise UsageError(
                f"the field {name} does not fit: the form may have {self.design.pages} pages, which are full; "
                "raise pages, or remove fields"
            )
        self.sheets.append(_Page())
        self.y = self.top
        self.x = 0.0

    def _need(self, height: float, name: str) -> None:
        """Begin a page when the current one has less than ``height`` mm left."""
        if height > self.bottom - self.top:
            raise UsageError(f"the field {name} is {height:.0f} mm high, which fits on no page")
        if self.y + height > self.bottom:
            self._new_page(name)

    def _print(
        self, text: str, left: float, top: float, width: float, size: float = TEXT_SIZE, bold: bool = False
    ) -> float:
        """Print a text in lines of at most ``width`` mm; return the bottom of the last."""
        for line in _lines(text, width, size):
            self.sheets[-1].texts.append(PrintedText(line, Box(left, top, width, size), bold))
            top += size * LEADING
        return top

    def _field(self, one: AnyField) -> None:
        """Place a field below the last one, or beside it."""
        if one.new_page and self.y > self.top:
            self._new_page(one.name)
        if one.heading:
            self._need(3 * self.design.box[1], one.name)
            self.y = self._print(one.heading, SIDE, self.y, self.right - SIDE, bold=True) + 1.0
        if one.beside:
            self._beside(one)
            return
        left = SIDE + LABEL_WIDTH
        width, height = self._size(one, self.right - left)
        stacked = left + width > self.right  # too wide for a label before it
        label = [(line, TEXT_SIZE) for line in _lines(one.title, LABEL_WIDTH - 3, TEXT_SIZE)]
        label += [(line, SMALL_SIZE) for line in _lines(one.hint, LABEL_WIDTH - 3, SMALL_SIZE)]
        tall = sum(size * LEADING for _, size in label)
        if stacked:
            left = SIDE
            width, height = self._size(one, self.right - left)
            if left + width > self.right:
                raise UsageError(
                    f"the field {one.name} is {width:.0f} mm wide, and the page has {self.right - left:.0f}; "
                    "give it fewer digits, or make box smaller"
                )
        self._need(height + tall if stacked else max(height, tall), one.name)
        top = self.y + (tall if stacked else max(0.0, (tall - height) / 2))
        at = self.y if stacked else max(self.y, top + (min(height, self.design.box[1]) - tall) / 2)
        for line, size in label:
            self.sheets[-1].texts.append(PrintedText(line, Box(SIDE, at, LABEL_WIDTH - 3, size)))
            at += size * LEADING
        self._draw(one, left, top, self.right - left)
        self.line_top, self.x = top, left + width
        self.y = max(top + height, self.y + tall) + LINE_GAP

    def _beside(self, one: AnyField) -> None:
        label = _text_width(one.title, TEXT_SIZE)
        left = self.x + FIELD_GAP + label
        width, height = self._size(one, self.right - left)
        if not self.x or left + width > self.right or self.line_top + height > self.bottom:
            raise UsageError(f"the field {one.name} has no place beside the field before it; remove beside")
        at = self.line_top + (min(height, self.design.box[1]) - TEXT_SIZE) / 2
        self.sheets[-1].texts.append(PrintedText(one.title, Box(left - label, at, label, TEXT_SIZE)))
        self._draw(one, left, self.line_top, self.right - left)
        self.x = left + width
        self.y = max(self.y, self.line_top + height + LINE_GAP)

    def _fixed(self, one: AnyField, at: tuple[float, float]) -> None:
        """Place a field where the design says, its label above it."""
        if one.page > len(self.sheets):
            raise UsageError(f"the field {one.name} is on page {one.page}, and the form has {len(self.sheets)}")
        page = self.sheets[one.page - 1]
        left, top = at
        width, _ = self._size(one, self.right - left)
        page.texts.append(PrintedText(one.title, Box(left, top - TEXT_SIZE * LEADING, max(width, 30.0), TEXT_SIZE)))
        self._draw(one, left, top, self.right - left, page)

    def _size(self, one: AnyField, available: float) -> tuple[float, float]:
        """Return width and height of a field's boxes, mm; options stand in lines ``available`` mm wide."""
        if isinstance(one, TextField):
            return one.width, one.height
        if isinstance(one, Choice):
            places = _option_places(one.options, available)
            widest = max(
                x + TICK + 1.5 + _text_width(text, TEXT_SIZE) for text, (x, _) in zip(one.options, places, strict=True)
            )
            return widest, places[-1][1] + TICK
        return pattern_places(_pattern(one), self.design.box)[2], self.design.box[1]

    def _draw(self, one: AnyField, left: float, top: float, available: float, page: _Page | None = None) -> None:
        """Add the boxes of a field, and what is printed between or behind them."""
        page = page or self.sheets[-1]
        if isinstance(one, TextField):
            page.fields.append(PlacedField(one.name, one, (Box(left, top, one.width, one.height),)))
        elif isinstance(one, Choice):
            places = _option_places(one.options, available)
            boxes = tuple(Box(left + x, top + y, TICK, TICK) for x, y in places)
            page.fields.append(PlacedField(one.name, one, boxes))
            for text, box in zip(one.options, boxes, strict=True):
                beside = Box(box.right + 1.5, box.top + (TICK - TEXT_SIZE) / 2, _text_width(text, TEXT_SIZE), TEXT_SIZE)
                page.texts.append(PrintedText(text, beside))
        else:
            _draw_digits(page, PlacedField(one.name, one, ()), _pattern(one), left, top, self.design.box)

    def _table(self, rows: Rows) -> None:
        """Place a table: its columns' labels on each page, and line by line its fields."""
        if rows.new_page and self.y > self.top:
            self._new_page(rows.name)
        columns = list(self._columns(rows))
        end = max(left + width for _, left, width in columns)
        if end > self.right:
            raise UsageError(
                f"the table {rows.name} is {end - SIDE:.0f} mm wide, and the page has {self.right - SIDE:.0f}; "
                "give it fewer columns or digits, or make its box smaller"
            )
        head = self._head_height(columns)
        if rows.heading:
            self._need(head + 6 * rows.box[1], rows.name)
            self.y = self._print(rows.heading, SIDE, self.y, self.right - SIDE, bold=True) + 1.0
        for line in range(1, rows.count + 1):
            needed = rows.box[1] + (head if line == 1 else 0.0)
            if line == 1 or self.y + needed > self.bottom:
                self._need(rows.box[1] + head, f"{rows.name}.{line}")
                self._head(columns, head)
            self._line(rows, line, columns)
        self.y += LINE_GAP
        self.x = 0.0

    def _columns(self, rows: Rows) -> Iterator[tuple[AnyField, float, float]]:
        """Yield each field of a table with its left edge and its width, mm."""
        left = SIDE + ROW_LABEL
        for one in rows.fields:
            if isinstance(one, Choice):
                width = len(one.options) * _option_pitch(one)
            else:
                width = pattern_places(_pattern(one), rows.box)[2]
            yield one, left, width
            left += max(width, _text_width(max(one.title.split(), key=len, default=""), SMALL_SIZE)) + FIELD_GAP / 2

    def _head_height(self, columns: list[tuple[AnyField, float, float]]) -> float:
        lines = max(len(_lines(one.title, max(width, 12.0), SMALL_SIZE)) for one, _, width in columns)
        options = any(isinstance(one, Choice) for one, _, _ in columns)
        return (lines + options) * SMALL_SIZE * LEADING + 1.0

    def _head(self, columns: list[tuple[AnyField, float, float]], height: float) -> None:
        for one, left, width in columns:
            self._print(one.title, left, self.y, max(width, 12.0), SMALL_SIZE)
            pitch = _option_pitch(one)
            for number, text in enumerate(one.options if isinstance(one, Choice) else ()):
                box = Box(left + number * pitch, self.y + height - SMALL_SIZE - 1.0, pitch - 0.5, SMALL_SIZE)
                self.sheets[-1].texts.append(PrintedText(text, box))
        self.y += height

    def _line(self, rows: Rows, line: int, columns: list[tuple[AnyField, float, float]]) -> None:
        page, label = self.sheets[-1], rows.labels[line - 1] if rows.labels else str(line)
        at = Box(SIDE, self.y + (rows.box[1] - TEXT_SIZE) / 2, ROW_LABEL - 2.0, TEXT_SIZE)
        page.texts.append(PrintedText(label, at, align="left" if rows.labels else "right"))
        for one, left, _ in columns:
            placed = PlacedField(f"{rows.name}.{line}.{one.name}", one, (), rows.name, line)
            if isinstance(one, Choice):
                top = self.y + (rows.box[1] - TICK) / 2
                pitch = _option_pitch(one)
                boxes = tuple(Box(left + number * pitch, top, TICK, TICK) for number in range(len(one.options)))
                page.fields.append(PlacedField(placed.name, one, boxes, rows.name, line))
            else:
                _draw_digits(page, placed, _pattern(one), left, self.y, rows.box)
        self.y += rows.box[1] + ROW_GAP

    def pages(self) -> Iterator[PlacedPage]:
        """Place all fields; yield the pages with their marks, code, title and footer.

        Raises
        ------
        UsageError
            When a field does not fit, or there are too many pages.
        """
        for one in self.design.fields:
            if isinstance(one, Rows):
                self._table(one)
            elif one.at is None:
                self._field(one)
        for one in self.design.fields:
            if one.at is not None and not isinstance(one, Rows):
                self._fixed(one, one.at)
        for number, page in enumerate(self.sheets, 1):
            yield self._framed(number, page)

    def _framed(self, number: int, page: _Page) -> PlacedPage:
        """Return a page with its marks, code, title, guides and footer."""
        inset = MARK_INSET + MARK_SIZE
        code = Box(self.width - inset - CODE_RIM - CODE_SIZE, MARK_INSET, CODE_SIZE, CODE_SIZE)
        left, right = inset + 4.0, code.left - CODE_RIM
        texts = [PrintedText(self.design.title, Box(left, MARK_INSET, right - left, TITLE_SIZE), bold=True)]
        guides: tuple[Box, ...] = ()
        if self.design.guides:
            wide, high = GUIDE_BOX
            first, top = left + 22.0, MARK_INSET + CODE_SIZE - high
            guides = tuple(Box(first + n * (wide + BOX_GAP), top, wide, high) for n in range(len(GUIDE_DIGITS)))
            texts.append(PrintedText("Write like this:", Box(left, top + (high - SMALL_SIZE) / 2, 21.0, SMALL_SIZE)))
        return PlacedPage(
            number=number,
            width=self.width,
            height=self.height,
            fields=tuple(page.fields),
            texts=(*texts, *page.texts),
            marks=_marks(self.width, self.height),
            code=code,
            person=Box(left, MARK_INSET + 8.0, right - left, TEXT_SIZE + 0.5),
            footer=Box(left, self.height - MARK_INSET - MARK_SIZE / 2, self.width - 2 * left, SMALL_SIZE),
            guides=guides,
        )


def _marks(width: float, height: float) -> tuple[Mark, ...]:
    far_x, far_y = width - MARK_INSET - MARK_SIZE, height - MARK_INSET - MARK_SIZE
    places = ((MARK_INSET, MARK_INSET), (far_x, MARK_INSET), (far_x, far_y), (MARK_INSET, far_y))
    return tuple(Mark(number, Box(x, y, MARK_SIZE, MARK_SIZE)) for number, (x, y) in zip(MARK_IDS, places, strict=True))


def _pattern(one: AnyField) -> str:
    return one.pattern if isinstance(one, DigitField) else ""


def _option_pitch(one: AnyField) -> float:
    """Return the distance of the boxes of a choice in a table, mm."""
    options = one.options if isinstance(one, Choice) else ()
    return max(TICK + 2.5, *(_text_width(text, SMALL_SIZE) for text in options), 0.0)


def _option_places(options: tuple[str, ...], available: float) -> list[tuple[float, float]]:
    """Return left and top of the box of each option, mm; a new line begins where the next text would reach too far."""
    places: list[tuple[float, float]] = []
    x = y = 0.0
    for text in options:
        width = TICK + 1.5 + _text_width(text, TEXT_SIZE)
        if x and x + width > available:
            x, y = 0.0, y + TICK + 2.0
        places.append((x, y))
        x += width + 4.0
    return places


def _draw_digits(
    page: _Page, placed: PlacedField, pattern: str, left: float, top: float, size: tuple[float, float]
) -> None:
    """Add the boxes of digits to a page, and the characters printed between them."""
    lefts, printed, _ = pattern_places(pattern, size)
    boxes = tuple(Box(left + x, top, *size) for x in lefts)
    page.fields.append(PlacedField(placed.name, placed.field, boxes, placed.table, placed.line))
    for character, middle in printed:
        if character != " ":
            at = Box(left + middle - PRINTED_GAP / 2, top + size[1] - TEXT_SIZE * 1.3, PRINTED_GAP, TEXT_SIZE)
            page.texts.append(PrintedText(character, at, bold=True, align="center"))

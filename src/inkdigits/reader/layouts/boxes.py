"""The layout ``boxes``: a form with one digit in each drawn box, or a table with a number in each cell.

On a form, a row of boxes is a number. A cell that holds more than one digit is read by the line reader.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np

from inkdigits.imaging.geometry import Box, bounding_box
from inkdigits.imaging.page import BoxContent, Page
from inkdigits.imaging.strips import Strip, StripArea, cut_strip
from inkdigits.reader.cells import rows_and_columns
from inkdigits.reader.glyphs import Glyph, GlyphReader, blank_glyph
from inkdigits.reader.layouts.line import CROSSED, DIGITS, OTHER, LineLayout
from inkdigits.reader.layouts.registry import LayoutReading, Row, register_layout
from inkdigits.reader.line_recognizer import LineText
from inkdigits.reader.refusal import BLANK
from inkdigits.reader.views import mean_reading


@dataclass(frozen=True)
class BoxLayoutParameters:
    """When boxes on a page are a form."""

    fewest_written: int = 2  # boxes with writing
    tall: float = 0.3  # of its box that the writing is high, at least, in the median
    crossing: float = 0.5  # of the written boxes whose ink may reach their lines; on squared paper more does
    accepted: float = 0.5  # of the written boxes that hold digits, at least
    evidence: float = 0.2  # nats added to the score of a glyph; writing in form boxes is mostly digits
    floor: float = -6.0  # nats; least that one glyph counts, so that one letter does not decide
    wide: float = 1.3  # width over height of ink that may be more than one digit, though it looks like one
    sure: float = 0.85  # probability of each digit of a number in one box, at least
    table: float = 0.25  # of the written boxes that hold numbers of two digits or more; then each box is a number


@register_layout
@dataclass(frozen=True)
class BoxLayout:
    """Reads the boxes of a form, or the cells of a table."""

    name: ClassVar[str] = "boxes"
    order: ClassVar[int | None] = 10
    parameters: BoxLayoutParameters = field(default_factory=BoxLayoutParameters)
    line: LineLayout = field(default_factory=LineLayout)

    def read(self, page: Page, glyphs: GlyphReader, length: int | None, required: bool) -> LayoutReading | None:
        """Return the rows of boxes; None where there are none, or, unless required, where they hold no digits.

        If it is required, wide fields are read too, and a single one.
        """
        p = self.parameters
        fields = page.fields if required and not page.form_boxes else []
        boxes = page.form_boxes or fields
        if not required and not self._is_form(boxes):
            return None
        written = [(box.box, box.picture) for box in boxes if box.picture is not None]
        found = iter(glyphs.read([box for box, _ in written], [picture for _, picture in written], p.evidence))
        singles = [blank_glyph(box.box) if box.picture is None else next(found) for box in boxes]
        doubted = [i for i, (box, glyph) in enumerate(zip(boxes, singles, strict=True)) if self._is_doubted(box, glyph)]
        texts = self._texts(boxes, doubted, glyphs, length)
        texts = {i: read for i, read in texts.items() if self._is_sure(read[0])}
        table = bool(fields) or (bool(texts) and len(texts) >= p.table * len(written))
        if table:  # what looks like one digit may be two, and less evidence is needed for several
            texts = self._texts(boxes, [i for i, box in enumerate(boxes) if box.ink is not None], glyphs, length)
        numbers = {i: self.line.numbers(*read, page, glyphs) for i, read in texts.items()}
        if table:
            cells = [row for i, glyph in enumerate(singles) for row in numbers.get(i) or [Row([glyph])]]
            rows = _in_order([*cells, *self._outside(boxes, page, glyphs, length)])
        else:
            rows = _joined(boxes, singles, numbers)
        seen = [glyph for row in rows for glyph in row.glyphs if glyph.reject != BLANK]
        if not required and sum(glyph.reject is None for glyph in seen) < p.accepted * len(seen):
            return None
        score = float(np.mean([max(glyph.log_probability, p.floor) for glyph in seen])) if seen else p.floor
        return LayoutReading(self.name, rows, score)

    def _is_sure(self, text: LineText) -> bool:
        """Return whether a strip holds clear digits, perhaps with separators, and nothing else."""
        others = any(c.character in (OTHER, CROSSED) for c in text.characters)
        return not others and min(_digits(text)) >= self.parameters.sure

    def _outside(self, boxes: Sequence[BoxContent], page: Page, glyphs: GlyphReader, length: int | None) -> list[Row]:
        """Return the numbers on lines that lie in no box, as in a cell that is cut by the rim of the page."""
        sides = np.array([box.inside for box in boxes])

        def in_box(glyph: Glyph) -> bool:
            middle = np.array(glyph.box[:2]) + np.array(glyph.box[2:]) / 2
            return bool(((middle >= sides[:, :2]) & (middle < sides[:, :2] + sides[:, 2:])).all(1).any())

        rows = self.line.read(page, glyphs, length, required=True).rows
        return [row for row in rows if not any(in_box(glyph) for glyph in row.glyphs)]

    def _is_doubted(self, box: BoxContent, glyph: Glyph) -> bool:
        """Return whether the writing in a box is no digit, or wider than one."""
        wide = box.box[2] > self.parameters.wide * box.box[3]
        return box.ink is not None and (glyph.reject is not None or wide)

    def _texts(
        self, boxes: Sequence[BoxContent], chosen: Sequence[int], glyphs: GlyphReader, length: int | None
    ) -> dict[int, tuple[LineText, StripArea]]:
        """Return what stands in those of the chosen boxes, by index, that hold two digits or more."""
        areas = [self._areas(boxes[index].box) for index in chosen]
        strips = [_strip(boxes[index], area) for index, views in zip(chosen, areas, strict=True) for area in views]
        read = iter(glyphs.read_lines(strips, length))
        out = {}
        for index, views in zip(chosen, areas, strict=True):
            text, place = mean_reading([next(read) for _ in views])
            if len(_digits(text)) > 1:
                out[index] = text, views[place]
        return out

    def _areas(self, box: Box) -> list[StripArea]:
        """Return the strips of writing in a box, of the size that the line reader learned and a little different."""
        p = self.line.parameters
        left, top, wide, tall = box
        area = StripArea(left - p.around * tall, left + wide + p.around * tall, top + tall / 2, tall / p.share)
        return [area, *(area.changed(scale, slope) for scale, slope in p.views)]

    def _is_form(self, boxes: list[BoxContent]) -> bool:
        p = self.parameters
        written = [box for box in boxes if box.picture is not None]
        if len(written) < p.fewest_written:
            return False
        tall = float(np.median([box.height for box in written])) >= p.tall
        return tall and float(np.mean([box.crosses for box in written])) <= p.crossing


def _digits(text: LineText) -> list[float]:
    """Return the probability of each digit of a text."""
    return [c.probability for c in text.characters if c.character in DIGITS]


def _joined(boxes: Sequence[BoxContent], singles: Sequence[Glyph], numbers: dict[int, list[Row]]) -> list[Row]:
    """Return each row of boxes as one number."""
    rows: dict[int, list[Glyph]] = {}
    for index, (box, glyph) in enumerate(zip(boxes, singles, strict=True)):
        several = [one for row in numbers.get(index, ()) for one in row.glyphs]
        rows.setdefault(box.row, []).extend(several or [glyph])
    return [Row(row) for row in rows.values()]


def _in_order(rows: Sequence[Row]) -> list[Row]:
    """Return the numbers of a table row by row from the left."""
    places = rows_and_columns([bounding_box([glyph.box for glyph in row.glyphs]) for row in rows])
    return [rows[index] for index in sorted(range(len(rows)), key=lambda index: places[index])]


def _strip(box: BoxContent, area: StripArea) -> Strip:
    """Return the writing in a box, which is not blank, as a strip."""
    assert box.ink is not None
    left, top = box.inside[:2]
    return cut_strip(box.ink, replace(area, left=area.left - left, right=area.right - left, middle=area.middle - top))

"""The layout ``boxes``: a form with one digit in each drawn box; a row of boxes is a number."""

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from inkdigits.imaging.page import BoxContent, Page
from inkdigits.reader.glyphs import Glyph, GlyphReader, blank_glyph
from inkdigits.reader.layouts.registry import LayoutReading, Row, register_layout
from inkdigits.reader.refusal import BLANK


@dataclass(frozen=True)
class BoxLayoutParameters:
    """When boxes on a page are a form."""

    fewest_written: int = 2  # boxes with writing
    tall: float = 0.3  # of its box that the writing is high, at least, in the median
    crossing: float = 0.5  # of the written boxes whose ink may reach their lines; on squared paper more does
    accepted: float = 0.5  # of the written boxes that hold digits, at least
    evidence: float = 0.2  # nats added to the score of a glyph; writing in form boxes is mostly digits
    floor: float = -6.0  # nats; least that one glyph counts, so that one letter does not decide


@register_layout
@dataclass(frozen=True)
class BoxLayout:
    """Reads the boxes of a form."""

    name: ClassVar[str] = "boxes"
    order: ClassVar[int | None] = 10
    parameters: BoxLayoutParameters = field(default_factory=BoxLayoutParameters)

    def read(self, page: Page, glyphs: GlyphReader, length: int | None, required: bool) -> LayoutReading | None:
        """Return the rows of boxes; None where there are none, or, unless required, where they hold no digits."""
        p = self.parameters
        boxes = page.form_boxes
        if not required and not self._is_form(boxes):
            return None
        written = [(box.box, box.picture) for box in boxes if box.picture is not None]
        found = iter(glyphs.read([box for box, _ in written], [picture for _, picture in written], p.evidence))
        rows: dict[int, list[Glyph]] = {}
        for box in boxes:
            rows.setdefault(box.row, []).append(blank_glyph(box.box) if box.picture is None else next(found))
        seen = [glyph for row in rows.values() for glyph in row if glyph.reject != BLANK]
        if not required and sum(glyph.reject is None for glyph in seen) < p.accepted * len(seen):
            return None
        score = float(np.mean([max(glyph.log_probability, p.floor) for glyph in seen])) if seen else p.floor
        return LayoutReading(self.name, [Row(row) for row in rows.values()], score)

    def _is_form(self, boxes: list[BoxContent]) -> bool:
        p = self.parameters
        written = [box for box in boxes if box.picture is not None]
        if len(written) < p.fewest_written:
            return False
        tall = float(np.median([box.height for box in written])) >= p.tall
        return tall and float(np.mean([box.crosses for box in written])) <= p.crossing

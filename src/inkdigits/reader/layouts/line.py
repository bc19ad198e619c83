"""The layout ``line``: numbers in handwriting; a line of writing is a number, a line of print is none."""

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from inkdigits.imaging.page import Page, PageLine
from inkdigits.reader.decoding import DecodingParameters, viterbi
from inkdigits.reader.glyphs import Glyph, GlyphReader
from inkdigits.reader.layouts.registry import LayoutReading, register_layout


@dataclass(frozen=True)
class LineLayoutParameters:
    """When a line holds a number, and when it is print."""

    evidence: float = 0.6  # nats added to the score of a glyph; among digits on a line, ink is mostly a digit
    accepted: float = 0.5  # of a line's glyphs that are digits, at least
    print_score: float = -0.4  # nats; a very long line that reads worse, in the mean over its ink, is print
    print_score_short: float = -4.5  # nats over the root of the glyphs; a shorter line may read so much worse
    long_line: int = 20  # glyphs; so many that are print are no column of digits
    floor: float = -6.0  # nats; least that one glyph counts, so that one blot does not decide


@dataclass(frozen=True)
class LineReading:
    """What is read of one line: its glyphs, their mean log-probability over the ink, and the pixels of ink."""

    glyphs: list[Glyph]
    score: float
    ink: int


@register_layout
@dataclass(frozen=True)
class LineLayout:
    """Reads lines of handwriting."""

    name: ClassVar[str] = "line"
    order: ClassVar[int | None] = 20
    parameters: LineLayoutParameters = field(default_factory=LineLayoutParameters)
    decoding: DecodingParameters = field(default_factory=DecodingParameters)

    def read(self, page: Page, glyphs: GlyphReader, length: int | None, required: bool) -> LayoutReading:
        """Return the lines of a page that hold digits; every page has this layout."""
        p = self.parameters
        known: dict[tuple[Any, ...], LineReading] = {}
        rejected: list[LineReading] = []

        def accept(line: PageLine) -> bool:
            if line.key not in known:
                known[line.key] = self._read_line(line, glyphs, length)
            found = known[line.key]
            accepted = not self._is_print(found) and self._is_number(found)
            if not accepted:
                rejected.append(found)
            return accepted

        lines = [known[line.key] for line in page.text_lines(accept)]
        ink = sum(line.ink for line in rejected + lines)
        score = sum(line.score * line.ink for line in rejected + lines) / ink if ink else p.floor
        printed = sum(line.ink for line in rejected if self._is_print(line) and len(line.glyphs) >= p.long_line)
        return LayoutReading(self.name, [line.glyphs for line in lines], score, printed > ink / 2)

    def _is_print(self, line: LineReading) -> bool:
        p = self.parameters
        limit: float = p.print_score + p.print_score_short / max(1, len(line.glyphs)) ** 0.5
        return line.score < limit

    def _is_number(self, line: LineReading) -> bool:
        accepted = [glyph.reject is None for glyph in line.glyphs]
        return any(accepted) and float(np.mean(accepted)) >= self.parameters.accepted

    def _read_line(self, line: PageLine, glyphs: GlyphReader, length: int | None) -> LineReading:
        p, runs = self.parameters, line.candidates
        found = glyphs.read([run.box for run in runs], [run.picture for run in runs], p.evidence)
        digits = np.array([glyph.probabilities.argmax() for glyph in found])
        scores = np.array([glyph.log_probability for glyph in found])
        steps = viterbi(len(line.line.pieces), line.line.height, runs, digits, scores, length, self.decoding)
        chosen, total, ink = [], 0.0, 0
        for step in steps:
            glyph = found[step.index]
            pixels = line.ink_pixels(step.candidate.start, step.candidate.stop)
            score = glyph.log_probability + self.decoding.cut * step.candidate.cut_cost if step.read else p.floor
            total, ink = total + pixels * max(score, p.floor), ink + pixels
            chosen.append(glyph if step.read else glyph.rejected())
        return LineReading(chosen, total / max(1, ink), ink)

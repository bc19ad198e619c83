"""The layout ``line``: numbers in handwriting, on lines that are read without being cut into digits."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from inkdigits.imaging.page import Page, PageLine
from inkdigits.imaging.strips import HEIGHT, StripArea, cut_strip
from inkdigits.reader.glyphs import Glyph, GlyphReader
from inkdigits.reader.layouts.registry import LayoutReading, Row, register_layout
from inkdigits.reader.line_recognizer import Character, LineText
from inkdigits.reader.refusal import AMBIGUOUS, CROSSED_OUT, NOT_A_DIGIT
from inkdigits.reader.views import mean_reading

DIGITS, OTHER, CROSSED, SLASH = "0123456789", "?", "x", "/"  # of the line recogniser; the rest are separators


@dataclass(frozen=True)
class LineLayoutParameters:
    """How a line is cut out, when it is cut out again, and what of it is a number. Heights are those of its digits."""

    share: float = 0.66  # of a strip's height that its digits take, as in the median line of training
    around: float = 0.6  # heights of paper at each end of the line
    rounds: int = 2  # in which a line is cut out anew where its digits were found higher, lower, larger or smaller
    other_size: float = 1.2  # times larger or smaller; beyond, the line is cut out anew
    other_place: float = 0.08  # of the strip's height; further from its middle, the line is cut out anew
    views: tuple[tuple[float, float], ...] = ((1.12, 0.03), (0.9, -0.03))  # times as high, and added to the slope
    gap: float = 1.6  # heights of paper between two numbers, at least
    single: float = 0.6  # heights; one character of other writing with digits so near is a place that cannot be read
    wide: float = 1.2  # width over height of the ink on a page that may be one line, at least
    least_share: float = 0.35  # of the strip's height that its digits take, if it is one line
    sure: float = 0.6  # mean probability of the digits of a line, at least
    sure_beside_other: float = 0.85  # the same for a line that is mostly other writing, or crossed out
    clear: float = 0.9  # probability of a digit that shows a line beside others
    clear_digits: int = 2  # such digits on each of several lines, at least
    lone_slash: float = 0.25  # how much rarer a number with one slash is than in training; it looks like a slanted 1
    opinion: float = 1.0  # exponent of the digit network's probabilities, beside those of the line
    least_opinion: float = 1e-3  # probability; no network excludes a digit entirely
    long_line: int = 20  # characters; so many that are no number are print, not a column of digits
    most_lines: int = 150  # that are read on a page; patterns and dirt make thousands
    floor: float = -6.0  # nats; least that one character counts


@dataclass(frozen=True)
class LineReading:
    """What is read of one line: its text, where its strip lies, the mean log-probability, and the pixels of ink."""

    text: LineText
    area: StripArea
    score: float
    ink: int


@register_layout
@dataclass(frozen=True)
class LineLayout:
    """Reads lines of handwriting."""

    name: ClassVar[str] = "line"
    order: ClassVar[int | None] = 20
    parameters: LineLayoutParameters = field(default_factory=LineLayoutParameters)

    def read(self, page: Page, glyphs: GlyphReader, length: int | None, required: bool) -> LayoutReading:
        """Return the numbers on the lines of a page; every page has this layout."""
        whole = self.whole(page, glyphs, length)
        known: dict[tuple[Any, ...], LineReading] = {}
        rejected: list[LineReading] = []
        too_complex = False

        def accept(line: PageLine) -> bool:
            nonlocal too_complex
            if line.key not in known and len(known) >= self.parameters.most_lines:
                too_complex = True
                return False
            if line.key not in known:
                known[line.key] = self._read_line(page, line, glyphs, length)
            accepted = self._has_number(known[line.key].text)
            if not accepted:
                rejected.append(known[line.key])
            return accepted

        lines = [known[line.key] for line in page.text_lines(accept)]
        if whole is not None and not self._several(lines):
            lines, rejected = [whole], []
        ink = sum(line.ink for line in rejected + lines)
        score = sum(line.score * line.ink for line in rejected + lines) / ink if ink else self.parameters.floor
        printed = sum(line.ink for line in rejected if len(line.text.text) >= self.parameters.long_line)
        lines = [self._with_views(line, page, glyphs, length) for line in lines]
        rows = [self._with_opinions(row, page, glyphs) for line in lines for row in self._rows(line, glyphs)]
        return LayoutReading(self.name, rows, score, printed > ink / 2, too_complex)

    def _has_number(self, text: LineText) -> bool:
        """Return whether a line holds a number, and is no print that looks like one here and there."""
        p = self.parameters
        digits = [c.probability for c in text.characters if c.character in DIGITS]
        crossed = [c.probability for c in text.characters if c.character == CROSSED]
        other = sum(c.character == OTHER for c in text.characters)
        if not digits:
            return len(crossed) >= p.clear_digits and float(np.mean(crossed)) >= p.sure_beside_other
        least = p.sure if len(digits) + len(crossed) > other else p.sure_beside_other
        return float(np.mean(digits)) >= least

    def whole(self, page: Page, glyphs: GlyphReader, length: int | None) -> LineReading | None:
        """Return the reading of all that is on the page as one line; None where it is no line that can be read."""
        p = self.parameters
        x, y, width, height = cv2.boundingRect(page.faint)
        if not height or width < p.wide * height:
            return None
        area = StripArea(x - 0.1 * height, x + width + 0.1 * height, y + height / 2, height)
        reading = self._read_area(page, area, glyphs, length)
        digits = [c for c in reading.text.characters if c.character in DIGITS]
        if not digits:
            return None
        share = float(np.median([c.edges[3] - c.edges[1] for c in digits])) / HEIGHT
        sure = float(np.mean([c.probability for c in digits]))
        return reading if share >= p.least_share and sure >= p.sure else None

    def _several(self, lines: Sequence[LineReading]) -> bool:
        """Return whether there are several lines of writing, one above the other."""
        p = self.parameters
        places = []
        for line in lines:
            digits = [c for c in line.text.characters if c.character in DIGITS and c.probability >= p.clear]
            if len(digits) >= p.clear_digits:
                boxes = [line.area.box_on_page(c.edges) for c in digits]
                places.append(
                    (float(np.median([b[1] + b[3] / 2 for b in boxes])), float(np.median([b[3] for b in boxes])))
                )
        return any(abs(y - other) > max(h, there) for y, h in places for other, there in places)

    def _read_line(self, page: Page, line: PageLine, glyphs: GlyphReader, length: int | None) -> LineReading:
        return replace(self._read_area(page, self._area(line), glyphs, length), ink=line.ink_pixels())

    def _read_area(self, page: Page, area: StripArea, glyphs: GlyphReader, length: int | None) -> LineReading:
        """Read a strip; it is cut out again where its digits are of another size, or lie higher or lower."""
        p = self.parameters
        (text,) = glyphs.read_lines([cut_strip(page.ink, area)], length)
        for _ in range(p.rounds):
            better = self._better_area(area, text)
            if better is None:
                break
            area = better
            (text,) = glyphs.read_lines([cut_strip(page.ink, area)], length)
        seen = [c for c in text.characters if c.character in DIGITS + OTHER + CROSSED]
        shares = [c.probability if c.character in DIGITS else 0.0 for c in seen]
        logs = np.log(np.maximum(shares, np.exp(p.floor)))
        return LineReading(text, area, float(logs.mean()) if len(logs) else p.floor, 1)

    def _with_views(self, line: LineReading, page: Page, glyphs: GlyphReader, length: int | None) -> LineReading:
        """Return a line with the mean of its text and those of strips that are cut out in other ways."""
        areas = [line.area, *(line.area.changed(scale, slope) for scale, slope in self.parameters.views)]
        others = glyphs.read_lines([cut_strip(page.ink, area) for area in areas[1:]], length)
        text, place = mean_reading([line.text, *others])
        return replace(line, text=text, area=areas[place])

    def _area(self, line: PageLine) -> StripArea:
        """Return the strip around the larger pieces of a line."""
        p = self.parameters
        boxes = np.array([piece.box for piece in line.line.pieces], float)
        cores = boxes[boxes[:, 3] >= min(0.5 * line.line.height, boxes[:, 3].max())]
        x, y = cores[:, 0] + cores[:, 2] / 2, cores[:, 1] + cores[:, 3] / 2
        slope = _slope(x, y) if np.ptp(x) > 3 * line.line.height else 0.0
        high = float(np.quantile(cores[:, 1] - slope * x, 0.1))
        low = float(np.quantile(cores[:, 1] + cores[:, 3] - slope * x, 0.9))
        height = max(low - high, line.line.height) / p.share
        left = float(boxes[:, 0].min()) - p.around * line.line.height
        right = float((boxes[:, 0] + boxes[:, 2]).max()) + p.around * line.line.height
        return StripArea(left, right, (high + low) / 2 + slope * left, height, slope)

    def _better_area(self, area: StripArea, text: LineText) -> StripArea | None:
        """Return the strip in which the digits of a text have the usual size and place; None where they have it."""
        p = self.parameters
        edges = np.array([c.edges for c in text.characters if c.character in DIGITS])
        if not len(edges):
            return None
        size = float(np.median(edges[:, 3] - edges[:, 1])) / HEIGHT
        middle = float(np.median(edges[:, 3] + edges[:, 1])) / 2 / HEIGHT - 0.5
        if size <= 0.05 or (1 / p.other_size < size / p.share < p.other_size and abs(middle) < p.other_place):
            return None
        return replace(area, middle=area.middle + middle * area.height, height=area.height * size / p.share)

    def numbers(self, text: LineText, area: StripArea, page: Page, glyphs: GlyphReader) -> list[Row]:
        """Return the numbers of what was read on a strip of a page."""
        return [self._with_opinions(row, page, glyphs) for row in self._rows(LineReading(text, area, 0.0, 0), glyphs)]

    def _rows(self, line: LineReading, glyphs: GlyphReader) -> list[Row]:
        """Return the numbers of a line: other writing and wide gaps part them."""
        least = glyphs.ambiguous_below
        return [self._row(start, stop, line, least) for start, stop in self._parted(line.text.characters)]

    def _with_opinions(self, row: Row, page: Page, glyphs: GlyphReader) -> Row:
        """Return a number with the digit network's opinion on digits that touch nothing: a product of experts.

        (G. Hinton, "Training products of experts by minimizing contrastive divergence", 2002.)
        """
        p = self.parameters
        seen = [None if g.reject == CROSSED_OUT else page.isolated_ink(g.box) for g in row.glyphs]
        found = iter(glyphs.opinions([picture for picture in seen if picture is not None]))
        opinions = [None if picture is None else next(found) for picture in seen]
        factors = [None if o is None else np.maximum(o, p.least_opinion) ** p.opinion for o in opinions]
        least = glyphs.ambiguous_below
        out = [g if f is None else self._weighed(g, f, least) for g, f in zip(row.glyphs, factors, strict=True)]
        scores = {}
        for number, probability in row.readings or ():
            known = len(number) == len(factors)
            told = [(f, c) for f, c in zip(factors, number, strict=True) if f is not None] if known else []
            parts = [float(f[int(c)]) if c in DIGITS else p.least_opinion**p.opinion for f, c in told]
            if not known:
                parts = [float(f.max()) for f in factors if f is not None]
            scores[number] = probability * float(np.prod(parts))
        total, before = sum(scores.values()), sum(share for _, share in row.readings or ())
        ranked = (
            sorted(((n, s * before / total) for n, s in scores.items()), key=lambda item: -item[1]) if total else []
        )
        return replace(row, glyphs=out, readings=tuple(ranked) if ranked else row.readings)

    def _weighed(self, glyph: Glyph, factor: NDArray[np.floating], least: float) -> Glyph:
        """Return a glyph whose probabilities are multiplied by a factor (10,)."""
        shares = np.maximum(glyph.probabilities, self.parameters.least_opinion) * factor
        shares = np.asarray(shares / shares.sum(), np.float32)
        if glyph.reject is None:
            return replace(glyph, probabilities=shares)
        even = max(glyph.log_probability, float(np.log(0.5)))  # one network sees a digit, the other does not
        clear = factor.max() >= self.parameters.clear**self.parameters.opinion
        if not clear or np.exp(even) * float(shares.max()) < least:
            return glyph
        return replace(glyph, probabilities=shares, log_probability=even, reject=None)

    def _parted(self, characters: Sequence[Character]) -> list[tuple[int, int]]:
        """Return where numbers start and stop among the characters of a line."""
        heights = [c.edges[3] - c.edges[1] for c in characters if c.character in DIGITS]
        height = float(np.median(heights)) if heights else float(HEIGHT)
        cuts = {0, len(characters)}
        for index, character in enumerate(characters):
            if character.character == OTHER and not self._is_unread_digit(characters, index, height):
                cuts |= {index, index + 1}
            elif index and character.edges[0] - characters[index - 1].edges[2] > self.parameters.gap * height:
                cuts.add(index)
        parts = []
        for start, stop in pairwise(sorted(cuts)):
            kept = [i for i in range(start, stop) if characters[i].character in DIGITS + CROSSED]
            if kept:
                parts.append((kept[0], kept[-1] + 1))  # separators at the ends belong to no number
        return parts

    def _is_unread_digit(self, characters: Sequence[Character], index: int, height: float) -> bool:
        """Return whether one character of other writing stands close between digits."""
        if not 0 < index < len(characters) - 1:
            return False
        before, here, after = characters[index - 1 : index + 2]
        near = here.edges[0] - before.edges[2], after.edges[0] - here.edges[2]
        both = before.character in DIGITS and after.character in DIGITS
        return both and max(near) < self.parameters.single * height

    def _row(self, start: int, stop: int, line: LineReading, least: float) -> Row:
        """Return the number of characters ``start`` to ``stop`` of a line; less probable digits are ambiguous."""
        p = self.parameters
        glyphs: list[Glyph] = []
        separators: list[tuple[int, str]] = []
        for character in self._with_lone_slash_weighed(line.text.characters[start:stop]):
            if character.character in DIGITS + OTHER + CROSSED:
                glyphs.append(self._glyph(character, line.area, least))
            else:
                separators.append((len(glyphs), character.character))
        texts = line.text.readings(start, stop)
        weights = {text: share * (p.lone_slash if text.count(SLASH) == 1 else 1.0) for text, share in texts.items()}
        scale = sum(texts.values()) / max(sum(weights.values()), 1e-12)
        readings: dict[str, float] = defaultdict(float)
        for text, share in weights.items():
            number = "".join(c if c in DIGITS else "?" for c in text if c in DIGITS + OTHER + CROSSED)
            readings[number] += scale * share
        ranked = sorted(readings.items(), key=lambda item: -item[1])
        return Row(glyphs, tuple(separators), tuple(ranked))

    def _with_lone_slash_weighed(self, characters: Sequence[Character]) -> list[Character]:
        """Return the characters of a number; one slash among them becomes a 1 where that is likelier."""
        out = list(characters)
        slashes = [index for index, c in enumerate(out) if c.character == SLASH]
        if len(slashes) == 1:
            slash = out[slashes[0]]
            shares = slash.probabilities.copy()
            known = float(shares[1]) + slash.probability
            one = float(shares[1]) / (float(shares[1]) + self.parameters.lone_slash * slash.probability)
            if one > 0.5:
                shares[1] = one * known
                out[slashes[0]] = Character("1", slash.edges, shares)
        return out

    def _glyph(self, character: Character, area: StripArea, least: float) -> Glyph:
        shares = character.probabilities[: len(DIGITS)]
        total = float(shares.sum())
        log_probability = float(np.log(max(1e-9, total)))
        if character.character == CROSSED:
            reject: str | None = CROSSED_OUT
        elif character.character == OTHER:
            reject = NOT_A_DIGIT
        else:
            reject = AMBIGUOUS if shares.max() < least else None
        probabilities = np.asarray(shares / total if total else shares, np.float32)
        return Glyph(area.box_on_page(character.edges), probabilities, log_probability, reject)


def _slope(x: np.ndarray, y: np.ndarray) -> float:
    """Return the median slope over pairs of points (H. Theil, 1950; P. K. Sen, 1968)."""
    dx, dy = x[:, None] - x, y[:, None] - y
    far = dx > 0.25 * np.ptp(x)
    return float(np.median(dy[far] / dx[far])) if far.any() else 0.0

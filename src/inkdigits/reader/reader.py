"""The reader: a picture of a page in, its numbers out."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from inkdigits.errors import DataError, unknown
from inkdigits.imaging.normalize import SIZE
from inkdigits.imaging.page import Page, prepare
from inkdigits.imaging.rulings import box_contents, find_boxes, rules, without
from inkdigits.imaging.segment import (
    CORE,
    Box,
    Piece,
    TextLine,
    around,
    candidates,
    components,
    find_lines,
    picture,
)
from inkdigits.reader.decode import path
from inkdigits.reader.reading import Digit, Line, Reading
from inkdigits.reader.recognizer import AMBIGUOUS, BLANK, NOT_A_DIGIT, Recognizer

LAYOUTS = ("auto", "line", "boxes")
FREE = 0.5  # share of the written boxes whose ink may cross their frame, at most; on squared paper most does
TALL = 0.3  # of its box that a digit is high, at least
LEAST = 0.5  # share of a form's written boxes, and of a line's glyphs, that can be read where it holds digits
UNLIKELY = -4.0  # log-probability of being a digit below which ink is declined
POOR = -1.6  # mean log-probability of a page's glyphs below which it may lie on its side
HOPELESS = -6.0  # and the least that one glyph counts
BETTER = 1.5  # by how much another way round has to be likelier


@dataclass(frozen=True)
class Glyph:
    """One place on a page: the probabilities of the ten digits there, and the log-probability that it is a digit."""

    box: Box
    probabilities: NDArray[np.float32]
    likelihood: float
    reject: str | None


class Reader:
    """Reads digits: on pages, in boxes, or one by one. Safe to share between threads.

    Parameters
    ----------
    model
        An .onnx file that ``inkdigits export`` wrote; None for the model that comes with the package.
    threads
        Cores that one call may use; 0 leaves it to ONNX Runtime.

    Raises
    ------
    ModelError
        When the model is missing or of another kind.
    """

    def __init__(self, model: str | Path | None = None, threads: int = 0) -> None:
        self.recognizer = Recognizer(model, threads)

    def read(self, image: NDArray[Any], layout: str = "auto", turn: bool = True, source: str = "") -> Reading:
        if layout not in LAYOUTS:
            raise unknown("layout", layout, LAYOUTS)
        try:
            best = self._read_turned(image, layout, 0)
        except ValueError as error:
            raise DataError(f"{source or 'the page'}: {error}") from error
        if turn and best[3] < POOR:
            others = [self._read_turned(image, layout, quarters) for quarters in (1, 3, 2)]
            other = max(others, key=lambda item: item[3])
            if other[3] > best[3] + BETTER and _count(other[2]) >= 0.6 * _count(best[2]):
                best = other
        page, kind, rows, _, quarters = best
        lines = tuple(self._line(row, page) for row in rows)
        warnings = () if lines else ("no digits were found",)
        return Reading(source, 0, self.name, lines, warnings, 90 * quarters, kind, page.size)

    @property
    def name(self) -> str:
        """Name of the model with the first figures of its weights' hash."""
        card = self.recognizer.card
        return f"{card.get('model', 'model')}-{str(card.get('weights_sha256', ''))[:8]}"

    def _read_turned(
        self, image: NDArray[Any], layout: str, quarters: int
    ) -> tuple[Page, str, list[list[Glyph]], float, int]:
        page = prepare(image, quarters)
        if layout != "line":
            rows = self._boxes(page, sure=layout == "boxes")
            if rows is not None:
                seen = [max(glyph.likelihood, HOPELESS) for row in rows for glyph in row if glyph.reject != BLANK]
                return page, "boxes", rows, float(np.mean(seen)) if seen else HOPELESS, quarters
        rows, score = self._lines(page)
        return page, "line", rows, score, quarters

    def _boxes(self, page: Page, sure: bool) -> list[list[Glyph]] | None:
        """Return the rows of boxes of a form; None where the page has none, or, unless ``sure``, where they hold no digits."""
        frames = find_boxes(page.faint)
        if not frames:
            return [] if sure else None
        contents = box_contents(frames, page.ink)
        pieces: list[Piece | None] = []
        heights = []
        for frame, content in zip(frames, contents, strict=True):
            if not content.any():
                pieces.append(None)
                continue
            x, y, wide, tall = cv2.boundingRect(content)
            largest = max(cv2.connectedComponentsWithStats(content)[2][1:, cv2.CC_STAT_HEIGHT].tolist())
            heights.append(largest / frame.inside[3])
            box = frame.inside[0] + x, frame.inside[1] + y, wide, tall
            pieces.append(Piece(box, content[y : y + tall, x : x + wide]))
        written = [piece for piece in pieces if piece is not None]
        crossing = [
            bool(content[[0, -1]].any() or content[:, [0, -1]].any()) for content in contents if content.any()
        ]
        if not sure and (len(written) < 2 or float(np.median(heights)) < TALL or np.mean(crossing) > FREE):
            return None
        glyphs = iter(self._judge([(p.box, picture([p], p.box, page.ink)) for p in written]))
        rows: dict[int, list[Glyph]] = {}
        for frame, piece in zip(frames, pieces, strict=True):
            empty = Glyph(frame.inside, np.zeros(10, np.float32), 0.0, BLANK)
            rows.setdefault(frame.row, []).append(empty if piece is None else next(glyphs))
        read = [glyph.reject is None for row in rows.values() for glyph in row if glyph.reject != BLANK]
        if not sure and np.mean(read) < LEAST:
            return None
        return list(rows.values())

    def _lines(self, page: Page) -> tuple[list[list[Glyph]], float]:
        """Return the lines of a page that hold digits, and the mean log-probability of what may be digits on it."""
        mask = without(page.mask, rules(page.faint))
        out = []
        total, count = 0.0, 0
        for line in find_lines(components(mask), page.ink):
            glyphs, score = self._glyphs(line, page)
            cores = sum(piece.box[3] >= CORE * line.height and not piece.joined for piece in line.pieces)
            total, count = total + max(score, HOPELESS * cores), count + cores
            read = [glyph.reject is None for glyph in glyphs]
            if any(read) and np.mean(read) >= LEAST:
                out.append(glyphs)
        return out, total / count if count else HOPELESS

    def _glyphs(self, line: TextLine, page: Page) -> tuple[list[Glyph], float]:
        runs = candidates(line, page.ink)
        pictures = np.stack([run.picture for run in runs])
        answers = self.recognizer.run(pictures)
        likelihood = digit_likelihood(answers.logits)
        steps, score = path(line, runs, likelihood)
        return [
            _glyph(s.candidate.box, answers.probabilities[s.index], float(likelihood[s.index]), s.read) for s in steps
        ], score

    def _judge(self, found: Sequence[tuple[Box, NDArray[np.uint8]]]) -> list[Glyph]:
        if not found:
            return []
        answers = self.recognizer.run(np.stack([image for _, image in found]))
        likelihood = digit_likelihood(answers.logits)
        return [
            _glyph(box, probabilities, float(like), True)
            for (box, _), probabilities, like in zip(found, answers.probabilities, likelihood, strict=True)
        ]

    def _line(self, row: Sequence[Glyph], page: Page) -> Line:
        digits = []
        for glyph in row:
            order = np.argsort(-glyph.probabilities, kind="stable")
            ranked = [(int(i), float(glyph.probabilities[i])) for i in order if glyph.probabilities[i] >= 0.001]
            box = page.on_picture(glyph.box)
            confidence = ranked[0][1] * float(np.exp(min(0.0, glyph.likelihood))) if ranked else 0.0
            if glyph.reject:
                digits.append(Digit(None, 0.0, box, tuple(ranked), glyph.reject))
            else:
                digits.append(Digit(ranked[0][0], confidence, box, tuple(ranked[1:])))
        return Line(tuple(digits), around([digit.box for digit in digits]))


def digit_likelihood(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the log-probability that pictures show their likeliest digit, float64 (N,), of logits (N, 10).

    "No digit" is an eleventh outcome, whose logit was 0 while the network learned.
    """
    values = logits.astype(np.float64)
    total = np.logaddexp.reduce(np.concatenate([values, np.zeros((len(values), 1))], 1), axis=1)
    return np.asarray(values.max(1, initial=-np.inf) - total)


def _count(rows: Sequence[Sequence[Glyph]]) -> int:
    return sum(glyph.reject is None for row in rows for glyph in row)


def _glyph(box: Box, probabilities: NDArray[np.float32], likelihood: float, read: bool) -> Glyph:
    reject = None
    if not read or likelihood < UNLIKELY:
        reject = NOT_A_DIGIT
    elif float(probabilities.max()) < 0.5:
        reject = AMBIGUOUS
    return Glyph(box, probabilities, likelihood, reject)


__all__ = ["CORE", "SIZE", "Reader"]

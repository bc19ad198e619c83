"""The reader: a picture of a page in, its numbers out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from inkdigits.errors import DataError, UsageError, unknown
from inkdigits.imaging.files import Sheet, sheets
from inkdigits.imaging.page import LONGEST, Page, prepare
from inkdigits.imaging.rulings import (
    OF_BOXES,
    Box,
    Frame,
    box_contents,
    faint_lines,
    find_boxes,
    joined,
    rules,
    without,
)
from inkdigits.imaging.segment import Piece, TextLine, around, candidates, components, find_lines, picture
from inkdigits.reader.checksums import Decoded, on_roster, rule, satisfying
from inkdigits.reader.decode import CUT, path
from inkdigits.reader.recognizer import AMBIGUOUS, BLANK, NOT_A_DIGIT, Prediction, Recognizer
from inkdigits.reader.results import Digit, Line, Reading

LAYOUTS = ("auto", "line", "boxes")
FREE = 0.5  # share of the written boxes whose ink may cross their frame, at most; on squared paper most does
TALL = 0.3  # of its box that a digit is high, at least
HELD = 0.25  # share of a page's ink that faint boxes hold, at least
LEAST = 0.5  # share of a form's written boxes, and of a line's glyphs, that can be read where it holds digits
UNLIKELY = -4.0  # log-probability of being a digit below which ink on a line is declined
LONG = 20  # glyphs of a line that may be print and no column of digits
ROUNDS = 4  # in which words are taken away, at most
WORDS = -0.4  # mean log-probability over its ink below which a long line is words
SHORT_WORDS = -4.5  # and how much less it is for a shorter one, over the root of its glyphs
ODD = -2.0  # and in a box, which has no neighbours to speak for it
POOR = -0.6  # mean log-probability of what is read, over its ink, below which a page may lie on its side
HOPELESS = -6.0  # and the least that one glyph counts
FEW = 4  # digits that must be read on a page to turn it
BETTER = 0.6  # by how much another way round has to be likelier
READABLE = -0.75  # and how likely it must be: text that lies on its side has strokes like digits

Source = Path | str | bytes | NDArray[Any] | Image.Image


@dataclass(frozen=True)
class Settings:
    """How a page is to be read.

    Attributes
    ----------
    layout
        ``line`` of writing, ``boxes`` of a form, or ``auto``.
    length
        Digits that every number has, where that is known.
    check
        ``luhn``, ``mod97`` or ``isbn``, where every number satisfies it.
    roster
        The numbers that there may be, where they are known.
    min_confidence
        Digits that are less sure are declined as ambiguous, [0, 1].
    turn
        Whether a page that cannot be read as it lies is tried the other ways round.
    """

    layout: str = "auto"
    length: int | None = None
    check: str | None = None
    roster: tuple[str, ...] = ()
    min_confidence: float = 0.0
    turn: bool = True

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        if self.layout not in LAYOUTS:
            raise unknown("layout", self.layout, LAYOUTS)
        if self.length is not None and not 1 <= self.length <= 100:
            raise UsageError(f"length must be from 1 to 100, not {self.length}")
        if self.check is not None:
            rule(self.check)
        if self.check is not None and self.roster:
            raise UsageError("give a check or a roster, not both")
        if not 0 <= self.min_confidence <= 1:
            raise UsageError(f"min-confidence must be from 0 to 1, not {self.min_confidence}")


@dataclass(frozen=True)
class Glyph:
    """One place on a page: the probabilities of the ten digits there, and the log-probability that it is a digit."""

    box: Box
    probabilities: NDArray[np.float32]
    likelihood: float
    reject: str | None


@dataclass(frozen=True)
class _View:
    """A page one way round, and what is on it."""

    page: Page
    layout: str
    rows: list[list[Glyph]]
    score: float
    quarters: int
    words: bool = False  # most of its ink is in long lines of words, which do not lie on their side

    @property
    def count(self) -> int:
        return sum(glyph.reject is None for row in self.rows for glyph in row)


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

    @property
    def name(self) -> str:
        """Name of the model with the first figures of its weights' hash."""
        card = self.recognizer.card
        return f"{card.get('model', 'model')}-{str(card.get('run_sha256', ''))[:8]}"

    def read(self, source: Source, **settings: Any) -> Reading:
        """Read a page; of a file with several pages, the first.

        Parameters
        ----------
        source
            A path, the content of a file, an array (H, W), (H, W, 3) or (H, W, 4), or a PIL image.
        **settings
            Those of :class:`Settings`.

        Raises
        ------
        DataError
            When it is no picture that can be read, or holds NaN; names it.
        UsageError
            When a setting cannot be meant.
        """
        return next(self.read_pages(source, **settings))

    def read_pages(self, source: Source, **settings: Any) -> Iterator[Reading]:
        """Yield the readings of all pages of a file; raises as :meth:`read` does."""
        chosen = Settings(**settings)
        name = str(source) if isinstance(source, str | Path) else ""
        for index, sheet in enumerate(_opened(source)):
            yield self._read_sheet(sheet, name, index, chosen)

    def predict(self, images: NDArray[np.uint8]) -> list[Prediction]:
        """Read pictures of one digit each, uint8 (N, H, W) or (N, H, W, 3), ink dark or light.

        Raises
        ------
        DataError
            When they are of another shape.
        """
        if images.ndim not in (3, 4):
            raise DataError(f"a batch of pictures has shape (N, H, W) or (N, H, W, 3), not {images.shape}")
        return self.recognizer.read_crops(list(images))

    def _read_sheet(self, sheet: Sheet, source: str, index: int, settings: Settings) -> Reading:
        try:
            best = self._view(sheet, settings, 0)
        except ValueError as error:
            raise DataError(f"{source or 'the page'}: {error}") from error
        if settings.turn and best.score < POOR:
            ways = (2,) if best.words else (1, 3, 2)
            other = max((self._view(sheet, settings, quarters) for quarters in ways), key=lambda view: view.score)
            if other.score > max(best.score + BETTER, READABLE) and other.count >= max(FEW, 0.4 * best.count):
                best = other
        warnings = []
        lines = []
        for row in best.rows:
            line, warning = _line(row, best.page, settings)
            lines.append(line)
            if warning:
                warnings.append(f"line {len(lines)}: {warning}")
        if not lines:
            warnings.append("no digits were found")
        if best.quarters:
            warnings.append(f"turned by {90 * best.quarters} degrees to the left to be read")
        return Reading(
            source,
            index,
            self.name,
            tuple(lines),
            tuple(warnings),
            90 * best.quarters,
            best.layout,
            sheet.size,
            sheet.pixels,
        )

    def _view(self, sheet: Sheet, settings: Settings, quarters: int) -> _View:
        page = prepare(sheet.pixels, quarters, sheet.size)
        if settings.layout != "line":
            rows = self._boxes(page, sure=settings.layout == "boxes")
            if rows is not None:
                seen = [max(glyph.likelihood, HOPELESS) for row in rows for glyph in row if glyph.reject != BLANK]
                return _View(page, "boxes", rows, float(np.mean(seen)) if seen else HOPELESS, quarters)
        rows, score, words = self._lines(page, settings.length)
        return _View(page, "line", rows, score, quarters, words)

    def _boxes(self, page: Page, sure: bool) -> list[list[Glyph]] | None:
        """Return a form's boxes by row; None where there are none, or, unless ``sure``, where they hold no digits."""
        frames = _frames(page)
        if not frames:
            return [] if sure else None
        contents = box_contents(frames, page.ink)
        pieces: list[Piece | None] = []
        heights, crossing = [], []
        for frame, content in zip(frames, contents, strict=True):
            if not content.any():
                pieces.append(None)
                continue
            x, y, wide, tall = cv2.boundingRect(content)
            largest = int(cv2.connectedComponentsWithStats(content)[2][1:, cv2.CC_STAT_HEIGHT].max())
            heights.append(largest / frame.inside[3])
            crossing.append(bool(content[[0, -1]].any() or content[:, [0, -1]].any()))
            box = frame.inside[0] + x, frame.inside[1] + y, wide, tall
            pieces.append(Piece(box, content[y : y + tall, x : x + wide]))
        written = [piece for piece in pieces if piece is not None]
        if not sure and (len(written) < 2 or float(np.median(heights)) < TALL or np.mean(crossing) > FREE):
            return None
        glyphs = iter(self._glyphs([p.box for p in written], [picture([p], page.ink) for p in written], ODD))
        rows: dict[int, list[Glyph]] = {}
        for frame, piece in zip(frames, pieces, strict=True):
            empty = Glyph(frame.inside, np.zeros(10, np.float32), 0.0, BLANK)
            rows.setdefault(frame.row, []).append(empty if piece is None else next(glyphs))
        read = [glyph.reject is None for row in rows.values() for glyph in row if glyph.reject != BLANK]
        if not sure and sum(read) < LEAST * len(read):
            return None
        return list(rows.values())

    def _lines(self, page: Page, length: int | None) -> tuple[list[list[Glyph]], float, bool]:
        """Return the lines of a page that hold digits, the mean log-probability of its ink, and if most of it is words.

        Words, which are often smaller, are taken away, and lines are looked for in what is left.
        """
        mask = without(page.mask, rules(page.faint)).copy()
        seen: list[tuple[float, int]] = []  # likelihood and ink of what was taken away
        known: dict[tuple[Any, ...], tuple[list[Glyph], float, int]] = {}
        printed = 0
        for _ in range(ROUNDS):
            out, kept, before = [], [], len(seen)
            for line in find_lines(components(mask), page.ink):
                key = line.height, *(piece.box for piece in line.pieces)
                glyphs, score, weight = known[key] = known.get(key) or self._line_of(line, page, length)
                read = [glyph.reject is None for glyph in glyphs]
                words = score < WORDS + SHORT_WORDS / max(1, len(glyphs)) ** 0.5
                if words or not any(read) or np.mean(read) < LEAST:
                    seen.append((score, weight))
                    printed += weight * (words and len(glyphs) >= LONG)
                    for piece in line.pieces:
                        left, top, wide, tall = piece.box
                        mask[top : top + tall, left : left + wide][piece.mask > 0] = 0
                else:
                    out.append(glyphs)
                    kept.append((score, weight))
            if len(seen) == before:
                break
        ink = sum(weight for _, weight in seen + kept)
        score = sum(score * weight for score, weight in seen + kept) / ink if ink else HOPELESS
        return out, score, printed > ink / 2

    def _line_of(self, line: TextLine, page: Page, length: int | None) -> tuple[list[Glyph], float, int]:
        """Return what is read of a line, how likely that is in the mean over its ink, and its pixels of ink."""
        runs = candidates(line, page.ink)
        glyphs = self._glyphs([run.box for run in runs], [run.picture for run in runs], UNLIKELY)
        digits = np.array([glyph.probabilities.argmax() for glyph in glyphs])
        steps, _ = path(line, runs, digits, np.array([glyph.likelihood for glyph in glyphs]), length)
        found, total, ink = [], 0.0, 0
        for step in steps:
            glyph = glyphs[step.index]
            pixels = sum(
                cv2.countNonZero(piece.mask) for piece in line.pieces[step.candidate.start : step.candidate.stop]
            )
            likelihood = glyph.likelihood + CUT * step.candidate.cut if step.read else HOPELESS
            total, ink = total + pixels * max(likelihood, HOPELESS), ink + pixels
            found.append(glyph if step.read else Glyph(glyph.box, glyph.probabilities, glyph.likelihood, NOT_A_DIGIT))
        return found, total / max(1, ink), ink

    def _glyphs(self, boxes: Sequence[Box], pictures: Sequence[NDArray[np.uint8]], least: float) -> list[Glyph]:
        if not boxes:
            return []
        answers = self.recognizer.run(np.stack(pictures))
        glyphs = []
        for box, shares, like in zip(boxes, answers.probabilities, digit_likelihood(answers.logits), strict=True):
            reject = NOT_A_DIGIT if like < least else AMBIGUOUS if float(shares.max()) < 0.5 else None
            glyphs.append(Glyph(box, shares, float(like), reject))
        return glyphs


def _frames(page: Page) -> list[Frame]:
    """Return a page's boxes; those whose lines are fainter than ink too, beside inked ones or if enough is written."""
    inked, faint = find_boxes(page.faint), find_boxes(faint_lines(page.ink, OF_BOXES, runs=2))
    if inked:
        return joined(inked, faint)
    within = sum(
        cv2.countNonZero(page.mask[y : y + tall, x : x + wide]) for x, y, wide, tall in (f.inside for f in faint)
    )
    return faint if within > HELD * cv2.countNonZero(page.mask) else []


def digit_likelihood(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the log-probability that pictures show their likeliest digit, float64 (N,), of logits (N, 10).

    "No digit" is an eleventh outcome, whose logit was 0 while the network learned.
    """
    values = logits.astype(np.float64)
    total = np.logaddexp.reduce(np.concatenate([values, np.zeros((len(values), 1))], 1), axis=1)
    return np.asarray(values.max(1, initial=-np.inf) - total)


def _opened(source: Source) -> Iterator[Sheet]:
    if isinstance(source, str | Path):
        return sheets(Path(source), longest=LONGEST)
    if isinstance(source, bytes):
        return sheets(source, longest=LONGEST)
    if isinstance(source, Image.Image):
        kept = source if source.mode in ("L", "I;16", "RGB", "RGBA") else source.convert("RGBA")
        return iter([Sheet(np.asarray(kept), source.size)])
    pixels = np.asarray(source)
    return iter([Sheet(pixels, (pixels.shape[1] if pixels.ndim > 1 else 0, pixels.shape[0] if pixels.ndim else 0))])


def _line(row: Sequence[Glyph], page: Page, settings: Settings) -> tuple[Line, str | None]:
    """Return a row's number, and what is wrong with it, if anything."""
    digits = tuple(_digit(glyph, page, settings.min_confidence) for glyph in row)
    box = around([digit.box for digit in digits])
    written = [index for index, glyph in enumerate(row) if glyph.reject != BLANK]
    warning = None
    if settings.length is not None and len(written) != settings.length:
        warning = f"{len(written)} digits were found, not {settings.length}"
    if settings.check is None and not settings.roster:
        return Line(digits, box), warning
    shares = np.array([_spread(row[index]) for index in written]).reshape(-1, 10)
    if settings.check is not None:
        decoded, name = satisfying(shares, rule(settings.check)), settings.check
    else:
        decoded, name = on_roster(shares, settings.roster), "roster"
    if decoded is None:
        return Line(digits, box), warning or f"no number of {len(written)} digits satisfies the {name}"
    return _by_rule(digits, written, decoded, name, box), warning


def _by_rule(digits: Sequence[Digit], written: Sequence[int], decoded: Decoded, name: str, box: Box) -> Line:
    """Return a line whose written places hold the digits of a number that satisfies a rule."""
    out = list(digits)
    for index, value in zip(written, decoded.text, strict=True):
        old = digits[index]
        shares = dict(old.alternatives) | ({} if old.digit is None else {old.digit: old.confidence})
        others = tuple(sorted(((d, p) for d, p in shares.items() if d != int(value)), key=lambda item: -item[1]))
        out[index] = Digit(int(value), shares.get(int(value), 0.0), old.box, others)
    return Line(tuple(out), box, name, decoded.runner_up, decoded.probability)


def _digit(glyph: Glyph, page: Page, min_confidence: float) -> Digit:
    sure = float(np.exp(min(0.0, glyph.likelihood)))  # that it is a digit at all
    order = np.argsort(-glyph.probabilities, kind="stable")
    ranked = tuple((int(i), sure * float(glyph.probabilities[i])) for i in order if glyph.probabilities[i] >= 0.001)
    box = page.on_picture(glyph.box)
    confidence = ranked[0][1] if ranked else 0.0
    reject = glyph.reject or (AMBIGUOUS if confidence < min_confidence else None)
    if reject:
        return Digit(None, confidence, box, ranked, reject)
    return Digit(ranked[0][0], confidence, box, ranked[1:])


def _spread(glyph: Glyph) -> NDArray[np.float64]:
    """Return the probabilities of the digits at a place, (10,): the less it looks like any digit, the more even."""
    sure = float(np.exp(min(0.0, glyph.likelihood)))
    return np.asarray(sure * glyph.probabilities.astype(np.float64) + (1 - sure) / 10)

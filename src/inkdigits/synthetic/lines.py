"""Lines of handwritten numbers with their truth, made on the fly, as a scanner sees them.

The digits of one line share a writer: ways of the digits, slant, size, pen, ink, baseline and spacing. Around them
stands what stands around numbers on real paper: separators, currency signs, closing strokes, other lines' writing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from inkdigits.synthetic.handwriting import (
    FAR,
    Box,
    Page,
    Style,
    connect,
    cross_out,
    neighbours,
    place,
    stamp_glyph,
    underline_cents,
)
from inkdigits.synthetic.line_text import DIGITS, Part, cross_some_out, draw_number, draw_other, with_surroundings
from inkdigits.synthetic.outliers import Digits
from inkdigits.synthetic.papers import IN_INK, UNDER_INK, Layer, Sheet, as_layer, drawn, smooth_noise
from inkdigits.synthetic.pens import FontWriter, Glyph, SampleGlyphs, SampleWriter, StrokeWriter, Writer
from inkdigits.synthetic.scanning import SCANNING

NO_NUMBER = 0.06  # share of the lines that hold no number
CORRECTED = 0.05  # share of the numbers in which something is crossed out
MARGINS = ((-0.03, 0.15), (0, 1), (1, 4))  # heights of a digit
SMALL = 0.15  # share of the lines with much paper above and below


@dataclass
class MadeLine:
    """A made line and what is written in it.

    ``text`` has the digits and the separators ``.,-/`` of the number, ``?`` for each letter, sign or printed character
    beside it, and ``x`` for each crossed-out digit. ``boxes`` float32 (K, 4) has one row of x, y, width and height in
    pixels for each character of it. Other ink is in neither.
    """

    image: NDArray[np.uint8]  # (H, W), dark ink on bright paper
    text: str
    boxes: NDArray[np.float32]
    applied: tuple[str, ...] = ()  # what was done to writing, paper and scan
    writer: str = ""  # class of its writer

    @property
    def digits(self) -> str:
        """The digits alone."""
        return "".join(c for c in self.text if c in DIGITS)

    @property
    def digit_boxes(self) -> NDArray[np.float32]:
        """The boxes of the digits alone, (N, 4)."""
        return self.boxes[[c in DIGITS for c in self.text]]


class Writers:
    """Everybody who may write a line.

    Parameters
    ----------
    digits
        Digits to write with: training digits, at best some of them in other writing styles.
    fonts
        Files of fonts with handwritten digits; may be empty.
    shares
        How often a line is written with samples of ``digits``, with a font, and with strokes.
    prints
        Files of fonts of print, for words beside the writing; may be empty.
    """

    def __init__(
        self,
        digits: Digits,
        fonts: Sequence[Path] = (),
        shares: tuple[float, float, float] = (0.3, 0.3, 0.4),
        prints: Sequence[Path] = (),
    ) -> None:
        self._samples = SampleGlyphs(digits)
        self.fonts, self.prints = tuple(fonts), tuple(prints)
        weights = np.array(shares) * (1, bool(fonts), 1)
        self._shares = weights / weights.sum()

    def draw(self, rng: np.random.Generator) -> Writer:
        """Return a writer with a style of its own."""
        kind = rng.choice(3, p=self._shares)
        if kind == 0:
            return SampleWriter(self._samples, rng)
        if kind == 1:
            return FontWriter(self.fonts[rng.integers(len(self.fonts))], rng)
        return StrokeWriter(rng)

    def letters(self, rng: np.random.Generator) -> Writer | None:
        """Return a writer of letters; None without fonts."""
        return FontWriter(self.fonts[rng.integers(len(self.fonts))], rng, outlined=False) if self.fonts else None

    def printer(self, rng: np.random.Generator) -> Writer | None:
        """Return a writer of print; None without fonts of print."""
        return FontWriter(self.prints[rng.integers(len(self.prints))], rng, outlined=True) if self.prints else None


def make_line(
    rng: np.random.Generator, writers: Writers, heights: tuple[float, float] = (12, 120), text: str | None = None
) -> MadeLine:
    """Return a made line of a random writer on random paper.

    Parameters
    ----------
    rng
        All that is random; the same state makes the same line.
    writers
        Who may write it.
    heights
        Height of the image in pixels, from and to; heights near 50 are the most frequent.
    text
        Digits and separators to write; a random number if not given.
    """
    height = float(np.clip(np.exp(rng.normal(np.log(50), 0.45)), *heights))
    drawn = max(height, 36.0)  # small ones are written larger, then scanned small
    share = float(np.clip(rng.normal(0.66, 0.14), 0.3, 1.0))  # of the height, that a digit takes
    if rng.random() < SMALL:
        share = rng.uniform(0.22, 0.5)
    style = Style.draw(drawn * share, rng)
    page = _write(_parts(text, writers, rng), writers, style, drawn, rng)
    sheet, boxes = _on_paper(page, rng)
    image = _scan(sheet, height, rng)
    boxes = boxes * np.float32(image.shape[0] / sheet.shape[0])
    return MadeLine(image, "".join(c for c, *_ in page.boxes), boxes, tuple(sheet.applied), page.writer)


def _parts(text: str | None, writers: Writers, rng: np.random.Generator) -> list[Part]:
    """Return what is written: ``text`` or a random number, with its surroundings; or a line without a number."""
    letters, prints = bool(writers.fonts), bool(writers.prints)
    if text is None and rng.random() < NO_NUMBER:
        return draw_other(rng, letters, prints)
    parts = [Part(c) for c in text] if text is not None else draw_number(rng)
    if text is None and rng.random() < CORRECTED:
        parts = cross_some_out(parts, rng)
    return with_surroundings(parts, letters, rng, prints)


def _write(parts: Sequence[Part], writers: Writers, style: Style, height: float, rng: np.random.Generator) -> Page:
    """Write all parts, the strokes between them, and the neighbours above and below."""
    writer, letters, printer = writers.draw(rng), writers.letters(rng), writers.printer(rng)
    digit = style.digit
    chosen = [
        (part, _glyph_of(part.character, printer if part.printed and printer else writer, letters, rng))
        for part in parts
    ]
    placed, width = place(chosen, style, rng)
    lean = abs(style.slant) * digit * 0.5
    left, right = digit * _margin(rng) + lean, digit * _margin(rng) + lean
    size = (round(height), max(8, round(left + width + right)))
    slack = height - digit
    base = digit + slack * float(np.clip(rng.normal(0.5, 0.2), -0.02, 1.02))
    base -= style.slope * size[1] / 2
    page = Page(np.full(size, FAR), np.zeros(size, np.uint8), style, base, type(writer).__name__)
    crossed: list[Box] = []
    raised: list[Box] = []
    for (part, glyph), (x, scale, lift) in zip(chosen, placed, strict=True):
        if glyph is None:
            continue
        box = stamp_glyph(page, glyph, left + x, page.base - lift, scale, rng)
        if part.label:
            page.boxes.append((part.label, *box))
        if part.raised:
            raised.append(box)
        if part.crossed:
            crossed.append(box)
    cross_out(page, crossed, rng)
    connect(page, rng)
    underline_cents(page, raised, rng)
    if rng.random() < 0.25:
        neighbours(page, writer, rng)
    return page


def _margin(rng: np.random.Generator) -> float:
    """Return the paper at one end of a line in heights of a digit: little, some, or at times much."""
    return float(rng.uniform(*MARGINS[rng.choice(len(MARGINS), p=(0.46, 0.46, 0.08))]))


def _glyph_of(character: str, writer: Writer, letters: Writer | None, rng: np.random.Generator) -> Glyph | None:
    glyph = writer.glyph(character, rng)
    return letters.glyph(character, rng) if glyph is None and letters is not None else glyph


def _on_paper(page: Page, rng: np.random.Generator) -> tuple[Sheet, NDArray[np.float32]]:
    """Return the sheet with warped writing on disturbed paper, and the boxes (K, 4) of the text's characters."""
    digit, shape = page.style.digit, page.distance.shape
    ink = np.clip(0.5 - page.distance, 0, 1)
    np.maximum(ink, drawn(page.strokes), out=ink)
    boxes = np.array([box[1:] for box in page.boxes], np.float32).reshape(-1, 4)
    ink, boxes = _warp(ink, boxes, digit, rng)
    sheet = Sheet(
        ink,
        np.full(shape, rng.uniform(0.6, 1), np.float32),
        digit,
        page.base - digit,
        page.base,
        page.style.pen,
        between=tuple((one[3], other[1]) for one, other in pairwise(page.boxes)),
    )
    sheet.applied += page.marks
    much = rng.choice([0.5, 1.0])  # half of the lines are rather clean
    for disturb, often in (*IN_INK, *UNDER_INK):
        if rng.random() < often * much:
            disturb(sheet, rng)
            sheet.applied.append(disturb.__name__)
    boxes[:, 2:] -= boxes[:, :2]
    return sheet, boxes


def _warp(
    ink: Layer, boxes: NDArray[np.float32], digit: float, rng: np.random.Generator
) -> tuple[Layer, NDArray[np.float32]]:
    """Warp the whole line: elastic distortion by up to 5 % of a digit; boxes (K, 4) follow at their corners."""
    amount, cell = digit * rng.uniform(0, 0.05), digit * rng.uniform(0.35, 1.2)
    dx, dy = (np.float32(amount) * smooth_noise(ink.shape, cell, rng) for _ in range(2))
    height, width = ink.shape
    xs = np.arange(width, dtype=np.float32)[None] - dx
    ys = np.arange(height, dtype=np.float32)[:, None] - dy
    warped = cv2.remap(ink, xs, ys, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    columns = np.clip(boxes[:, ::2].mean(1), 0, width - 1).astype(int)
    rows = np.clip(boxes[:, 1::2].mean(1), 0, height - 1).astype(int)
    boxes = boxes + np.stack([dx[rows, columns], dy[rows, columns]] * 2, 1)
    return as_layer(warped), boxes


def _scan(sheet: Sheet, height: float, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return the sheet as a scanner sees it, ``height`` pixels high."""
    dark = rng.uniform(0.0, 0.35)  # brightness of the ink
    cover = sheet.ink * np.float32(rng.uniform(0.5, 1) if rng.random() < 0.5 else rng.uniform(0.8, 1))
    image = sheet.paper * (1 - cover) + np.minimum(sheet.paper, dark) * cover
    for step, often in SCANNING:
        if rng.random() < often:
            image = step(image, sheet.digit, rng)
            sheet.applied.append(step.__name__)
    grey = np.asarray(np.clip(image * 255, 0, 255), np.uint8)
    if round(height) == grey.shape[0]:
        return grey
    scale = height / grey.shape[0]
    size = (max(1, round(grey.shape[1] * scale)), max(1, round(height)))
    return np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), np.uint8)

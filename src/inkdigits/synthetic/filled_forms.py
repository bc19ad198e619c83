"""Fills the boxes of a printed form by hand: digits, ticks and words of one writer, and what goes wrong with them.

A form is here a picture of a blank page and the places of its boxes in millimetres.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray

from inkdigits.synthetic.allographs import Allograph, allographs
from inkdigits.synthetic.handwriting import FAR, Page, Style, cross_out, stamp_glyph
from inkdigits.synthetic.papers import drawn, smooth_noise
from inkdigits.synthetic.pens import StrokeWriter, Writer

MM = 25.4  # in an inch
BLANK, TICK, WORDS = " ", "x", "~"  # what an entry may hold besides a digit
INKS = ((0.1, 0.1, 0.12), (0.12, 0.16, 0.5), (0.05, 0.12, 0.38), (0.36, 0.36, 0.38))  # black, blue, dark blue, pencil

BLANK_BOX, WRITTEN, CROSSED_OUT, OVERWRITTEN = "blank", "written", "crossed_out", "overwritten"

Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Entry:
    """What is written into one box."""

    box: tuple[float, float, float, float]  # left, top, width, height, mm
    text: str  # a digit, BLANK, TICK or WORDS


@dataclass(frozen=True)
class Filling:
    """How a form is filled; the shares are those of the boxes of one page."""

    crossed_out: float = 0.05  # a wrong digit is crossed out; the right one stands above the box if it is free
    overwritten: float = 0.005  # the right digit is written over a wrong one
    height: tuple[float, float] = (0.55, 0.8)  # of a digit, share of the box's height
    width: float = 0.86  # of a digit at most, share of the box's width
    wander: float = 0.05  # standard deviation of a digit's place, share of the box
    pen: tuple[float, float] = (0.22, 0.6)  # width of the pen's line, mm
    stained: float = 0.1  # share of the pages with coffee


class NeatWriter(StrokeWriter):
    """Draws digits in their usual forms, with little unsteadiness."""

    def __init__(self, rng: np.random.Generator) -> None:
        super().__init__(rng)
        self._habit, self._haste, self._round = rng.uniform(0.01, 0.03), rng.uniform(0.005, 0.02), rng.uniform(0, 1)
        self._broad = rng.normal(1, 0.08)

    def _known(self, character: str) -> tuple[Allograph, ...]:
        known = allographs(character)
        most = max(way.weight for way in known)
        return tuple(way for way in known if way.weight == most)


@dataclass(frozen=True)
class FilledPage:
    """A filled page: uint8 (H, W, 3), and for each entry ``blank``, ``written``, ``crossed_out`` or ``overwritten``."""

    image: Picture
    states: tuple[str, ...]
    stained: bool


class PrintedPages:
    """The pages of a printed PDF, which stays open in a ``with`` block."""

    def __init__(self, path: Path) -> None:
        import pypdfium2

        self._document = pypdfium2.PdfDocument(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._document.close()

    def render(self, page: int, dpi: float) -> Picture:
        """Return a page, counted from 0, as grey uint8 (H, W)."""
        pixels = self._document[page].render(scale=dpi / 72, grayscale=True).to_numpy()
        return np.array(pixels.reshape(pixels.shape[:2]), np.uint8)


def fill_page(
    blank: Picture, entries: Sequence[Entry], writer: Writer, dpi: float, rng: np.random.Generator, filling: Filling
) -> FilledPage:
    """Return a page filled by one writer with one pen.

    Parameters
    ----------
    blank
        The printed page, grey uint8 (H, W), dark print on white, ``dpi`` pixels to the inch.
    """
    scale = dpi / MM
    style = _style(rng, scale, filling)
    page = Page(np.full(blank.shape, FAR, np.float32), np.zeros(blank.shape, np.uint8), style, 0.0, "")
    boxes = np.array([entry.box for entry in entries]).reshape(-1, 4)
    states = tuple(_enter(page, entry, boxes, writer, scale, rng, filling) for entry in entries)
    ink = np.maximum(np.clip(0.5 - page.distance, 0, 1), drawn(page.strokes))
    uneven = 1 - np.float32(rng.uniform(0, 0.35)) * np.abs(smooth_noise(blank.shape, 0.8 * scale, rng))
    colour = np.array(INKS[rng.integers(len(INKS))], np.float32)
    image = np.repeat(blank[..., None], 3, 2)
    inked = ink > 0
    image[inked] = image[inked] * (1 - (ink * uneven)[inked, None] * (1 - colour))
    stained = bool(rng.random() < filling.stained)
    if stained:
        image = np.asarray(image * _stain(blank.shape, scale, rng), np.uint8)
    return FilledPage(image, states, stained)


def _style(rng: np.random.Generator, scale: float, filling: Filling) -> Style:
    """Return the style of a sheet: upright or slanted a little, with one pen."""
    drawn = Style.draw(scale, rng)  # its lengths are set for each box
    pen = max(0.5, scale * rng.uniform(*filling.pen) / 2)
    return replace(drawn, pen=pen, slant=float(rng.normal(0.06, 0.1)), slope=0.0, stretch=1.0, outline=0.0)


def _enter(
    page: Page,
    entry: Entry,
    boxes: NDArray[np.float64],
    writer: Writer,
    scale: float,
    rng: np.random.Generator,
    filling: Filling,
) -> str:
    """Write one entry; return its state. ``boxes`` (N, 4) are those of all entries, mm."""
    box = tuple(scale * value for value in entry.box)
    if entry.text == BLANK:
        return BLANK_BOX
    if entry.text == WORDS:
        _words(page, box, rng)
        return WRITTEN
    if entry.text == TICK:
        _tick(page, box, rng)
        return WRITTEN
    wrong = str((int(entry.text) + rng.integers(1, 10)) % 10)
    accident = rng.random()
    if accident < filling.crossed_out:
        cross_out(page, [_digit(page, box, wrong, writer, rng, filling)], rng)
        left, top, width, height = entry.box
        above = (left, top - 0.5 * height, 0.8 * width, 0.5 * height)
        if not _reaches_into(above, boxes):
            _digit(page, tuple(scale * value for value in above), entry.text, writer, rng, filling)
        return CROSSED_OUT
    if accident < filling.crossed_out + filling.overwritten:
        _digit(page, box, wrong, writer, rng, filling)
        _digit(page, box, entry.text, writer, rng, filling)
        return OVERWRITTEN
    _digit(page, box, entry.text, writer, rng, filling)
    return WRITTEN


def _digit(
    page: Page, box: tuple[float, ...], digit: str, writer: Writer, rng: np.random.Generator, filling: Filling
) -> tuple[float, float, float, float]:
    """Write a digit into a box (left, top, width, height in pixels); return the box of its ink."""
    left, top, width, height = box
    glyph = writer.glyph(digit, rng)
    if glyph is None:
        raise ValueError(f"the writer has no {digit}")
    tall = height * rng.uniform(*filling.height)
    pen = 0.0 if glyph.outlined else 2 * page.style.pen
    scale = max(0.2, tall - pen) / glyph.unit
    wide = glyph.box[2] - glyph.box[0]
    scale = min(scale, max(0.3, filling.width * width - pen) / max(wide, 1.0))
    x = left + (width - wide * scale) / 2 + rng.normal(0, filling.wander) * width
    middle = top + height / 2 + rng.normal(0, filling.wander) * height
    base = middle + (glyph.base - (glyph.box[1] + glyph.box[3]) / 2) * scale
    return stamp_glyph(page, glyph, x, base, scale, rng)


def _reaches_into(box: tuple[float, ...], boxes: NDArray[np.float64]) -> bool:
    """Whether a box (left, top, width, height) has a part in common with one of ``boxes`` (N, 4)."""
    left, top, width, height = box
    across = (boxes[:, 0] < left + width) & (left < boxes[:, 0] + boxes[:, 2])
    down = (boxes[:, 1] < top + height - 1e-6) & (top < boxes[:, 1] + boxes[:, 3])
    return bool((across & down).any())


def _tick(page: Page, box: tuple[float, ...], rng: np.random.Generator) -> None:
    """Tick a box with a cross or a tick; its ends may reach out of the box."""
    left, top, width, height = box

    def stroke(*points: tuple[float, float]) -> None:
        moved = np.array(points) + rng.normal(0, 0.07, (len(points), 2))
        pixels = np.round((moved * (width, height) + (left, top)) * 16).astype(np.int32)
        cv2.polylines(page.strokes, [pixels], False, 255, max(1, round(2 * page.style.pen)), cv2.LINE_AA, 4)

    if rng.random() < 0.6:
        stroke((0.12, 0.15), (0.88, 0.85))
        stroke((0.88, 0.12), (0.12, 0.88))
    else:
        stroke((0.15, 0.5), (0.42, 0.85), (1.0, 0.05))


def _words(page: Page, box: tuple[float, ...], rng: np.random.Generator) -> None:
    """Write a wave with the rhythm of words along the middle of a box."""
    left, top, width, height = box
    tall = min(0.5 * height, 0.1 * width)
    x = left + 0.02 * width
    end = left + width * rng.uniform(0.3, 0.9)
    while x < end:
        count = int(rng.integers(3, 9))
        xs = x + np.cumsum(rng.uniform(0.2, 0.45, 4 * count)) * tall
        ys = (
            top + 0.6 * height + tall * 0.45 * np.tile([0.0, -1.0, -0.2, 0.3], count) * rng.uniform(0.5, 1.4, 4 * count)
        )
        points = np.stack([xs, ys], 1)[xs < left + 0.97 * width]
        pixels = np.round(points * 16).astype(np.int32)
        cv2.polylines(page.strokes, [pixels], False, 255, max(1, round(2 * page.style.pen)), cv2.LINE_AA, 4)
        x = float(xs[-1]) + tall * rng.uniform(0.5, 1.0)


def _stain(shape: tuple[int, ...], scale: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Return what coffee leaves of the light, (H, W, 3): a ring of a cup, drops, at times a filled stain."""
    height, width = shape[:2]
    mask = np.zeros((height, width), np.uint8)
    middle = (round(rng.uniform(0, width)), round(rng.uniform(0, height)))
    radius = round(scale * rng.uniform(28, 42))
    cv2.circle(mask, middle, radius, 255, max(1, round(scale * rng.uniform(1.2, 4))), cv2.LINE_AA)
    if rng.random() < 0.3:
        cv2.circle(mask, middle, radius, 110, -1, cv2.LINE_AA)
    for _ in range(rng.integers(0, 6)):
        drop = tuple(round(value + rng.normal(0, 30) * scale) for value in middle)
        cv2.circle(mask, drop, max(1, round(scale * rng.uniform(0.5, 3))), 200, -1, cv2.LINE_AA)
    soft = cv2.GaussianBlur(drawn(mask), (0, 0), 0.3 * scale)
    soft *= np.clip(0.75 + 0.5 * smooth_noise((height, width), 6 * scale, rng), 0, 1)
    coffee = np.array((0.35, 0.5, 0.65), np.float32) * rng.uniform(0.4, 1.0)  # what it takes of red, green, blue
    return np.asarray(1 - soft[..., None] * coffee, np.float32)

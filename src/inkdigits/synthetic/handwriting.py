"""Write glyphs along a line in one style, and the strokes between and around them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from inkdigits.synthetic.line_text import DIGITS, Part
from inkdigits.synthetic.papers import Layer
from inkdigits.synthetic.pens import STEPS, ZERO, Glyph, Writer

Box = tuple[float, float, float, float]  # left, top, right, bottom in pixels
FAR = np.float32(99)  # pixels: no ink near


@dataclass(frozen=True)
class Style:
    """How one line is written; lengths are shares of a digit's height unless said otherwise."""

    digit: float  # height of a digit, pixels
    pen: float  # half width of the pen, pixels
    slant: float  # x per y, to the right
    slope: float  # rise of the baseline, y per x
    waviness: float  # standard deviation of the baseline
    size: float  # standard deviation of the height
    stretch: float  # width, relative to the writer's usual
    gap: float  # mean gap between characters, negative where they touch
    gap_spread: float
    zero: float  # height of a zero
    zero_lift: float  # how far small zeros stand above the baseline
    outline: float  # pixels that outlined glyphs are made wider

    @classmethod
    def draw(cls, digit: float, rng: np.random.Generator) -> "Style":
        """Return a random style for digits ``digit`` pixels high."""
        small = rng.random() < 0.3
        zero = rng.uniform(0.45, 0.85) if small else rng.normal(1, 0.04)
        return cls(
            digit=digit,
            pen=max(0.45, digit * (0.018 + 0.065 * rng.random() ** 1.3)),
            slant=rng.normal(0.12, 0.2),
            slope=rng.normal(0, 0.02),
            waviness=abs(rng.normal(0, 0.04)),
            size=abs(rng.normal(0.03, 0.06)),
            stretch=float(np.exp(rng.normal(0, 0.17))),
            gap=rng.uniform(0.3, 1.2) if rng.random() < 0.1 else max(-0.13, rng.normal(0.12, 0.13)),
            gap_spread=rng.uniform(0.02, 0.1),
            zero=zero,
            zero_lift=(1 - zero) * rng.uniform(0, 1) if small and rng.random() < 0.5 else 0.0,
            outline=digit * rng.uniform(-0.012, 0.025),
        )


@dataclass
class Page:
    """The writing of a line while it grows."""

    distance: Layer  # distance to the nearest ink, pixels
    strokes: NDArray[np.uint8]  # ink drawn as lines
    style: Style
    base: float  # y of the baseline at x = 0
    writer: str  # class of the writer
    marks: list[str] = field(default_factory=list)
    boxes: list[tuple[str, float, float, float, float]] = field(default_factory=list)  # left, top, right, bottom


def place(
    chosen: Sequence[tuple[Part, Glyph | None]], style: Style, rng: np.random.Generator
) -> tuple[list[tuple[float, float, float]], float]:
    """Return x, scale and lift above the baseline of each glyph, and the width of them all, in pixels."""
    placed, x, wave = [], 0.0, 0.0
    for part, glyph in chosen:
        if glyph is None:
            placed.append((x, 1.0, 0.0))
            continue
        size, lift = 1 + rng.normal(0, style.size), 0.0
        wave = 0.7 * wave + rng.normal(0, style.waviness)
        if part.raised:
            size, lift = size * 0.6, rng.uniform(0.35, 0.5)
        elif part.character == "0":
            size, lift = size * style.zero, style.zero_lift
        scale = float(np.clip(size, 0.35, 1.5)) * style.digit / glyph.unit
        x += style.digit * (part.before + rng.normal(style.gap, style.gap_spread)) if placed else 0.0
        placed.append((x, scale, style.digit * (lift + wave)))
        x += (glyph.box[2] - glyph.box[0]) * scale * style.stretch
        if not glyph.outlined:
            x += style.pen
    return placed, x


def stamp_glyph(page: Page, glyph: Glyph, x: float, base: float, scale: float, rng: np.random.Generator) -> Box:
    """Write a glyph with its left edge at ``x``; return the box of its ink: left, top, right, bottom."""
    style = page.style
    base = base + style.slope * x
    turn, along = rng.normal(0, 0.04), scale * style.stretch
    left, top, right, bottom = glyph.box
    matrix = np.array(  # from the field to the page: turned a little, stretched, slanted about the baseline
        [[along, -scale * (style.slant + turn), 0.0], [along * turn, scale, 0.0]]
    )
    middle = (left + right) / 2
    matrix[:, 2] = np.array([x + (middle - left) * along, base]) - matrix @ (middle, glyph.base, 0)
    reach = style.pen / scale + 3
    corners = np.array(
        [
            [left - reach, top - reach, 1],
            [right + reach, top - reach, 1],
            [left - reach, bottom + reach, 1],
            [right + reach, bottom + reach, 1],
        ]
    )
    spread = corners @ matrix.T
    height, width = page.distance.shape
    x0, y0 = np.clip(np.floor(spread.min(0)).astype(int), 0, (width, height))
    x1, y1 = np.clip(np.ceil(spread.max(0)).astype(int) + 1, 0, (width, height))
    if x1 <= x0 or y1 <= y0:
        return float(x), float(base), float(x), float(base)
    matrix[:, 2] -= (x0, y0)
    levels = cv2.warpAffine(
        glyph.field,
        matrix,
        (int(x1 - x0), int(y1 - y0)),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=255,
    )
    level = style.outline if glyph.outlined else style.pen
    distance = (levels.astype(np.float32) - ZERO) * np.float32(scale / STEPS) - np.float32(level)
    view = page.distance[y0:y1, x0:x1]
    np.minimum(view, distance, out=view)
    inked = distance < 0
    rows, columns = np.flatnonzero(inked.any(1)), np.flatnonzero(inked.any(0))
    if not len(rows):
        return float(x), float(base), float(x), float(base)
    return float(x0 + columns[0]), float(y0 + rows[0]), float(x0 + columns[-1] + 1), float(y0 + rows[-1] + 1)


def _draw(page: Page, points: Sequence[tuple[float, float]], bow: float, rng: np.random.Generator) -> None:
    """Draw a slightly curved stroke with the line's pen."""
    ends = np.array(points, float)
    middle = (ends[0] + ends[-1]) / 2 + (0, bow)
    t = np.linspace(0, 1, 9)[:, None]
    curve = (1 - t) ** 2 * ends[0] + 2 * t * (1 - t) * middle + t**2 * ends[-1]
    thick = max(1, round(2 * page.style.pen * rng.uniform(0.7, 1.1)))
    cv2.polylines(page.strokes, [np.round(curve * 16).astype(np.int32)], False, 255, thick, cv2.LINE_AA, 4)


def connect(page: Page, rng: np.random.Generator) -> None:
    """Join zeros, and at times other digits, with a stroke that does not leave the paper."""
    zeros, others = rng.choice([0.0, 0.1, 0.7]), rng.choice([0.0, 0.0, 0.15])
    for one, other in pairwise(page.boxes):
        both = one[0] == "0" and other[0] == "0"
        if one[0] not in DIGITS or other[0] not in DIGITS or rng.random() >= (zeros if both else others):
            continue
        high = rng.uniform(0.0, 0.35) if both else rng.uniform(0, 1)
        start = ((one[1] + one[3]) / 2 + (one[3] - one[1]) * 0.4, one[2] + high * (one[4] - one[2]))
        end = ((other[1] + other[3]) / 2 - (other[3] - other[1]) * 0.4, other[2] + high * (other[4] - other[2]))
        _draw(page, (start, end), page.style.digit * rng.uniform(-0.1, 0.15), rng)
        page.marks.append("joined")


def cross_out(page: Page, boxes: Sequence[Box], rng: np.random.Generator) -> None:
    """Cross out what stands in ``boxes``: one to six strokes to and fro through all of it."""
    if not boxes:
        return
    left, right = min(box[0] for box in boxes), max(box[2] for box in boxes)
    top, bottom = min(box[1] for box in boxes), max(box[3] for box in boxes)
    rows = top + (bottom - top) * rng.uniform(0.1, 0.9, rng.integers(2, 8))
    for index, (start, end) in enumerate(pairwise(rows)):
        ends = ((left, start), (right, end)) if index % 2 == 0 else ((right, start), (left, end))
        _draw(page, ends, rng.normal(0, 0.05) * page.style.digit, rng)
    page.marks.append("crossed_out")


def underline_cents(page: Page, boxes: Sequence[Box], rng: np.random.Generator) -> None:
    """Draw a stroke or two under raised cents, which stand in ``boxes``."""
    if not boxes or rng.random() < 0.4:
        return
    left, right, low = boxes[0][0], boxes[-1][2], max(box[3] for box in boxes)
    for index in range(rng.integers(1, 3)):
        y = low + page.style.digit * (0.08 + 0.12 * index) * rng.uniform(0.8, 1.5)
        slack = page.style.digit * rng.uniform(-0.1, 0.2, 2)
        _draw(page, ((left - slack[0], y), (right + slack[1], y + rng.normal(0, 1))), rng.normal(0, 1), rng)
    page.marks.append("underlined")


def neighbours(page: Page, writer: Writer, rng: np.random.Generator) -> None:
    """Let strokes of the lines above and below reach in."""
    height, width = page.distance.shape
    digit = page.style.digit
    for above in rng.random(2) < 0.5:
        for _ in range(rng.integers(1, 5)):
            glyph = writer.glyph(DIGITS[rng.integers(10)], rng)
            if glyph is None:
                continue
            reach = height * rng.uniform(0.02, 0.2)
            base = reach if above else height + digit - reach
            stamp_glyph(page, glyph, rng.uniform(-0.5 * digit, width), base, digit / glyph.unit, rng)
            page.marks.append("neighbours")

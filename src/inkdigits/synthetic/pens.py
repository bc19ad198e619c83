"""Writers of made lines: each gives glyphs of its own style, as fields of distance to the ink.

A glyph is no picture but a field: how far each pixel lies outside of the outline of the ink (negative inside), or from
the middle line of the stroke. Such a field can be scaled, slanted and turned, and drawn with a pen of any width, with
smooth edges at every size. Digits come from a data set (MNIST's training digits), from fonts of handwriting, and from
strokes (:mod:`inkdigits.synthetic.allographs`).
"""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import ImageFont

from inkdigits.synthetic.allographs import Allograph, Points, allographs, draw_curve
from inkdigits.synthetic.outliers import Digits, glyph

HEIGHT = 60  # pixels of a tall glyph in its field
MARGIN = 16  # pixels around the ink in a field
STEPS = 8  # levels per pixel of distance: a field holds -16 to 15.9 pixels as uint8 0 to 255
ZERO = 128  # the level of distance 0
OUTSIDE = 255
WIDE = 0.11  # half width of a stroke is at most this share of a digit's height


class Glyph(NamedTuple):
    """A character of a writer, ready to be placed."""

    field: NDArray[np.uint8]  # (H, W): distance, ZERO + STEPS * pixels
    box: tuple[float, float, float, float]  # left, top, right, bottom of its ink (or middle line) in the field
    outlined: bool  # distance to the outline, not to the middle line
    base: float  # y of the baseline in the field
    unit: float  # pixels of the field that a digit of this writer is high


class Writer(Protocol):
    """Someone with a style."""

    def glyph(self, character: str, rng: np.random.Generator) -> Glyph | None:
        """Return the character as this writer writes it now; None where the writer has no such character."""


def outline_field(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return distances to the outline of what is brighter than 127 in a picture (H, W) with a dark margin."""
    inked = (image > 127).view(np.uint8)
    outside = cv2.distanceTransform(1 - inked, cv2.DIST_L2, 3)
    inside = cv2.distanceTransform(inked, cv2.DIST_L2, 3)
    return _levels(outside - inside)


def skeleton_field(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return distances to the middle line of what is brighter than 127 in a picture (H, W)."""
    from skimage.morphology import skeletonize

    middle = skeletonize(image > 127).view(np.uint8)
    return _levels(cv2.distanceTransform(1 - middle, cv2.DIST_L2, 5))


def _levels(distance: NDArray[Any]) -> NDArray[np.uint8]:
    return np.asarray(cv2.convertScaleAbs(np.maximum(distance, -MARGIN), alpha=STEPS, beta=ZERO), np.uint8)


def _ink_box(inked: NDArray[np.bool_]) -> tuple[float, float, float, float] | None:
    rows, columns = np.flatnonzero(inked.any(1)), np.flatnonzero(inked.any(0))
    if not len(rows):
        return None
    return float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)


class StrokeWriter:
    """Draws every character with strokes: one way for each, with control points moved as this writer is used to."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._habit = rng.uniform(0.02, 0.065)  # standard deviation of this writer's control points, of the height
        self._haste = rng.uniform(0.005, 0.035)  # the same from one time to the next
        self._round = rng.uniform(0, 2.2) * (rng.random() < 0.7)  # smoothing of the path, in samples
        self._broad = rng.normal(1, 0.18)
        self._ways: dict[str, list[tuple[list[Points], float]]] = {}

    def _way(self, character: str, rng: np.random.Generator) -> tuple[list[Points], float]:
        """Return one of this writer's ways of a character: strokes with moved points, and width over height."""
        ways = self._ways.setdefault(character, [])
        if ways and rng.random() < 0.9:
            return ways[0]
        known = self._known(character)
        weights = np.array([way.weight for way in known])
        way = known[rng.choice(len(known), p=weights / weights.sum())]
        strokes = [_moved(points, self._habit, rng) for points in way.strokes]
        ways.append((strokes, way.aspect * max(0.5, self._broad + rng.normal(0, 0.1))))
        return ways[-1]

    def _known(self, character: str) -> tuple[Allograph, ...]:
        """Return the ways from which this writer's are chosen."""
        return allographs(character)

    def glyph(self, character: str, rng: np.random.Generator) -> Glyph | None:
        """Return the character drawn now; None for a character without strokes."""
        if not allographs(character):
            return None
        strokes, aspect = self._way(character, rng)
        scale = np.array([HEIGHT * aspect, HEIGHT])
        paths = []
        for points in strokes:
            path = draw_curve(_moved(points, self._haste, rng)) * scale
            if self._round > 0.2 and len(path) > 8:
                path = cv2.GaussianBlur(path, (1, 0), sigmaX=1, sigmaY=self._round, borderType=cv2.BORDER_REPLICATE)
            paths.append(path)
        return _stroked(paths)


def _moved(points: Points, amount: float, rng: np.random.Generator) -> Points:
    """Move control points (K, 2); doubled ones stay doubled."""
    moved = points + rng.normal(0, amount, points.shape)
    same = (points[1:] == points[:-1]).all(1)
    moved[1:][same] = moved[:-1][same]
    return moved


def _stroked(paths: Sequence[Points]) -> Glyph:
    """Return the glyph of paths (K, 2) in pixels, y = HEIGHT on the baseline."""
    every = np.concatenate(paths)
    low, high = every.min(0), every.max(0)
    size = np.ceil(high - low).astype(int) + 2 * MARGIN + 1
    canvas = np.ones((size[1], size[0]), np.uint8)
    shift = MARGIN - low
    cv2.polylines(canvas, [np.round(path + shift).astype(np.int32) for path in paths], False, 0, 1)
    field = _levels(cv2.distanceTransform(canvas, cv2.DIST_L2, 5))
    box = (MARGIN, MARGIN, float(high[0] + shift[0]) + 1, float(high[1] + shift[1]) + 1)
    return Glyph(field, box, False, HEIGHT + float(shift[1]), HEIGHT)


class FontWriter:
    """Writes with a font of handwriting, by its outlines or along its middle lines."""

    def __init__(self, path: Path, rng: np.random.Generator, outlined: bool | None = None) -> None:
        self._path = path
        self._outlined = bool(rng.random() < 0.4) if outlined is None else outlined

    def glyph(self, character: str, rng: np.random.Generator) -> Glyph | None:
        """Return the font's character; None where the font has none."""
        return font_glyph(self._path, character, self._outlined)


@lru_cache(maxsize=20000)
def font_glyph(path: Path, character: str, outlined: bool) -> Glyph | None:
    """Return a font's character as a field; None where the font has no such character or draws nothing."""
    font, height, baseline = _font(path)
    if character != "0" and _pixels(font, character) == _pixels(font, "\uffff"):
        return None
    image = np.pad(glyph(character, font), MARGIN)
    box = _ink_box(image > 127)
    if box is None or image.shape[1] > 6 * HEIGHT:
        return None
    field = outline_field(image) if outlined else skeleton_field(image)
    top = font.getbbox(character)[1]
    return Glyph(field, box, outlined, baseline - top + MARGIN, height)


def _pixels(font: ImageFont.FreeTypeFont, character: str) -> bytes:
    return bytes(font.getmask(character))


@lru_cache(maxsize=256)
def _font(path: Path) -> tuple[ImageFont.FreeTypeFont, float, float]:
    """Return a font scaled so that its digits are HEIGHT pixels high, their height and the y of their baseline."""
    font = ImageFont.truetype(path, 64)
    _, top, _, bottom = font.getbbox("0")
    font = ImageFont.truetype(path, 64 * HEIGHT / (bottom - top))
    _, top, _, bottom = font.getbbox("0")
    return font, float(bottom - top), float(bottom)


class SampleWriter:
    """Writes digits taken from a data set, one or two samples for each class; other characters with strokes."""

    def __init__(self, samples: "SampleGlyphs", rng: np.random.Generator) -> None:
        self._samples = samples
        self._strokes = StrokeWriter(rng)
        self._outlined = bool(rng.random() < 0.3)
        self._chosen: dict[str, list[int]] = {}
        self._loyal = rng.choice([0.0, 0.7, 0.95])  # how often a digit is written as before

    def glyph(self, character: str, rng: np.random.Generator) -> Glyph | None:
        """Return a sample of a digit, or another character as strokes."""
        if character not in "0123456789":
            return self._strokes.glyph(character, rng)
        chosen = self._chosen.setdefault(character, [])
        if not chosen or rng.random() > self._loyal:
            chosen.insert(0, self._samples.draw(int(character), rng))
        return self._samples.glyph(chosen[0], self._outlined)


class SampleGlyphs:
    """Digits of a data set as fields, made when first used and then kept.

    Parameters
    ----------
    digits
        The digits: training digits, which may have been rewritten in other styles.
    limit
        At most this many are used; the first ones.
    """

    def __init__(self, digits: Digits, limit: int = 40_000) -> None:
        self._images = digits.images[:limit]
        self._by_class = [np.flatnonzero(digits.labels[:limit] == digit) for digit in range(10)]
        self._kept: dict[tuple[int, bool], Glyph] = {}

    def draw(self, digit: int, rng: np.random.Generator) -> int:
        """Return the index of a random sample of a class."""
        return int(rng.choice(self._by_class[digit]))

    def glyph(self, index: int, outlined: bool) -> Glyph:
        """Return a sample as a field."""
        key = (index, outlined)
        if key not in self._kept:
            self._kept[key] = _sample(self._images[index], outlined)
        return self._kept[key]


def _sample(image: NDArray[np.uint8], outlined: bool) -> Glyph:
    """Return a digit (28, 28), ink bright on black, as a field three times as large."""
    large = np.asarray(cv2.resize(image, None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC), np.uint8)
    box = _ink_box(large > 127) or (0.0, 0.0, float(large.shape[1]), float(large.shape[0]))
    left, top, right, bottom = (int(edge) for edge in box)
    cut = np.pad(large[top:bottom, left:right], MARGIN)
    placed = (MARGIN, MARGIN, MARGIN + right - left, MARGIN + bottom - top)
    field = outline_field(cut) if outlined else skeleton_field(cut)
    return Glyph(field, placed, outlined, placed[3], float(bottom - top))

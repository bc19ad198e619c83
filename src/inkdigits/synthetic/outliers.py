"""Outliers for training: images that are no digits, such as scribbles, blots, textures, letters and parts of digits.

Outlier exposure: a network that learns to refuse some outliers also refuses others (D. Hendrycks et al., "Deep anomaly
detection with outlier exposure", ICLR 2019, arXiv:1812.04606). Refusal is measured on other outliers, which are made
from other fonts and in other ways (``inkdigits.synthetic.unseen_outliers``). Packages that train must not import those.
"""

from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from inkdigits.errors import DataError
from inkdigits.imaging.normalize import SIZE, fit_to_mnist
from inkdigits.synthetic.letters import LETTERS

Picture = NDArray[np.uint8]  # (28, 28), ink bright on black


class Digits(Protocol):
    """Digits that some outliers are made from, such as :class:`inkdigits.data.DigitSet`."""

    @property
    def images(self) -> NDArray[np.uint8]:
        """The images, uint8 (N, 28, 28), ink bright on black."""

    @property
    def labels(self) -> NDArray[np.int64]:
        """The labels, int64 (N,)."""


Draw = Callable[[np.random.Generator, Digits], Picture]

FONTS = ("font_caladea", "font_fredoka_one", "font_intuitive", "font_manrope")  # packages of font files
SYMBOLS = "#$%&*+=<>?@{}[]~^:;äçéñøß¶§€£"
FINE = 4  # strokes are drawn this many times larger, then scaled down
FAINT, INK = 60, 100  # pixels above FAINT belong to a digit; pixels above INK can touch other ink


def stroke(points: NDArray[Any], width: float, closed: bool = False, filled: bool = False) -> Picture:
    """Draw a line through points (K, 2) of column and row in pixels, ``width`` pixels wide."""
    canvas = np.zeros((SIZE * FINE, SIZE * FINE), np.uint8)
    corners = [np.round(points * FINE).astype(np.int32)]
    if filled:
        cv2.fillPoly(canvas, corners, 255)
    cv2.polylines(canvas, corners, closed, 255, max(1, round(width * FINE)), cv2.LINE_AA)
    return np.asarray(cv2.resize(canvas, (SIZE, SIZE), interpolation=cv2.INTER_AREA), np.uint8)


def blank(rng: np.random.Generator, digits: Digits) -> Picture:
    """Return an empty image, or one with one or two specks."""
    paper = np.zeros((SIZE, SIZE), np.uint8)
    for _ in range(rng.integers(0, 3)):
        row, column = rng.integers(0, SIZE, 2)
        paper[row : row + rng.integers(1, 3), column : column + rng.integers(1, 3)] = rng.integers(60, 256)
    return paper


def texture(rng: np.random.Generator, digits: Digits) -> Picture:
    """Return random grain of any size and contrast, sometimes thresholded to black and white."""
    cells = rng.integers(2, SIZE + 1, 2)
    grain = cv2.resize(rng.random(cells).astype(np.float32), (SIZE, SIZE), interpolation=int(rng.integers(0, 3)))
    grain = grain.clip(0, 1) ** rng.uniform(0.5, 4)
    if rng.random() < 0.4:
        grain = (grain > rng.uniform(0.2, 0.8)).astype(np.float32)
    return (grain * rng.uniform(60, 255)).astype(np.uint8)


def scribble(rng: np.random.Generator, digits: Digits) -> Picture:
    """Draw one to four random curves."""
    picture = np.zeros((SIZE, SIZE), np.uint8)
    width = rng.uniform(0.8, 3.5)
    for _ in range(rng.integers(1, 5)):
        knots = rng.uniform(3, SIZE - 3, (rng.integers(3, 8), 2))
        steps = np.linspace(0, len(knots) - 1, 40)
        curve = np.stack([np.interp(steps, np.arange(len(knots)), knots[:, axis]) for axis in (0, 1)], 1)
        smooth = cv2.GaussianBlur(curve, (1, 0), sigmaX=1, sigmaY=rng.uniform(0.3, 4), borderType=cv2.BORDER_REPLICATE)
        picture = np.maximum(picture, stroke(smooth, width))
    return picture


def blot(rng: np.random.Generator, digits: Digits) -> Picture:
    """Draw one to three closed shapes: filled, angular or round; or outlines of three to five corners, unlike a zero.

    Half of the images are cropped and scaled as the reader does it with its crops.
    """
    picture = np.zeros((SIZE, SIZE), np.uint8)
    for _ in range(rng.integers(1, 4)):
        filled, even, rounded = rng.random(3) < (0.6, 0.5, 0.6)
        corners = rng.integers(3, 11 if filled else 6)
        turns = np.arange(corners) / corners + rng.random() if even else np.sort(rng.random(corners))
        reach = rng.uniform(0.8 if even else 0.3, 1, corners) * rng.uniform(3, 11)
        points = np.stack([np.cos(2 * np.pi * turns), np.sin(2 * np.pi * turns)], 1) * reach[:, None]
        points = points * rng.uniform(0.5, 1, 2) + rng.uniform(9, 19, 2)
        if filled and rounded:
            points = _rounded(points)
        picture = np.maximum(picture, stroke(points, rng.uniform(0.8, 3), closed=True, filled=bool(filled)))
    return _cut_and_boxed(picture) if rng.random() < 0.5 else picture


def ruling(rng: np.random.Generator, digits: Digits) -> Picture:
    """Draw two to six straight lines, like parts of frames, tables, crosses and hatching."""
    picture = np.zeros((SIZE, SIZE), np.uint8)
    tilt, width = rng.uniform(0, np.pi), rng.uniform(0.8, 3)
    for index in range(rng.integers(2, 7)):
        angle = tilt + (index % 2) * np.pi / 2 * (rng.random() < 0.7)
        direction = np.array([np.cos(angle), np.sin(angle)])
        middle = rng.uniform(4, SIZE - 4, 2)
        ends = np.stack([middle - direction * rng.uniform(3, 20), middle + direction * rng.uniform(3, 20)])
        picture = np.maximum(picture, stroke(ends, width))
    return picture


def letter(rng: np.random.Generator, digits: Digits) -> Picture:
    """Draw a printed letter or symbol, or its skeleton redrawn with a random stroke width."""
    printed, skeletons = _glyphs()
    if rng.random() < 0.5:
        return printed[rng.integers(len(printed))]
    skeleton = skeletons[rng.integers(len(skeletons))]
    side = int(rng.integers(3, 14))
    drawn = cv2.dilate(skeleton, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)))
    return _cut_and_boxed(drawn)


def two_digits(rng: np.random.Generator, digits: Digits) -> Picture:
    """Put two digits side by side, or one above the other; squeeze the pair, or show a part of it."""
    first, second = (np.asarray(digits.images[i][:, 4:24]) for i in rng.integers(0, len(digits.labels), 2))
    pair = np.hstack([first, second]) if rng.random() < 0.8 else np.vstack([first[4:24], second[4:24]])
    pair = np.pad(pair, 2)
    if rng.random() < 0.5:  # a part of the pair, at its size
        left, top = ((rng.random(2) * 0.3 + 0.35) * np.array(pair.shape[::-1]) - SIZE / 2).round().astype(int)
        window = np.pad(pair, SIZE)[top + SIZE : top + 2 * SIZE, left + SIZE : left + 2 * SIZE]
        return np.asarray(window, np.uint8)
    return (
        _cut_and_boxed(pair)
        if rng.random() < 0.5
        else np.asarray(cv2.resize(pair, (SIZE, SIZE), None, 0, 0, cv2.INTER_AREA))
    )


def joined(rng: np.random.Generator, digits: Digits) -> Picture:
    """Join two touching digits, as in fast handwriting; keep both whole, or cut the pair in the wrong place."""
    first, second = (_trimmed(digits.images[i]) for i in rng.integers(0, len(digits.labels), 2))
    high, low = rng.integers(0, 5, 2)  # how far each is moved down
    first, second = np.pad(first, ((high, 0), (0, 0))), np.pad(second, ((low, 0), (0, 0)))
    tall = max(len(first), len(second))
    canvas = np.zeros((tall, first.shape[1] + second.shape[1]), np.uint8)
    canvas[: len(first), : first.shape[1]] = first
    for at in range(first.shape[1], first.shape[1] // 2, -1):  # the second moves left until it touches the first
        end = at + second.shape[1]
        view = canvas[: len(second), at:end]
        if ((view > INK) & (second > INK)).any():
            break
    np.maximum(view, second, out=view)
    way, shares = rng.random(), rng.uniform(0.35, 0.65, 2)  # of each digit, to be cut off
    left = round(shares[0] * first.shape[1]) if way < 0.3 else 0
    right = round(shares[1] * second.shape[1]) if way < 0.1 or 0.3 <= way < 0.5 else 0
    return _cut_and_boxed(canvas[:, left : end - right])


def piece(rng: np.random.Generator, digits: Digits) -> Picture:
    """Keep 20 to 45 % of a digit's rows or columns, in their place; not of a one, which would remain a one."""
    index = rng.integers(len(digits.labels))
    while digits.labels[index] == 1:
        index = rng.integers(len(digits.labels))
    out = np.asarray(digits.images[index]).copy()
    inked = out > 30
    rows, columns = np.flatnonzero(inked.any(1)), np.flatnonzero(inked.any(0))
    if len(rows) and len(columns):
        share = rng.uniform(0.55, 0.8)
        if rng.random() < 0.5:
            cut = rows[: int(share * len(rows))] if rng.random() < 0.5 else rows[len(rows) - int(share * len(rows)) :]
            out[cut] = 0
        else:
            cut = columns[: int(share * len(columns))]
            out[:, cut] = 0
    return out


KINDS: tuple[tuple[Draw, float], ...] = (  # with the share of each
    *((blank, 0.04), (texture, 0.1), (scribble, 0.16), (blot, 0.16), (ruling, 0.06)),
    *((letter, 0.28), (two_digits, 0.1), (joined, 0.16), (piece, 0.08)),
)


def make_outliers(count: int, digits: Digits, seed: int) -> NDArray[np.uint8]:
    """Return outlier images uint8 (count, 28, 28), ink bright on black; the same seed returns the same images.

    Parameters
    ----------
    digits
        Training digits, whose parts and pairs are among the outliers.

    Raises
    ------
    DataError
        When the font packages are not installed.
    """
    rng = np.random.default_rng([seed, 1])
    shares = np.array([share for _, share in KINDS])
    kinds = rng.choice(len(KINDS), count, p=shares / shares.sum())
    return np.stack([KINDS[kind][0](rng, digits) for kind in kinds]) if count else np.empty((0, SIZE, SIZE), np.uint8)


def _trimmed(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return an image (28, 28) cropped to its ink, or the whole image if it has none."""
    rows, columns = np.flatnonzero((image > FAINT).any(1)), np.flatnonzero((image > FAINT).any(0))
    return image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] if len(rows) else image


def _rounded(points: NDArray[Any]) -> NDArray[Any]:
    """Return a closed line (K, 2) with its corners cut three times (Chaikin), (8 K, 2)."""
    for _ in range(3):
        after = np.roll(points, -1, 0)
        points = np.stack([0.75 * points + 0.25 * after, 0.25 * points + 0.75 * after], 1).reshape(-1, 2)
    return points


def _cut_and_boxed(drawn: NDArray[Any]) -> Picture:
    """Return a drawing (H, W) scaled to the box of MNIST's digits and centred by mass, as the reader's crops."""
    rows, columns = np.flatnonzero(drawn.any(1)), np.flatnonzero(drawn.any(0))
    if not len(rows):
        return np.zeros((SIZE, SIZE), np.uint8)
    return fit_to_mnist(np.asarray(drawn[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1], np.uint8))


def font_files() -> list[Path]:
    """Return the font files of the packages :data:`FONTS`.

    Raises
    ------
    DataError
        When a font package is not installed.
    """
    files: list[Path] = []
    for name in FONTS:
        spec = find_spec(name)
        if spec is None or spec.origin is None:
            raise DataError(f"the fonts of {name} are missing: pip install 'inkdigits[lab]'")
        found = sorted(Path(spec.origin).parent.glob("files/*.ttf"))
        files += [path for path in found if "Variable" not in path.name]
    return files


def glyph(character: str, font: ImageFont.FreeTypeFont) -> NDArray[np.uint8]:
    """Return a character, white on black and cropped to its ink, uint8 (H, W)."""
    left, top, right, bottom = (int(edge) for edge in font.getbbox(character))
    image = Image.new("L", (max(1, right - left), max(1, bottom - top)))
    ImageDraw.Draw(image).text((-left, -top), character, fill=255, font=font)
    return np.asarray(image)


@cache
def _glyphs() -> tuple[list[Picture], list[NDArray[np.uint8]]]:
    """Return every character of every font, scaled to MNIST's box, and its skeleton at full size."""
    from skimage.morphology import skeletonize

    printed, skeletons = [], []
    for path in font_files():
        font = ImageFont.truetype(path, 64)
        for character in LETTERS + SYMBOLS:
            drawn = np.pad(glyph(character, font), 8)
            if drawn.any():
                printed.append(_cut_and_boxed(drawn))
                skeletons.append(np.asarray(skeletonize(drawn > 127), np.uint8) * 255)
    return printed, skeletons

"""What is no digit, to measure refusal with, never to train on: other means and other fonts than those learned from.

Every maker takes a number of pictures, a generator and :class:`Sources`, and returns uint8 (N, 28, 28), ink bright on
black, scaled and centred as a reader does with what it finds.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from inkdigits.errors import DataError, unknown
from inkdigits.imaging.normalize import SIZE, to_mnist
from inkdigits.synthetic.letters import LETTERS, LOOK_ALIKES

Pictures = NDArray[np.uint8]

SYMBOLS = "#$%&*+=<>?@{}[]~^;:äöüéçñøßÆœ¥§€∞√∑Ωπψ"
LARGE = 96  # side of what is drawn before it is scaled, pixels


@dataclass(frozen=True)
class Sources:
    """What pictures are made of: digits uint8 (N, 28, 28), and font files."""

    digits: Pictures
    fonts: Sequence[Path] = field(default=())


def matplotlib_fonts() -> list[Path]:
    """Return the font files of matplotlib, eight faces; matplotlib itself is not imported.

    Raises
    ------
    DataError
        When matplotlib is not installed.
    """
    spec = find_spec("matplotlib")
    if spec is None or spec.origin is None:
        raise DataError("the fonts of matplotlib are missing: pip install 'inkdigits[lab]'")
    names = [
        *("DejaVuSans", "DejaVuSans-Bold", "DejaVuSansMono", "DejaVuSerif", "DejaVuSerif-Italic"),
        *("STIXGeneral", "STIXGeneralBol", "STIXGeneralItalic"),
    ]
    return [Path(spec.origin).parent / "mpl-data" / "fonts" / "ttf" / f"{name}.ttf" for name in names]


Make = Callable[[int, np.random.Generator, Sources], Pictures]


def blank(count: int, rng: np.random.Generator, sources: Sources) -> Pictures:
    """Make paper of one grey, from none to full ink."""
    return np.broadcast_to(rng.integers(0, 256, (count, 1, 1), np.uint8), (count, SIZE, SIZE)).copy()


def noise(count: int, rng: np.random.Generator, sources: Sources) -> Pictures:
    """Make noise: uniform, Gaussian about a grey, and salt and pepper."""
    uniform = rng.random((count, SIZE, SIZE))
    gaussian = rng.uniform(0, 0.6, (count, 1, 1)) + rng.uniform(0.05, 0.4, (count, 1, 1)) * rng.normal(
        size=uniform.shape
    )
    salt = uniform < rng.uniform(0.02, 0.5, (count, 1, 1))
    return _bytes(np.choose(rng.integers(0, 3, (count, 1, 1)), [uniform, gaussian, salt]))


def texture(count: int, rng: np.random.Generator, sources: Sources) -> Pictures:
    """Make cloth, bark and gratings: sums of three waves of any direction, at times cut to black and white."""
    row, column = np.mgrid[:SIZE, :SIZE]
    angle, phase = rng.uniform(0, 2 * np.pi, (2, count, 3, 1, 1))
    period = np.exp(rng.uniform(np.log(3), np.log(20), (count, 3, 1, 1)))
    waves = np.sin(2 * np.pi / period * (np.cos(angle) * column + np.sin(angle) * row) + phase)
    light = 0.5 + (waves * rng.random((count, 3, 1, 1))).sum(1) / 3
    return _bytes(np.where(rng.random((count, 1, 1)) < 0.4, light > 0.5, light))


def scribble(count: int, rng: np.random.Generator, sources: Sources) -> Pictures:
    """Make the wanderings of a pen that turns at random and never lifts."""
    out = np.empty((count, SIZE, SIZE), np.uint8)
    for image in out:
        turns = rng.normal(rng.uniform(-0.1, 0.1), rng.uniform(0.3, 0.9), rng.integers(60, 160)).cumsum()
        path = np.stack([np.cos(turns), np.sin(turns)], 1).cumsum(0)
        path = (path - path.min(0)) * (LARGE - 20) / max(1e-6, float(np.ptp(path, axis=0).max())) + 10
        canvas = np.zeros((LARGE, LARGE), np.uint8)
        cv2.polylines(canvas, [np.round(path).astype(np.int32)], False, 255, int(rng.integers(3, 11)), cv2.LINE_AA)
        image[:] = to_mnist(canvas, whole=True)
    return out


def shape(count: int, rng: np.random.Generator, sources: Sources) -> Pictures:
    """Make discs, polygons, stars, crosses and arrows, filled or drawn; no rings, which are zeros."""
    out = np.empty((count, SIZE, SIZE), np.uint8)
    for image in out:
        canvas = np.zeros((LARGE, LARGE), np.uint8)
        kind, turn, wide = rng.integers(0, 5), rng.uniform(0, 2 * np.pi), int(rng.integers(4, 11))
        if kind == 0:
            axes = tuple(int(v) for v in rng.integers(16, 40, 2))
            cv2.ellipse(canvas, (48, 48), axes, float(np.degrees(turn)), 0, 360, 255, -1, cv2.LINE_AA)
        elif kind == 1:
            corners = int(rng.integers(3, 7))
            _polygon(canvas, turn + np.arange(corners) * 2 * np.pi / corners, np.full(corners, 40.0), wide, rng)
        elif kind == 2:
            points = int(rng.integers(4, 8))
            reach = np.where(np.arange(2 * points) % 2, rng.uniform(12, 24), 42.0)
            _polygon(canvas, turn + np.arange(2 * points) * np.pi / points, reach, wide, rng)
        else:
            arms = [turn, turn + np.pi / 2] if kind == 3 else [turn, turn + 0.6, turn - 0.6]
            for index, arm in enumerate(arms):
                reach = np.array([np.cos(arm), np.sin(arm)]) * 40
                tip = np.array([48, 48]) + (reach if kind == 3 else np.array([np.cos(turn), np.sin(turn)]) * 40)
                length = 2.0 if kind == 3 or index == 0 else 0.8
                ends = [tuple(int(v) for v in np.round(end)) for end in (tip, tip - length * reach)]
                cv2.line(canvas, ends[0], ends[1], 255, wide, cv2.LINE_AA)
        image[:] = to_mnist(canvas, whole=True)
    return out


def letter(count: int, rng: np.random.Generator, sources: Sources) -> Pictures:
    """Print letters that no one takes for a digit."""
    return _print(LETTERS, count, rng, sources)


def symbol(count: int, rng: np.random.Generator, sources: Sources) -> Pictures:
    """Print symbols, and letters with marks."""
    return _print(SYMBOLS, count, rng, sources)


def look_alike(count: int, rng: np.random.Generator, sources: Sources) -> Pictures:
    """Print letters and symbols that may be taken for a digit."""
    return _print(LOOK_ALIKES, count, rng, sources)


def two_digits(count: int, rng: np.random.Generator, sources: Sources) -> Pictures:
    """Put two digits side by side into the place of one."""
    out = np.empty((count, SIZE, SIZE), np.uint8)
    for image in out:
        pair = [digit[:, digit.any(0)] for digit in sources.digits[rng.integers(0, len(sources.digits), 2)]]
        image[:] = to_mnist(np.pad(np.hstack([pair[0], np.zeros((SIZE, 2), np.uint8), pair[1]]), 3), whole=True)
    return out


def cut_digit(count: int, rng: np.random.Generator, sources: Sources) -> Pictures:
    """Cut digits down to a quarter or a third from one side, where they stand."""
    out = sources.digits[rng.integers(0, len(sources.digits), count)].copy()
    for image, side, share in zip(out, rng.integers(0, 4, count), rng.uniform(1 / 4, 1 / 3, count), strict=True):
        inked = np.flatnonzero(image.any(1 if side < 2 else 0))
        keep = max(1, round(share * len(inked)))
        gone = inked[keep:] if side % 2 == 0 else inked[:-keep]
        image[(gone, slice(None)) if side < 2 else (slice(None), gone)] = 0
    return out


UNSEEN_OUTLIERS: dict[str, Make] = {
    make.__name__: make
    for make in (
        *(blank, noise, texture, scribble, shape, letter, symbol),
        *(look_alike, two_digits, cut_digit),
    )
}


def make_unseen_outliers(kind: str, count: int, sources: Sources, seed: int = 0) -> Pictures:
    """Return pictures of one kind of outlier, uint8 (count, 28, 28); the same call gives the same pictures.

    Raises
    ------
    UsageError
        When there is no such kind.
    DataError
        When it needs fonts or digits and there are none.
    """
    if kind not in UNSEEN_OUTLIERS:
        raise unknown("kind of outlier", kind, UNSEEN_OUTLIERS)
    rng = np.random.default_rng([seed, list(UNSEEN_OUTLIERS).index(kind)])
    return UNSEEN_OUTLIERS[kind](count, rng, sources)


def _bytes(values: NDArray[np.floating] | NDArray[np.bool_]) -> Pictures:
    return (values.astype(np.float64).clip(0, 1) * 255).round().astype(np.uint8)


def _polygon(
    canvas: Pictures, angles: NDArray[np.floating], reach: NDArray[np.floating], wide: int, rng: np.random.Generator
) -> None:
    points = [np.round(48 + np.stack([np.cos(angles), np.sin(angles)], 1) * reach[:, None]).astype(np.int32)]
    if rng.random() < 0.5:
        cv2.fillPoly(canvas, points, 255, cv2.LINE_AA)
    else:
        cv2.polylines(canvas, points, True, 255, wide, cv2.LINE_AA)


def _print(characters: str, count: int, rng: np.random.Generator, sources: Sources) -> Pictures:
    if not sources.fonts:
        raise DataError("printed letters need font files, and none were given")
    fonts = [ImageFont.truetype(path, 64) for path in sources.fonts]
    out = np.empty((count, SIZE, SIZE), np.uint8)
    for image in out:
        canvas = Image.new("L", (2 * LARGE, 2 * LARGE))
        character, font = characters[rng.integers(len(characters))], fonts[rng.integers(len(fonts))]
        ImageDraw.Draw(canvas).text((LARGE // 2, LARGE // 2), character, fill=255, font=font)
        image[:] = to_mnist(np.asarray(canvas), whole=True)
    return out

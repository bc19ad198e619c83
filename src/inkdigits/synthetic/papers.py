"""What lies under, over and beside the writing of a made line.

Every function takes a :class:`Sheet` and a random generator, and changes the sheet. Amounts are drawn anew in each
call, from hardly visible to disturbing. All lengths are relative to the height of a digit.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Layer = NDArray[np.float32]  # (H, W)
PRINT_FACES = (
    cv2.FONT_HERSHEY_SIMPLEX,
    cv2.FONT_HERSHEY_PLAIN,
    cv2.FONT_HERSHEY_DUPLEX,
    cv2.FONT_HERSHEY_COMPLEX,
    cv2.FONT_HERSHEY_TRIPLEX,
)
WORDS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass
class Sheet:
    """A piece of paper with one line of writing, in layers."""

    ink: Layer  # share of the writing's ink at a pixel, 0 to 1
    paper: Layer  # brightness without the writing, 0 to 1
    digit: float  # height of a digit in pixels
    top: float  # y of the top of the writing
    base: float  # y of the baseline
    pen: float  # half width of the pen in pixels
    between: tuple[tuple[float, float], ...] = ()  # x of the gap after each character but the last: start and end
    applied: list[str] = field(default_factory=list)  # names of what was done to it

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.ink.shape[0], self.ink.shape[1]


Disturb = Callable[[Sheet, np.random.Generator], None]


@lru_cache(maxsize=512)
def _grid(height: int, width: int) -> tuple[Layer, Layer]:
    """Return y (H, 1) and x (1, W) in pixels."""
    return np.arange(height, dtype=np.float32)[:, None], np.arange(width, dtype=np.float32)[None]


def as_layer(image: NDArray[Any]) -> Layer:
    """Return an image as float32."""
    return np.asarray(image, np.float32)


def smooth_noise(shape: tuple[int, int], cell: float, rng: np.random.Generator) -> Layer:
    """Return noise in [-1, 1] that changes over ``cell`` pixels, float32 ``shape``."""
    rows, columns = (max(2, round(side / max(1.0, cell)) + 1) for side in shape)
    coarse = rng.uniform(-1, 1, (rows, columns)).astype(np.float32)
    return as_layer(cv2.resize(coarse, shape[::-1], interpolation=cv2.INTER_CUBIC))


def darken(sheet: Sheet, mask: Layer, amount: float) -> None:
    """Darken the paper where ``mask`` (H, W), 0 to 1, is set: by the share ``amount`` of its brightness."""
    sheet.paper *= 1 - amount * mask


def draw_amount(rng: np.random.Generator, low: float, high: float) -> float:
    """Return a contrast between ``low`` and ``high``, more often small."""
    return float(low + (high - low) * rng.random() ** 1.5)


def shading(sheet: Sheet, rng: np.random.Generator) -> None:
    """Let the light fall off to one side, and clouds lie on the paper."""
    y, x = _grid(*sheet.shape)
    height, width = sheet.shape
    slope = rng.uniform(-0.25, 0.25, 2)
    cloud = smooth_noise(sheet.shape, sheet.digit * rng.uniform(0.8, 4), rng)
    light = 1 + slope[0] * (y / height - 0.5) + slope[1] * (x / width - 0.5) + rng.uniform(0, 0.12) * cloud
    sheet.paper *= light.astype(np.float32)


def _curves(sheet: Sheet, phase: Layer, share: float) -> Layer:
    """Return thin lines, ``share`` of the area wide, where ``phase`` passes whole numbers: 0 to 1."""
    away = np.abs(phase - np.round(phase))  # 0 on a line, 0.5 between
    return np.clip(1.5 - away * (2 / share), 0, 1)


def guilloche(sheet: Sheet, rng: np.random.Generator) -> None:
    """Print one to three families of fine curves, as on cheques and bank notes."""
    y, x = _grid(*sheet.shape)
    for _ in range(rng.integers(1, 3)):
        pitch = sheet.digit * rng.uniform(0.09, 0.45)
        length = sheet.digit * rng.uniform(0.6, 8)
        turn, sway = rng.uniform(-0.5, 0.5), sheet.digit * rng.uniform(0, 0.5)
        bend = np.sin(x * np.float32(2 * np.pi / length) + rng.uniform(0, 7)) * sway
        if rng.random() < 0.5:  # arcs around a middle that lies outside
            middle = sheet.digit * rng.uniform(-6, 6, 2)
            phase = np.hypot(y - middle[0], x + bend - middle[1]) / pitch
        else:
            phase = (y + bend + turn * x) / pitch
        if rng.random() < 0.3:
            phase = phase + 0.4 * np.sin(y * np.float32(2 * np.pi / (length / 2)) + rng.uniform(0, 7))
        darken(sheet, _curves(sheet, phase.astype(np.float32), rng.uniform(0.15, 0.6)), draw_amount(rng, 0.04, 0.28))


def weave(sheet: Sheet, rng: np.random.Generator) -> None:
    """Print a fine regular texture of dots or crossed waves."""
    y, x = _grid(*sheet.shape)
    pitch = sheet.digit * rng.uniform(0.08, 0.35, 2)
    turn = rng.uniform(-0.6, 0.6)
    texture = np.sin((y + turn * x) * np.float32(2 * np.pi / pitch[0])) * np.sin(
        (x - turn * y) * np.float32(2 * np.pi / pitch[1]) + rng.uniform(0, 7)
    )
    if rng.random() < 0.5:
        texture = (texture > rng.uniform(0, 0.6)).astype(np.float32)
    darken(sheet, (texture * 0.5 + 0.5).astype(np.float32), draw_amount(rng, 0.04, 0.24))


def bands(sheet: Sheet, rng: np.random.Generator) -> None:
    """Print fine wavy horizontal lines close to each other."""
    y, x = _grid(*sheet.shape)
    pitch = sheet.digit * rng.uniform(0.1, 0.3)
    wave = (
        sheet.digit * rng.uniform(0.02, 0.15) * np.sin(x * np.float32(2 * np.pi / (sheet.digit * rng.uniform(0.3, 3))))
    )
    darken(
        sheet,
        _curves(sheet, (y + wave + rng.uniform(-0.1, 0.1) * x) / pitch, rng.uniform(0.3, 0.8)),
        draw_amount(rng, 0.04, 0.26),
    )


def grain(sheet: Sheet, rng: np.random.Generator) -> None:
    """Give the paper fibres: noise of one or a few pixels."""
    noise = rng.standard_normal(sheet.shape, dtype=np.float32)
    if rng.random() < 0.6:
        noise = as_layer(cv2.GaussianBlur(noise, (0, 0), rng.uniform(0.5, 1.5))) * 2
    sheet.paper += noise * np.float32(draw_amount(rng, 0.005, 0.05))


def drawn(mask: NDArray[np.uint8]) -> Layer:
    """Return a mask of 0 to 255 as 0 to 1."""
    return as_layer(mask) * np.float32(1 / 255)


def _rule(
    sheet: Sheet, mask: NDArray[np.uint8], start: tuple[float, float], end: tuple[float, float], width: float
) -> None:
    """Draw a straight line into ``mask``, in sixteenths of a pixel."""
    ends = [(round(16 * x), round(16 * y)) for x, y in (start, end)]
    cv2.line(mask, ends[0], ends[1], 255, max(1, round(width)), cv2.LINE_AA, 4)


def rules(sheet: Sheet, rng: np.random.Generator) -> None:
    """Print one to three ruled lines along the writing: under it, through it or above it, whole, dashed or dotted."""
    height, width = sheet.shape
    mask = np.zeros(sheet.shape, np.uint8)
    thick = sheet.digit * rng.uniform(0.02, 0.09)
    for _ in range(rng.integers(1, 4)):
        below = sheet.base + sheet.digit * rng.normal(0.08, 0.12)
        y = below if rng.random() < 0.6 else rng.uniform(0, height)
        _rule(sheet, mask, (-5, y), (width + 5, y + rng.normal(0, 0.02) * width), thick)
    if rng.random() < 0.3:
        pitch = sheet.digit * rng.uniform(0.1, 0.5)
        mask[:, (np.arange(width) / pitch) % 1 > rng.uniform(0.3, 0.8)] = 0
    darken(sheet, drawn(mask), rng.uniform(0.15, 0.9))


def frame(sheet: Sheet, rng: np.random.Generator) -> None:
    """Print a frame around the writing, or the parts of it that reach in."""
    mask = np.zeros(sheet.shape, np.uint8)
    thick = sheet.digit * rng.uniform(0.03, 0.14)
    top, bottom = _above_and_below(sheet, rng)
    left, right = _ends(sheet, rng)
    sides = rng.random(4) < rng.choice([0.35, 0.65, 1.0])
    for seen, start, end in (
        (sides[0], (left, top), (right, top)),
        (sides[1], (left, bottom), (right, bottom)),
        (sides[2], (left, top), (left, bottom)),
        (sides[3], (right, top), (right, bottom)),
    ):
        if seen:
            _rule(sheet, mask, start, end, thick)
    darken(sheet, drawn(mask), rng.uniform(0.3, 0.95))


def cells(sheet: Sheet, rng: np.random.Generator) -> None:
    """Print the boxes of a form, a comb, or a field around each group: uprights between the characters."""
    mask = np.zeros(sheet.shape, np.uint8)
    thick = sheet.digit * rng.uniform(0.03, 0.1)
    top, bottom = _above_and_below(sheet, rng)
    if rng.random() < 0.15:  # a comb
        top = sheet.base - sheet.digit * rng.uniform(0.1, 0.5)
    left, right = _ends(sheet, rng)
    wide = rng.choice([-1.0, -1.0, 0.15, 0.4]) * sheet.digit  # only gaps of at least so many pixels
    apart = rng.random() < 0.35  # each box has sides of its own
    uprights = [left, right]
    for end, start in sheet.between:
        if start - end < wide:
            continue
        if apart and start - end > 0.2 * sheet.digit:
            uprights += [end + (start - end) * rng.uniform(0.15, 0.4), end + (start - end) * rng.uniform(0.6, 0.85)]
        else:
            uprights.append((end + start) / 2 + sheet.digit * rng.normal(0, 0.03))
    pitch = sheet.digit * rng.uniform(0.8, 1.6)  # of blank boxes at both ends
    written = [x for pair in sheet.between for x in pair]
    if written and rng.random() < 0.6:
        uprights += list(np.arange(min(written) - 1.2 * pitch, left, -pitch))
        uprights += list(np.arange(max(written) + 1.2 * pitch, right, pitch))
    uprights.sort()
    for x in uprights:
        _rule(sheet, mask, (x, top), (x, bottom), thick)
    for y, seen in ((top, rng.random() < 0.8), (bottom, rng.random() < 0.9)):
        for start, end in zip(uprights[::2], uprights[1::2], strict=False) if apart else [(left, right)]:
            if seen:
                _rule(sheet, mask, (start, y), (end, y), thick)
    darken(sheet, drawn(mask), rng.uniform(0.3, 0.95))


def _above_and_below(sheet: Sheet, rng: np.random.Generator) -> tuple[float, float]:
    """Return y of the upper and the lower side of a frame; one in four frames is higher than the picture."""
    if rng.random() < 0.25:
        return -10.0, sheet.shape[0] + 10.0
    return (
        sheet.top - sheet.digit * rng.uniform(-0.05, 0.5),
        sheet.base + sheet.digit * rng.uniform(-0.03, 0.5),
    )


def _ends(sheet: Sheet, rng: np.random.Generator) -> tuple[float, float]:
    """Return x of the left and the right side of a frame."""
    return sheet.digit * rng.uniform(0, 0.25), sheet.shape[1] - sheet.digit * rng.uniform(0, 0.25)


def printed_text(sheet: Sheet, rng: np.random.Generator) -> None:
    """Print small words above or below the writing, at times reaching into it."""
    mask = np.zeros(sheet.shape, np.uint8)
    for _ in range(rng.integers(1, 3)):
        size = sheet.digit * rng.uniform(0.15, 0.4) / 22
        word = "".join(rng.choice(list(WORDS), rng.integers(1, 12)))
        x = rng.uniform(-0.1, 0.9) * sheet.shape[1]
        y = (
            sheet.top - sheet.digit * rng.uniform(0.0, 0.3)
            if rng.random() < 0.5
            else sheet.base + sheet.digit * rng.uniform(0.2, 0.6)
        )
        face = PRINT_FACES[rng.integers(len(PRINT_FACES))]
        cv2.putText(
            mask, word, (round(x), round(y)), face, size, 255, max(1, round(size * rng.uniform(0.8, 3))), cv2.LINE_AA
        )
    darken(sheet, drawn(mask), rng.uniform(0.2, 0.85))


def dotted_print(sheet: Sheet, rng: np.random.Generator) -> None:
    """Print a row of dots, dashes or tiny marks along the lower or the upper edge of the writing."""
    width = sheet.shape[1]
    mask = np.zeros(sheet.shape, np.uint8)
    tall = sheet.digit * rng.uniform(0.05, 0.2)
    y = (
        sheet.base + sheet.digit * rng.uniform(-0.05, 0.2)
        if rng.random() < 0.7
        else sheet.top - sheet.digit * rng.uniform(-0.05, 0.2)
    )
    x, pitch = rng.uniform(-5, 5), tall * rng.uniform(0.8, 2.5)
    while x < width:
        points = np.array([x, y]) + rng.uniform(-0.5, 0.5, (rng.integers(2, 5), 2)) * tall
        cv2.polylines(
            mask, [np.round(points * 16).astype(np.int32)], False, 255, max(1, round(tall * 0.3)), cv2.LINE_AA, 4
        )
        x += pitch * rng.uniform(0.7, 1.3)
    darken(sheet, drawn(mask), rng.uniform(0.3, 0.9))


def stamp(sheet: Sheet, rng: np.random.Generator) -> None:
    """Press part of a stamp on the paper: rings, a bar, letters."""
    height, width = sheet.shape
    mask = np.zeros(sheet.shape, np.uint8)
    middle = (round(rng.uniform(0, width)), round(rng.uniform(-1, 2) * height))
    radius = sheet.digit * rng.uniform(0.8, 2.5)
    thick = max(1, round(sheet.digit * rng.uniform(0.03, 0.1)))
    cv2.circle(mask, middle, round(radius), 255, thick, cv2.LINE_AA)
    if rng.random() < 0.5:
        cv2.circle(mask, middle, round(radius * 0.8), 255, thick, cv2.LINE_AA)
    size = sheet.digit * rng.uniform(0.3, 0.7) / 22
    word = "".join(rng.choice(list(WORDS), rng.integers(2, 8)))
    cv2.putText(
        mask, word, (middle[0] - round(radius), middle[1]), PRINT_FACES[rng.integers(5)], size, 255, thick, cv2.LINE_AA
    )
    worn = np.clip(0.7 + smooth_noise(sheet.shape, sheet.digit * 0.3, rng), 0, 1)
    darken(sheet, drawn(mask) * worn, draw_amount(rng, 0.1, 0.6))


def dirt(sheet: Sheet, rng: np.random.Generator) -> None:
    """Lay specks and short hairs on the paper."""
    height, width = sheet.shape
    mask = np.zeros(sheet.shape, np.uint8)
    for _ in range(rng.integers(1, 14)):
        start = rng.uniform(0, 1, 2) * (width, height)
        end = start + rng.normal(0, 0.08 * sheet.digit, 2) * (rng.random() < 0.5)
        _rule(sheet, mask, tuple(start), tuple(end), sheet.digit * rng.uniform(0.02, 0.09))
    darken(sheet, drawn(mask), rng.uniform(0.2, 0.9))


def bleed_through(sheet: Sheet, rng: np.random.Generator) -> None:
    """Let writing of the other side shine through: the line itself, mirrored, moved and blurred."""
    back = np.roll(sheet.ink[:, ::-1], rng.integers(-20, 20), 0)
    darken(sheet, as_layer(cv2.GaussianBlur(back, (0, 0), max(0.6, sheet.pen))), draw_amount(rng, 0.05, 0.3))


def edge(sheet: Sheet, rng: np.random.Generator) -> None:
    """Show a dark or bright strip at an end or at the upper or lower rim: the sheet's edge, or another field."""
    height, width = sheet.shape
    reach = max(1, round(sheet.digit * rng.uniform(0.02, 0.2)))
    sides = sheet.paper[:reach], sheet.paper[height - reach :], sheet.paper[:, :reach], sheet.paper[:, width - reach :]
    side = sides[rng.integers(4)]
    side *= np.float32(rng.choice([rng.uniform(0.2, 0.8), rng.uniform(1.1, 1.4)]))


def uneven_ink(sheet: Sheet, rng: np.random.Generator) -> None:
    """Let the ink be lighter in places, as a ballpoint, a pencil or a drying pen leaves it."""
    fine = smooth_noise(sheet.shape, sheet.digit * rng.uniform(0.04, 0.5), rng)
    sheet.ink *= np.clip(1 - rng.uniform(0.1, 0.6) * (fine + rng.uniform(-0.5, 0.5)), 0.25, 1)


def gaps(sheet: Sheet, rng: np.random.Generator) -> None:
    """Lift the pen: small gaps in the strokes."""
    noise = smooth_noise(sheet.shape, sheet.digit * rng.uniform(0.08, 0.2), rng)
    sheet.ink *= np.clip((rng.uniform(0.55, 0.85) - noise) * 6, 0, 1)


def thick_and_thin(sheet: Sheet, rng: np.random.Generator) -> None:
    """Write with a broad nib: strokes of one direction get wider than the others."""
    size = max(2, round(sheet.pen * rng.uniform(0.6, 1.6)))
    kernel = np.zeros((2 * size + 1, 2 * size + 1), np.uint8)
    angle = rng.uniform(0, np.pi)
    reach = np.array([np.cos(angle), np.sin(angle)]) * size * 0.7
    middle = np.array([size, size])
    cv2.line(
        kernel,
        tuple(np.round(middle - reach).astype(int).tolist()),
        tuple(np.round(middle + reach).astype(int).tolist()),
        1,
    )
    sheet.ink = as_layer(cv2.dilate(sheet.ink, kernel))


UNDER_INK: tuple[tuple[Disturb, float], ...] = (  # and how often
    *((shading, 0.7), (guilloche, 0.35), (weave, 0.18), (bands, 0.14), (grain, 0.7), (rules, 0.3), (frame, 0.2)),
    (cells, 0.16),
    *((printed_text, 0.12), (dotted_print, 0.12), (stamp, 0.05), (dirt, 0.15), (bleed_through, 0.06), (edge, 0.1)),
)
IN_INK: tuple[tuple[Disturb, float], ...] = ((uneven_ink, 0.5), (gaps, 0.1), (thick_and_thin, 0.12))

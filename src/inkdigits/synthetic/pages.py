"""Made pages of given digits, with their truth: plain, ruled, squared, on a desk, in form boxes, touching, below print.

They test and tune a reader. Nothing is taken from real pages. The same seed makes the same page.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from inkdigits.errors import unknown

Ink = NDArray[np.float32]  # (H, W) in [0, 1]
WORDS = ("Name", "Date", "Total", "Page", "Class", "Team", "Score", "Price", "Code", "Item", "Room", "Week")
LETTERS = "ABDEFHKMNPRTVWXY"  # written into form boxes as outliers
LETTER_FONT = 96
OVERLAP = 0.15  # of a digit's height; a touching digit reaches no further into its neighbour's box


@dataclass(frozen=True)
class MadePage:
    """A page and its truth.

    Attributes
    ----------
    image
        uint8 (H, W, 3).
    lines
        The numbers, from the top; a blank form box is ``_``, a letter ``x``.
    kind
        Name of the function that made it.
    """

    image: NDArray[np.uint8]
    lines: tuple[str, ...]
    kind: str


@dataclass(frozen=True)
class Writer:
    """The digits of a page: images uint8 (N, 28, 28) with labels (N,), and their height on the page in pixels."""

    images: NDArray[np.uint8]
    labels: NDArray[np.integer]
    height: float

    def digit(self, rng: np.random.Generator) -> tuple[str, Ink]:
        """Return a random digit and its ink (h, w), cut to its bounding box."""
        index = int(rng.integers(len(self.images)))
        scale = self.height / 20 * rng.uniform(0.88, 1.12)
        large = cv2.resize(self.images[index], None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
        rows, columns = np.flatnonzero((large > 60).any(1)), np.flatnonzero((large > 60).any(0))
        cut = large[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        return str(self.labels[index]), cut.astype(np.float32) / 255


def plain(writer: Writer, rng: np.random.Generator) -> tuple[Ink, Ink, list[str]]:
    """Write lines of numbers with space between the digits, sometimes beside printed words."""
    return _written(writer, rng, apart=(0.12, 0.6), words=bool(rng.random() < 0.3))


def touching(writer: Writer, rng: np.random.Generator) -> tuple[Ink, Ink, list[str]]:
    """Write lines of numbers in which half of the neighbours touch."""
    return _written(writer, rng, apart=(0.1, 0.3), touch=0.5)


def ruled(writer: Writer, rng: np.random.Generator) -> tuple[Ink, Ink, list[str]]:
    """Write on ruled paper with a margin; strokes cross the lines."""
    ink, _, lines = _written(writer, rng, apart=(0.12, 0.5))
    return ink, _rules(ink.shape, writer.height, rng, squares=False), lines


def squared(writer: Writer, rng: np.random.Generator) -> tuple[Ink, Ink, list[str]]:
    """Write on squared paper."""
    ink, _, lines = _written(writer, rng, apart=(0.12, 0.5))
    return ink, _rules(ink.shape, writer.height, rng, squares=True), lines


def boxes(writer: Writer, rng: np.random.Generator) -> tuple[Ink, Ink, list[str]]:
    """Write one digit into each form box; some boxes are blank, some hold a letter; printed words stand beside them."""
    side = round(writer.height * rng.uniform(1.35, 1.9))
    tall = round(side * rng.uniform(0.95, 1.25))
    columns, rows = int(rng.integers(5, 12)), int(rng.integers(2, 6))
    shared = bool(rng.random() < 0.5)  # neighbours share a side
    step_x, step_y = side + (0 if shared else round(0.25 * side)), round(tall * rng.uniform(1.15, 1.6))
    left, top = round(3.5 * side), round(1.2 * tall)
    height, width = top + rows * step_y + tall, left + columns * step_x + side
    ink, printed = np.zeros((height, width), np.float32), np.zeros((height, width), np.float32)
    thick = max(1, round(side * rng.uniform(0.015, 0.05)))
    lines = []
    for row in range(rows):
        text = ""
        y = top + row * step_y
        _print(printed, WORDS[int(rng.integers(len(WORDS)))], (round(0.3 * side), y + tall // 3), tall * 0.35)
        filled = int(rng.integers(columns // 2, columns + 1))
        for column in range(columns):
            x = left + column * step_x
            cv2.rectangle(printed, (x, y), (x + side, y + tall), 1.0, thick)
            if column >= filled:
                text += "_"
                continue
            if rng.random() < 0.04:
                drawn = _letter(LETTERS[int(rng.integers(len(LETTERS)))], writer.height)
                label = "x"
            else:
                label, drawn = writer.digit(rng)
            free_x, free_y = side - 2 * thick - drawn.shape[1], tall - 2 * thick - drawn.shape[0]
            at_x = x + thick + round(free_x * rng.uniform(0.25, 0.75))
            at_y = y + thick + round(free_y * rng.uniform(0.2, 0.8))
            _lay(ink, drawn, at_x, at_y)
            text += label
        lines.append(text)
    return ink, printed, lines


def desk(writer: Writer, rng: np.random.Generator) -> tuple[Ink, Ink, list[str]]:
    """Write as on a plain page, which then lies turned on a lighter or darker desk."""
    return plain(writer, rng)


def printed(writer: Writer, rng: np.random.Generator) -> tuple[Ink, Ink, list[str]]:
    """Write as on a plain page, below a paragraph of print."""
    ink, _, lines = _written(writer, rng, apart=(0.12, 0.6))
    size = writer.height * rng.uniform(0.25, 0.6)
    rows = int(rng.integers(2, 9))
    ink = np.pad(ink, ((round(1.5 * size * (rows + 1)), 0), (0, 0)))
    paragraph = np.zeros_like(ink)
    for row in range(rows):
        words = " ".join(WORDS[index] for index in rng.integers(len(WORDS), size=round(ink.shape[1] / size / 3.5)))
        _print(paragraph, words, (round(size), round(1.5 * size * (row + 0.5))), size)
    return ink, paragraph, lines


Draw = Callable[[Writer, np.random.Generator], tuple[Ink, Ink, list[str]]]
KINDS: dict[str, Draw] = {draw.__name__: draw for draw in (plain, touching, ruled, squared, boxes, desk, printed)}


def make_page(kind: str, images: NDArray[np.uint8], labels: NDArray[np.integer], seed: int) -> MadePage:
    """Return a photographed page of one of :data:`KINDS`, of digits uint8 (N, 28, 28) with labels (N,).

    Raises
    ------
    UsageError
        When there is no such kind.
    """
    if kind not in KINDS:
        raise unknown("kind of page", kind, KINDS)
    rng = np.random.default_rng([seed, list(KINDS).index(kind)])
    writer = Writer(images, labels, float(rng.uniform(28, 72)))
    ink, printed, lines = KINDS[kind](writer, rng)
    seen = photographed(ink, printed, rng)
    return MadePage(_on_desk(seen, rng) if kind == desk.__name__ else seen, tuple(lines), kind)


def photographed(ink: Ink, printed: Ink, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return the photo (H, W, 3) of a page's ink (H, W): pen, paper, light, perspective, blur, noise and JPEG."""
    height, width = ink.shape
    margin = round(0.05 * max(height, width))
    ink, printed = (np.pad(layer, margin) for layer in (ink, printed))
    height, width = ink.shape
    lean = np.radians(rng.uniform(-4, 4))
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    middle = np.array([width / 2, height / 2])
    turn = np.array([[np.cos(lean), np.sin(lean)], [-np.sin(lean), np.cos(lean)]])
    moved = (corners - middle) @ turn * rng.uniform(0.94, 0.99) + middle
    moved += rng.uniform(-0.012, 0.012, (4, 2)) * max(height, width)
    view = cv2.getPerspectiveTransform(corners, moved.astype(np.float32))
    ink, printed = (
        np.asarray(cv2.warpPerspective(layer, view, (width, height)), np.float32) for layer in (ink, printed)
    )
    pen = np.array(((25, 25, 30), (30, 40, 120), (70, 70, 75), (20, 20, 80))[int(rng.integers(4))], np.float32)
    press = rng.uniform(0.75, 1.0)
    rule = np.array(((40, 40, 40), (120, 150, 200), (150, 150, 150))[int(rng.integers(3))], np.float32)
    paper = rng.uniform(175, 250) * np.array([1, rng.uniform(0.95, 1), rng.uniform(0.85, 1)], np.float32)
    page = np.broadcast_to(paper, (height, width, 3))
    page = page * (1 - printed[..., None]) + rule * printed[..., None]
    share = (ink.clip(0, 1) * press)[..., None]
    page = page * (1 - share) + pen * share
    page = page * _light((height, width), rng)[..., None]
    blurred = np.asarray(cv2.GaussianBlur(page, (0, 0), rng.uniform(0.3, 1.0)), np.float32)
    page = blurred + rng.normal(0, rng.uniform(1, 6), (height, width, 1)) + rng.normal(0, 1.5, page.shape)
    seen = page.clip(0, 255).astype(np.uint8)
    _, packed = cv2.imencode(".jpg", seen[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(60, 96))])
    back = np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), np.uint8)
    return np.ascontiguousarray(back[..., ::-1])


def _on_desk(page: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return a picture of a page (H, W, 3) on a desk 0.3 to 1.3 times as light, turned by up to 10 degrees."""
    height, width = page.shape[:2]
    margin = round(rng.uniform(0.05, 0.15) * max(height, width))
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), rng.uniform(-10, 10), 1.0)
    cos, sin = np.abs(turn[0, :2])
    wide, tall = round(width * cos + height * sin) + 2 * margin, round(height * cos + width * sin) + 2 * margin
    turn[:, 2] += (wide - width) / 2, (tall - height) / 2
    lying = cv2.warpAffine(page.astype(np.float32), turn, (wide, tall))
    share = cv2.warpAffine(np.ones((height, width), np.float32), turn, (wide, tall))[..., None]
    colour = np.array([1, rng.uniform(0.9, 1), rng.uniform(0.8, 1)])
    shade = rng.uniform(0.3, 1.3) * np.median(page.reshape(-1, 3), axis=0) * colour
    surface = shade * _light((tall, wide), rng)[..., None] + rng.normal(0, 4, (tall, wide, 1))
    return np.asarray((lying + surface * (1 - share)).clip(0, 255), np.uint8)


def _light(shape: tuple[int, int], rng: np.random.Generator) -> Ink:
    """Return the light on each pixel: a gradient, and sometimes a soft shadow."""
    height, width = shape
    y, x = np.mgrid[:height, :width].astype(np.float32)
    angle = rng.uniform(0, 2 * np.pi)
    across = (np.cos(angle) * (x / width - 0.5) + np.sin(angle) * (y / height - 0.5)).astype(np.float32)
    light = 1 - rng.uniform(0, 0.35) * (across + 0.5)
    if rng.random() < 0.5:
        edge = rng.uniform(-0.3, 0.3)
        soft = rng.uniform(0.02, 0.15)
        light *= 1 - rng.uniform(0.1, 0.45) / (1 + np.exp(-(across - edge) / soft))
    return np.asarray(light, np.float32)


def _written(
    writer: Writer, rng: np.random.Generator, apart: tuple[float, float], touch: float = 0.0, words: bool = False
) -> tuple[Ink, Ink, list[str]]:
    rows = int(rng.integers(3, 8))
    step = writer.height * rng.uniform(1.7, 2.6)
    width = round(writer.height * 14)
    height = round(step * (rows + 1))
    ink, printed = np.zeros((height, width), np.float32), np.zeros((height, width), np.float32)
    spacing = rng.uniform(*apart)
    lines = []
    for row in range(rows):
        x = writer.height * rng.uniform(0.8, 2.0)
        base = step * (row + 1)
        slope = rng.uniform(-0.03, 0.03)
        if words and rng.random() < 0.5:
            x = 4.5 * writer.height
            word = WORDS[int(rng.integers(len(WORDS)))]
            _print(printed, word, (round(0.5 * writer.height), round(base - 0.6 * writer.height)), 0.5 * writer.height)
        text, edge = "", x
        for _ in range(int(rng.integers(3, 11))):
            label, drawn = writer.digit(rng)
            y = round(base + slope * x - drawn.shape[0] + rng.normal(0, 0.05) * writer.height)
            if x + drawn.shape[1] + 2 >= width or y < 0:
                break
            at = round(x)
            if text and rng.random() < touch:
                at = _touching(ink, drawn, at, y, round(edge - OVERLAP * writer.height))
            _lay(ink, drawn, at, y)
            text += label
            edge = at + drawn.shape[1]
            x = edge + writer.height * spacing * rng.uniform(0.7, 1.4)
        lines.append(text)
    return ink, printed, [line for line in lines if line]


def _touching(ink: Ink, drawn: Ink, x: int, y: int, least: int) -> int:
    """Return the column to which a digit moves left until its ink touches other ink, or ``least``."""
    for at in range(x, max(0, least), -1):
        there = ink[y : y + drawn.shape[0], at : at + drawn.shape[1]]
        if ((there > 0.5) & (drawn[: there.shape[0], : there.shape[1]] > 0.5)).sum() >= 2:
            return at
    return max(0, least)


def _rules(shape: tuple[int, ...], height: float, rng: np.random.Generator, squares: bool) -> Ink:
    lines = np.zeros(shape, np.float32)
    step = height * (rng.uniform(0.5, 1.3) if squares else rng.uniform(1.2, 2.2))
    thick = max(1, round(height * rng.uniform(0.015, 0.035)))
    shade = rng.uniform(0.4, 1.0)
    for y in np.arange(rng.uniform(0, step), shape[0], step):
        cv2.line(lines, (0, round(y)), (shape[1], round(y)), shade, thick)
    for x in np.arange(rng.uniform(0, step), shape[1], step) if squares else [0.55 * height]:
        cv2.line(lines, (round(x), 0), (round(x), shape[0]), shade, thick)
    return lines


def _lay(ink: Ink, drawn: Ink, x: int, y: int) -> None:
    """Lay ink on ink, cut off at the edges of the page."""
    height, width = ink.shape
    top, left = max(0, y), max(0, x)
    bottom, right = min(height, y + drawn.shape[0]), min(width, x + drawn.shape[1])
    if bottom > top and right > left:
        view = ink[top:bottom, left:right]
        np.maximum(view, drawn[top - y : bottom - y, left - x : right - x], out=view)


def _print(printed: Ink, word: str, at: tuple[int, int], size: float) -> None:
    font = ImageFont.load_default(max(8.0, size))
    canvas = Image.new("L", (printed.shape[1], printed.shape[0]))
    ImageDraw.Draw(canvas).text(at, word, fill=255, font=font)
    np.maximum(printed, np.asarray(canvas, np.float32) / 255, out=printed)


def _letter(letter: str, height: float) -> Ink:
    canvas = Image.new("L", (2 * LETTER_FONT, 2 * LETTER_FONT))
    ImageDraw.Draw(canvas).text((LETTER_FONT // 2, LETTER_FONT // 4), letter, 255, ImageFont.load_default(LETTER_FONT))
    box = canvas.getbbox() or (0, 0, 1, 1)
    cut = canvas.crop(box)
    scale = height / cut.height
    return np.asarray(cut.resize((max(1, round(cut.width * scale)), round(height))), np.float32) / np.float32(255)

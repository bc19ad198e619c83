"""A page as the reader asks for it: its upright ink, the writing in its form boxes, its lines of writing."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from inkdigits.errors import DataError
from inkdigits.imaging.binarize import BinarizationParameters, Ink, Mask, binarize, normalize_background
from inkdigits.imaging.files import PageImage, page_images
from inkdigits.imaging.form_boxes import FormBoxParameters, box_contents, find_form_boxes
from inkdigits.imaging.geometry import Box
from inkdigits.imaging.pieces import Piece, find_pieces, mnist_picture
from inkdigits.imaging.pixels import shrunk, to_bytes
from inkdigits.imaging.ruled_lines import RuledLineParameters, find_ruled_lines, remove_ruled_lines
from inkdigits.imaging.sheet import SheetParameters, remove_desk
from inkdigits.imaging.skew import SkewParameters, estimate_skew
from inkdigits.imaging.text_lines import TextLine, TextLineParameters, find_text_lines

Source = Path | str | bytes | NDArray[Any] | Image.Image


ISOLATED = 0.15  # heights of a box; writing that reaches further out of it belongs to something else


@dataclass(frozen=True)
class PageParameters:
    """How a page is made ready and taken apart; each part has its own settings."""

    longest_side: int = 1800  # pixels; larger pages are scaled down, as strokes stay wide enough
    smallest_skew: float = 0.3  # degrees; less does no harm, and rotation blurs
    fewest_marks: int = 4  # pieces of ink; with fewer and small ones, a page is nearly empty
    marked_share: float = 0.005  # of the page's area, under the boxes around these pieces
    rounds: int = 4  # in which rejected lines are removed and lines are looked for again, at most
    sheet: SheetParameters = field(default_factory=SheetParameters)
    binarization: BinarizationParameters = field(default_factory=BinarizationParameters)
    skew: SkewParameters = field(default_factory=SkewParameters)
    ruled_lines: RuledLineParameters = field(default_factory=RuledLineParameters)
    form_boxes: FormBoxParameters = field(default_factory=FormBoxParameters)
    fields: FormBoxParameters = field(default_factory=lambda: FormBoxParameters(fewest=1, aspect=20.0, widest=1.0))
    text_lines: TextLineParameters = field(default_factory=TextLineParameters)


@dataclass(frozen=True)
class BoxContent:
    """What is written in a form box.

    Attributes
    ----------
    box
        Left, top, width, height on the page, pixels: of the writing, or of the box itself where it is blank.
    row
        Index of the box's row, from the top.
    picture
        uint8 (28, 28) in the form of MNIST; None for a blank box.
    height
        Height of the largest piece of writing, as a share of the box's height.
    crosses
        Whether the writing reaches the lines of the box.
    inside
        The paper inside the lines of the box: left, top, width, height on the page, pixels.
    ink
        Ink of the writing alone, float32 (height, width) of ``inside``; None for a blank box.
    """

    box: Box
    row: int
    picture: NDArray[np.uint8] | None
    height: float = 0.0
    crosses: bool = False
    inside: Box = (0, 0, 0, 0)
    ink: Ink | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, eq=False)
class PageLine:
    """A line of writing on a page.

    Attributes
    ----------
    line
        The pieces from left to right, and the height of the digits, pixels.
    """

    line: TextLine

    @property
    def key(self) -> tuple[Any, ...]:
        """What identifies the line: two lines of one page with this key are the same."""
        return self.line.height, *(piece.box for piece in self.line.pieces)

    def ink_pixels(self) -> int:
        """Return the number of pixels of its ink."""
        return sum(cv2.countNonZero(piece.mask) for piece in self.line.pieces)


@dataclass(frozen=True, eq=False)
class Page:
    """One page, turned by quarters; each step is made when it is first asked for, and kept.

    Attributes
    ----------
    pixels
        uint8 (H, W) or (H, W, 3), perhaps smaller than the picture.
    size
        Width and height of the picture, pixels: boxes are reported in these.
    quarter_turns
        By how many quarters the picture is turned to the left before it is read.
    deskewed
        Whether it is then turned by its skew, so that its lines are level.
    """

    pixels: NDArray[np.uint8] = field(repr=False)
    size: tuple[int, int]
    quarter_turns: int = 0
    deskewed: bool = True
    parameters: PageParameters = field(repr=False, default_factory=PageParameters)

    def turned(self, quarter_turns: int) -> "Page":
        """Return the same picture turned by ``quarter_turns`` to the left, from how it lies in the file."""
        return replace(self, quarter_turns=quarter_turns)

    def as_it_lies(self) -> "Page":
        """Return the same picture without deskewing: a printed pattern has straight lines at any angle."""
        return replace(self, deskewed=False)

    @property
    def skew(self) -> float:
        """Degrees by which the page's straight lines fall to the right; it is turned by so many to the left."""
        return self._upright[2]

    @property
    def ink(self) -> Ink:
        """Ink of the upright, deskewed page, float32 (h, w) in [0, 1], a share of the paper's brightness."""
        return self._upright[0]

    @property
    def to_picture(self) -> NDArray[np.float64]:
        """The affine map (2, 3) from pixels of the page to those of the picture."""
        return self._upright[1]

    @property
    def mask(self) -> Mask:
        """uint8 (h, w), 255 on writing."""
        return self._masks[0]

    @property
    def faint(self) -> Mask:
        """uint8 (h, w), 255 on any ink: fainter print and rules too."""
        return self._masks[1]

    @cached_property
    def form_boxes(self) -> list[BoxContent]:
        """The page's form boxes, row by row from the left; an empty list on a page without a form."""
        return self._contents(self.parameters.form_boxes)

    @cached_property
    def fields(self) -> list[BoxContent]:
        """Boxes of any width, also one alone, that may hold a whole number each, row by row from the left."""
        return self._contents(self.parameters.fields)

    def _contents(self, p: FormBoxParameters) -> list[BoxContent]:
        boxes = find_form_boxes(self.ink, self.mask, self.faint, p, self.parameters.ruled_lines)
        found = []
        for box, content in zip(boxes, box_contents(boxes, self.ink, p) if boxes else (), strict=True):
            left, top, width, height = box.inside
            if not content.any():
                found.append(BoxContent(box.inside, box.row, None, inside=box.inside))
                continue
            x, y, wide, tall = cv2.boundingRect(content)
            largest = int(cv2.connectedComponentsWithStats(content)[2][1:, cv2.CC_STAT_HEIGHT].max())
            piece = Piece((left + x, top + y, wide, tall), content[y : y + tall, x : x + wide])
            crosses = bool(content[[0, -1]].any() or content[:, [0, -1]].any())
            picture = mnist_picture([piece], self.ink)
            around = cv2.dilate(content, np.ones((3, 3), np.uint8)) > 0
            ink = np.asarray(self.ink[top : top + height, left : left + width] * around, np.float32)
            found.append(BoxContent(piece.box, box.row, picture, largest / height, crosses, box.inside, ink))
        return found

    def text_lines(self, accept: Callable[[PageLine], bool]) -> list[PageLine]:
        """Return the lines of writing that ``accept`` accepts, from the top.

        Lines that it rejects, such as print, are removed, and lines are looked for again in the rest: print of another
        height than the writing's hides lines. ``accept`` meets the lines of every round.
        """
        p = self.parameters
        mask = remove_ruled_lines(self.mask, find_ruled_lines(self.faint, p.ruled_lines), p.ruled_lines).copy()
        accepted: list[PageLine] = []
        for _ in range(p.rounds):
            pieces = find_pieces(mask, p.text_lines.most_pieces, p.text_lines.smallest_piece)
            lines = [PageLine(line) for line in find_text_lines(pieces, self.ink, p.text_lines)]
            accepted = [line for line in lines if accept(line)]
            if len(accepted) == len(lines):
                break
            for line in lines:
                if line not in accepted:
                    _erase(mask, line.line)
        return accepted

    @cached_property
    def _upright(self) -> tuple[Ink, NDArray[np.float64], float]:
        p = self.parameters
        pixels = shrunk(self.pixels, p.longest_side)
        to_page = np.diag([pixels.shape[1] / self.size[0], pixels.shape[0] / self.size[1], 1.0])
        pixels, quarter = _quarter_turned(pixels, self.quarter_turns)
        to_page = quarter @ to_page
        ink = normalize_background(remove_desk(pixels, p.sheet), p.binarization)
        angle = estimate_skew(ink, p.skew, p.ruled_lines) if self.deskewed else 0.0
        if abs(angle) >= p.smallest_skew:
            ink, rotation = _rotated(ink, angle)
            to_page = rotation @ to_page
        return ink, np.asarray(np.linalg.inv(to_page)[:2], np.float64), angle

    def isolated_ink(self, box: Box) -> NDArray[np.uint8] | None:
        """Return the writing in a box of the page in the form of MNIST, uint8 (28, 28); None where it reaches out.

        Connected ink belongs to the box if it reaches out of it by no more than ISOLATED. Other ink in the box joins
        the writing to something else.
        """
        labels, stats = self._components
        reach = round(ISOLATED * box[3])
        left, top = max(0, box[0] - reach), max(0, box[1] - reach)
        right, bottom = box[0] + box[2] + reach, box[1] + box[3] + reach
        pieces = []
        for index in np.unique(labels[top:bottom, left:right]).tolist():
            x, y, wide, tall, area = stats[index].tolist()
            if not index or area < self.parameters.text_lines.smallest_piece:
                continue
            if left <= x and x + wide <= right and top <= y and y + tall <= bottom:
                patch = (labels[y : y + tall, x : x + wide] == index).astype(np.uint8) * 255
                pieces.append(Piece((x, y, wide, tall), patch))
            elif (labels[box[1] : box[1] + box[3], box[0] : box[0] + box[2]] == index).any():
                return None
        return mnist_picture(pieces, self.ink) if pieces else None

    @cached_property
    def _components(self) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Labels (h, w) of the connected components of the writing, and their boxes and areas (N, 5)."""
        _, labels, stats, _ = cv2.connectedComponentsWithStats(self.mask)
        return np.asarray(labels, np.int32), np.asarray(stats, np.int32)

    @property
    def nearly_empty(self) -> bool:
        """Whether there are only a few small marks on the page, too few to tell by them how it lies."""
        p = self.parameters
        marks = self._components[1][1:]
        marks = marks[marks[:, cv2.CC_STAT_AREA] >= p.text_lines.smallest_piece]
        covered = int((marks[:, cv2.CC_STAT_WIDTH] * marks[:, cv2.CC_STAT_HEIGHT]).sum())
        return len(marks) < p.fewest_marks and covered < p.marked_share * self.mask.size

    @cached_property
    def _masks(self) -> tuple[Mask, Mask]:
        return binarize(self.ink, self.parameters.binarization)


def open_pages(source: Source, parameters: PageParameters | None = None) -> Iterator[Page]:
    """Yield the pages of a file, of its content, of an array (H, W), (H, W, 3) or (H, W, 4), or of a PIL image.

    Raises
    ------
    DataError
        When it is no picture that can be read, or holds NaN; names the file.
    """
    p = parameters or PageParameters()
    name = str(source) if isinstance(source, str | Path) else "the page"
    for image in _images(source, p.longest_side):
        try:
            pixels = to_bytes(image.pixels)
        except ValueError as error:
            raise DataError(f"{name}: {error}") from error
        yield Page(pixels, image.size, parameters=p)


def _images(source: Source, longest: int) -> Iterator[PageImage]:
    if isinstance(source, str | Path):
        return page_images(Path(source), longest=longest)
    if isinstance(source, bytes):
        return page_images(source, longest=longest)
    if isinstance(source, Image.Image):
        kept = source if source.mode in ("L", "I;16", "RGB", "RGBA") else source.convert("RGBA")
        return iter([PageImage(np.asarray(kept), source.size)])
    pixels = np.asarray(source)
    return iter([PageImage(pixels, (pixels.shape[1] if pixels.ndim > 1 else 0, pixels.shape[0] if pixels.ndim else 0))])


def _quarter_turned(pixels: NDArray[np.uint8], quarter_turns: int) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Return pixels (H, W) or (H, W, 3) turned to the left by quarters, and the map (3, 3) of their coordinates."""
    tall, wide = pixels.shape[:2]
    turns = quarter_turns % 4
    if not turns:
        return pixels, np.eye(3)
    rows = {1: [[0, 1, 0], [-1, 0, wide]], 2: [[-1, 0, wide], [0, -1, tall]], 3: [[0, -1, tall], [1, 0, 0]]}[turns]
    return np.ascontiguousarray(np.rot90(pixels, turns)), np.array([*rows, [0, 0, 1]], float)


def _rotated(ink: Ink, angle: float) -> tuple[Ink, NDArray[np.float64]]:
    """Return ink (H, W) rotated to the left by ``angle`` degrees, whole, and the map (3, 3) of its coordinates."""
    tall, wide = ink.shape
    rotation = cv2.getRotationMatrix2D((wide / 2, tall / 2), angle, 1.0)
    cos, sin = abs(rotation[0, 0]), abs(rotation[0, 1])
    size = int(np.ceil(wide * cos + tall * sin)), int(np.ceil(tall * cos + wide * sin))
    rotation[:, 2] += [(size[0] - wide) / 2, (size[1] - tall) / 2]
    rotated = np.asarray(cv2.warpAffine(ink, rotation, size, flags=cv2.INTER_LINEAR), np.float32)
    return rotated, np.array([*rotation, [0, 0, 1]])


def _erase(mask: Mask, line: TextLine) -> None:
    """Remove the ink of a line from a mask (H, W)."""
    for piece in line.pieces:
        left, top, wide, tall = piece.box
        mask[top : top + tall, left : left + wide][piece.mask > 0] = 0

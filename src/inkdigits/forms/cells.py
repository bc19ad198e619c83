"""Cells: the writing in the boxes of a form, without their printed sides, in the form that the networks take."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from inkdigits.forms.flattening import PlacedBox
from inkdigits.forms.pages import Box
from inkdigits.forms.printed import Printed, moved, shift_of_print, without_print
from inkdigits.imaging.binarize import Ink, Mask
from inkdigits.imaging.pieces import Piece, mnist_picture


@dataclass(frozen=True)
class CellParameters:
    """What in a box is writing. Lengths are in millimetres."""

    around: float = 1.2  # of the paper around a box that is looked at, at most; digits reach out of their box
    near: float = 0.45  # of its place that a printed side is looked for
    side: float = 0.3  # on either side of the middle of a printed line that its ink may take, at least
    widest: float = 0.6  # the same, at most, with the blur of a photo
    fades: float = 0.15  # of a printed line's ink; where less is left, the line ends
    printed: float = 20.0  # percentile along a side; print fills the whole side, strokes beside it a part
    blur: float = 0.9  # from the middle of a printed line that its blurred ink reaches
    crossing: float = 0.4  # beyond a printed line, where ink on both sides shows that a stroke crosses it
    share: float = 0.4  # of the strongest ink in a box that writing has, at least
    faintest: float = 0.085  # share of the paper's brightness; less is paper
    unlike: float = 0.4  # of the usual strongest ink of the page; a box whose ink is all weaker has no pen's ink
    within: float = 0.5  # of a piece of ink that lies in the box, at least; the rest belongs to a neighbour
    dust: float = 0.7  # length of a piece of ink; less is dust
    speck: float = 1.8  # length of all the ink in a box; less is no digit, but may be a mark
    rim: float = 0.75  # from a side; a piece of ink that lies there alone may be the rest of the printed line
    beyond_rim: float = 0.2  # of a piece of writing that lies further from the sides, at least
    whole: float = 0.9  # of a side that the rest of a printed line takes, if it is whole


@dataclass(frozen=True)
class Cell:
    """The writing in a box.

    Attributes
    ----------
    mask
        uint8 (H, W), 255 on writing.
    ink
        float32 (H, W) in [0, 1], of the writing alone.
    length
        Of the writing, millimetres: the larger of its width and height; 0 in a blank box.
    inner
        Length of the writing that is not near the sides, millimetres.
    area
        Of the box, pixels.
    at_side
        Whether there is a stroke along a side that may be a 1, or the rest of the printed line; it is left out.
    """

    mask: Mask
    ink: Ink
    length: float
    inner: float
    area: int
    at_side: bool = False

    @property
    def is_blank(self) -> bool:
        """Whether there is no writing."""
        return not self.length

    @property
    def picture(self) -> NDArray[np.uint8]:
        """The writing in the form of MNIST, uint8 (28, 28)."""
        left, top, wide, tall = cv2.boundingRect(self.mask)
        piece = Piece((left, top, wide, tall), self.mask[top : top + tall, left : left + wide])
        return mnist_picture([piece], self.ink)


def cut_cells(
    ink: Ink,
    boxes: Sequence[PlacedBox],
    scale: float,
    parameters: CellParameters | None = None,
    printed: Printed | None = None,
) -> list[Cell]:
    """Return the writing in boxes of a page.

    Parameters
    ----------
    ink
        float32 (H, W) in [0, 1], of the page's raster, ``scale`` pixels for a millimetre.
    printed
        What is printed in the boxes, on a raster of the same scale; nothing if None.
    """
    p = parameters or CellParameters()
    margins = _margins([one.box for one in boxes], p)
    patches = [
        _written_patch(ink, one, margin, scale, p, printed) for one, margin in zip(boxes, margins.tolist(), strict=True)
    ]
    strengths = np.array([_strength(patch, inside) for patch, inside in patches])
    usual = float(np.median(strengths[strengths > p.faintest])) if (strengths > p.faintest).any() else 1.0
    return [
        _cell(patch, inside, strongest, usual, scale, p)
        for (patch, inside), strongest in zip(patches, strengths.tolist(), strict=True)
    ]


Inside = tuple[int, int, int, int]  # left, top, right, bottom of a box in its patch, pixels


def _margins(boxes: Sequence[Box], p: CellParameters) -> NDArray[np.float64]:
    """Return the paper around each box, left, top, right and bottom, that no other box's printed side reaches, mm."""
    sides = np.array([(box.left, box.top, box.right, box.bottom) for box in boxes]).reshape(-1, 4)
    out = np.full(sides.shape, p.around)
    for axis in range(2):
        other = 1 - axis
        low, high = sides[:, axis], sides[:, axis + 2]
        beside = (sides[:, None, other] < sides[None, :, other + 2]) & (
            sides[None, :, other] < sides[:, None, other + 2]
        )
        for place, gaps in ((axis, low[:, None] - high[None]), (axis + 2, low[None] - high[:, None])):
            nearest = np.where(beside & (gaps > -p.near), gaps, np.inf)
            out[:, place] = np.minimum(out[:, place], nearest.min(1, initial=np.inf) - p.near)
    return np.asarray(np.maximum(0.0, out))


def _written_patch(
    ink: Ink, one: PlacedBox, margin: Sequence[float], scale: float, p: CellParameters, printed: Printed | None
) -> tuple[Ink, Inside]:
    """Return the ink around a box without its printed sides and other print, and where the box lies in it."""
    patch, inside = _patch(ink, one, margin, scale)
    written = _without_sides(patch, inside, scale, p)
    if printed is None:
        return written, inside
    own, _ = _patch(printed.ink, printed.box(one), margin, scale)
    shift = shift_of_print(patch, printed.gain * own, scale)
    within = moved(_without_sides(own, inside, scale, p), shift)
    return without_print(written, within, printed.gain, scale), inside


def _patch(ink: Ink, one: PlacedBox, margin: Sequence[float], scale: float) -> tuple[Ink, Inside]:
    """Return the ink around a box, and where the box lies in it."""
    before, above, after, below = (round(side * scale) for side in margin)
    wide, tall = round(one.box.width * scale), round(one.box.height * scale)
    origin = np.array([one.box.left * scale - before, one.box.top * scale - above])
    matrix = one.matrix.copy()
    matrix[:, 2] += matrix[:, :2] @ origin
    size = before + wide + after + 1, above + tall + below + 1
    patch = cv2.warpAffine(ink, matrix, size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    inside = before, above, before + wide, above + tall
    return np.asarray(patch, np.float32), inside


def _without_sides(patch: Ink, inside: Inside, scale: float, p: CellParameters) -> Ink:
    """Return a patch without the printed sides of its box, but with the strokes that cross them."""
    beyond = max(1, round(p.crossing * scale))
    left, top, right, bottom = inside
    out = patch.copy()
    blur = round(p.blur * scale)
    for view, source, places, (first, last) in (
        (out, patch, (top, bottom), (left, right)), (out.T, patch.T, (left, right), (top, bottom))
    ):  # fmt: skip
        profile = np.percentile(source[:, first:last], p.printed, axis=1)
        for place in places:
            low, high = max(0, place - blur), min(len(source), place + blur + 1)
            start, stop = np.clip(_printed_line(profile, place, scale, p), low, high).tolist()
            rest = np.maximum(source[low:high] - profile[low:high, None], 0)  # what is not in the whole line
            before, after = rest[: start - low], rest[stop - low :]
            crossing = np.minimum(before[-beyond:].max(0, initial=0), after[:beyond].max(0, initial=0))
            rest[start - low : stop - low] = np.minimum(source[start:stop], crossing)
            view[low:high] = np.minimum(view[low:high], rest)
    return out


def _printed_line(profile: NDArray[np.float32], place: int, scale: float, p: CellParameters) -> tuple[int, int]:
    """Return where a printed line begins and ends on a profile of ink across it, near its place."""
    near, least, most = (round(length * scale) for length in (p.near, p.side, p.widest))
    low = max(0, place - near)
    middle = low + int(profile[low : place + near + 1].argmax())
    faded = p.fades * profile[middle]
    start, stop = max(0, middle - least), middle + least + 1
    while start > max(0, middle - most) and profile[start - 1] > faded:
        start -= 1
    while stop < min(len(profile), middle + most + 1) and profile[stop] > faded:
        stop += 1
    return start, stop


def _strength(patch: Ink, inside: Inside) -> float:
    left, top, right, bottom = inside
    part = patch[top:bottom, left:right].ravel()
    rank = len(part) - 1 - len(part) // 50
    return float(np.partition(part, rank)[rank]) if len(part) else 0.0


def _cell(patch: Ink, inside: Inside, strongest: float, usual: float, scale: float, p: CellParameters) -> Cell:
    level = max(p.share * min(strongest, usual), p.share * p.unlike * usual, p.faintest)
    mask, at_side = _writing(np.asarray((patch > level) * np.uint8(255), np.uint8), inside, scale, p)
    near = cv2.dilate(mask, np.ones((3, 3), np.uint8)) > 0
    left, top, right, bottom = inside
    rim = round(p.rim * scale)
    inner = mask[top + rim : bottom - rim, left + rim : right - rim]
    area = (right - left) * (bottom - top)
    writing = np.asarray(patch * near, np.float32)
    return Cell(mask, writing, _length(mask) / scale, _length(inner) / scale, area, at_side)


def _length(mask: Mask) -> float:
    """Return the larger of width and height of the ink of a mask, pixels; 0 without ink."""
    return float(max(cv2.boundingRect(mask)[2:])) if mask.any() else 0.0


def _writing(mask: Mask, inside: Inside, scale: float, p: CellParameters) -> tuple[Mask, bool]:
    """Return the ink of a mask without dust, rests of printed sides, and ink that belongs to a neighbour.

    Also return whether a stroke along a side was left out that may be writing.
    """
    left, top, right, bottom = inside
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask)
    if count == 1:
        return mask, False
    rim = round(p.rim * scale)
    areas = np.bincount(labels[top:bottom, left:right].ravel(), minlength=count)
    inner = np.bincount(labels[top + rim : bottom - rim, left + rim : right - rim].ravel(), minlength=count)
    keep = np.zeros(count, np.uint8)
    at_side = False
    for index in range(1, count):
        wide, tall, area = stats[index, cv2.CC_STAT_WIDTH :].tolist()
        if max(wide, tall) < p.dust * scale or areas[index] < p.within * area:
            continue
        if inner[index] < p.beyond_rim * area:
            whole = wide > p.whole * (right - left) or tall > p.whole * (bottom - top)
            at_side |= max(wide, tall) > p.speck * scale and not whole
            continue
        keep[index] = 255
    return np.asarray(keep[labels]), at_side

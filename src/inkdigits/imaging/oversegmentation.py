"""Over-segmentation: pieces of a line are cut along seams of least ink; runs of neighbouring pieces may be digits.

The recogniser decides which runs are digits (R. G. Casey, E. Lecolinet, "A survey of methods and strategies in
character segmentation", PAMI 1996). A seam is found by dynamic programming, as in seam carving (S. Avidan, A. Shamir,
2007, doi:10.1145/1275808.1276390), from the top of a piece to its bottom.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from inkdigits.imaging.binarize import Ink, Mask, stroke_width
from inkdigits.imaging.geometry import Box, bounding_box
from inkdigits.imaging.pieces import Piece, mnist_picture


@dataclass(frozen=True)
class SegmentationParameters:
    """How pieces are cut, and which runs of them are candidates; heights are those of the line's digits."""

    cut_width: float = 0.62  # heights; wider ink may be two digits that touch, and is cut
    lowest: float = 0.45  # heights; lower ink is no digit by itself
    cut_height: int = 48  # pixels; seams are searched at this height, which is quick and keeps strokes apart
    seam_distance: float = 0.05  # heights between seams, at least
    most_ink: float = 4.0  # strokes that a seam may cross
    along: float = 0.1  # strokes; cost of cutting one stroke width of ink, the rest is for crossing a stroke at all
    slants: tuple[float, float] = (0.01, 0.15)  # strokes per pixel aside; low for winding seams, high for straight ones
    smallest_part: float = 1.0  # squared stroke widths of ink between two seams, at least
    most_pieces: int = 20  # pieces that make up a digit, at most
    widest: float = 1.5  # heights; a run of several pieces is no wider
    widest_gap: float = 0.35  # heights; pieces of one digit stand no further apart
    picture_height: float = 64.0  # pixels; larger writing is scaled down to this height before pictures are made
    picture_ink: int = 60  # of 255; a pixel of a mask that was scaled down is ink above this share


@dataclass(frozen=True)
class Candidate:
    """A run of neighbouring pieces that may be one digit.

    Attributes
    ----------
    start, stop
        The run: indices into the line's pieces, ``stop`` exclusive.
    box
        Left, top, width, height on the page, pixels.
    picture
        uint8 (28, 28) in the form of MNIST.
    cut_cost
        Ink that was cut at its left edge, in stroke widths.
    gap
        Paper between its pieces, summed from left to right, pixels.
    """

    start: int
    stop: int
    box: Box
    picture: NDArray[np.uint8]
    cut_cost: float
    gap: float


def cut_piece(piece: Piece, height: float, parameters: SegmentationParameters | None = None) -> list[Piece]:
    """Cut ink that may be several touching digits along seams of least ink; return the parts from the left.

    ``height`` is that of the line's digits, in pixels.
    """
    p = parameters or SegmentationParameters()
    _, _, wide, tall = piece.box
    if wide < p.cut_width * height or tall < p.lowest * height:
        return [piece]
    scale = min(1.0, p.cut_height / tall)
    small = np.asarray(cv2.resize(piece.mask, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
    seams = _seams(small, height * scale, p)
    if not seams:
        return [piece]
    return _split(piece, seams, scale)


def _seams(mask: Mask, height: float, p: SegmentationParameters) -> list[tuple[float, NDArray[np.intp]]]:
    """Return seams from the top of a mask (R, C) to its bottom that cross little ink, from the left; none cross.

    Each comes with the number of strokes that it cuts, and its column in every row, (R,). Some wind around strokes;
    others go straight through strokes that have run together.
    """
    found = [seam for slant in p.slants for seam in _cheapest_seams(mask, height, slant, p)]
    found.sort(key=lambda seam: float(seam[1].mean()))
    left_of = np.pad((mask > 127).cumsum(1), ((0, 0), (1, 0)))  # (R, C + 1), pixels of ink in a row
    rows, last = np.arange(len(mask)), np.zeros(len(mask), np.intp)
    smallest = p.smallest_part * stroke_width(mask) ** 2
    ordered: list[tuple[float, NDArray[np.intp]]] = []
    for cost, seam in found:
        after = np.maximum(seam, last)
        if (left_of[rows, after + 1] - left_of[rows, last]).sum() >= smallest:
            ordered.append((cost, after))
            last = after
    return ordered


def _cheapest_seams(
    mask: Mask, height: float, slant: float, p: SegmentationParameters
) -> list[tuple[float, NDArray[np.intp]]]:
    """Return the cheapest seam through each column of the middle row that is cheaper than its neighbours."""
    rows, columns = mask.shape
    ink = np.asarray(mask / np.float32(255), np.float32)
    along = np.float32(p.along / stroke_width(mask))
    middle = rows // 2
    down, from_above = _cumulative_cost(ink[: middle + 1], along, slant, p)
    up, from_below = _cumulative_cost(ink[middle:][::-1], along, slant, p)
    costs = down + up - along * ink[middle]
    apart = max(2, round(p.seam_distance * height))
    padded = np.pad(costs, apart, constant_values=np.inf)
    lowest = np.lib.stride_tricks.sliding_window_view(padded, 2 * apart + 1).min(1)
    inner = slice(max(1, apart // 2), columns - max(1, apart // 2))
    found = []
    last = -apart
    for column in np.flatnonzero((costs <= lowest) & (costs < p.most_ink)):
        if not inner.start <= column < inner.stop or column - last < apart:
            continue
        last = int(column)
        above, below = _backtrack(from_above, last)[::-1], _backtrack(from_below, last)
        found.append((max(0.0, float(costs[column])), np.concatenate([above, below[1:]])))
    return found


def _cumulative_cost(
    ink: NDArray[np.float32], along: np.float32, slant: float, p: SegmentationParameters
) -> tuple[NDArray[np.float32], NDArray[np.int8]]:
    """Return the least cost from any column of the first row of (R, C) to each of the last, (C,), and the steps taken.

    A pixel of ink costs ``along``, a step aside ``slant``, each of the two edges of a stroke ``(1 - along) / 2``.
    """
    rows, columns = ink.shape
    side = np.float32((1 - p.along) / 2)
    total = (along + side) * ink[0]
    came = np.zeros((rows, columns), np.int8)
    for row in range(1, rows):
        before = np.pad(ink[row - 1], 1)
        padded = np.pad(total, 1, constant_values=np.inf)
        options = np.stack([padded[i : i + columns] + side * abs(ink[row] - before[i : i + columns]) for i in range(3)])
        options[[0, 2]] += np.float32(slant)
        choice = options.argmin(0)
        came[row] = choice - 1
        total = (options[choice, np.arange(columns)] + along * ink[row]).astype(np.float32)
    return total, came


def _backtrack(came: NDArray[np.int8], column: int) -> NDArray[np.intp]:
    """Return the columns of the seam that ends in the last row at ``column``, from there back to the first row."""
    seam = np.empty(len(came), np.intp)
    for index, row in enumerate(range(len(came) - 1, -1, -1)):
        seam[index] = column
        column += int(came[row, column])
    return seam


def _split(piece: Piece, seams: list[tuple[float, NDArray[np.intp]]], scale: float) -> list[Piece]:
    """Return the parts of a piece between seams that were found at ``scale``."""
    left, top, wide, tall = piece.box
    rows = np.minimum((np.arange(tall) * scale).astype(int), len(seams[0][1]) - 1)
    column = np.arange(wide)
    side = np.zeros((tall, wide), np.intp)
    for _, seam in seams:
        side += column >= ((seam[rows] + 0.5) / scale)[:, None]
    parts: list[Piece] = []
    cost = 0.0
    for index in range(len(seams) + 1):
        patch = np.where(side == index, piece.mask, 0).astype(np.uint8)
        ys, xs = np.flatnonzero(patch.any(1)), np.flatnonzero(patch.any(0))
        if index:
            cost = max(cost, seams[index - 1][0])
        if not len(ys):
            continue
        box = left + int(xs[0]), top + int(ys[0]), int(xs[-1] - xs[0]) + 1, int(ys[-1] - ys[0]) + 1
        parts.append(Piece(box, patch[ys[0] : ys[-1] + 1, xs[0] : xs[-1] + 1], cost if parts else 0.0))
        cost = 0.0
    return parts


def find_candidates(
    pieces: Sequence[Piece], height: float, ink: Ink, parameters: SegmentationParameters | None = None
) -> list[Candidate]:
    """Return every run of neighbouring pieces of a line that is not too wide for one digit.

    Parameters
    ----------
    pieces
        Those of one line, from the left.
    height
        Of the line's digits, pixels.
    ink
        float32 (H, W) in [0, 1], that of the page.
    """
    p = parameters or SegmentationParameters()
    found = []
    small, scaled = _scaled(pieces, height, ink, p)
    for start in range(len(pieces)):
        gap = 0.0
        for stop in range(start + 1, min(start + p.most_pieces, len(pieces)) + 1):
            run = pieces[start:stop]
            box = bounding_box([piece.box for piece in run])
            if stop > start + 1 and box[2] > p.widest * height:
                break
            between = run[-1].box[0] - max((q.box[0] + q.box[2] for q in run[:-1]), default=run[-1].box[0])
            gap += max(0.0, between)
            if between > p.widest_gap * height:
                break
            if stop > start + 1 and box[3] < p.lowest * height:
                continue
            picture = mnist_picture(small[start:stop], scaled)
            found.append(Candidate(start, stop, box, picture, run[0].cut_cost, gap))
    return found


def _scaled(pieces: Sequence[Piece], height: float, ink: Ink, p: SegmentationParameters) -> tuple[list[Piece], Ink]:
    """Return a line's pieces and the ink under them, scaled down to a size at which pictures are made quickly."""
    if height <= p.picture_height:
        return list(pieces), ink
    left, top, wide, tall = bounding_box([piece.box for piece in pieces])
    scale = p.picture_height / height
    size = max(1, round(wide * scale)), max(1, round(tall * scale))
    scaled = np.asarray(cv2.resize(ink[top : top + tall, left : left + wide], size, interpolation=cv2.INTER_AREA))
    small = []
    for piece in pieces:
        x, y, w, h = piece.box
        now = max(1, round(w * scale)), max(1, round(h * scale))
        shares = cv2.resize(piece.mask, now, interpolation=cv2.INTER_AREA)
        mask = np.asarray((shares > p.picture_ink) * np.uint8(255), np.uint8)
        at = round((x - left) * scale), round((y - top) * scale)
        small.append(Piece((*at, *now), mask, piece.cut_cost))
    return small, np.asarray(scaled, np.float32)

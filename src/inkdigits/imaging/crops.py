"""Which ink on a crop of one digit is the digit: neighbours that reach in, rules, frames and points are not."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.uint8]  # (H, W), 0 or 255
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class CropParameters:
    """What counts as part of the digit."""

    dust: int = 3  # pixels; smaller pieces of ink are dust
    speck: float = 0.03  # of the digit's ink; smaller pieces do not belong to it
    rim: int = 1  # pixels; a piece as near to a side of the crop is cut there
    rule_length: float = 0.85  # of a side of the crop; straight ink that is longer is a rule or a stroke of the digit
    rule_beyond: float = 0.06  # of a side of the crop, that a rule reaches beyond the digit on both sides, at least
    rule_width: float = 0.25  # of the crop's width; a wider piece from its top to its bottom is no rule
    least_height: float = 0.25  # of the crop's height; lower pieces are no digit
    framed_height: float = 0.4  # of a frame's height, that what stands within is at least
    frame_ink: float = 0.35  # of a frame's box, that is ink, at most
    corner: float = 0.15  # of a frame's sides; a frame has ink as near to each corner of its box
    shared: float = 0.5  # of a piece's width; a piece that shares less with the digit's columns stands beside it
    rival_height: float = 0.5  # of the digit's height; a higher piece beside it may be another digit
    rival_ink: float = 0.15  # of the digit's ink; the same
    cut_rival_ink: float = 0.7  # of the digit's ink; the same for a piece that a side of the crop cuts
    point: float = 0.15  # of the digit's ink; a smaller piece above or below it is a point, or print
    bar: float = 0.35  # of the digit's height: of the bar of a 5 apart from it at most, and of the gap before it


class Pieces:
    """The connected pieces of a mask: arrays (K,) of the edges of their boxes and of their areas, in pixels."""

    def __init__(self, mask: Mask) -> None:
        _, self.labels, stats, _ = cv2.connectedComponentsWithStats(mask)
        self.left, self.top, self.wide, self.tall, self.area = stats[1:].T.astype(np.float64)
        self.right, self.bottom = self.left + self.wide, self.top + self.tall
        self.height, self.width = mask.shape

    def __len__(self) -> int:
        return len(self.area)

    def mask(self, kept: Flags) -> Mask:
        """Return the mask of the pieces that are kept, (K,)."""
        return np.asarray(np.concatenate([[False], kept])[self.labels] * np.uint8(255), np.uint8)


def digit_ink(mask: Mask, parameters: CropParameters | None = None) -> Mask:
    """Return the part of a crop's ink that is the digit in its middle; zeros where there is only dust.

    All ink but dust is returned where the crop is tight around the ink, or where there may be two digits.

    Parameters
    ----------
    mask
        uint8 (H, W), 0 or 255: the ink of the crop.
    """
    p = parameters or CropParameters()
    pieces = Pieces(_without_rules(mask, p))
    if not len(pieces) or pieces.area.max() < p.dust:
        return np.zeros_like(mask)
    if len(pieces) == 1:
        return pieces.mask(np.array([True]))
    return pieces.mask(_of_the_digit(pieces, p))


def without_dust(mask: Mask, parameters: CropParameters | None = None) -> Mask:
    """Return a crop's ink, uint8 (H, W), without pieces that are small in pixels or beside the largest one."""
    p = parameters or CropParameters()
    pieces = Pieces(mask)
    return pieces.mask(_no_dust(pieces, p)) if len(pieces) else mask


def _no_dust(q: Pieces, p: CropParameters) -> Flags:
    return np.asarray(q.area >= max(p.dust, p.speck * q.area.max()))


def _without_rules(mask: Mask, p: CropParameters) -> Mask:
    """Return the ink without straight lines from side to side that pass a digit or cross it."""
    for _ in range(2):  # upright lines, then, on the turned mask, level ones
        length = max(3, round(p.rule_length * mask.shape[0]))
        if np.count_nonzero(mask, axis=0).max() >= length:
            mask = _without_upright_rules(mask, length, p)
        mask = np.ascontiguousarray(mask.T)
    return mask


def _without_upright_rules(mask: Mask, length: int, p: CropParameters) -> Mask:
    lines = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((length, 1), np.uint8))
    if not (lines[: p.rim + 1].any() and lines[-p.rim - 1 :].any()):
        return mask
    lines = cv2.dilate(lines, np.ones((1, 3), np.uint8))
    across = 2 * round(np.count_nonzero(lines) / len(lines) / 2) + 3  # odd, so that closing moves nothing
    rest = np.where(lines > 0, np.uint8(0), mask)
    closed = cv2.morphologyEx(rest, cv2.MORPH_CLOSE, np.ones((1, across), np.uint8))  # where the digit crosses them
    rest = np.where(closed > 0, mask, np.uint8(0))
    return rest if _holds_digit(Pieces(rest), p) else mask


def _holds_digit(rest: Pieces, p: CropParameters) -> bool:
    """Return whether a piece of the rest is a whole digit; else the line was a stroke of it."""
    beyond = p.rule_beyond * rest.height
    inside = (rest.left > p.rim) & (rest.right < rest.width - p.rim)
    inside &= (rest.top > beyond) & (rest.bottom < rest.height - beyond)
    return bool((inside & (rest.tall > p.least_height * rest.height)).any())


def _of_the_digit(q: Pieces, p: CropParameters) -> Flags:
    """Return which pieces belong to the digit, (K,)."""
    across = (q.left <= p.rim).astype(int) + (q.right >= q.width - p.rim)  # sides of the crop that a piece touches
    along = (q.top <= p.rim).astype(int) + (q.bottom >= q.height - p.rim)
    rule = (along == 2) & (q.wide < p.rule_width * q.width) | (across == 2) & (q.tall < p.rule_width * q.height)
    frame = _frames(q, p)
    everything = _no_dust(q, p)
    writing = ~(rule | frame) & (q.tall > p.least_height * q.height)
    if not writing.any():
        return everything
    off = np.hypot(q.left + q.right - q.width, (q.top + q.bottom - q.height) * q.width / q.height) / q.width
    main = int(np.argmax(np.where(writing, q.area * np.exp(-2 * off**2), -1.0)))  # large, and near the middle
    if across[main] + along[main] > 1:  # the crop is tight, and what it cuts may be parts of the digit
        return everything
    cut = across + along > 0
    beside = (np.minimum(q.right, q.right[main]) - np.maximum(q.left, q.left[main])) / q.wide < p.shared
    rival_ink = np.where(cut, p.cut_rival_ink, p.rival_ink) * q.area[main]
    if (beside & writing & (q.tall > p.rival_height * q.tall[main]) & (q.area > rival_ink)).any():
        return everything
    apart = np.minimum(q.bottom, q.bottom[main]) <= np.maximum(q.top, q.top[main])
    other = (beside | apart & (q.area < p.point * q.area[main])) & ~_bars(q, main, p)
    kept = (q.area >= max(p.dust, p.speck * q.area[main])) & ~(other | cut | rule | frame)
    kept[main] = True
    return np.asarray(kept)


def _frames(q: Pieces, p: CropParameters) -> Flags:
    """Return which pieces are boxes of thin lines around something high, (K,)."""
    within = (q.left[:, None] < q.left) & (q.top[:, None] < q.top)
    within &= (q.right[:, None] > q.right) & (q.bottom[:, None] > q.bottom)
    found = (within & (q.tall > p.framed_height * q.tall[:, None])).any(1) & (q.area < p.frame_ink * q.wide * q.tall)
    for index in np.flatnonzero(found):
        left, top, wide, tall = (int(edges[index]) for edges in (q.left, q.top, q.wide, q.tall))
        inked = q.labels[top : top + tall, left : left + wide] == index + 1
        x, y = max(1, round(p.corner * wide)), max(1, round(p.corner * tall))
        found[index] = all(part.any() for part in (inked[:y, :x], inked[:y, -x:], inked[-y:, :x], inked[-y:, -x:]))
    return np.asarray(found)


def _bars(q: Pieces, main: int, p: CropParameters) -> Flags:
    """Return which pieces may be the bar of a 5 that stands apart: low, at the upper right of the digit, (K,)."""
    reach = p.bar * q.tall[main]
    upper = (q.bottom < q.top[main] + q.tall[main] / 2) & (q.tall < reach)
    return np.asarray(upper & (q.left < q.right[main] + reach) & (q.right > q.left[main]))

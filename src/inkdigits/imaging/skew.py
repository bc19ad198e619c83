"""Skew: the angle by which a page is turned, estimated from its straight lines."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from inkdigits.imaging.binarize import Ink
from inkdigits.imaging.ruled_lines import RuledLineParameters, find_faint_lines


@dataclass(frozen=True)
class SkewParameters:
    """What decides how far a page is deskewed."""

    longest_side: int = 1000  # pixels; line segments are found quickly at this size, and thin rules still show
    full_ink: float = 0.2  # share of the paper's brightness; darker ink counts as full, so faint rules count as much
    shortest_segment: float = 9.0  # pixels; shorter segments belong to strokes
    shortest_share: float = 0.02  # of the longest side; the same for large pages
    steepest: float = 20.0  # degrees; steeper lines are strokes or the other axis
    agreement: float = 1.5  # degrees; segments within this angle support each other
    evident: float = 2.0  # longest sides; so much length at one angle proves ruled lines
    suspected: float = 0.25  # longest sides; so much length is worth a test, less is chance
    gained: float = 2.0  # longest sides, in pixels on faint lines; a right angle brings at least so many more


def estimate_skew(
    ink: Ink, parameters: SkewParameters | None = None, lines: RuledLineParameters | None = None
) -> float:
    """Return the angle, in degrees, by which the straight lines of a page fall to the right; 0 without such lines.

    Parameters
    ----------
    ink
        float32 (H, W) in [0, 1].
    parameters, lines
        Settings of the estimate, and of the search for faint lines that confirms it; None for the defaults.
    """
    p = parameters or SkewParameters()
    scale = min(1.0, p.longest_side / max(ink.shape))
    ink = np.asarray(cv2.resize(ink, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else ink)
    longest = max(ink.shape)
    angles, lengths = _segments(ink, p)
    if not len(angles):
        return 0.0
    near = np.abs(angles[:, None] - angles) < p.agreement
    support = near @ lengths
    best = int(support.argmax())
    if support[best] < p.suspected * longest:
        return 0.0
    angle = float(np.average(angles[near[best]], weights=lengths[near[best]]))
    if support[best] < p.evident * longest:  # only parts of faint lines are found; deskewed, more of them must show
        rotation = cv2.getRotationMatrix2D((ink.shape[1] / 2, ink.shape[0] / 2), angle, 1.0)
        upright = np.asarray(cv2.warpAffine(ink, rotation, ink.shape[::-1]), np.float32)
        gained = _on_faint_lines(upright, p, lines) - _on_faint_lines(ink, p, lines)
        return angle if gained > p.gained * longest else 0.0
    return angle


def _segments(ink: Ink, p: SkewParameters) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the angles, in degrees and ascending, and the lengths of the long line segments, (N,) each."""
    none = np.empty(0, np.float32)
    small = cv2.convertScaleAbs(cv2.GaussianBlur(ink, (0, 0), 1.0), alpha=255 / p.full_ink)
    found = cv2.createLineSegmentDetector(cv2.LSD_REFINE_STD).detect(small)[0]
    if found is None:
        return none, none
    ends = found.reshape(-1, 4)
    step = ends[:, 2:] - ends[:, :2]
    length = np.hypot(step[:, 0], step[:, 1])
    angle = np.degrees(np.arctan2(step[:, 1], step[:, 0]))
    angle = (angle + 45) % 90 - 45
    long = (length > max(p.shortest_segment, p.shortest_share * max(ink.shape))) & (np.abs(angle) <= p.steepest)
    if not long.any():
        return none, none
    order = np.argsort(angle[long])
    return angle[long][order], length[long][order]


def _on_faint_lines(ink: Ink, p: SkewParameters, lines: RuledLineParameters | None) -> int:
    """Return the number of pixels of an upright page on faint lines, without those on strokes or their edges."""
    strokes = cv2.dilate(np.asarray((ink > p.full_ink) * np.uint8(255), np.uint8), np.ones((7, 7), np.uint8))
    return cv2.countNonZero(cv2.bitwise_and(find_faint_lines(ink, lines), cv2.bitwise_not(strokes)))

"""Ruled lines and frames of an upright page: found, followed along their bend, and removed from the writing."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from inkdigits.imaging.binarize import Ink, Mask, stroke_width


@dataclass(frozen=True)
class RuledLineParameters:
    """What makes ink a ruled line and not a stroke."""

    faint_run: int = 15  # pixels; a faint line is averaged along at least this length
    faint_run_share: float = 0.015  # of the page's longer side; the same for large pages
    faintest: float = 0.02  # share of the paper's brightness; less cannot be told from paper
    noise_factor: float = 6.0  # times the paper's noise; a faint line exceeds it
    faint_runs: int = 3  # runs; a faint line is at least so long
    run: int = 12  # pixels; an inked line is unbroken for at least this length
    run_share: float = 0.03  # of the page's longer side; the same for large pages
    across: float = 0.12  # of the page's width; a horizontal rule spans at least this
    down: float = 0.3  # of the page's height; a vertical rule spans more, as a digit 1 is tall and straight
    slender: float = 23.0  # times its thickness; a rule is at least so long, twice that if vertical
    covered: float = 0.5  # of its length; a rule is seen on at least this share of columns
    whole: float = 0.8  # of its length; ink lies on it, its own or that of strokes; a row of digits has less
    beside: int = 12  # pixels above and below a rule that are searched for the strokes that cross it
    tied: int = 3  # rules at most that crossing strokes join into one component
    broad: float = 1.3  # times a rule's thickness; where strokes are so broad, finer remains of the rule are removed


def find_faint_lines(
    ink: Ink,
    parameters: RuledLineParameters | None = None,
    noise_factor: float | None = None,
    runs: int | None = None,
) -> Mask:
    """Return the pixels (H, W) on an upright page's straight lines, horizontal and vertical, however faint they are.

    The mean along a run of pixels stands out of the paper's noise where single pixels do not.

    Parameters
    ----------
    ink
        float32 (H, W) in [0, 1].
    noise_factor, runs
        In place of those of ``parameters``.
    """
    p = parameters or RuledLineParameters()
    noise_factor, runs = noise_factor or p.noise_factor, runs or p.faint_runs
    found = np.zeros(ink.shape, np.uint8)
    longest = max(ink.shape)
    run, thick = max(p.faint_run, round(p.faint_run_share * longest)), 2 * (longest // 300) + 5
    for vertical in (False, True):
        along = cv2.blur(np.ascontiguousarray(ink.T) if vertical else ink, (run, 1))
        ridge = cv2.morphologyEx(along, cv2.MORPH_TOPHAT, np.ones((thick, 1), np.uint8))
        level = max(p.faintest, noise_factor * float(np.median(ridge[::4, ::4])))
        above = np.asarray((ridge > level) * np.uint8(255), np.uint8)
        if not cv2.countNonZero(above):
            continue
        wide = cv2.dilate(above, np.ones((3, 1), np.uint8))
        lines = cv2.morphologyEx(wide, cv2.MORPH_OPEN, np.ones((1, runs * run), np.uint8))
        found |= np.asarray(lines.T if vertical else lines, np.uint8)
    return found


def find_ruled_lines(mask: Mask, parameters: RuledLineParameters | None = None) -> Mask:
    """Return the pixels (H, W) of an upright page's ruled lines and frames, also where they bend or lean a little."""
    p = parameters or RuledLineParameters()
    height, width = mask.shape
    found = np.zeros_like(mask)
    run = max(p.run, round(p.run_share * max(height, width)))
    for vertical in (False, True):
        ink, lines = (mask.T, found.T) if vertical else (mask, found)
        whole = max(height, width / 2) if vertical else max(width, height / 2)
        share, slender = (p.down, 2 * p.slender) if vertical else (p.across, p.slender)
        element = np.ones((1, run), np.uint8)
        opened = cv2.morphologyEx(cv2.dilate(ink, np.ones((3, 1), np.uint8)), cv2.MORPH_OPEN, element)
        if not cv2.countNonZero(opened):
            continue
        joined = cv2.morphologyEx(opened, cv2.MORPH_CLOSE, element)
        count, labels, stats, _ = cv2.connectedComponentsWithStats(joined)
        for index in range(1, count):
            left, top, wide, tall, _ = (int(v) for v in stats[index])
            if wide >= share * whole:
                window = slice(max(0, top - p.beside), top + tall + p.beside), slice(left, left + wide)
                candidate = (labels[window] == index) & (opened[window] > 0)
                lines[window] |= _bands(candidate, ink[window], slender, share * whole, p)
    return found


def _bands(candidate: NDArray[np.bool_], ink: Mask, slender: float, shortest: float, p: RuledLineParameters) -> Mask:
    """Return the ink (h, w) on the lines that run through ``candidate``; a line with kinks is followed by halves."""
    found = np.zeros_like(ink)
    width = candidate.shape[1]
    for _ in range(p.tied):
        band = _straight(candidate, ink, slender, p) if candidate.any(0).mean() > p.covered else None
        if band is None:
            break
        found |= band
        candidate = candidate & (cv2.dilate(band, np.ones((9, 9), np.uint8)) == 0)
    if not found.any() and width >= 2 * shortest:
        for half in (np.s_[:, : width // 2], np.s_[:, width // 2 :]):
            found[half] = _bands(candidate[half], ink[half], slender, shortest, p)
    return found


def _straight(candidate: NDArray[np.bool_], ink: Mask, slender: float, p: RuledLineParameters) -> Mask | None:
    """Return the ink (h, w) on the line through most of ``candidate`` from left to right; None without such a line."""
    width = candidate.shape[1]
    column = candidate.sum(0)
    bare = (column > 0) & (column <= 1.5 * np.percentile(column[column > 0], 30) + 1)  # without an attached stroke
    y, x = np.nonzero(candidate & bare)
    busiest = np.bincount(y, minlength=candidate.shape[0]).argmax()
    bend = _fit_bend(x, y, width, (12.0, 6.0, 4.0, 3.0), np.ones(len(x), bool))
    if bend is None:  # strokes join several lines
        bend = _fit_bend(x, y, width, (5.0, 4.0, 3.0), np.abs(y - busiest) <= 5)
    if bend is None:
        return None
    middle = np.polyval(bend, np.arange(width) / width - 0.5)
    distance = np.abs(np.arange(candidate.shape[0])[:, None] - middle)
    has_ink = ink > 0
    covered = (has_ink & (distance <= 10)).sum(0)
    thick = float(np.percentile(covered[covered > 0], 30)) if covered.any() else 0.0
    band = has_ink & (distance <= thick / 2 + 1)
    if band.any(0).mean() < p.whole or width < slender * max(1.5, thick + 0.5):
        return None
    crossed = (has_ink & (distance <= 1.5 * thick + 2)).sum(0) > 1.6 * thick + 1  # by a stroke
    return np.asarray((band & ~crossed) * np.uint8(255), np.uint8)


def _fit_bend(
    x: NDArray[np.intp], y: NDArray[np.intp], width: int, tolerances: Sequence[float], near: NDArray[np.bool_]
) -> NDArray[np.float64] | None:
    """Return the parabola, in x / width - 0.5, through most of the points (N,) ``near`` it; None if it meets few."""
    scaled = x / width - 0.5
    for tolerance in tolerances:
        if len(np.unique(x[near])) < 3:
            return None
        bend = np.polyfit(scaled[near], y[near], 2 if width > 60 else 1)
        near = np.abs(np.polyval(bend, scaled) - y) <= tolerance
        if len(np.unique(x[near])) < 0.3 * width:
            return None
    return bend


def remove_ruled_lines(mask: Mask, lines: Mask, parameters: RuledLineParameters | None = None) -> Mask:
    """Return the ink (H, W) without the pixels of ``lines``; a stroke that crosses a line stays whole."""
    p = parameters or RuledLineParameters()
    lines = lines & mask
    if not lines.any():
        return mask
    rest = np.asarray(cv2.bitwise_and(mask, cv2.bitwise_not(lines)), np.uint8)
    distance = cv2.distanceTransform(lines, cv2.DIST_L2, 3)
    reach = int(np.ceil(2 * np.percentile(distance[distance > 0], 90))) + 1
    left = np.asarray(cv2.bitwise_or(rest, _crossings(rest, lines, reach)), np.uint8)
    thick = reach // 2 + 1
    if stroke_width(rest) >= p.broad * thick:  # what remains of the lines is finer than strokes
        opened = cv2.morphologyEx(left, cv2.MORPH_OPEN, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (thick, thick)))
        strokes = cv2.dilate(opened, np.ones((3, 3), np.uint8))
        beside = cv2.dilate(lines, np.ones((2 * thick + 1, 2 * thick + 1), np.uint8))
        left = np.asarray(cv2.bitwise_and(left, cv2.bitwise_or(strokes, cv2.bitwise_not(beside))), np.uint8)
    near = cv2.dilate(lines, np.ones((2 * reach + 1, 2 * reach + 1), np.uint8))
    count, labels = cv2.connectedComponents(left)
    sizes = np.bincount(labels.ravel(), minlength=count)
    beside = np.bincount(labels[near > 0], minlength=count)
    edge = beside > 0.8 * sizes  # a component that lies along a line is the line's edge
    edge[0] = False
    left[edge[labels]] = 0
    return left


def _crossings(rest: Mask, lines: Mask, reach: int) -> Mask:
    """Return the pixels (H, W) of ``lines`` that have other ink on both sides, above and below or left and right."""
    kept = np.zeros_like(lines)
    for vertical in (True, False):
        size = (reach + 1, 3) if vertical else (3, reach + 1)
        element = np.ones(size, np.uint8)
        anchor = (1, 0) if vertical else (0, 1)
        other = (1, reach) if vertical else (reach, 1)
        before, after = (np.asarray(cv2.dilate(rest, element, anchor=a), np.uint8) for a in (anchor, other))
        kept |= before & after & lines
    return kept

"""A sheet of paper on a desk: what lies around it is replaced by paper, so that only the sheet is read."""

import cv2
import numpy as np
from numpy.typing import NDArray

from inkdigits.imaging.binarize import Mask
from inkdigits.imaging.pixels import shrunk, to_grey

COARSE = 240  # longer side of the picture on which the sheet is looked for, pixels
STROKE = 15  # side of the median there, which leaves no stroke and no rule, but the edges of a sheet
STEP = (12, 30)  # gradients there, in grey levels to the eighth of a pixel, that go on an edge, and begin one
GRID = 31  # side of the closing there, which leaves no grid either
DIFFERENT = 10  # grey levels between sheet and desk, in the channel that tells them best
SPAN = 0.25  # of the picture's width or height that a part of the edge spans
AREA = (0.15, 0.96)  # of the picture that the sheet covers, from and to
SEEN = 0.35  # of its outline on which the edge is seen, at least
CLOSED = 0.75  # of its outline that is seen or lies on the picture's rim
CORNERS = 6  # that it has at most: four, and one more where the picture's rim cuts it; what is drawn round has more
BLANK = 0.2  # of the strokes in the sheet, squared, that there are on as much of the desk, at most
EDGE = 4  # coarse pixels at its edge that are left out


def without_desk(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a picture uint8 (H, W) or (H, W, 3) with all but the sheet on it replaced by the nearest of its paper.

    A picture without a sheet that lies apart from its surroundings is returned as it is.
    """
    height, width = pixels.shape[:2]
    scale = COARSE / max(height, width)
    if scale > 1 or min(height, width) * scale < 40:
        return pixels
    small = shrunk(pixels, COARSE)
    sheet = _sheet(small)
    if sheet is None:
        return pixels
    inner = cv2.erode(sheet, np.ones((2 * EDGE + 1, 2 * EDGE + 1), np.uint8), borderValue=0)
    outside = np.asarray(255 - inner, np.uint8)
    _, nearest = cv2.distanceTransformWithLabels(outside, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    smooth = np.asarray(cv2.morphologyEx(small, cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8)), np.uint8)
    shades = np.zeros((int(nearest.max()) + 1, *small.shape[2:]), np.uint8)
    shades[nearest[inner > 0]] = smooth[inner > 0]
    filled = np.asarray(cv2.resize(shades[nearest], (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)
    kept = cv2.resize(inner, (width, height), interpolation=cv2.INTER_LINEAR) > 127
    return np.where(kept if pixels.ndim == 2 else kept[..., None], pixels, filled)


def _sheet(small: NDArray[np.uint8]) -> Mask | None:
    """Return the sheet on a coarse picture, 255 where it is; None where no edge goes around most of the writing.

    A sheet is convex, so that its outline is known though its edge is seen in part, be the desk darker or lighter.
    """
    height, width = small.shape[:2]
    flat = cv2.GaussianBlur(cv2.medianBlur(small, STROKE), (0, 0), 1.5)
    edges = np.zeros((height, width), np.uint8)
    for channel in [flat] if flat.ndim == 2 else cv2.split(flat):
        edges |= np.asarray(cv2.Canny(channel, *STEP, L2gradient=True), np.uint8)
    # a dense grid leaves edges too, but is gone where what is dark and narrow is taken away
    paper = cv2.morphologyEx(cv2.medianBlur(small, 3), cv2.MORPH_CLOSE, np.ones((GRID, GRID), np.uint8))
    steps = cv2.morphologyEx(paper, cv2.MORPH_GRADIENT, np.ones((STROKE, STROKE), np.uint8))
    edges[(steps if steps.ndim == 2 else steps.max(2)) < DIFFERENT] = 0
    near = np.asarray(cv2.dilate(edges, np.ones((5, 5), np.uint8)), np.uint8)
    count, parts, stats, _ = cv2.connectedComponentsWithStats(near)
    size = np.array([width, height])
    long = [part for part in range(1, count) if (stats[part, 2:4] / size).max() > SPAN]
    strokes = cv2.morphologyEx(to_grey(small), cv2.MORPH_BLACKHAT, np.ones((9, 9), np.uint8)).astype(np.float32) ** 2
    sheets = []
    for chosen in [[part] for part in long] + [long] * (len(long) > 1):
        there = cv2.findNonZero((np.isin(parts, chosen) & (edges > 0)).astype(np.uint8))
        hull = np.asarray(cv2.convexHull(there), np.int32)
        if AREA[0] < cv2.contourArea(hull) / edges.size < AREA[1] and _outlined(hull, near):
            sheet = np.asarray(cv2.drawContours(np.zeros_like(edges), [hull], -1, 255, cv2.FILLED), np.uint8)
            if _holds(sheet, strokes):
                sheets.append(sheet)
    return max(sheets, key=cv2.countNonZero, default=None)


def _outlined(hull: NDArray[np.int32], near: Mask) -> bool:
    """Return whether a hull has few corners, and lies on edges for the most part where it does not leave the picture.

    ``near`` (h, w) is 255 beside edges.
    """
    if len(cv2.approxPolyDP(hull, 0.02 * cv2.arcLength(hull, True), True)) > CORNERS:
        return False
    on = cv2.polylines(np.zeros_like(near), [hull], True, 255, 1) > 0
    rim = np.ones(near.shape, bool)
    rim[EDGE:-EDGE, EDGE:-EDGE] = False
    seen = (near[on] > 0) & ~rim[on]
    return bool(seen.mean() > SEEN and (seen | rim[on]).mean() > CLOSED)


def _holds(sheet: Mask, strokes: NDArray[np.float32]) -> bool:
    """Return whether what is written is on a sheet, and next to nothing around it."""
    reach = np.ones((11, 11), np.uint8)
    inside, outside = cv2.erode(sheet, reach) > 0, cv2.dilate(sheet, reach) == 0
    if not inside.any() or outside.mean() < 0.02:
        return False
    return float(strokes[outside].mean()) < BLANK * float(strokes[inside].mean())

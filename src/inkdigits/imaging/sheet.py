"""A sheet of paper on a desk: its surroundings are replaced by paper, so that only the sheet is read."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from inkdigits.imaging.binarize import Mask
from inkdigits.imaging.pixels import shrunk, to_grey


@dataclass(frozen=True)
class SheetParameters:
    """What makes an outline the edge of a sheet. Coarse pixels are those of a picture scaled to ``coarse``."""

    coarse: int = 240  # pixels of the longer side; large shapes show at this size
    stroke: int = 15  # coarse pixels; a median of this side removes strokes and rules, and keeps the edges of a sheet
    step: tuple[int, int] = (12, 30)  # grey levels per eighth of a coarse pixel; Canny's low and high threshold
    grid: int = 31  # coarse pixels; a closing of this side removes the grid of squared paper
    different: int = 10  # grey levels between sheet and desk, at least, in the channel that shows them best
    span: float = 0.25  # of the picture's width or height; a part of the edge spans more
    area: tuple[float, float] = (0.15, 0.96)  # of the picture; a sheet covers between these
    seen: float = 0.35  # of the sheet's outline; the edge is visible on more
    closed: float = 0.75  # of the outline; more is visible or lies on the picture's edge
    corners: int = 6  # at most: four, and two more where the picture's edge cuts the sheet; round drawings have more
    blank: float = 0.2  # of the squared strokes per pixel on the sheet; the desk has less
    edge: int = 4  # coarse pixels along the sheet's edge that are taken for desk


def remove_desk(pixels: NDArray[np.uint8], parameters: SheetParameters | None = None) -> NDArray[np.uint8]:
    """Return a picture uint8 (H, W) or (H, W, 3) whose surroundings of the sheet have the colour of the nearest paper.

    A picture without a visible sheet is returned unchanged.
    """
    p = parameters or SheetParameters()
    height, width = pixels.shape[:2]
    scale = p.coarse / max(height, width)
    if scale > 1 or min(height, width) * scale < 40:
        return pixels
    small = shrunk(pixels, p.coarse)
    sheet = _find_sheet(small, p)
    if sheet is None:
        return pixels
    inner = cv2.erode(sheet, np.ones((2 * p.edge + 1, 2 * p.edge + 1), np.uint8), borderValue=0)
    outside = np.asarray(255 - inner, np.uint8)
    _, nearest = cv2.distanceTransformWithLabels(outside, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    smooth = np.asarray(cv2.morphologyEx(small, cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8)), np.uint8)
    shades = np.zeros((int(nearest.max()) + 1, *small.shape[2:]), np.uint8)
    shades[nearest[inner > 0]] = smooth[inner > 0]
    filled = np.asarray(cv2.resize(shades[nearest], (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)
    kept = cv2.resize(inner, (width, height), interpolation=cv2.INTER_LINEAR) > 127
    return np.where(kept if pixels.ndim == 2 else kept[..., None], pixels, filled)


def _find_sheet(small: NDArray[np.uint8], p: SheetParameters) -> Mask | None:
    """Return the sheet on a coarse picture, 255 inside it; None where no edge surrounds most of the writing.

    A sheet is convex: its outline is the hull of the visible parts of its edge, on a darker or a lighter desk.
    """
    near, edges = _edges(small, p)
    height, width = edges.shape
    count, parts, stats, _ = cv2.connectedComponentsWithStats(near)
    long = [part for part in range(1, count) if (stats[part, 2:4] / np.array([width, height])).max() > p.span]
    strokes = cv2.morphologyEx(to_grey(small), cv2.MORPH_BLACKHAT, np.ones((9, 9), np.uint8)).astype(np.float32) ** 2
    sheets = []
    for chosen in [[part] for part in long] + [long] * (len(long) > 1):
        on_edge = cv2.findNonZero((np.isin(parts, chosen) & (edges > 0)).astype(np.uint8))
        hull = np.asarray(cv2.convexHull(on_edge), np.int32)
        if p.area[0] < cv2.contourArea(hull) / edges.size < p.area[1] and _is_outline(hull, near, p):
            sheet = np.asarray(cv2.drawContours(np.zeros_like(edges), [hull], -1, 255, cv2.FILLED), np.uint8)
            if _holds_writing(sheet, strokes, p):
                sheets.append(sheet)
    return max(sheets, key=cv2.countNonZero, default=None)


def _edges(small: NDArray[np.uint8], p: SheetParameters) -> tuple[Mask, Mask]:
    """Return the surroundings of edges that may be a sheet's, and the edges, on a coarse picture, (h, w) each."""
    height, width = small.shape[:2]
    flat = cv2.GaussianBlur(cv2.medianBlur(small, p.stroke), (0, 0), 1.5)
    edges = np.zeros((height, width), np.uint8)
    for channel in [flat] if flat.ndim == 2 else cv2.split(flat):
        edges |= np.asarray(cv2.Canny(channel, *p.step, L2gradient=True), np.uint8)
    # a dense grid has edges too; a closing removes them
    paper = cv2.morphologyEx(cv2.medianBlur(small, 3), cv2.MORPH_CLOSE, np.ones((p.grid, p.grid), np.uint8))
    steps = cv2.morphologyEx(paper, cv2.MORPH_GRADIENT, np.ones((p.stroke, p.stroke), np.uint8))
    edges[(steps if steps.ndim == 2 else steps.max(2)) < p.different] = 0
    return np.asarray(cv2.dilate(edges, np.ones((5, 5), np.uint8)), np.uint8), edges


def _is_outline(hull: NDArray[np.int32], near: Mask, p: SheetParameters) -> bool:
    """Return whether a hull has few corners and lies mostly on edges or on the picture's edge.

    ``near`` (h, w) is 255 beside edges.
    """
    if len(cv2.approxPolyDP(hull, 0.02 * cv2.arcLength(hull, True), True)) > p.corners:
        return False
    on = cv2.polylines(np.zeros_like(near), [hull], True, 255, 1) > 0
    rim = np.ones(near.shape, bool)
    rim[p.edge : -p.edge, p.edge : -p.edge] = False
    seen = (near[on] > 0) & ~rim[on]
    return bool(seen.mean() > p.seen and (seen | rim[on]).mean() > p.closed)


def _holds_writing(sheet: Mask, strokes: NDArray[np.float32], p: SheetParameters) -> bool:
    """Return whether the strokes of a picture are on the sheet, and almost none around it."""
    reach = np.ones((11, 11), np.uint8)
    inside, outside = cv2.erode(sheet, reach) > 0, cv2.dilate(sheet, reach) == 0
    if not inside.any() or outside.mean() < 0.02:
        return False
    return float(strokes[outside].mean()) < p.blank * float(strokes[inside].mean())

"""Form boxes of an upright page: drawn rectangles that hold one character each, and the writing in them."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from inkdigits.imaging.binarize import Ink, Mask
from inkdigits.imaging.geometry import Box
from inkdigits.imaging.ruled_lines import RuledLineParameters, find_faint_lines


@dataclass(frozen=True)
class FormBoxParameters:
    """What makes a rectangle a form box, and ink in it writing."""

    fewest: int = 3  # boxes; fewer that are alike are no form
    alike: float = 0.45  # difference of the logarithms of their sides, at most
    shortest_side: float = 10.0  # pixels; smaller rectangles are holes of strokes
    shortest_share: float = 0.008  # of the page's longer side; the same for large pages
    aspect: float = 2.5  # longer over shorter side, at most; a wider box holds a whole number
    widest: float = 0.5  # of the page's width, at most; a wider rectangle is a frame around fields
    square: float = 0.86  # of its bounding rectangle that the hull of a box fills, at least; an ellipse fills 0.785
    open_paper: float = 0.4  # of the hull's area that is paper, at least
    side_ink: float = 0.8  # of a side that has ink, at least, where a box is inferred from its neighbours
    uncut: float = 0.9  # of the usual width and height of its row; a smaller box has been cut by a stroke
    same_row: float = 0.35  # of the usual side; centres that are so near belong to one row or column
    pitch_tolerance: float = 0.06  # of the pitch by which the next box of a row may be displaced; perspective
    faint_noise_factor: float = 3.5  # times the paper's noise; a faint side of a box exceeds it, as three more sides do
    faint_runs: int = 2  # runs of faint ink that a side is long, at least
    faint_share: float = 0.25  # of the page's ink that faint boxes hold, at least; else they are folds and shadows
    faintest: float = 0.085  # share of the paper's brightness; less is paper
    ink_share: float = 0.4  # of the strongest ink in a box that a pixel of writing has, at least
    rim: float = 0.13  # of a box's sides; ink that lies mostly there is the rest of the frame
    smallest_mark: float = 0.1  # of the box's shorter side; smaller ink is dust
    smallest_content: float = 0.2  # of the box's shorter side; a box with less ink is blank
    many: int = 12  # boxes; what so many have in common is printed, not written
    printed_factor: float = 1.6  # times the printed ink; writing on it is stronger


@dataclass(frozen=True)
class FormBox:
    """A drawn box on a page.

    Attributes
    ----------
    inside
        The paper inside its lines, in pixels of the page.
    row
        Index of its row, from the top.
    """

    inside: Box
    row: int


def find_form_boxes(
    ink: Ink,
    mask: Mask,
    faint: Mask,
    parameters: FormBoxParameters | None = None,
    lines: RuledLineParameters | None = None,
) -> list[FormBox]:
    """Return the form boxes of an upright page, row by row from the left.

    Boxes whose lines are fainter than the writing count beside inked boxes, or alone if they hold enough of the ink.

    Parameters
    ----------
    ink
        float32 (H, W) in [0, 1].
    mask, faint
        uint8 (H, W), 255 on writing, and on any ink.
    """
    p = parameters or FormBoxParameters()
    inked = boxes_in(faint, p)
    weak = boxes_in(find_faint_lines(ink, lines, p.faint_noise_factor, p.faint_runs), p)
    if inked:
        return merge_boxes(inked, weak, p)
    within = sum(
        cv2.countNonZero(mask[y : y + tall, x : x + wide]) for x, y, wide, tall in (box.inside for box in weak)
    )
    return weak if within > p.faint_share * cv2.countNonZero(mask) else []


def boxes_in(mask: Mask, parameters: FormBoxParameters | None = None) -> list[FormBox]:
    """Return the boxes that the lines of ``mask`` (H, W) draw, row by row; an empty list for fewer than three alike."""
    p = parameters or FormBoxParameters()
    rectangles = _rectangles(mask, p)
    if len(rectangles) < p.fewest:
        return []
    group = _largest_group(rectangles, p)
    if not len(group):
        return []
    boxes = _repair_cut_boxes(rectangles[group], mask, p)
    while True:  # each box that is found shows where others may be
        more = _extend_rows(_fill_table(boxes, mask, p), mask, p)
        if len(more) == len(boxes):
            return _in_rows(boxes)
        boxes = more


def _largest_group(rectangles: NDArray[np.int32], p: FormBoxParameters) -> NDArray[np.intp]:
    """Return the indices of the rectangles (K, 4) of like size that are most and largest together.

    Of boxes within boxes, the outer ones hold the writing, unless they hold several of the inner ones.
    """
    sizes = rectangles[:, 2:].astype(float)
    alike = (np.abs(np.log(sizes[:, None] / sizes)) < p.alike).all(2)
    centres = rectangles[:, :2] + sizes / 2
    within = (
        (centres[None] >= rectangles[:, None, :2]) & (centres[None] < rectangles[:, None, :2] + sizes[:, None])
    ).all(2)
    np.fill_diagonal(within, False)
    held = within.sum(1)
    best: NDArray[np.intp] = np.empty(0, np.intp)
    best_score = 0.0
    for index in range(len(rectangles)):
        group = np.flatnonzero(alike[index])
        if len(group) < p.fewest or np.median(held[group]) > 2:
            continue
        score = len(group) * float(np.sqrt(sizes[index].prod()))
        if score > best_score:
            best, best_score = group, score
    return best


def merge_boxes(
    found: Sequence[FormBox], others: Sequence[FormBox], parameters: FormBoxParameters | None = None
) -> list[FormBox]:
    """Return ``found`` with those of ``others`` of about their size that overlap none, row by row from the left."""
    p = parameters or FormBoxParameters()
    boxes = np.array([box.inside for box in found], np.int32)
    usual = np.median(boxes[:, 2:], axis=0)
    new = [box.inside for box in others if (np.abs(np.log(box.inside[2:] / usual)) < p.alike).all()]
    return _in_rows(np.array([*boxes, *(box for box in new if not _overlaps(box, boxes))], np.int32))


def _rectangles(mask: Mask, p: FormBoxParameters) -> NDArray[np.int32]:
    """Return the rectangles (K, 4) of paper that lines enclose: left, top, width, height."""
    height, width = mask.shape
    x, y, inked_width, inked_height = cv2.boundingRect(mask)  # the rest of a nearly empty page costs time only
    if not inked_width:
        return np.empty((0, 4), np.int32)
    x, y = max(0, x - 2), max(0, y - 2)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask[y : y + inked_height + 4, x : x + inked_width + 4])
    large = stats[:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]].max(1) >= max(8, 0.006 * max(height, width))
    large[0] = False
    lines = np.asarray(large[labels] * np.uint8(255), np.uint8)  # without dust
    closed = cv2.morphologyEx(lines, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    contours, tree = cv2.findContours(closed, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    shortest = max(p.shortest_side, p.shortest_share * max(height, width))
    found = []
    for contour, (_, _, _, parent) in zip(contours, tree[0] if tree is not None else (), strict=True):
        if parent < 0:
            continue
        left, top, wide, tall = cv2.boundingRect(contour)
        if min(wide, tall) < shortest or max(wide, tall) > p.aspect * min(wide, tall) or wide > p.widest * width:
            continue
        hull = cv2.convexHull(contour)
        area = cv2.contourArea(hull)
        if area < p.square * wide * tall or cv2.contourArea(contour) < p.open_paper * area:
            continue
        found.append((x + left + 1, y + top + 1, wide - 2, tall - 2))
    return np.array(found, np.int32).reshape(-1, 4)


def _fill_table(boxes: NDArray[np.int32], mask: Mask, p: FormBoxParameters) -> NDArray[np.int32]:
    """Return the boxes with those that a row and a column of a table imply, though strokes break their frames."""
    middles = boxes[:, :2] + boxes[:, 2:] / 2
    usual = np.median(boxes[:, 2:], axis=0)
    columns, rows = (_clusters(middles[:, axis], p.same_row * usual[axis]) for axis in (0, 1))
    if len(set(columns)) < 3 or len(set(rows)) < 2:
        return boxes
    added = []
    for column in set(columns):
        for row in set(rows):
            here = (columns == column) & (rows == row)
            known = int((columns == column).sum()), int((rows == row).sum())
            if here.any() or min(known) < 1 or sum(known) < 4:
                continue
            size = np.median(boxes[rows == row, 3]), np.median(boxes[columns == column, 2])
            # the table may lean: the nearest boxes of this row and this column give the place
            in_row, in_column = np.flatnonzero(rows == row), np.flatnonzero(columns == column)
            x0, y0 = np.median(middles[in_column, 0]), np.median(middles[in_row, 1])
            y = middles[in_row[np.abs(middles[in_row, 0] - x0).argmin()], 1]
            x = middles[in_column[np.abs(middles[in_column, 1] - y0).argmin()], 0]
            box = round(x - size[1] / 2), round(y - size[0] / 2), round(size[1]), round(size[0])
            if not _overlaps(box, boxes) and _best_framed(mask, [box], p, bare=1):
                added.append(box)
    return np.concatenate([boxes, np.array(added, np.int32).reshape(-1, 4)])


def _repair_cut_boxes(boxes: NDArray[np.int32], mask: Mask, p: FormBoxParameters) -> NDArray[np.int32]:
    """Return the boxes at their full size where a stroke that runs into the frame has cut them."""
    usual = np.median(boxes[:, 2:], axis=0)
    rows = _clusters(boxes[:, 1] + boxes[:, 3] / 2, p.same_row * usual[1])
    found: list[Box] = []
    for row in set(rows.tolist()):
        members = boxes[rows == row]
        wide, tall = (int(v) for v in np.percentile(members[:, 2:], 75, axis=0))
        for box in members[np.argsort(-members[:, 2:].prod(1))]:
            left, top, w, h = (int(v) for v in box)
            new: Box = left, top, w, h
            if w < p.uncut * wide or h < p.uncut * tall:
                corners = ((x, y) for x in (left, left + w - wide) for y in (top, top + h - tall))
                new = _best_framed(mask, [(x, y, wide, tall) for x, y in corners], p) or new
            if not any(abs(new[0] - other[0]) < wide / 2 and abs(new[1] - other[1]) < tall / 2 for other in found):
                found.append(new)
    return np.array(found, np.int32)


def _extend_rows(boxes: NDArray[np.int32], mask: Mask, p: FormBoxParameters) -> NDArray[np.int32]:
    """Return the boxes with those that continue a row at the same pitch."""
    usual = np.median(boxes[:, 2:], axis=0)
    rows = _clusters(boxes[:, 1] + boxes[:, 3] / 2, p.same_row * usual[1])
    found = [tuple(int(v) for v in box) for box in boxes]
    for row in set(rows.tolist()):
        members = sorted(tuple(int(v) for v in box) for box in boxes[rows == row])
        steps = np.diff([box[0] for box in members])
        if len(members) < 2 or steps.min() < usual[0]:
            continue
        pitch = float(np.median(steps[steps < 1.4 * steps.min()]))
        waiting = list(members)
        while waiting:
            left, top, wide, tall = waiting.pop()
            for way in (-pitch, pitch):
                if any(abs(box[0] - left - way) < 0.5 * pitch for box in members):
                    continue
                shifts = (0.0, -p.pitch_tolerance * pitch, p.pitch_tolerance * pitch)
                new = _best_framed(mask, [(round(left + way + shift), top, wide, tall) for shift in shifts], p)
                if new and not _overlaps(new, np.array(found)):
                    members.append(new)
                    waiting.append(new)
                    found.append(new)
    return np.array(found, np.int32)


def _best_framed(mask: Mask, boxes: Sequence[Box], p: FormBoxParameters, bare: int = 0) -> Box | None:
    """Return the box whose sides, without the ``bare`` weakest, have most ink; None if none has enough."""
    best, most = None, p.side_ink
    height, width = mask.shape
    for box in boxes:
        left, top, wide, tall = box
        slack = max(3, round(0.06 * min(wide, tall)))
        if left < slack or top < slack or left + wide + slack > width or top + tall + slack > height:
            continue
        rows, columns = slice(top, top + tall), slice(left, left + wide)
        sides = (
            *(mask[y - slack : y + slack, columns].any(0) for y in (top, top + tall)),
            *(mask[rows, x - slack : x + slack].any(1) for x in (left, left + wide)),
        )
        inked = sorted(float(side.mean()) for side in sides)[bare]
        if inked > most:
            best, most = box, inked
    return best


def _overlaps(box: Box, others: NDArray[np.integer]) -> bool:
    """Return whether a box overlaps one of the others (N, 4) by a fifth of its width and of its height."""
    start = np.maximum(box[:2], others[:, :2])
    stop = np.minimum(np.add(box[:2], box[2:]), others[:, :2] + others[:, 2:])
    return bool((stop - start > 0.2 * np.array(box[2:])).all(1).any())


def _clusters(values: NDArray[np.float64], reach: float) -> NDArray[np.intp]:
    """Return the cluster index of each value (N,); sorted neighbours within ``reach`` share a cluster."""
    order = values.argsort()
    numbers = np.concatenate([[0], (np.diff(values[order]) > reach).cumsum()])
    out = np.empty(len(values), np.intp)
    out[order] = numbers
    return out


def _in_rows(boxes: NDArray[np.int32]) -> list[FormBox]:
    order = np.argsort(boxes[:, 1] + boxes[:, 3] / 2)
    rows: list[list[NDArray[np.int32]]] = []
    for box in boxes[order]:
        middle = box[1] + box[3] / 2
        for row in reversed(rows):  # most boxes belong to the last row
            near = min(row, key=lambda other: abs(int(other[0]) - int(box[0])))
            if abs(near[1] + near[3] / 2 - middle) < 0.5 * min(near[3], box[3]):
                row.append(box)
                break
        else:
            rows.append([box])
    found = []
    for number, row in enumerate(rows):
        for box in sorted(row, key=lambda box: int(box[0])):
            left, top, wide, tall = (int(v) for v in box)
            found.append(FormBox((left, top, wide, tall), number))
    return found


def box_contents(boxes: Sequence[FormBox], ink: Ink, parameters: FormBoxParameters | None = None) -> list[Mask]:
    """Return the writing in each box, uint8 (height, width) of its inside, without what is printed in all boxes."""
    p = parameters or FormBoxParameters()
    patches = [ink[top : top + tall, left : left + wide] for left, top, wide, tall in (box.inside for box in boxes)]
    printed = _printed(patches, p)
    strengths = np.array([np.percentile(patch, 98) for patch in patches])
    usual = float(np.percentile(strengths, 75))
    contents = []
    for patch, strongest in zip(patches, strengths, strict=True):
        tall, wide = patch.shape
        if printed is not None:
            there = cv2.resize(printed, (wide, tall), interpolation=cv2.INTER_LINEAR)
            patch = np.where(patch > p.printed_factor * there, patch, 0).astype(np.float32)
        level = max(p.ink_share * min(float(strongest), usual), 0.6 * p.ink_share * usual, p.faintest)
        contents.append(_clean(np.asarray((patch > level) * 255, np.uint8), p))
    return contents


def _printed(patches: Sequence[Ink], p: FormBoxParameters) -> Ink | None:
    """Return the ink that most boxes share, scaled to the median box; None for too few boxes or no such ink."""
    if len(patches) < p.many:
        return None
    wide, tall = (int(np.median([patch.shape[axis] for patch in patches])) for axis in (1, 0))
    alike = np.stack(
        [cv2.resize(patch, (max(wide, 4), max(tall, 4)), interpolation=cv2.INTER_AREA) for patch in patches]
    )
    shared = np.percentile(alike, 35, axis=0).astype(np.float32)
    shared = cv2.GaussianBlur(cv2.dilate(shared, np.ones((3, 3), np.uint8)), (3, 3), 0)
    return np.asarray(shared, np.float32) if float(shared.max()) > p.faintest else None


def _clean(mask: Mask, p: FormBoxParameters) -> Mask:
    """Return a box's ink without specks and without the rest of its frame."""
    tall, wide = mask.shape
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask)
    out = np.zeros_like(mask)
    for index in range(1, count):
        left, top, w, h, area = (int(v) for v in stats[index])
        if max(w, h) < p.smallest_mark * min(wide, tall) or area < 4:
            continue
        if left <= 1 or left + w >= wide - 1 or top <= 1 or top + h >= tall - 1:
            inner = labels[
                round(p.rim * tall) : round((1 - p.rim) * tall), round(p.rim * wide) : round((1 - p.rim) * wide)
            ]
            if np.count_nonzero(inner == index) < 0.4 * area:
                continue
        out[labels == index] = 255
    return out if max(cv2.boundingRect(out)[2:]) >= p.smallest_content * min(wide, tall) else np.zeros_like(mask)

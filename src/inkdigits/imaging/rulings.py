"""What is printed or ruled on a page around the writing: its tilt, ruled lines and frames, and drawn boxes."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from inkdigits.imaging.binarize import FAINTEST, Ink, Mask, stroke_width

SEARCH = 1000  # longer side of the page on which straight lines are searched, pixels
PLAIN_INK = 0.2  # of the paper's shade, from which on ink counts in full where they are searched
RUN = 15  # pixels at least along which a faint line is followed
FAINTEST_LINE = 0.02  # of the paper's shade that it takes
CLEAR = 6.0  # times the paper's noise, that a faint line stands out where nothing else tells of it
OF_BOXES = 3.5  # and where it may be the side of a box, which has three more
STEEPEST = 20.0  # degrees: a page tilted further is not straightened by its lines
EVIDENT = 2.0  # times the longer side of a page, that what is found of its lines is long together
SUSPECTED = 0.25  # and what is found of lines so faint that it has to be seen whether there are any
GAINED = 2.0  # times that side, the pixels on faint lines by which a page that is turned upright has more
BROAD = 1.3  # times as wide as a line a stroke is, where what is finer is taken away beside lines
COVERED = 0.5  # of its length that a line is seen on, at least
BESIDE = 12  # pixels above and below a line, in which the strokes that cross it are seen
TIED = 3  # lines that strokes may tie to one another, at most
WHOLE = 0.8  # of its length that ink lies on it, its own or that of strokes; on a row of digits less does
SLENDER = 23  # times as long as it is thick is a ruled line, not a stroke; twice that where it stands like a one
ACROSS, DOWN = 0.12, 0.3  # of the page's width and height that a ruled line spans at least; a one is tall and straight
SQUARE = 0.86  # of its bounding rectangle that the hull of a box's paper fills; an ellipse fills 0.785
LEAST_BOXES = 3  # that make a form
ALIKE = 0.45  # difference of the logarithms of their sides, at most
BOX_SHARE = 0.4  # of the strongest ink in a box that a pixel of writing has at least
SIDE = 0.8  # of the side of a box that is inked, where it is guessed
UNCUT = 0.9  # of the usual width and height of its row that a box has unless a stroke cuts it
ASIDE = 0.06  # of their pitch, by which the next box of a row may stand off
RIM = 0.13  # of a box's sides, where the rest of its frame may be
MANY_BOXES = 12  # from which on what they have in common is taken to be printed

Box = tuple[int, int, int, int]  # left, top, width, height, pixels


def tilt(ink: Ink) -> float:
    """Return by how many degrees the straight lines of a page fall to the right, in [-20, 20]; 0 without such lines."""
    scale = min(1.0, SEARCH / max(ink.shape))
    ink = np.asarray(cv2.resize(ink, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else ink)
    longest = max(ink.shape)
    small = cv2.convertScaleAbs(cv2.GaussianBlur(ink, (0, 0), 1.0), alpha=255 / PLAIN_INK)
    found = cv2.createLineSegmentDetector(cv2.LSD_REFINE_STD).detect(small)[0]
    if found is None:
        return 0.0
    ends = found.reshape(-1, 4)
    step = ends[:, 2:] - ends[:, :2]
    length = np.hypot(step[:, 0], step[:, 1])
    angle = np.degrees(np.arctan2(step[:, 1], step[:, 0]))
    angle = (angle + 45) % 90 - 45
    long = (length > max(9, 0.02 * longest)) & (np.abs(angle) <= STEEPEST)
    if not long.any():
        return 0.0
    order = np.argsort(angle[long])
    angles, weights = angle[long][order], length[long][order]
    near = np.abs(angles[:, None] - angles) < 1.5
    support = near @ weights
    best = int(support.argmax())
    if support[best] < SUSPECTED * longest:
        return 0.0
    fall = float(np.average(angles[near[best]], weights=weights[near[best]]))
    if support[best] < EVIDENT * longest:  # what is found of faint lines is short; upright, there must be more of them
        turn = cv2.getRotationMatrix2D((ink.shape[1] / 2, ink.shape[0] / 2), fall, 1.0)
        upright = cv2.warpAffine(ink, turn, ink.shape[::-1])
        gained = _on_faint_lines(np.asarray(upright, np.float32)) - _on_faint_lines(ink)
        return fall if gained > GAINED * longest else 0.0
    return fall


def _on_faint_lines(ink: Ink) -> int:
    """Return how many pixels of an upright page lie on faint lines, and not on strokes or their rims."""
    strokes = cv2.dilate(np.asarray((ink > PLAIN_INK) * np.uint8(255), np.uint8), np.ones((7, 7), np.uint8))
    return cv2.countNonZero(cv2.bitwise_and(faint_lines(ink), cv2.bitwise_not(strokes)))


def faint_lines(ink: Ink, clear: float = CLEAR, runs: int = 3) -> Mask:
    """Return the pixels (H, W) on an upright page's straight lines, across and down, however little of each shows.

    What a line has in common along a run of pixels stands out of the noise of the paper, ``clear`` times, where each of
    them does not; it is at least as many ``runs`` long.
    """
    found = np.zeros(ink.shape, np.uint8)
    longest = max(ink.shape)
    run, thick = max(RUN, round(0.015 * longest)), 2 * (longest // 300) + 5
    for turned in (False, True):
        along = cv2.blur(np.ascontiguousarray(ink.T) if turned else ink, (run, 1))
        ridge = cv2.morphologyEx(along, cv2.MORPH_TOPHAT, np.ones((thick, 1), np.uint8))
        level = max(FAINTEST_LINE, clear * float(np.median(ridge[::4, ::4])))
        wide = cv2.dilate(np.asarray((ridge > level) * np.uint8(255), np.uint8), np.ones((3, 1), np.uint8))
        lines = cv2.morphologyEx(wide, cv2.MORPH_OPEN, np.ones((1, runs * run), np.uint8))
        found |= np.asarray(lines.T if turned else lines, np.uint8)
    return found


def rules(mask: Mask) -> Mask:
    """Return the pixels (H, W) of an upright page's ruled lines and frames, also if they bend or tilt a little."""
    height, width = mask.shape
    found = np.zeros_like(mask)
    run = max(12, round(0.03 * max(height, width)))
    for turned in (False, True):
        ink, lines = (mask.T, found.T) if turned else (mask, found)
        whole = max(height, width / 2) if turned else max(width, height / 2)
        share, slender = (DOWN, 2 * SLENDER) if turned else (ACROSS, SLENDER)
        element = np.ones((1, run), np.uint8)
        opened = cv2.morphologyEx(cv2.dilate(ink, np.ones((3, 1), np.uint8)), cv2.MORPH_OPEN, element)
        joined = cv2.morphologyEx(opened, cv2.MORPH_CLOSE, element)
        count, labels, stats, _ = cv2.connectedComponentsWithStats(joined)
        for index in range(1, count):
            left, top, wide, tall, _ = (int(v) for v in stats[index])
            if wide >= share * whole:
                window = slice(max(0, top - BESIDE), top + tall + BESIDE), slice(left, left + wide)
                there = (labels[window] == index) & (opened[window] > 0)
                lines[window] |= _bands(there, ink[window], slender, share * whole)
    return found


def _bands(there: NDArray[np.bool_], ink: Mask, slender: float, least: float) -> Mask:
    """Return the ink (h, w) on the lines that run through ``there``; one with a kink or two bends by halves."""
    found = np.zeros_like(ink)
    width = there.shape[1]
    for _ in range(TIED):
        band = _straight(there, ink, slender) if there.any(0).mean() > COVERED else None
        if band is None:
            break
        found |= band
        there = there & (cv2.dilate(band, np.ones((9, 9), np.uint8)) == 0)
    if not found.any() and width >= 2 * least:
        for half in (np.s_[:, : width // 2], np.s_[:, width // 2 :]):
            found[half] = _bands(there[half], ink[half], slender, least)
    return found


def _straight(there: NDArray[np.bool_], ink: Mask, slender: float) -> Mask | None:
    """Return the ink (h, w) on the line that runs through most of ``there`` to the right; None where none does."""
    width = there.shape[1]
    column = there.sum(0)
    bare = (column > 0) & (column <= 1.5 * np.percentile(column[column > 0], 30) + 1)  # where no stroke is attached
    y, x = np.nonzero(there & bare)
    busiest = np.bincount(y, minlength=there.shape[0]).argmax()
    bend = _bend(x, y, width, (12.0, 6.0, 4.0, 3.0), np.ones(len(x), bool))
    if bend is None:  # strokes tie several lines to one another
        bend = _bend(x, y, width, (5.0, 4.0, 3.0), np.abs(y - busiest) <= 5)
    if bend is None:
        return None
    middle = np.polyval(bend, np.arange(width) / width - 0.5)
    away = np.abs(np.arange(there.shape[0])[:, None] - middle)
    inked = ink > 0
    covered = (inked & (away <= 10)).sum(0)
    thick = float(np.percentile(covered[covered > 0], 30)) if covered.any() else 0.0
    band = inked & (away <= thick / 2 + 1)
    if band.any(0).mean() < WHOLE or width < slender * max(1.5, thick + 0.5):
        return None
    crossed = (inked & (away <= 1.5 * thick + 2)).sum(0) > 1.6 * thick + 1  # by a stroke
    return np.asarray((band & ~crossed) * np.uint8(255), np.uint8)


def _bend(
    x: NDArray[np.intp], y: NDArray[np.intp], width: int, reaches: Sequence[float], near: NDArray[np.bool_]
) -> NDArray[np.float64] | None:
    """Return the parabola, in x / width - 0.5, through most of the points (N,) ``near`` it; None if through few."""
    scaled = x / width - 0.5
    for reach in reaches:
        if len(np.unique(x[near])) < 3:
            return None
        bend = np.polyfit(scaled[near], y[near], 2 if width > 60 else 1)
        near = np.abs(np.polyval(bend, scaled) - y) <= reach
        if len(np.unique(x[near])) < 0.3 * width:
            return None
    return bend


def without(mask: Mask, lines: Mask) -> Mask:
    """Return the ink that is left when lines are taken away; where a stroke crosses one, it is kept whole."""
    lines = lines & mask
    if not lines.any():
        return mask
    rest = cv2.bitwise_and(mask, cv2.bitwise_not(lines))
    distance = cv2.distanceTransform(lines, cv2.DIST_L2, 3)
    reach = int(np.ceil(2 * np.percentile(distance[distance > 0], 90))) + 1
    kept = np.zeros_like(mask)
    for vertical in (True, False):
        size = (reach + 1, 3) if vertical else (3, reach + 1)
        element = np.ones(size, np.uint8)
        anchor = (1, 0) if vertical else (0, 1)
        other = (1, reach) if vertical else (reach, 1)
        before, after = (np.asarray(cv2.dilate(rest, element, anchor=a), np.uint8) for a in (anchor, other))
        kept |= before & after & lines
    left = np.asarray(cv2.bitwise_or(rest, kept), np.uint8)
    thick = reach // 2 + 1
    if stroke_width(np.asarray(rest, np.uint8)) >= BROAD * thick:  # than which what is left of the lines is finer
        opened = cv2.morphologyEx(left, cv2.MORPH_OPEN, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (thick, thick)))
        strokes = cv2.dilate(opened, np.ones((3, 3), np.uint8))
        beside = cv2.dilate(lines, np.ones((2 * thick + 1, 2 * thick + 1), np.uint8))
        left = np.asarray(cv2.bitwise_and(left, cv2.bitwise_or(strokes, cv2.bitwise_not(beside))), np.uint8)
    near = cv2.dilate(lines, np.ones((2 * reach + 1, 2 * reach + 1), np.uint8))
    count, labels = cv2.connectedComponents(left)
    sizes = np.bincount(labels.ravel(), minlength=count)
    beside = np.bincount(labels[near > 0], minlength=count)
    scrap = beside > 0.8 * sizes  # what clings to a line is its rim
    scrap[0] = False
    left[scrap[labels]] = 0
    return left


@dataclass(frozen=True)
class Frame:
    """A drawn box on a page.

    Attributes
    ----------
    inside
        Its paper, without its lines.
    row
        Number of its row, from the top.
    """

    inside: Box
    row: int


def find_boxes(mask: Mask) -> list[Frame]:
    """Return the drawn boxes of an upright page, row by row from the left; none where there are under three alike.

    ``mask`` is uint8 (H, W), 255 on ink however faint, or on the lines that :func:`faint_lines` returns.
    """
    rectangles = _rectangles(mask)
    if len(rectangles) < LEAST_BOXES:
        return []
    sizes = rectangles[:, 2:].astype(float)
    alike = (np.abs(np.log(sizes[:, None] / sizes)) < ALIKE).all(2)
    # of boxes in boxes, the larger ones hold the writing, unless they hold several of the others
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
        if len(group) < LEAST_BOXES or np.median(held[group]) > 2:
            continue
        score = len(group) * float(np.sqrt(sizes[index].prod()))
        if score > best_score:
            best, best_score = group, score
    if not len(best):
        return []
    boxes = _mended(rectangles[best], mask)
    while True:  # a box that is found shows where others may be
        more = _continued(_completed(boxes, mask), mask)
        if len(more) == len(boxes):
            return _in_rows(boxes)
        boxes = more


def joined(frames: Sequence[Frame], others: Sequence[Frame]) -> list[Frame]:
    """Return the boxes with those of the others, row by row from the left, that are about as large and meet none."""
    boxes = np.array([frame.inside for frame in frames], np.int32)
    usual = np.median(boxes[:, 2:], axis=0)
    new = [frame.inside for frame in others if (np.abs(np.log(frame.inside[2:] / usual)) < ALIKE).all()]
    return _in_rows(np.array([*boxes, *(box for box in new if not _meets(box, boxes))], np.int32))


def _rectangles(mask: Mask) -> NDArray[np.int32]:
    """Return the rectangles (K, 4) of paper that lines close in, left, top, width, height."""
    height, width = mask.shape
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask)
    large = stats[:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]].max(1) >= max(8, 0.006 * max(height, width))
    large[0] = False
    lines = np.asarray(large[labels] * np.uint8(255), np.uint8)  # without the dust around the writing
    closed = cv2.morphologyEx(lines, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    contours, tree = cv2.findContours(closed, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    least = max(10.0, 0.008 * max(height, width))
    found = []
    for contour, (_, _, _, parent) in zip(contours, tree[0] if tree is not None else (), strict=True):
        if parent < 0:
            continue
        left, top, wide, tall = cv2.boundingRect(contour)
        if min(wide, tall) < least or max(wide, tall) > 2.5 * min(wide, tall) or wide > 0.5 * width:
            continue
        hull = cv2.convexHull(contour)
        area = cv2.contourArea(hull)
        if area < SQUARE * wide * tall or cv2.contourArea(contour) < 0.4 * area:
            continue
        found.append((left + 1, top + 1, wide - 2, tall - 2))
    return np.array(found, np.int32).reshape(-1, 4)


def _completed(boxes: NDArray[np.int32], mask: Mask) -> NDArray[np.int32]:
    """Return the boxes of a table with those whose frame is broken or crossed by strokes: where row and column meet."""
    middles = boxes[:, :2] + boxes[:, 2:] / 2
    usual = np.median(boxes[:, 2:], axis=0)
    columns, rows = (_clusters(middles[:, axis], 0.35 * usual[axis]) for axis in (0, 1))
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
            # the table may lean: its nearest boxes in this row and this column say where
            in_row, in_column = np.flatnonzero(rows == row), np.flatnonzero(columns == column)
            x0, y0 = np.median(middles[in_column, 0]), np.median(middles[in_row, 1])
            y = middles[in_row[np.abs(middles[in_row, 0] - x0).argmin()], 1]
            x = middles[in_column[np.abs(middles[in_column, 1] - y0).argmin()], 0]
            box = round(x - size[1] / 2), round(y - size[0] / 2), round(size[1]), round(size[0])
            if not _meets(box, boxes) and _framed(mask, [box], bare=1):
                added.append(box)
    return np.concatenate([boxes, np.array(added, np.int32).reshape(-1, 4)])


def _mended(boxes: NDArray[np.int32], mask: Mask) -> NDArray[np.int32]:
    """Return the boxes, whole where a stroke that runs into their frame cuts them."""
    usual = np.median(boxes[:, 2:], axis=0)
    rows = _clusters(boxes[:, 1] + boxes[:, 3] / 2, 0.35 * usual[1])
    found: list[Box] = []
    for row in set(rows.tolist()):
        members = boxes[rows == row]
        wide, tall = (int(v) for v in np.percentile(members[:, 2:], 75, axis=0))
        for box in members[np.argsort(-members[:, 2:].prod(1))]:
            left, top, w, h = (int(v) for v in box)
            new: Box = left, top, w, h
            if w < UNCUT * wide or h < UNCUT * tall:
                corners = ((x, y) for x in (left, left + w - wide) for y in (top, top + h - tall))
                new = _framed(mask, [(x, y, wide, tall) for x, y in corners]) or new
            if not any(abs(new[0] - other[0]) < wide / 2 and abs(new[1] - other[1]) < tall / 2 for other in found):
                found.append(new)
    return np.array(found, np.int32)


def _continued(boxes: NDArray[np.int32], mask: Mask) -> NDArray[np.int32]:
    """Return the boxes with those that stand, at the same pitch, where a row's frame goes on."""
    usual = np.median(boxes[:, 2:], axis=0)
    rows = _clusters(boxes[:, 1] + boxes[:, 3] / 2, 0.35 * usual[1])
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
                shifts = (0.0, -ASIDE * pitch, ASIDE * pitch)  # the pitch changes with the distance
                new = _framed(mask, [(round(left + way + shift), top, wide, tall) for shift in shifts])
                if new and not _meets(new, np.array(found)):
                    members.append(new)
                    waiting.append(new)
                    found.append(new)
    return np.array(found, np.int32)


def _framed(mask: Mask, boxes: Sequence[Box], bare: int = 0) -> Box | None:
    """Return the box of which all four sides, but for ``bare`` ones, are inked best; None where none is framed so."""
    best, most = None, SIDE
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


def _meets(box: Box, others: NDArray[np.integer]) -> bool:
    """Return whether a box shares a fifth of its sides' lengths, both ways, with one of the others (N, 4)."""
    start = np.maximum(box[:2], others[:, :2])
    stop = np.minimum(np.add(box[:2], box[2:]), others[:, :2] + others[:, 2:])
    return bool((stop - start > 0.2 * np.array(box[2:])).all(1).any())


def _clusters(values: NDArray[np.float64], reach: float) -> NDArray[np.intp]:
    """Return for every value (N,) the number of its cluster: neighbours within ``reach`` of one another share one."""
    order = values.argsort()
    numbers = np.concatenate([[0], (np.diff(values[order]) > reach).cumsum()])
    out = np.empty(len(values), np.intp)
    out[order] = numbers
    return out


def _in_rows(boxes: NDArray[np.int32]) -> list[Frame]:
    order = np.argsort(boxes[:, 1] + boxes[:, 3] / 2)
    rows: list[list[NDArray[np.int32]]] = []
    for box in boxes[order]:
        middle = box[1] + box[3] / 2
        for row in reversed(rows):  # most belong to the last
            near = min(row, key=lambda other: abs(int(other[0]) - int(box[0])))
            if abs(near[1] + near[3] / 2 - middle) < 0.5 * min(near[3], box[3]):
                row.append(box)
                break
        else:
            rows.append([box])
    frames = []
    for number, row in enumerate(rows):
        for box in sorted(row, key=lambda box: int(box[0])):
            left, top, wide, tall = (int(v) for v in box)
            frames.append(Frame((left, top, wide, tall), number))
    return frames


def box_contents(frames: Sequence[Frame], ink: Ink) -> list[Mask]:
    """Return for every box the pixels (height, width) of the writing in it, without what is printed in all of them."""
    patches = [ink[top : top + tall, left : left + wide] for left, top, wide, tall in (f.inside for f in frames)]
    printed = _printed(patches)
    strengths = np.array([np.percentile(patch, 98) for patch in patches])
    usual = float(np.percentile(strengths, 75))
    contents = []
    for patch, strongest in zip(patches, strengths, strict=True):
        tall, wide = patch.shape
        if printed is not None:
            there = cv2.resize(printed, (wide, tall), interpolation=cv2.INTER_LINEAR)
            patch = np.where(patch > 1.6 * there, patch, 0).astype(np.float32)
        level = max(BOX_SHARE * min(float(strongest), usual), 0.6 * BOX_SHARE * usual, FAINTEST)
        contents.append(_cleaned(np.asarray((patch > level) * 255, np.uint8)))
    return contents


def _printed(patches: Sequence[Ink]) -> Ink | None:
    """Return the ink that most boxes share, on the median box; None where it cannot be told from writing."""
    if len(patches) < MANY_BOXES:
        return None
    wide, tall = (int(np.median([patch.shape[axis] for patch in patches])) for axis in (1, 0))
    alike = np.stack([cv2.resize(p, (max(wide, 4), max(tall, 4)), interpolation=cv2.INTER_AREA) for p in patches])
    shared = np.percentile(alike, 35, axis=0).astype(np.float32)
    shared = cv2.GaussianBlur(cv2.dilate(shared, np.ones((3, 3), np.uint8)), (3, 3), 0)
    return np.asarray(shared, np.float32) if float(shared.max()) > FAINTEST else None


def _cleaned(mask: Mask) -> Mask:
    """Return a box's ink without specks and without what clings to its sides."""
    tall, wide = mask.shape
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask)
    out = np.zeros_like(mask)
    for index in range(1, count):
        left, top, w, h, area = (int(v) for v in stats[index])
        if max(w, h) < 0.1 * min(wide, tall) or area < 4:
            continue
        if left <= 1 or left + w >= wide - 1 or top <= 1 or top + h >= tall - 1:
            inner = labels[round(RIM * tall) : round((1 - RIM) * tall), round(RIM * wide) : round((1 - RIM) * wide)]
            if np.count_nonzero(inner == index) < 0.4 * area:
                continue
        out[labels == index] = 255
    return out if max(cv2.boundingRect(out)[2:]) >= 0.2 * min(wide, tall) else np.zeros_like(mask)

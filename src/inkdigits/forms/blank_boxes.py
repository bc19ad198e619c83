"""The boxes of a blank sheet, and the fields that they seem to be.

Boxes of one size side by side are the digits of a number, small squares are options to tick, and a wide box is a number
without boxes for its digits. People correct what is proposed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from inkdigits.forms.blanks import SCALE, Blank
from inkdigits.forms.fields import AnyField, Choice, Digits, Number, TextField
from inkdigits.forms.pages import Box
from inkdigits.forms.placement import hull_of
from inkdigits.imaging.rectangles import Corners


@dataclass(frozen=True)
class ProposalParameters:
    """What a box is for. Lengths are in millimetres."""

    frame: float = 0.9  # of the page's width and height; a larger rectangle is a frame around all
    line: float = 0.2  # half of the thickness of the lines around a box
    digit: tuple[float, float] = (14.0, 18.0)  # width and height of a box for one digit, at most
    slender: float = 2.6  # longer over shorter side of a box for one digit, at most
    figure: int = 2  # boxes that a figure in a box for one digit draws, at most, as an 8 does
    middle: float = 0.2  # of the box's sides that the figure stands beside its middle, at most
    tick: float = 6.5  # side of a box to tick, at most
    square: float = 1.25  # longer over shorter side of a box to tick, at most
    tall: float = 22.0  # height of a box for a number, at most; a higher one is for text
    alike: float = 0.2  # difference of the sizes of the boxes of one number, at most, as a share
    gap: float = 0.4  # widths of paper between the boxes of one number, at most
    options: float = 45.0  # of paper between two boxes to tick of one choice, at most
    inset: float = 0.7  # from the lines of a box; print that is further inside is in the box
    letter: float = 1.0  # length of a piece of print, at least
    same: float = 0.6  # correlation of the print of two boxes, at least, if it shows where to write


@dataclass(frozen=True)
class Proposal:
    """The fields of a page, and how many boxes were left out because something is printed in them."""

    fields: tuple[AnyField, ...]
    labels: int


def propose(blank: Blank, counts: dict[str, int], parameters: ProposalParameters | None = None) -> Proposal:
    """Return the fields that the boxes of a page seem to be, in reading order.

    Parameters
    ----------
    counts
        The number of fields of each kind so far, which names the next one; it is changed.
    """
    p = parameters or ProposalParameters()
    boxes = _boxes(blank, p)
    cells = [box for box in boxes if _is_cell(box, p)]
    wide = [box for box in boxes if not _is_cell(box, p)]
    groups = list(_runs(cells, p))
    single = [group[0] for group in groups if len(group) == 1 and _is_tick(group[0], p)]
    found: list[tuple[str, list[Box]]] = [("choice", group) for group in _choices(single, p)]
    found += [("digits", group) for group in groups if len(group) > 1 or not _is_tick(group[0], p)]
    found += [("text" if box.height > p.tall else "number", [box]) for box in wide]
    kept = [(kind, group) for kind, group in found if not _is_label(blank, group, p)]
    labels = sum(len(group) for _, group in found) - sum(len(group) for _, group in kept)
    fields = []
    for kind, group in _in_reading_order(kept):
        counts[kind] = counts.get(kind, 0) + 1
        fields.append(_field(kind, f"{kind}_{counts[kind]}", blank.page.number, group))
    return Proposal(tuple(fields), labels)


def _field(kind: str, name: str, page: int, boxes: Sequence[Box]) -> AnyField:
    places = tuple((round(box.left, 2), round(box.top, 2), round(box.width, 2), round(box.height, 2)) for box in boxes)
    if kind == "digits":
        return Digits(name=name, page=page, boxes=places, length=len(places))
    if kind == "choice":
        options = tuple(str(number) for number in range(1, len(places) + 1))
        return Choice(name=name, page=page, boxes=places, options=options, optional=True)
    if kind == "text":
        return TextField(name=name, page=page, boxes=places, optional=True)
    return Number(name=name, page=page, boxes=places, optional=True)


def _boxes(blank: Blank, p: ProposalParameters) -> list[Box]:
    """Return the boxes of a page, without frames around others, and without figures that show how to write."""
    boxes = [
        box
        for box in boxes_of(blank.rectangles, p.line)
        if box.width < p.frame * blank.page.width or box.height < p.frame * blank.page.height
    ]
    return innermost(outer_figures(boxes, p))


def boxes_of(rectangles: Corners, line: float = 0.0) -> list[Box]:
    """Return level rectangles (K, 4, 2) as boxes that are larger by ``line`` on each side."""
    lows, highs = rectangles.min(1) - line, rectangles.max(1) + line
    return [Box(*low, *(high - low)) for low, high in zip(lows.tolist(), highs, strict=True)]


def outer_figures(boxes: Sequence[Box], parameters: ProposalParameters | None = None) -> list[Box]:
    """Return boxes without those of a figure that shows how to write, in a box for one digit.

    Such a box holds one or two others, as an 8 has two; a frame around fields holds more.
    """
    p = parameters or ProposalParameters()
    held = {index: [inner for inner in boxes if _holds(outer, inner)] for index, outer in enumerate(boxes)}
    figures = [
        inner
        for index, outer in enumerate(boxes)
        if 1 <= len(held[index]) <= p.figure and _slender(outer) <= p.slender
        for inner in held[index]
        if _is_middle(outer, held[index], p)
    ]
    return [box for box in boxes if box not in figures]


def innermost(boxes: Sequence[Box]) -> list[Box]:
    """Return the boxes that hold no other."""
    return [box for box in boxes if not any(_holds(box, other) for other in boxes)]


def _is_middle(outer: Box, inner: Sequence[Box], p: ProposalParameters) -> bool:
    """Return whether what a box holds stands in its middle."""
    hull = hull_of(tuple(inner))
    across = abs(hull.left + hull.width / 2 - outer.left - outer.width / 2) / outer.width
    down = abs(hull.top + hull.height / 2 - outer.top - outer.height / 2) / outer.height
    return max(across, down) <= p.middle


def _holds(outer: Box, inner: Box) -> bool:
    x, y = inner.left + inner.width / 2, inner.top + inner.height / 2
    smaller = inner.width * inner.height < outer.width * outer.height
    return smaller and outer.left < x < outer.right and outer.top < y < outer.bottom


def _slender(box: Box) -> float:
    return max(box.width, box.height) / min(box.width, box.height)


def _is_cell(box: Box, p: ProposalParameters) -> bool:
    return box.width <= p.digit[0] and box.height <= p.digit[1] and _slender(box) <= p.slender


def _is_tick(box: Box, p: ProposalParameters) -> bool:
    return max(box.width, box.height) <= p.tick and _slender(box) <= p.square


def _runs(cells: Sequence[Box], p: ProposalParameters) -> Iterator[list[Box]]:
    """Yield the boxes in groups: of one size, side by side."""
    rest = sorted(cells, key=lambda box: box.left)
    while rest:
        group = [rest.pop(0)]
        while True:
            following = next((box for box in rest if _continues(group[-1], box, p)), None)
            if following is None:
                break
            rest.remove(following)
            group.append(following)
        yield group


def _continues(box: Box, other: Box, p: ProposalParameters) -> bool:
    alike = all(abs(a - b) <= p.alike * max(a, b) for a, b in ((box.width, other.width), (box.height, other.height)))
    level = abs(box.top + box.height / 2 - other.top - other.height / 2) <= p.alike * box.height
    return alike and level and -0.5 * box.width < other.left - box.right <= p.gap * box.width


def _choices(ticks: Sequence[Box], p: ProposalParameters) -> Iterator[list[Box]]:
    """Yield boxes to tick in groups: on one line, or one below the other."""
    rows: list[list[Box]] = []
    for box in sorted(ticks, key=lambda box: box.left):
        for row in rows:
            last = row[-1]
            if abs(last.top - box.top) <= 0.5 * box.height and box.left - last.right <= p.options:
                row.append(box)
                break
        else:
            rows.append([box])
    columns: list[list[Box]] = []
    for row in sorted(rows, key=lambda row: row[0].top):
        if columns and len(row) == 1 and _is_below(columns[-1], row[0]):
            columns[-1].append(row[0])
        else:
            columns.append(row)
    yield from columns


def _is_below(column: Sequence[Box], box: Box) -> bool:
    """Return whether a box continues a column of boxes."""
    last = column[-1]
    level = all(abs(other.left - box.left) <= 1.0 for other in column)
    return level and box.top - last.bottom <= 1.5 * last.height


def _is_label(blank: Blank, boxes: Sequence[Box], p: ProposalParameters) -> bool:
    """Return whether a text is printed in boxes, and not in each the same figure that shows how to write."""
    patches = [_inside(blank, box, p) for box in boxes]
    printed = [patch for patch in patches if _has_print(patch, p)]
    if not printed:
        return False
    if len(printed) < 2 or len(printed) < len(patches):
        return True
    first, *others = [cv2.resize(patch, (24, 24), interpolation=cv2.INTER_AREA).ravel() for patch in printed]
    return any(float(np.corrcoef(first, other)[0, 1]) < p.same for other in others)


def _inside(blank: Blank, box: Box, p: ProposalParameters) -> np.ndarray:
    left, top = round((box.left + p.inset) * SCALE), round((box.top + p.inset) * SCALE)
    right, bottom = round((box.right - p.inset) * SCALE), round((box.bottom - p.inset) * SCALE)
    return blank.ink[max(0, top) : max(top + 1, bottom), max(0, left) : max(left + 1, right)]


def _has_print(patch: np.ndarray, p: ProposalParameters) -> bool:
    mask = np.asarray((patch > 0.15) * np.uint8(255), np.uint8)
    _, _, stats, _ = cv2.connectedComponentsWithStats(mask)
    return any(max(wide, tall) >= p.letter * SCALE for _, _, wide, tall, _ in stats[1:].tolist())


def _in_reading_order(groups: Sequence[tuple[str, list[Box]]]) -> list[tuple[str, list[Box]]]:
    """Return groups line by line from the top, each from the left."""
    rest = sorted(groups, key=lambda one: hull_of(tuple(one[1])).top)
    out: list[tuple[str, list[Box]]] = []
    while rest:
        first = hull_of(tuple(rest[0][1]))
        middle = first.top + first.height / 2
        line = [one for one in rest if hull_of(tuple(one[1])).top < middle]
        rest = [one for one in rest if one not in line]
        out += sorted(line, key=lambda one: one[1][0].left)
    return out

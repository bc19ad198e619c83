"""From a design to pages: places every box and text. Nothing is drawn here.

The printer draws what is placed, and the reader looks for it at the same places.
"""

import hashlib

import msgspec

from inkdigits.errors import UsageError
from inkdigits.forms.design import Design
from inkdigits.forms.fields import AnyField, Choice, Date, DigitField, Rows
from inkdigits.forms.flow import SIDE, Flow
from inkdigits.forms.pages import CODE_RIM, CODE_SIZE, NOWHERE, Box, PlacedField, PlacedPage, Placement

CLEARANCE = 0.5  # mm that two fields must be apart


def place(design: Design) -> Placement:
    """Place the fields of a form on its pages, from top to bottom in the order of the design.

    Raises
    ------
    UsageError
        When a field does not fit, stands outside the page or on another one, has too few or too many boxes, or there
        are too many pages.
    """
    if design.blank:
        pages = on_blank(design)
    else:
        pages = tuple(Flow(design).pages())
        for page in pages:
            _require_apart(page)
    return Placement(design, _layout_hash(design, pages), pages)


def on_blank(design: Design) -> tuple[PlacedPage, ...]:
    """Return the pages of a form that exists already: its fields have places. Raises as :func:`place` does."""
    fields: dict[int, list[PlacedField]] = {number: [] for number in range(1, len(design.blank) + 1)}
    for one in design.fields:
        assert not isinstance(one, Rows)  # which has no boxes, so the design refuses it
        if one.page not in fields:
            raise UsageError(f"the field {one.name} is on page {one.page}, and the blank has {len(fields)}")
        expected = boxes_needed(one)
        if len(one.boxes) != expected:
            raise UsageError(f"the field {one.name} needs {expected} boxes and has {len(one.boxes)}; correct its boxes")
        fields[one.page].append(PlacedField(one.name, one, tuple(Box(*box) for box in one.boxes)))
    pages = []
    for number, sheet in enumerate(design.blank, 1):
        width, height = sheet.size
        for index, placed in enumerate(fields[number]):
            hull = hull_of(placed.boxes)
            if hull.right > width or hull.bottom > height:
                raise UsageError(f"the field {placed.name} reaches out of page {number}; place it within the page")
            for other in fields[number][:index]:
                if any(box.overlaps(taken, -CLEARANCE) for box in placed.boxes for taken in other.boxes):
                    raise UsageError(f"the field {placed.name} overlaps the field {other.name}; move one of them")
        pages.append(PlacedPage(number, width, height, tuple(fields[number]), (), (), NOWHERE, NOWHERE, NOWHERE))
    return tuple(pages)


def boxes_needed(one: AnyField) -> int:
    """Return the number of boxes of a field."""
    if isinstance(one, DigitField):
        return one.digits
    return len(one.options) if isinstance(one, Choice) else 1


def _layout_hash(design: Design, pages: tuple[PlacedPage, ...]) -> str:
    places = [
        (page.number, one.name, one.field.kind, _meaning(one.field), [_rounded(box) for box in one.boxes])
        for page in pages
        for one in page.fields
    ]
    marks = [(mark.id, _rounded(mark.box)) for mark in pages[0].marks]
    content = msgspec.json.encode((design.paper, marks, places))
    return hashlib.sha256(content).hexdigest()[:6].upper()


def _rounded(box: Box) -> tuple[float, ...]:
    return tuple(round(value, 2) + 0.0 for value in (box.left, box.top, box.width, box.height))


def _meaning(one: AnyField) -> tuple[str, ...]:
    """Return what the boxes of a field mean, which a change of its range or check does not alter."""
    if isinstance(one, Choice):
        return one.options
    if isinstance(one, Date):
        return (one.format,)
    return (one.pattern,) if isinstance(one, DigitField) else ()


def _require_apart(page: PlacedPage) -> None:
    """Raise UsageError when a field reaches over the page's printed area, a mark, the code or another field."""
    area = Box(SIDE / 2, SIDE / 2, page.width - SIDE, page.height - SIDE)
    rim = Box(page.code.left - CODE_RIM, page.code.top - CODE_RIM, CODE_SIZE + 2 * CODE_RIM, CODE_SIZE + 2 * CODE_RIM)
    taken = [(f"the mark in the corner {mark.id + 1}", mark.box) for mark in page.marks]
    for one in page.fields:
        hull = hull_of(one.boxes)
        if hull.left < area.left or hull.top < area.top or hull.right > area.right or hull.bottom > area.bottom:
            raise UsageError(f"the field {one.name} reaches out of page {page.number}; place it within the page")
        if hull.overlaps(rim):
            raise UsageError(f"the field {one.name} overlaps the QR code on page {page.number}; move it")
        for name, other in taken:
            if hull.overlaps(other, CLEARANCE):
                raise UsageError(f"the field {one.name} overlaps {name} on page {page.number}; move one of them")
        taken.append((f"the field {one.name}", hull))
    for one in page.fields:
        hull = hull_of(one.boxes)
        for text in page.texts:
            if hull.overlaps(text.box) and any(box.overlaps(text.box) for box in one.boxes):
                raise UsageError(
                    f"the field {one.name} covers the text {text.text[:40]!r} on page {page.number}; move one of them"
                )


def hull_of(boxes: tuple[Box, ...]) -> Box:
    """Return the smallest rectangle around all of ``boxes``."""
    left, top = min(box.left for box in boxes), min(box.top for box in boxes)
    return Box(left, top, max(box.right for box in boxes) - left, max(box.bottom for box in boxes) - top)

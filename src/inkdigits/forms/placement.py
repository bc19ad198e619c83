"""From a design to pages: places every box and text. Nothing is drawn here.

The printer draws what is placed, and the reader looks for it at the same places.
"""

import hashlib

import msgspec

from inkdigits.errors import UsageError
from inkdigits.forms.design import AnyField, Choice, Date, Design, DigitField
from inkdigits.forms.flow import SIDE, Flow
from inkdigits.forms.pages import CODE_RIM, CODE_SIZE, Box, PlacedPage, Placement

CLEARANCE = 0.5  # mm that two fields must be apart


def place(design: Design) -> Placement:
    """Place the fields of a form on its pages, from top to bottom in the order of the design.

    Raises
    ------
    UsageError
        When a field does not fit, stands outside the page or on another one, or there are too many pages.
    """
    pages = tuple(Flow(design).pages())
    for page in pages:
        _require_apart(page)
    return Placement(design, _layout_hash(design, pages), pages)


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

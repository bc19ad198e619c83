"""Writing above a box is seen, and strokes that reach out of a box are not taken for it."""

import cv2
import numpy as np
import pytest

from inkdigits.forms.design import parse_design
from inkdigits.forms.flattening import PlacedBox
from inkdigits.forms.notes import written_above
from inkdigits.forms.placement import place

SCALE = 8
PAGE = place(
    parse_design(
        'name = "a"\ntitle = "A"\n'
        'fields = [{kind = "digits", name = "first", length = 3}, {kind = "digits", name = "second", length = 3}, '
        '{kind = "rows", name = "rows", count = 2, fields = [{kind = "digits", name = "c", length = 3}]}]'
    )
).pages[0]
MATRIX = np.array([[1.0, 0, 0], [0, 1, 0]])


def noted(name: str, top: float, bottom: float) -> list[bool]:
    """Above which boxes of a field something is seen, with a stroke from ``top`` to ``bottom`` mm above its second."""
    field = next(field for field in PAGE.fields if field.name == name)
    boxes = [PlacedBox(field, index, box, MATRIX) for index, box in enumerate(field.boxes)]
    ink = np.zeros((round(PAGE.height * SCALE), round(PAGE.width * SCALE)), np.float32)
    box = field.boxes[1]
    points = np.array([(box.left + 3, box.top - top), (box.left + 3, box.top - bottom)])
    cv2.polylines(ink, [np.round(points * SCALE).astype(np.int32)], False, 0.8, 3)
    return written_above(ink, boxes, PAGE, SCALE, usual=0.8)


def test_a_stroke_above_a_box_is_a_note_of_that_box() -> None:
    assert noted("second", 3.6, 1.2) == [False, True, False]


@pytest.mark.parametrize(("top", "bottom"), [(1.4, -5.0), (7.5, 3.5), (2.5, 2.2)])
def test_strokes_that_reach_out_of_a_box_and_dots_are_no_notes(top: float, bottom: float) -> None:
    assert noted("second", top, bottom) == [False, False, False]


def test_in_a_table_there_is_no_room_for_notes() -> None:
    assert noted("rows.2.c", 3.6, 1.2) == [False, False, False]  # that stroke stands in the box above

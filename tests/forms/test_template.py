"""A blank becomes a design: its boxes are found where they stand, and are proposed as fields of the right kinds."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from inkdigits.errors import UsageError
from inkdigits.forms.blanks import load_blanks
from inkdigits.forms.design import load_design, parse_design
from inkdigits.forms.pages import Placement
from inkdigits.forms.placement import place
from inkdigits.forms.template import read_sheets, write_template
from tests.forms.blank_forms import CELLS, NUMBER, TICKS, WIDE, WIDTH, empty_form, print_text, rectangle
from tests.forms.sheets import SCALE, Box, Picture


def test_rows_of_boxes_ticks_and_wide_boxes_become_fields_at_their_places(template: Placement) -> None:
    fields = list(template.design.fields)
    assert [field.kind for field in fields] == ["digits", *["digits"] * 6, "choice", "number"]
    assert [len(field.boxes) for field in fields] == [6, *[3] * 6, 2, 1]
    expected = [*NUMBER, *(box for boxes in CELLS.values() for box in boxes), *TICKS, WIDE]
    found = [box for field in fields for box in field.boxes]
    for box, other in zip(expected, found, strict=True):
        assert np.abs(np.array((box.left, box.top, box.width, box.height)) - other).max() < 0.5  # mm


def proposed(page: Picture, folder: Path) -> list[tuple[str, int]]:
    cv2.imwrite(str(folder / "blank.png"), page)
    made = write_template(read_sheets(folder / "blank.png", page.shape[1] / SCALE), folder / "form.toml")
    return [(field.kind, len(field.boxes)) for field in made.fields]


def paper() -> Picture:
    return np.full((round(60 * SCALE), round(120 * SCALE)), 250, np.uint8)


def test_a_box_with_a_text_is_a_label_and_a_frame_around_boxes_is_none(tmp_path: Path) -> None:
    page = paper()
    rectangle(page, Box(5, 5, 110, 50))
    rectangle(page, Box(10, 10, 40, 9))
    print_text(page, "Name", 12, 17)
    for number in range(4):
        rectangle(page, Box(60 + 8 * number, 10, 8, 9))
    assert proposed(page, tmp_path) == [("digits", 4)]


def test_boxes_with_a_printed_figure_that_shows_how_to_write_are_digits(tmp_path: Path) -> None:
    page = paper()
    for number in range(4):
        rectangle(page, Box(20 + 12 * number, 20, 10, 11), 150)
        rectangle(page, Box(23 + 12 * number, 22.5, 4, 3), 170)
        rectangle(page, Box(23 + 12 * number, 25.5, 4, 3), 170)
    assert proposed(page, tmp_path) == [("digits", 4)]


def test_a_skewed_blank_is_turned_level(tmp_path: Path) -> None:
    page = empty_form()
    matrix = cv2.getRotationMatrix2D((page.shape[1] / 2, page.shape[0] / 2), 1.5, 1.0)
    turned = cv2.warpAffine(page, matrix, page.shape[::-1], borderValue=250)
    assert proposed(np.asarray(turned, np.uint8), tmp_path)[:3] == [("digits", 6), ("digits", 3), ("digits", 3)]


def test_a_blank_without_boxes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no box is found"):
        proposed(paper(), tmp_path)
    assert not (tmp_path / "form.toml").exists()


def test_the_blank_must_be_there_and_unchanged(template_folder: Path, tmp_path: Path) -> None:
    placement = place(load_design(template_folder / "station.toml"))
    with pytest.raises(UsageError, match="does not exist"):
        load_blanks(placement, tmp_path)
    name = placement.design.blank[0].file
    (tmp_path / name).write_bytes((template_folder / name).read_bytes() + b"more")
    with pytest.raises(UsageError, match="was changed"):
        load_blanks(placement, tmp_path)


BLANK = f'name="a"\ntitle="a"\n[[blank]]\nfile="a.png"\nsha256="{"0" * 64}"\nsize=[{WIDTH}, 100.0]\n'


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ('{kind="digits",name="x",length=2,boxes=[[1,1,7,9]]}', "x needs 2 boxes and has 1"),
        ('{kind="digits",name="x",length=1,boxes=[[145,1,7,9]]}', "x reaches out of page 1"),
        ('{kind="digits",name="x",length=1,page=2,boxes=[[1,1,7,9]]}', "x is on page 2, and the blank has 1"),
        (
            '{kind="number",name="x",boxes=[[1,1,20,9]]},{kind="text",name="y",boxes=[[9,3,20,9]]}',
            "y overlaps the field x",
        ),
    ],
)
def test_fields_that_cannot_be_on_the_blank_are_named(fields: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        place(parse_design(f"fields=[{fields}]\n{BLANK}"))


def test_only_a_form_with_a_blank_has_boxes_and_numbers() -> None:
    with pytest.raises(ValueError, match="needs boxes"):
        parse_design(f'fields=[{{kind="digits",name="x",length=2}}]\n{BLANK}')
    for field in ('{kind="digits",name="x",length=1,boxes=[[1,1,7,9]]}', '{kind="number",name="x"}'):
        with pytest.raises(ValueError, match="boxes"):
            parse_design(f'name="a"\ntitle="a"\nfields=[{field}]')

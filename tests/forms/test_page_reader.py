"""A printed page, filled with real digits, comes back field by field; what is no page of the form is named."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from inkdigits.forms.design import parse_design
from inkdigits.forms.locating import WrongFormError
from inkdigits.forms.page_reader import PageRead, PageReader
from inkdigits.forms.pages import Placement
from inkdigits.forms.placement import place
from inkdigits.forms.registration import BlankPageError, NoFormError, SeveralSheetsError
from tests.forms.sheets import ANSWERS, DESIGN, SCALE, VALUES, Pen, Picture, box_of, cross, fill


def values(read: PageRead) -> dict[str, str]:
    return {one.name: one.values.value for one in read.fields if one.values is not None}


def tilted(page: Picture) -> Picture:
    """In perspective, on a dark desk."""
    height, width = page.shape
    source = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    target = source * 0.9 + np.array([[90, 60], [30, 100], [70, 70], [20, 90]], np.float32)
    matrix = cv2.getPerspectiveTransform(source, target)
    return np.asarray(cv2.warpPerspective(page, matrix, (width, height), borderValue=90), np.uint8)


def without_a_mark(page: Picture) -> Picture:
    out = page.copy()
    out[: round(22 * SCALE), : round(22 * SCALE)] = 255
    return out


def shrunk_in_print(page: Picture) -> Picture:
    """97 % of its size, moved to a side, as a copier does."""
    matrix = np.array([[0.97, 0, 3 * SCALE], [0, 0.97, 8 * SCALE]])
    return np.asarray(cv2.warpAffine(page, matrix, page.shape[::-1], borderValue=255), np.uint8)


def with_margins_cut(page: Picture) -> Picture:
    cut = round(9 * SCALE)
    return page[cut:-cut, cut:-cut]


@pytest.mark.parametrize(
    "change",
    [
        lambda page: page,
        lambda page: np.rot90(page, 2),
        lambda page: np.rot90(page),
        tilted,
        without_a_mark,
        shrunk_in_print,
        with_margins_cut,
        lambda page: np.repeat(page[..., None], 3, 2),
    ],
    ids=["scanned", "upside down", "on its side", "in perspective", "one mark hidden", "97 %", "cut", "colour"],
)
def test_a_filled_page_is_read_in_any_state(
    change: Callable[[Picture], Picture], reader: PageReader, filled: Picture
) -> None:
    read = reader.read(change(filled))
    assert read.payload.copy == 3
    assert values(read) == VALUES
    assert all(one.values is None or one.values.confidence > 0.9 for one in read.fields)


def test_boxes_are_given_on_the_picture_that_was_read(reader: PageReader, filled: Picture, form: Placement) -> None:
    read = reader.read(np.rot90(filled, 2))
    box = next(one for one in read.fields if one.name == "first").box
    first, last = box_of(form.pages[0], "first", 0), box_of(form.pages[0], "first", 1)
    width, height = form.pages[0].width, form.pages[0].height
    expected = (width - last.right, height - last.bottom, last.right - first.left, first.height)
    assert np.abs(np.array(box) - np.array(expected) * SCALE).max() <= 3


def test_a_field_of_text_comes_back_as_a_picture(reader: PageReader, filled: Picture) -> None:
    remark = next(one for one in reader.read(filled).fields if one.name == "remark")
    assert remark.values is None
    picture = cv2.imdecode(np.frombuffer(remark.picture, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert picture.shape == (80, 800)  # 10 x 100 mm


def test_a_digit_that_is_crossed_out_makes_its_field_doubtful(
    reader: PageReader, filled: Picture, form: Placement
) -> None:
    page = filled.copy()
    cross(page, box_of(form.pages[0], "account", 2), times=2)
    account = next(one for one in reader.read(page).fields if one.name == "account")
    assert account.values is not None
    assert account.values.confidence < 0.5
    assert list(account.doubts) == [2]


def test_a_digit_above_a_box_makes_its_field_doubtful(
    reader: PageReader, filled: Picture, form: Placement, pen: Pen
) -> None:
    page = filled.copy()
    box = box_of(form.pages[0], "first", 0)
    pen.write(page, type(box)(box.left, box.top - 4.4, box.width, 4.2), "5", height=0.75)
    first = next(one for one in reader.read(page).fields if one.name == "first")
    assert first.doubts == {0: "written_above"}


def other_form(blank: Picture, reader: PageReader, change: tuple[str, str]) -> str:
    other = PageReader(place(parse_design(DESIGN.replace(*change))), reader._boxes)
    with pytest.raises(WrongFormError) as error:
        other.read(blank)
    return str(error.value)


def test_a_page_of_another_form_or_version_is_named(reader: PageReader, blank: Picture) -> None:
    assert "form 'small', not of 'other'" in other_form(blank, reader, ('name = "small"', 'name = "other"'))
    assert "version 1." in other_form(blank, reader, ("title =", "version = 2\ntitle ="))
    assert "version 1." in other_form(blank, reader, ("length = 6", "length = 8"))  # another layout


def test_a_blank_page_and_a_picture_without_a_form_are_told_apart(reader: PageReader) -> None:
    paper = np.full((1754, 1240), 250, np.uint8)
    with pytest.raises(BlankPageError):
        reader.read(paper)
    cv2.putText(paper, "a letter", (200, 700), cv2.FONT_HERSHEY_SIMPLEX, 6, 0, 14)
    with pytest.raises(NoFormError, match="neither a QR code nor the corner marks"):
        reader.read(paper)


def test_two_sheets_on_one_picture_are_refused(reader: PageReader, filled: Picture) -> None:
    with pytest.raises(SeveralSheetsError, match="2 sheets"):
        reader.read(np.hstack([filled, filled]))


def test_a_page_whose_code_is_hidden_is_named(reader: PageReader, filled: Picture, form: Placement) -> None:
    page = filled.copy()
    code = form.pages[0].code
    page[round(code.top * SCALE) : round(code.bottom * SCALE), round(code.left * SCALE) : round(code.right * SCALE)] = (
        90
    )
    with pytest.raises(NoFormError, match="its QR code cannot be read"):
        reader.read(page)


def test_boxes_that_are_not_where_the_marks_say_are_not_read(
    reader: PageReader, blank: Picture, form: Placement
) -> None:
    page = blank.copy()
    top, bottom = round(40 * SCALE), round(270 * SCALE)
    page[top:bottom] = np.roll(page[top:bottom], round(25 * SCALE), axis=1)
    with pytest.raises(NoFormError, match="boxes are not where"):
        reader.read(page)


def test_a_page_with_answers_in_pencil_is_read(reader: PageReader, form: Placement, blank: Picture, pen: Pen) -> None:
    dark = fill(blank, form.pages[0], ANSWERS, pen).astype(float)
    light = blank - 0.45 * (blank - dark)
    assert values(reader.read(light.astype(np.uint8))) == VALUES

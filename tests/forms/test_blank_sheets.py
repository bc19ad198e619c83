"""A sheet of a form that exists already is found by its print and read; other sheets are refused."""

from collections.abc import Callable

import numpy as np
import pytest

from inkdigits.forms.page_reader import PageRead, PageReader
from inkdigits.forms.registration import BlankPageError, NoFormError
from tests.forms.blank_forms import WRITTEN, empty_form, rectangle, scanned, written
from tests.forms.sheets import SCALE, Box, Pen, Picture

VALUES = [WRITTEN["number"], *WRITTEN["cells"], "2", WRITTEN["wide"]]


def values(read: PageRead) -> list[str]:
    return [one.values.value for one in read.fields if one.values is not None]


@pytest.mark.parametrize(
    "change",
    [scanned, lambda page: np.rot90(scanned(page, -1.0), 2)],
    ids=["skewed and shaded", "upside down"],
)
def test_a_filled_sheet_is_found_and_read(
    change: Callable[[Picture], Picture], template_reader: PageReader, pen: Pen
) -> None:
    read = template_reader.read(change(written(empty_form(), pen)))
    assert values(read) == VALUES
    assert read.payload.form == "station"


def test_another_form_and_another_version_are_refused(template_reader: PageReader) -> None:
    other = np.full_like(empty_form(), 250)
    for number in range(12):
        rectangle(other, Box(15 + 9 * (number % 4), 20 + 14 * (number // 4), 8, 9))
    for page in (other, empty_form(lower=4.0)):
        with pytest.raises(NoFormError, match="its print agrees by"):
            template_reader.read(page)
    with pytest.raises(BlankPageError):
        template_reader.read(np.full_like(other, 250))


def test_a_field_whose_boxes_are_not_at_their_place_is_not_read(template_reader: PageReader, pen: Pen) -> None:
    page = written(empty_form(), pen)
    part = page[round(35.5 * SCALE) : round(44 * SCALE), round(89 * SCALE) : round(110 * SCALE)]
    part[:] = 250
    read = template_reader.read(page)
    assert read.fields[2].doubts == {0: "box_not_found"}
    assert values(read)[:2] + values(read)[3:] == VALUES[:2] + VALUES[3:]

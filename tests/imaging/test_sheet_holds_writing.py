"""A bright or dark field with clear edges is a sheet only if it holds the writing."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from inkdigits.imaging.sheet import remove_desk


def with_field(*numbers: tuple[int, int]) -> NDArray[np.uint8]:
    """A page 800 x 600 with a shaded field, 500 x 300 in its middle, and a number at each place (x, y)."""
    page = np.full((600, 800), 215, np.uint8)
    cv2.rectangle(page, (150, 150), (650, 450), 160, cv2.FILLED)
    for place in numbers:
        cv2.putText(page, "31415", place, cv2.FONT_HERSHEY_SIMPLEX, 2, 40, 6)
    return page


INSIDE, ABOVE, BELOW = (300, 320), (300, 100), (300, 550)


def test_a_field_that_holds_all_the_writing_is_taken_for_a_sheet() -> None:
    left = remove_desk(with_field(INSIDE))
    assert (left[:140] == 160).all()  # filled with the field's own shade


@pytest.mark.parametrize("numbers", [(ABOVE,), (ABOVE, BELOW), (ABOVE, INSIDE), (ABOVE, INSIDE, BELOW)])
def test_writing_beside_a_shaded_field_stays(numbers: tuple[tuple[int, int], ...]) -> None:
    page = with_field(*numbers)
    assert np.array_equal(remove_desk(page), page)

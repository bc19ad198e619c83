"""Print is taken out of the ink of a sheet, and the strokes on it stay."""

import numpy as np

from inkdigits.forms.printed import moved, shift_of_print, without_print

SCALE = 8.0


def patch() -> np.ndarray:
    return np.zeros((80, 64), np.float32)


def test_light_print_goes_and_a_stroke_along_it_stays() -> None:
    printed = patch()
    printed[20:60, 20:23] = 0.3
    sheet = printed.copy()
    sheet[30:50, 20:23] = 0.8  # a stroke on the printed line
    left = without_print(sheet, printed, 1.0, SCALE)
    assert left[20:28, 18:26].max() == 0
    assert left[32:48, 20:23].min() > 0.7


def test_a_stroke_that_crosses_dark_print_is_not_cut() -> None:
    printed = patch()
    printed[:, 30:33] = 0.9
    sheet = printed.copy()
    sheet[38:43] = 0.9
    left = without_print(sheet, printed, 1.0, SCALE)
    assert left[40].min() > 0.5
    assert left[:30].max() == 0


def test_print_is_aligned_before_it_is_taken_out() -> None:
    printed = patch()
    printed[20:60, 20:23] = 0.4
    printed[20:23, 20:40] = 0.4
    sheet = moved(printed, (3, -2))
    assert shift_of_print(sheet, printed, SCALE) == (3, -2)
    assert without_print(sheet, moved(printed, (3, -2)), 1.0, SCALE).max() == 0
    assert shift_of_print(sheet, patch(), SCALE) == (0, 0)

"""Which options are ticked, and when that is not clear."""

import numpy as np
import pytest

from inkdigits.forms.cells import Cell
from inkdigits.forms.fields import Choice
from inkdigits.forms.ticks import choice_values, tick_probability

ONE, MANY = Choice(name="a", options=("A", "B", "C")), Choice(name="a", options=("A", "B", "C"), several=True)


def cell(length: float, filled: float = 0.1) -> Cell:
    mask = np.zeros((40, 40), np.uint8)
    mask.ravel()[: round(1600 * filled)] = 255
    return Cell(mask, mask.astype(np.float32) / 255, 2 * length, length, 1600)


@pytest.mark.parametrize(
    ("length", "filled", "low", "high"),
    [(0, 0, 0, 0.01), (0.8, 0.01, 0.05, 0.3), (4, 0.1, 0.99, 1), (5, 0.9, 0.4, 0.6)],
)
def test_a_tick_is_told_by_its_length_and_a_blotted_one_is_open(
    length: float, filled: float, low: float, high: float
) -> None:
    assert low <= tick_probability(cell(length, filled)) <= high


def test_one_tick_is_the_option_and_none_is_blank() -> None:
    assert choice_values([0.0005, 0.9995, 0.0005], ONE).value == "B"
    assert choice_values([0.0005, 0.9995, 0.0005], ONE).confidence > 0.99
    assert choice_values([0.0005, 0.0005, 0.0005], ONE).value == ""


def test_two_ticks_are_an_error_unless_several_are_asked_for() -> None:
    found = choice_values([0.9995, 0.9995, 0.0005], ONE)
    assert (found.value, found.broken > 0.5) == ("A; B", True)
    assert choice_values([0.9995, 0.9995, 0.0005], MANY).value == "A; B"
    assert choice_values([0.9995, 0.9995, 0.0005], MANY).broken == 0


def test_of_an_open_tick_both_readings_are_kept() -> None:
    found = choice_values([0.5, 0.0005, 0.0005], ONE)
    assert {one.text for one in found.alternatives[:2]} == {"A", ""}
    assert found.confidence == pytest.approx(0.5, abs=0.01)


def test_a_long_list_of_options_is_read() -> None:
    many = Choice(name="a", options=tuple(map(str, range(30))), several=True)
    ticked = [0.9995 if index in (3, 29) else 0.0005 for index in range(30)]
    assert choice_values(ticked, many).value == "3; 29"

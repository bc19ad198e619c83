"""Numbers of a roster, for what was read right, with a digit wrong, too few digits or too many."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from inkdigits.errors import DataError, UsageError
from inkdigits.reader.checksums import Decoded
from inkdigits.reader.roster import RosterParameters, on_roster, read_roster

SPARSE = ("40716", "55555", "91827", "20002", "123")


def certain(number: str) -> NDArray[np.float64]:
    """Probabilities of exactly 1 and 0."""
    return np.eye(10)[[int(digit) for digit in number]]


def nearest(read: str, roster: tuple[str, ...] = SPARSE, readings: tuple[tuple[str, float], ...] = ()) -> Decoded:
    found = on_roster(certain(read), np.ones(len(read)), roster, readings)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("read", "places"),
    [
        ("40716", (0, 1, 2, 3, 4)),
        ("40776", (0, 1, 2, 3, 4)),
        ("4716", (0, None, 1, 2, 3)),
        ("0716", (None, 0, 1, 2, 3)),
        ("4071", (0, 1, 2, 3, None)),
        ("407916", (0, 1, 2, 4, 5)),
        ("940716", (1, 2, 3, 4, 5)),
    ],
)
def test_a_wrong_digit_one_too_few_and_one_too_many_are_repaired(read: str, places: tuple[int | None, ...]) -> None:
    found = nearest(read)
    assert (found.text, found.places) == ("40716", places)
    assert found.probability > max(0.7, 10 * found.unlisted)


def test_a_number_that_is_like_none_is_probably_not_on_the_roster() -> None:
    for read in ("61803", "99", "4", "7777777"):
        found = nearest(read)
        assert found.unlisted > 0.5 > 10 * found.probability
    assert on_roster(certain("123456789"), np.ones(9), SPARSE) is None
    assert on_roster(np.empty((0, 10)), np.empty(0), SPARSE) is None
    assert on_roster(certain("1"), np.ones(1), ()) is None


def test_the_more_numbers_of_a_length_are_listed_the_less_a_near_one_says() -> None:
    dense = tuple(f"{number:03}" for number in range(0, 1000, 2))
    few, many = nearest("173", ("172",)), nearest("173", dense)
    assert few.text == "172"
    assert few.probability > 0.9
    assert many.probability < 0.3 < many.unlisted
    assert nearest("172", dense).probability > 0.9
    assert nearest("172", dense).unlisted < 0.005  # what was read is on the roster


def test_the_probabilities_of_the_roster_and_of_none_add_up_to_one() -> None:
    found = nearest("173", ("172", "1735"))
    assert found.runner_up is not None
    assert found.probability + found.runner_up[1] + found.unlisted == pytest.approx(1)


def test_single_digits_and_readings_of_the_line_both_count() -> None:
    shares = np.full((3, 10), 0.02)
    shares[range(3), [1, 7, 4]] = 0.8
    shares[1] = 0
    shares[1, [1, 7]] = 0.3, 0.7
    present = np.ones(3)
    digits = on_roster(shares, present, ("114", "174", "179"))
    assert digits is not None
    assert (digits.text, digits.runner_up and digits.runner_up[0]) == ("174", "114")
    told = on_roster(shares, present, ("114", "174", "179"), (("114", 0.9), ("174", 0.01)))
    assert told is not None
    assert told.text == "114"


def test_a_place_that_was_not_read_fits_any_digit_or_none() -> None:
    for readings, text in (((("4?716", 0.9),), "40716"), ((("12?3", 0.9),), "123")):
        found = on_roster(np.full((5, 10), 0.1), np.full(5, 0.5), SPARSE, readings, RosterParameters(readings=0.9))
        assert found is not None
        assert found.text == text


def test_a_place_without_a_digit_is_left_out_first() -> None:
    found = on_roster(certain("1223"), np.array([1, 0.05, 1, 1]), SPARSE)
    assert found is not None
    assert (found.text, found.places) == ("123", (0, 2, 3))


def test_long_numbers_do_not_underflow() -> None:
    number = "31415926535897932384" * 2
    found = nearest("9" + number[1:], (number, number[::-1]))
    assert (found.text, found.probability) == (number, pytest.approx(1))


def test_a_roster_is_a_file_of_numbers(tmp_path: Path) -> None:
    path = tmp_path / "ids.csv"
    path.write_text('id,name\n"007",Bond\n1234 , Müller\n007,again\n', encoding="utf-8")
    assert read_roster(path) == ("007", "1234")
    path.write_text("none here\n")
    with pytest.raises(DataError, match="holds no number"):
        read_roster(path)
    with pytest.raises(UsageError, match="does not exist"):
        read_roster(tmp_path / "missing.csv")

"""A line with the digits of the number that a rule chose: boxes, separators and blank boxes stay in their places."""

from inkdigits.reader.checksums import Decoded
from inkdigits.reader.corrections import corrected
from inkdigits.reader.results import Digit, Line


def line(text: str, separators: tuple[tuple[int, str], ...] = ()) -> Line:
    """A line of digits 10 pixels apart; a space is a blank box."""
    digits = [
        Digit(None, 0.0, (10 * i, 0, 8, 20), (), "blank")
        if c == " "
        else Digit(int(c), 0.7, (10 * i, 0, 8, 20), ((5, 0.2), (3, 0.1)))
        for i, c in enumerate(text)
    ]
    return Line(tuple(digits), (0, 0, 10 * len(text), 20), separators)


def repaired(before: Line, text: str, places: tuple[int | None, ...]) -> Line:
    written = [i for i, digit in enumerate(before.digits) if digit.reject != "blank"]
    return corrected(before, written, Decoded(text, 0.8, ("1", 0.1), places), "roster")


def test_a_changed_digit_keeps_its_box_and_gets_its_own_probability() -> None:
    found = repaired(line("174"), "154", (0, 1, 2))
    assert (found.number, found.rule, found.confidence, found.runner_up) == ("154", "roster", 0.8, ("1", 0.1))
    assert found.digits[1] == Digit(5, 0.2, (10, 0, 8, 20), ((7, 0.7), (3, 0.1)))
    assert found.digits[0].confidence == 0.7


def test_a_missed_digit_lies_between_its_neighbours_and_has_no_confidence() -> None:
    found = repaired(line("174"), "91074", (None, 0, None, 1, 2))
    assert found.number == "91074"
    assert [digit.confidence for digit in found.digits] == [0.0, 0.7, 0.0, 0.7, 0.7]
    assert [digit.box for digit in found.digits[:3]] == [(0, 0, 8, 20), (0, 0, 8, 20), (5, 0, 8, 20)]


def test_a_digit_too_many_is_left_out_and_separators_stay_before_their_digits() -> None:
    before = line("12345", ((1, ","), (2, "."), (4, "-")))
    assert before.text == "1,2.34-5"
    assert repaired(before, "1345", (0, 2, 3, 4)).text == "1,34-5"
    assert repaired(before, "1234", (0, 1, 2, 3)).text == "1,2.34"
    assert repaired(before, "012345", (None, 0, 1, 2, 3, 4)).text == "01,2.34-5"


def test_blank_boxes_stay_where_they_are() -> None:
    assert repaired(line(" 1 74 "), "174", (0, 1, 2)).number == " 1 74 "
    assert repaired(line(" 1 74 "), "14", (0, 2)).number == " 1 4 "
    assert repaired(line("  174"), "3174", (None, 0, 1, 2)).number == "  3174"
    assert repaired(line("1 4"), "194", (0, None, 1)).number.replace(" ", "") == "194"


def test_a_number_of_which_no_digit_was_read_lies_in_the_box_of_the_line() -> None:
    found = repaired(line("7"), "12", (None, None))
    assert [digit.box for digit in found.digits] == [(0, 0, 10, 20)] * 2

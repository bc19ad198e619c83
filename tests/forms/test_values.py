"""The rule of each kind decides between what the boxes may say, and what breaks it is told."""

import datetime

import numpy as np
import pytest

from inkdigits.forms.alternatives import OUTCOMES, Shares
from inkdigits.forms.fields import Date, Decimal, DigitField, Digits, Integer, Roster, Weights
from inkdigits.forms.values import FieldValues, field_values, rule_for, units_of

SURE = 0.999


def boxes(text: str, **others: str) -> Shares:
    """Boxes that say a text; ``at2="7"`` lets the box at place 2 be a 7 as likely as half of what it seems."""
    rows = np.full((len(text), len(OUTCOMES)), (1 - SURE) / (len(OUTCOMES) - 1))
    for row, character in zip(rows, text, strict=True):
        row[OUTCOMES.index(character)] = SURE
    for place, other in others.items():
        row = rows[int(place[2:])]
        row *= 2 / 3
        row[OUTCOMES.index(other)] += 1 / 3
    return rows


def read(text: str, field: DigitField, roster: tuple[str, ...] = (), **others: str) -> FieldValues:
    return field_values(boxes(text, **others), field, rule_for(field, roster))


@pytest.mark.parametrize(
    ("field", "text", "value"),
    [
        (Digits(name="a", length=4), "0042", "0042"),
        (Digits(name="a", length=4), "00 2", "00_2"),
        (Digits(name="a", length=4), "00?2", "00?2"),
        (Integer(name="a", maximum=120), " 42", "42"),
        (Integer(name="a", maximum=120), "042", "42"),
        (Integer(name="a", maximum=120), "   ", ""),
        (Decimal(name="a", before=2, after=1), " 75", "7.5"),
        (Decimal(name="a", before=2, after=1), "12 ", "12.0"),
        (Decimal(name="a", before=2, after=1, point=","), " 75", "7.5"),
        (Date(name="a"), "05112026", "2026-11-05"),
        (Date(name="a", format="MM/DD/YY"), "110526", "2026-11-05"),
        (Roster(name="a", length=3), "123", "123"),
    ],
)
def test_a_sure_text_becomes_its_value(field: DigitField, text: str, value: str) -> None:
    found = read(text, field, ("123", "999"))
    assert found.value == value
    assert found.text == text
    assert found.confidence == (0.0 if "?" in value else pytest.approx(1.0, abs=0.02))


@pytest.mark.parametrize(
    ("field", "text", "other", "value"),
    [
        (Digits(name="a", length=4, check="luhn"), "1290", {"at2": "3"}, "1230"),
        (Digits(name="a", length=3, check=Weights(weights=(1, 1, 1))), "125", {"at2": "7"}, "127"),
        (Integer(name="a", maximum=20), "71", {"at0": "1"}, "11"),
        (Decimal(name="a", before=2, after=1, maximum=20), "715", {"at0": "1"}, "11.5"),
        (Date(name="a"), "05132026", {"at3": "2"}, "2026-12-05"),
        (Roster(name="a", length=3), "723", {"at0": "1"}, "123"),
    ],
)
def test_what_the_rule_allows_wins_where_the_boxes_leave_it_open(
    field: DigitField, text: str, other: dict[str, str], value: str
) -> None:
    found = read(text, field, ("123", "999"), **other)
    assert found.value == value
    assert found.confidence > 0.7
    assert found.broken < 0.3


@pytest.mark.parametrize(
    ("field", "text", "shown"),
    [
        (Digits(name="a", length=4, check="luhn"), "1290", "1290"),
        (Integer(name="a", maximum=20), "71", "71"),
        (Decimal(name="a", before=2, after=1, maximum=20), "715", "71.5"),
        (Date(name="a"), "05132026", "05.13.2026"),
        (Date(name="a"), "3002 026", "30.02._026"),
        (Roster(name="a", length=3), "723", "723"),
    ],
)
def test_a_sure_text_that_breaks_the_rule_is_told(field: DigitField, text: str, shown: str) -> None:
    found = read(text, field, ("123", "999"))
    assert found.value == shown
    assert found.broken > 0.3


def test_a_box_that_is_not_read_breaks_no_rule() -> None:
    assert read("1?90", Digits(name="a", length=4, check="luhn")).broken < 0.1


def test_the_alternatives_of_a_field_are_the_other_readings() -> None:
    found = read("42", Digits(name="a", length=2), at1="7")
    assert [one.text for one in found.alternatives[:2]] == ["42", "47"]
    assert found.alternatives[1].probability == pytest.approx(1 / 3, abs=0.01)


def test_a_date_stays_within_its_limits() -> None:
    field = Date(name="a", earliest=datetime.date(2020, 1, 1), latest=datetime.date(2029, 12, 31))
    assert read("05112036", field).broken > 0.3
    assert read("05112036", field, at6="2").value == "2026-11-05"


def test_numbers_in_units_of_their_last_digit() -> None:
    field = Decimal(name="a", before=2, after=1)
    assert [units_of(value, field) for value in ("", "7.5", "12.0", "1?.0")] == [0, 75, 120, None]

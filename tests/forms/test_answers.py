"""Random answers satisfy the form: ranges, dates, check digits, sums."""

import datetime

import numpy as np
import pytest

from inkdigits.errors import UsageError
from inkdigits.forms.answers import BLANK, draw_answers
from inkdigits.forms.design import Design, parse_design
from inkdigits.forms.example import example
from inkdigits.forms.fields import AnyField, Date, Decimal, Digits, Integer, Roster, Rows, Weights
from inkdigits.forms.placement import place
from inkdigits.forms.sums import Sum

SEEDS = range(20)


def answers(seed: int, *fields: AnyField | Rows, sums: tuple[Sum, ...] = ()) -> dict[str, str]:
    placement = place(Design(name="x", title="X", fields=fields, sums=sums))
    return draw_answers(placement, np.random.default_rng(seed), ["1234567", "123"])


def luhn(number: str) -> int:
    return sum(int(d) if n % 2 == 0 else sum(divmod(2 * int(d), 10)) for n, d in enumerate(reversed(number))) % 10


def test_every_box_of_the_example_has_a_character_and_the_points_add_up() -> None:
    placement = place(parse_design(example("exam")))
    for seed in SEEDS:
        drawn = draw_answers(placement, np.random.default_rng(seed))
        assert {one.name: len(one.boxes) for one in placement.fields} == {name: len(t) for name, t in drawn.items()}
        points = [int(drawn[f"tasks.{line}.points"]) for line in range(1, 6)]
        assert sum(points) == int(drawn["total"])
        assert max(points) <= 200
        assert luhn(drawn["student"]) == 0
        assert drawn["group"].count("x") == 1


def test_numbers_are_in_range_and_stand_in_the_boxes_on_the_right() -> None:
    whole = [answers(seed, Integer(name="a", minimum=5, maximum=120))["a"] for seed in SEEDS]
    assert all(len(text) == 3 and 5 <= int(text) <= 120 and text == text.strip().rjust(3) for text in whole)
    small = [answers(seed, Decimal(name="a", before=2, after=2, maximum=0.12))["a"] for seed in SEEDS]
    assert all(text[0] == BLANK and text[1] == "0" and int(text) <= 12 for text in small)


def test_a_date_is_written_in_its_format_and_in_its_range() -> None:
    first = datetime.date(2024, 2, 28)
    field = Date(name="a", format="MM/DD/YY", earliest=first, latest=first + datetime.timedelta(2))
    assert {answers(seed, field)["a"] for seed in SEEDS} == {"022824", "022924", "030124"}


def test_check_digits_are_valid() -> None:
    for seed in SEEDS:
        assert int(answers(seed, Digits(name="a", length=6, check="mod97"))["a"]) % 97 == 1
        drawn = answers(seed, Digits(name="a", length=3, check=Weights(weights=(7, 3, 1), modulus=11, remainder=4)))[
            "a"
        ]
        assert (7 * int(drawn[0]) + 3 * int(drawn[1]) + int(drawn[2])) % 11 == 4


def test_a_check_that_no_number_satisfies_is_named() -> None:
    with pytest.raises(UsageError, match="no number satisfies the check of a"):
        answers(0, Digits(name="a", length=2, check=Weights(weights=(2, 4), modulus=8, remainder=3)))


def test_a_roster_field_has_a_number_of_the_list_with_its_length() -> None:
    assert answers(0, Roster(name="a", length=3), Roster(name="b", length=7)) == {"a": "123", "b": "1234567"}


def test_a_total_in_a_line_sums_whole_numbers_and_decimals() -> None:
    table = Rows(
        name="t",
        count=4,
        fields=(
            Integer(name="a", maximum=9),
            Decimal(name="b", before=1, after=2),
            Decimal(name="c", before=2, after=2, maximum=9),
        ),
    )
    drawn = answers(1, table, sums=(Sum(total="t.c", parts=("t.a", "t.b")),))
    for line in range(1, 5):
        a, b, c = (int(drawn[f"t.{line}.{name}"]) for name in "abc")
        assert 100 * a + b == c <= 900


def test_a_total_that_cannot_hold_its_parts_is_named() -> None:
    parts = (Integer(name="a", minimum=90, maximum=99), Integer(name="total", maximum=9))
    with pytest.raises(UsageError, match="no answers add up to the range of total"):
        answers(0, *parts, sums=(Sum(total="total", parts=("a",)),))

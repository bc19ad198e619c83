"""A sum tells which of two readings is right, and is found out where it is wrong."""

import pytest

from inkdigits.forms.consistency import Sum, SumParameters, Value, likeliest_table


def fields(*values: dict[Value, float]) -> list[dict[Value, float]]:
    return list(values)


def test_the_reading_that_makes_the_sum_right_wins() -> None:
    found = likeliest_table(fields({3: 0.7, 8: 0.3}, {4: 1.0}, {12: 1.0}), [Sum((0, 1), 2)])
    assert found.shares[0][8] > 0.99
    assert found.violated[0] < 0.01


def test_a_sum_that_is_wrong_is_found_out_and_its_numbers_stay() -> None:
    found = likeliest_table(fields({3: 0.9999, 8: 0.0001}, {4: 0.9999, 9: 0.0001}, {13: 1.0}), [Sum((0, 1), 2)])
    assert found.violated[0] > 0.99
    assert found.shares[0][3] > 0.99


def test_the_prior_of_wrong_sums_decides_between_reader_and_writer() -> None:
    read = fields({3: 0.99, 8: 0.01}, {4: 1.0}, {12: 1.0})
    careful = likeliest_table(read, [Sum((0, 1), 2)], SumParameters(wrong=1e-6))
    careless = likeliest_table(read, [Sum((0, 1), 2)], SumParameters(wrong=0.9, wrong_values=1))
    assert careful.shares[0][8] > 0.99
    assert careless.shares[0][3] > 0.95


def test_an_unread_number_is_no_contradiction() -> None:
    found = likeliest_table(fields({None: 0.5, 5: 0.5}, {4: 1.0}, {9: 1.0}), [Sum((0, 1), 2)])
    assert found.shares[0][5] > 0.95
    unread = likeliest_table(fields({None: 1.0}, {4: 1.0}, {9: 1.0}), [Sum((0, 1), 2)])
    assert unread.violated == (0.0,)


def test_sums_along_rows_and_columns_are_weighed_together() -> None:
    cells = [{1: 0.6, 7: 0.4}, {2: 1.0}, {3: 1.0}, {4: 0.6, 9: 0.4}]
    totals: list[dict[Value, float]] = [{3: 1.0}, {7: 1.0}, {4: 1.0}, {6: 0.5, 8: 0.5}]
    sums = [Sum((0, 1), 4), Sum((2, 3), 5), Sum((0, 2), 6), Sum((1, 3), 7)]
    found = likeliest_table(fields(*cells, *totals), sums)
    assert (found.shares[0][1], found.shares[3][4], found.shares[7][6]) == pytest.approx((1, 1, 1), abs=0.01)


def test_a_long_column_is_searched_without_losing_the_right_table() -> None:
    cells: list[dict[Value, float]] = [{n: 0.9, n + 5: 0.07, n + 3: 0.03} for n in range(30)]
    cells[11] = {11: 0.2, 16: 0.77, 14: 0.03}
    total = sum(range(30))
    found = likeliest_table([*cells, {total: 1.0}], [Sum(tuple(range(30)), 30)])
    assert found.shares[11][11] > found.shares[11][16]

"""Bounds on the share of wrong numbers: exact p-values, and proofs that hold as often as they promise."""

import math

import numpy as np
import pytest
from scipy import stats

from inkdigits.reader.risk_control import (
    Observations,
    betting_p_value,
    binomial_p_value,
    find_bound,
    numbers_needed,
    same_distribution_p_value,
)


@pytest.mark.parametrize(("wrong", "accepted", "risk"), [(0, 299, 0.01), (3, 40, 0.1), (40, 40, 0.5), (7, 2000, 0.01)])
def test_the_binomial_p_value_is_the_distribution_function(wrong: int, accepted: int, risk: float) -> None:
    assert binomial_p_value(wrong, accepted, risk) == pytest.approx(stats.binom.cdf(wrong, accepted, risk), rel=1e-9)


def test_as_many_numbers_are_needed_as_tables_say() -> None:
    assert numbers_needed(0.01, 0.95) == 299  # the rule of three
    assert numbers_needed(0.05, 0.95) == 59
    assert numbers_needed(0.05, 0.95, wrong=1) == 93


def test_betting_seldom_rejects_what_is_true() -> None:
    rng = np.random.default_rng(0)
    p_values = [betting_p_value(np.where(rng.random(300) < 0.05, 0.95, -0.05)) for _ in range(1000)]
    assert np.mean(np.array(p_values) <= 0.05) <= 0.05
    assert betting_p_value(np.full(300, -0.05)) < 1e-4


def numbers(rng: np.random.Generator, count: int, per_page: int = 1) -> tuple[Observations, float]:
    """Numbers of known risk, and the lowest threshold with a risk of at most 10 %."""
    confidence = rng.random(count)
    wrong = rng.random(count) < 0.4 * (1 - confidence)  # the risk from t upwards is 0.2 (1 - t)
    return Observations(confidence, wrong, np.arange(count) // per_page), 0.5


@pytest.mark.parametrize("per_page", [1, 4])
def test_a_bound_is_violated_in_fewer_draws_than_promised_and_accepts_most_of_what_it_may(per_page: int) -> None:
    rng = np.random.default_rng(1)
    found = []
    for _ in range(50):
        seen, lowest = numbers(rng, 1200 * per_page, per_page)
        bound = find_bound(seen, 0.1, 0.9)
        found.append(1.0 if bound is None else bound.threshold)
    assert np.mean(np.array(found) < lowest) <= 0.1
    assert np.median(found) < 0.8


def test_a_bound_counts_what_it_accepts() -> None:
    seen, _ = numbers(np.random.default_rng(2), 1000)
    bound = find_bound(seen, 0.1, 0.95)
    assert bound is not None
    accepted = seen.confidence >= bound.threshold
    assert (bound.accepted, bound.wrong) == (accepted.sum(), (accepted & seen.wrong).sum())
    assert binomial_p_value(bound.wrong, bound.accepted, 0.1) <= 0.05


def test_numbers_that_were_lost_count_at_every_threshold() -> None:
    confidence = np.r_[np.full(20, math.inf), np.linspace(0.5, 1, 200)]
    wrong = np.r_[np.ones(20, bool), np.zeros(200, bool)]
    assert find_bound(Observations(confidence, wrong, np.arange(220)), 0.05, 0.95) is None
    assert find_bound(Observations(confidence[20:], wrong[20:], np.arange(200)), 0.05, 0.95) is not None


def test_errors_on_one_page_weigh_less_as_proof_than_on_many() -> None:
    confidence, wrong = np.linspace(0.5, 1, 300), np.zeros(300, bool)
    single = find_bound(Observations(confidence, wrong, np.arange(300)), 0.03, 0.95)
    pages = find_bound(Observations(confidence, wrong, np.arange(300) // 30), 0.03, 0.95)  # 10 pages prove nothing
    assert (single is None, pages is None) == (False, True)


def test_a_few_pages_with_two_numbers_cost_little_of_the_proof() -> None:
    confidence, wrong = np.linspace(0.5, 1, 300), np.zeros(300, bool)
    wrong[[10, 150, 200]] = True
    page = np.arange(300)
    page[[50, 250]] = page[[51, 251]]
    alone, together = (
        find_bound(Observations(confidence, wrong, pages), 0.05, 0.95) for pages in (np.arange(300), page)
    )
    assert alone is not None
    assert together is not None
    assert together.accepted >= 0.9 * alone.accepted


def test_numbers_that_are_wrong_together_break_the_promise_no_more_often() -> None:
    rng = np.random.default_rng(4)
    rejected = []
    for _ in range(400):
        page = np.sort(np.r_[np.arange(200), np.arange(0, 200, 2)])
        wrong = np.repeat(rng.random(200) < 0.05, np.bincount(page))
        seen = Observations(np.ones(300), wrong, page)
        rejected.append(find_bound(seen, 0.05, 0.9) is not None)
    assert 0.01 < np.mean(rejected) <= 0.1


def test_the_two_sample_test_agrees_with_scipy() -> None:
    rng = np.random.default_rng(3)
    one, same, other = rng.beta(5, 1, 300), rng.beta(5, 1, 200), rng.beta(3, 1, 200)
    assert same_distribution_p_value(one, same) == pytest.approx(stats.ks_2samp(one, same).pvalue, abs=0.05)
    assert same_distribution_p_value(one, other) < 1e-3
    assert same_distribution_p_value(one, one) == 1.0

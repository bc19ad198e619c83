import numpy as np
import pytest
from scipy.stats import binomtest, norm

from inkdigits.evaluation.statistics import compare_pairs, holm, mcnemar_exact, mean_interval, mean_sd, wilson


def test_wilson_gives_the_published_intervals() -> None:
    # R. Newcombe, Statistics in Medicine 17, 1998, table I
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(15, 148) == pytest.approx((0.0624, 0.1605), abs=5e-5)
    assert wilson(0, 20) == pytest.approx((0, 0.1611), abs=5e-5)
    assert wilson(1, 29) == pytest.approx((0.0061, 0.1718), abs=5e-5)


@pytest.mark.parametrize(("correct", "n"), [(0, 5), (5, 5), (9967, 10_000), (1, 1)])
def test_wilson_agrees_with_scipy(correct: int, n: int) -> None:
    interval = binomtest(correct, n).proportion_ci(0.95, method="wilson")
    assert wilson(correct, n) == pytest.approx((interval.low, interval.high), abs=1e-12)


def test_wilson_covers_the_truth_at_its_nominal_rate() -> None:
    rng = np.random.default_rng(0)
    inside = 0
    for count in rng.binomial(1000, 0.99, size=2000):
        low, high = wilson(int(count), 1000)
        inside += low <= 0.99 <= high
    assert 0.93 < inside / 2000 < 0.97


def test_mcnemar_counts_the_digits_that_only_one_classifies_correctly() -> None:
    a = np.array([1, 1, 1, 1, 1, 1, 0, 0], bool)
    b = np.array([1, 0, 0, 0, 0, 0, 0, 1], bool)
    only_a, only_b, p = mcnemar_exact(a, b)
    assert (only_a, only_b) == (5, 1)
    assert p == pytest.approx(2 * (1 + 6) / 2**6)


def test_models_that_never_differ_are_no_evidence() -> None:
    correct = np.array([True, False, True])
    assert mcnemar_exact(correct, correct) == (0, 0, 1.0)


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_holm_rarely_raises_a_false_alarm_among_equal_models() -> None:
    rng = np.random.default_rng(1)
    alarms = 0
    for _ in range(300):
        correct = {str(i): rng.random(2000) < 0.97 for i in range(5)}
        alarms += any(pair.verdict != "none" for pair in compare_pairs(correct))
    assert alarms / 300 < 0.05


def test_sentences_name_the_better_model_and_whether_it_is_significant() -> None:
    strong = np.ones(1000, bool)
    weak = strong.copy()
    weak[:40] = False
    near = strong.copy()
    near[:2] = False
    sentences = [pair.sentence(1000) for pair in compare_pairs({"weak": weak, "strong": strong, "near": near})]
    assert sentences[0].startswith(
        "strong beats weak on these 1,000 digits (40 against 0 correct by only one of the two"
    )
    assert sentences[1].startswith("near beats weak")
    assert sentences[2].startswith("No evidence that strong beats near on these 1,000 digits (2 against 0")


def test_the_spread_is_that_of_a_sample() -> None:
    assert mean_sd([1, 2, 3]) == pytest.approx((2, 1))
    assert np.isnan(mean_sd([4])[1])


def test_wilson_stays_in_the_unit_interval() -> None:
    for n in range(1, 3000):
        assert wilson(0, n)[0] >= 0
        assert wilson(n, n)[1] <= 1


def test_two_values_have_a_spread() -> None:
    assert mean_sd([1, 3]) == pytest.approx((2, 2**0.5))


def test_the_interval_of_a_mean_is_that_of_the_normal_distribution() -> None:
    values = np.random.default_rng(0).normal(3, 2, 400)
    mean, low, high = mean_interval(values)
    expected = norm.interval(0.95, values.mean(), values.std(ddof=1) / 20)
    assert (mean, low, high) == pytest.approx((values.mean(), *expected), abs=1e-12)


def test_the_verdict_names_the_better_model_whichever_comes_first() -> None:
    strong = np.ones(1000, bool)
    weak = strong.copy()
    weak[:40] = False
    (ahead,) = compare_pairs({"strong": strong, "weak": weak})
    (behind,) = compare_pairs({"weak": weak, "strong": strong})
    assert (ahead.verdict, behind.verdict) == ("first", "second")
    assert (ahead.only_first, ahead.only_second) == (behind.only_second, behind.only_first) == (40, 0)


def test_a_pair_carries_its_p_value_before_and_after_the_correction() -> None:
    right = {"all": np.ones(9, bool), "most": np.arange(9) > 1, "some": np.arange(9) > 4}
    pairs = compare_pairs(right)
    assert [pair.p for pair in pairs] == pytest.approx([0.5, 0.0625, 0.25])
    assert [pair.p_holm for pair in pairs] == pytest.approx([0.5, 0.1875, 0.5])

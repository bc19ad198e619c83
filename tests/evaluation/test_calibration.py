import numpy as np
import pytest

from inkdigits.errors import UsageError
from inkdigits.evaluation.calibration import calibration, fit_temperature, negative_log_likelihood


def drawn(n: int, temperature: float) -> tuple[np.ndarray, np.ndarray]:
    """Logits, and labels drawn from softmax(logits / temperature)."""
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(n, 10)) * 4
    gumbel = rng.gumbel(size=(n, 10))
    return logits, (logits / temperature + gumbel).argmax(1)


@pytest.mark.parametrize("truth", [0.5, 1.0, 2.5])
def test_the_temperature_that_labels_were_drawn_with_is_found(truth: float) -> None:
    logits, labels = drawn(20_000, truth)
    assert fit_temperature(logits, labels) == pytest.approx(truth, rel=0.05)


def test_scaling_mends_the_calibration_and_leaves_the_answers() -> None:
    logits, labels = drawn(20_000, 2.5)
    before, after = calibration(logits, labels), calibration(logits, labels, fit_temperature(logits, labels))
    assert before.ece > 0.1
    assert after.ece < 0.02
    assert after.nll < before.nll
    assert after.brier < before.brier
    assert before.risk[-1] == after.risk[-1]  # the error on all digits


def test_figures_of_three_digits_by_hand() -> None:
    probabilities = np.array([[0.8, 0.2], [0.6, 0.4], [0.1, 0.9]])
    found = calibration(np.log(probabilities), np.array([0, 1, 1]))
    assert found.nll == pytest.approx(-(np.log(0.8) + np.log(0.4) + np.log(0.9)) / 3)
    assert found.brier == pytest.approx((2 * 0.2**2 + 2 * 0.6**2 + 2 * 0.1**2) / 3)
    assert found.ece == pytest.approx((0.2 + 0.6 + 0.1) / 3)  # a bin each
    assert found.risk.tolist() == pytest.approx([0, 0, 1 / 3])  # 0.9 and 0.8 right, then 0.6 wrong
    assert found.coverage.tolist() == pytest.approx([1 / 3, 2 / 3, 1])
    assert found.coverage_at(1.0) == pytest.approx(2 / 3)
    assert found.coverage_at(0.6) == 1
    assert found.count.sum() == 3


def test_coverage_is_none_where_even_the_surest_is_wrong() -> None:
    logits = np.array([[3.0, 0.0], [0.0, 1.0]])
    assert calibration(logits, np.array([1, 1])).coverage_at(0.9) == 0


def test_huge_logits_stay_finite() -> None:
    assert np.isfinite(negative_log_likelihood(np.array([[1e4, -1e4]]), np.array([1])))


def test_without_digits_there_is_no_temperature() -> None:
    with pytest.raises(UsageError, match="no validation digits"):
        fit_temperature(np.zeros((0, 10)), np.zeros(0, np.int64))

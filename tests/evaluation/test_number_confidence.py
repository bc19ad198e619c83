"""Confidence of whole numbers: scaling, calibration error, risk against coverage."""

import numpy as np
import pytest

from inkdigits.evaluation.number_confidence import (
    accepted_share,
    errors_by_confidence,
    fit_scaling,
    number_confidence,
)
from inkdigits.reader.confidence import Scaling
from inkdigits.reader.results import Digit, Line


def test_the_scaling_is_found_again() -> None:
    rng = np.random.default_rng(0)
    probability = 1 / (1 + np.exp(-rng.normal(1, 2, 20_000)))
    truth = Scaling(0.5, -0.4)
    right = rng.random(20_000) < np.array([truth(p) for p in probability])
    found = fit_scaling(probability, right)
    assert (found.slope, found.offset) == (pytest.approx(0.5, abs=0.05), pytest.approx(-0.4, abs=0.1))
    before, after = (number_confidence(c, right).ece for c in (probability, np.array([found(p) for p in probability])))
    assert after < 0.02 < before


def test_a_scaled_line_keeps_its_order_and_its_sum_below_one() -> None:
    line = Line((Digit(3, 0.8, (0, 0, 1, 1)),), (0, 0, 1, 1), probability=0.8, alternatives=(("8", 0.15), ("5", 0.05)))
    scaled = Scaling(2.0, 0.0).scaled(line)
    assert scaled.confidence == pytest.approx(16 / 17)
    assert dict(scaled.alternatives) == pytest.approx({"8": 0.15 * 5 / 17, "5": 0.05 * 5 / 17})
    rejected = Line((Digit(None, 0.8, (0, 0, 1, 1), reject="ambiguous"),), (0, 0, 1, 1))
    assert Scaling(2.0, 3.0).scaled(rejected).confidence == 0


def test_risk_and_calibration_error_of_a_small_set() -> None:
    confidence, right = np.array([0.9, 0.8, 0.7, 0.1]), np.array([True, False, True, False])
    quality = number_confidence(confidence, right)
    assert quality.risk == pytest.approx([0, 1 / 2, 1 / 3, 1 / 2])
    assert quality.area == pytest.approx(1 / 3)
    assert quality.ece == pytest.approx((0.1 + 0.8 + 0.3 + 0.1) / 4)
    assert accepted_share(confidence, right, 0.75) == (0.5, 0.5)
    assert errors_by_confidence(np.array([0.9, 0.9, 0.2]), np.array([True, False, True])) == [
        (0.2, pytest.approx(1 / 3), 1.0),
        (0.9, 0.5, pytest.approx(2 / 3)),
    ]

"""Numbers that a rule allows, for probabilities at their limits."""

import numpy as np
import pytest
from numpy.typing import NDArray

from inkdigits.reader.checksums import RULES, rule, satisfying


def certain(number: str) -> NDArray[np.float64]:
    """Probabilities of exactly 1 and 0."""
    return np.eye(10)[[int(digit) for digit in number]]


@pytest.mark.parametrize("name", RULES)
def test_a_rule_is_named_as_it_is_asked_for(name: str) -> None:
    assert rule(name).name == name


def test_certain_digits_that_satisfy_a_rule_are_certain() -> None:
    found = satisfying(certain("79927398713"), rule("luhn"))
    assert found is not None
    assert (found.text, found.probability) == ("79927398713", pytest.approx(1, abs=1e-6))


def test_certain_digits_that_break_a_rule_are_still_brought_to_the_nearest_number() -> None:
    found = satisfying(certain("79927398710"), rule("luhn"))
    assert found is not None
    assert sum(a != b for a, b in zip(found.text, "79927398710", strict=True)) == 1
    assert 0 < found.probability < 0.2  # about as likely as any other such number

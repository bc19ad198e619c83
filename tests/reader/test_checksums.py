"""Rules of whole numbers, against every number there is."""

import itertools

import numpy as np
import pytest

from inkdigits.errors import UsageError
from inkdigits.reader.checksums import rule, satisfying

RIGHT = {
    "luhn": ["79927398713", "4539578763621486", "0", "18"],
    "mod97": ["3214282912345698765432161182", "1", "98"],
    "isbn": ["9780306406157", "0306406152"],
}


def fits(name: str, number: str) -> bool:
    check, remainder = rule(name), 0
    for place, digit in enumerate(number):
        remainder = check.step(remainder, int(digit), place, len(number))
    return remainder == check.valid


@pytest.mark.parametrize("name", RIGHT)
def test_known_numbers_satisfy_their_rule_and_no_neighbour_does(name: str) -> None:
    for number in RIGHT[name]:
        assert fits(name, number)
        for place in range(len(number)):
            other = number[:place] + str((int(number[place]) + 1) % 10) + number[place + 1 :]
            assert not fits(name, other)


@pytest.mark.parametrize("name", ["luhn", "mod97"])
def test_the_likeliest_number_is_that_of_all_numbers(name: str) -> None:
    shares = np.random.default_rng(1).dirichlet(np.full(10, 0.3), 4)
    every = {"".join(map(str, n)): float(np.prod(shares[range(4), n])) for n in itertools.product(range(10), repeat=4)}
    fitting = {number: share for number, share in every.items() if fits(name, number)}
    best = sorted(fitting, key=lambda number: -fitting[number])
    found = satisfying(shares, rule(name))
    assert found is not None
    assert found.text == best[0]
    assert found.probability == pytest.approx(fitting[best[0]] / sum(fitting.values()), rel=1e-4)
    assert found.runner_up is not None
    assert found.runner_up[0] == best[1]


def test_no_isbn_has_eleven_digits() -> None:
    assert satisfying(np.full((11, 10), 0.1), rule("isbn")) is None
    assert satisfying(np.empty((0, 10)), rule("luhn")) is None


def test_an_unknown_rule_is_refused() -> None:
    with pytest.raises(UsageError, match="there is no check 'lun'; did you mean 'luhn'"):
        rule("lun")

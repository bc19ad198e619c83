"""The likeliest texts of boxes, in their order, with the product of the boxes' probabilities."""

import itertools

import numpy as np
import pytest

from inkdigits.forms.alternatives import OUTCOMES, likeliest_texts, ranked


def test_the_texts_are_those_of_all_combinations_in_order() -> None:
    shares = np.random.default_rng(0).dirichlet(np.full(len(OUTCOMES), 0.3), 3)
    every = {
        "".join(OUTCOMES[i] for i in places): float(np.prod([shares[row, i] for row, i in enumerate(places)]))
        for places in itertools.product(range(len(OUTCOMES)), repeat=3)
    }
    found = likeliest_texts(shares, width=50)
    assert len(found) == 50
    assert [one.text for one in found] == sorted(every, key=lambda text: -every[text])[:50]
    assert all(one.probability == pytest.approx(every[one.text]) for one in found)


def test_alternatives_are_ranked_and_the_unlikely_ones_left_out() -> None:
    assert [one.text for one in ranked({"b": 0.3, "a": 0.3, "c": 0.4, "d": 0.001}, 0.01)] == ["c", "a", "b"]

"""Several readings of one line as one."""

import numpy as np
import pytest

from inkdigits.reader.line_recognizer import Character, LineText
from inkdigits.reader.views import mean_reading

CHARACTERS = "0123456789.,-/?x"


def line(probability: float, *texts: tuple[str, float]) -> LineText:
    rows = [probability * np.eye(len(CHARACTERS))[CHARACTERS.index(c)] for c in texts[0][0]]
    return LineText(tuple(Character(c, (0, 0, 1, 1), row) for c, row in zip(texts[0][0], rows, strict=True)), texts)


def test_the_mean_reading_is_the_likeliest_text_over_all() -> None:
    views = [line(0.9, ("17", 0.5), ("77", 0.4)), line(0.8, ("77", 0.7), ("17", 0.1)), line(0.7, ("77", 0.6))]
    mean, place = mean_reading(views)
    assert (mean.text, place) == ("77", 1)
    assert dict(mean.texts) == pytest.approx({"77": 1.7 / 3, "17": 0.2})
    first, second = (c.probabilities for c in mean.characters)
    assert (first[7], first[1]) == (pytest.approx(1.5 / 3), pytest.approx(0.9 / 3))
    assert second[7] == pytest.approx((0.9 + 0.8 + 0.7) / 3)


def test_a_character_that_a_reading_lacks_counts_as_nothing() -> None:
    mean, _ = mean_reading([line(0.9, ("123", 0.9)), line(0.9, ("13", 0.5)), line(0.9, ("123", 0.9))])
    assert [round(c.probability, 4) for c in mean.characters] == [0.9, 0.6, 0.9]


def test_one_reading_is_its_own_mean_and_an_empty_line_stays_empty() -> None:
    one = line(0.9, ("4", 0.9))
    assert mean_reading([one])[0].texts == one.texts
    empty = LineText((), (("", 1.0),))
    assert mean_reading([empty, empty]) == (empty, 0)

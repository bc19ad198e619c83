import numpy as np
import pytest

from inkdigits.data import Dataset
from inkdigits.errors import DataError, UsageError
from inkdigits.imaging.nondigits import NON_DIGITS, Sources, non_digits
from inkdigits.report.figures import fonts


@pytest.mark.parametrize("kind", NON_DIGITS)
def test_a_kind_is_seeded_and_varies(kind: str, small: Dataset) -> None:
    sources = Sources(small.test.images, fonts())
    first, again, other = (non_digits(kind, 12, sources, seed) for seed in (0, 0, 1))
    assert first.shape == (12, 28, 28)
    assert first.dtype == np.uint8
    assert (first == again).all()
    assert (first != other).any()
    assert len({picture.tobytes() for picture in first}) > 6
    assert kind == "blank" or all(picture.max() > picture.min() for picture in first)


def test_a_cut_digit_keeps_a_third_at_most(small: Dataset) -> None:
    cut = non_digits("cut_digit", 50, Sources(small.test.images))
    ink = (cut > 0).any(1).sum(1) * (cut > 0).any(2).sum(1)  # area of the box
    whole = (small.test.images > 0).any(1).sum(1) * (small.test.images > 0).any(2).sum(1)
    assert np.median(ink) < 0.45 * np.median(whole)


def test_a_mistake_is_said(small: Dataset) -> None:
    with pytest.raises(UsageError, match="did you mean 'letter'"):
        non_digits("leter", 1, Sources(small.test.images, fonts()))
    with pytest.raises(DataError, match="need font files"):
        non_digits("letter", 1, Sources(small.test.images))

import numpy as np
import pytest

from inkdigits.data import Dataset
from inkdigits.errors import DataError, UsageError
from inkdigits.synthetic.unseen_outliers import UNSEEN_OUTLIERS, Sources, make_unseen_outliers, matplotlib_fonts


@pytest.mark.parametrize("kind", UNSEEN_OUTLIERS)
def test_a_kind_is_seeded_and_varies(kind: str, small: Dataset) -> None:
    sources = Sources(small.test.images, matplotlib_fonts())
    first, again, other = (make_unseen_outliers(kind, 12, sources, seed) for seed in (0, 0, 1))
    assert first.shape == (12, 28, 28)
    assert first.dtype == np.uint8
    assert (first == again).all()
    assert (first != other).any()
    assert len({picture.tobytes() for picture in first}) > 6
    assert kind == "blank" or all(picture.max() > picture.min() for picture in first)


def test_a_cut_digit_keeps_a_third_at_most(small: Dataset) -> None:
    cut = make_unseen_outliers("cut_digit", 50, Sources(small.test.images))
    ink = (cut > 0).any(1).sum(1) * (cut > 0).any(2).sum(1)  # area of the box
    whole = (small.test.images > 0).any(1).sum(1) * (small.test.images > 0).any(2).sum(1)
    assert np.median(ink) < 0.45 * np.median(whole)


def test_a_mistake_is_said(small: Dataset) -> None:
    with pytest.raises(UsageError, match="did you mean 'letter'"):
        make_unseen_outliers("leter", 1, Sources(small.test.images, matplotlib_fonts()))
    with pytest.raises(DataError, match="need font files"):
        make_unseen_outliers("letter", 1, Sources(small.test.images))

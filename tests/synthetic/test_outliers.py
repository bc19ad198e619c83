import numpy as np
import pytest

from inkdigits.data import Dataset
from inkdigits.errors import DataError
from inkdigits.synthetic import outliers as made
from inkdigits.synthetic import unseen_outliers as measured
from inkdigits.synthetic.outliers import KINDS, font_files, make_outliers
from inkdigits.synthetic.unseen_outliers import matplotlib_fonts


def test_the_same_seed_makes_the_same_pictures(small: Dataset) -> None:
    first, again, other = (make_outliers(50, small.train, seed) for seed in (0, 0, 1))
    assert first.shape == (50, 28, 28)
    assert first.dtype == np.uint8
    assert (first == again).all()
    assert (first != other).any()
    assert make_outliers(0, small.train, 0).shape == (0, 28, 28)


@pytest.mark.parametrize("draw", [draw for draw, _ in KINDS], ids=[draw.__name__ for draw, _ in KINDS])
def test_each_kind_differs_from_picture_to_picture(draw: made.Draw, small: Dataset) -> None:
    rng = np.random.default_rng(0)
    pictures = [draw(rng, small.train) for _ in range(8)]
    assert all(picture.shape == (28, 28) and picture.dtype == np.uint8 for picture in pictures)
    assert len({picture.tobytes() for picture in pictures}) > 2


def test_what_is_learned_from_and_measured_with_shares_no_font_and_no_picture(small: Dataset) -> None:
    assert not {path.name for path in font_files()} & {path.name for path in matplotlib_fonts()}
    sources = measured.Sources(small.test.images, matplotlib_fonts())
    tested = np.concatenate([measured.make_unseen_outliers(kind, 40, sources) for kind in measured.UNSEEN_OUTLIERS])
    learned = {picture.tobytes() for picture in make_outliers(400, small.train, 0) if picture.any()}
    assert not {picture.tobytes() for picture in tested if picture.any()} & learned


def test_missing_fonts_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(made, "FONTS", ("font_of_nobody",))
    with pytest.raises(DataError, match=r"fonts of font_of_nobody are missing: pip install 'inkdigits\[lab\]'"):
        font_files()

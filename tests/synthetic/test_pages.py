"""Pages with their truth."""

import numpy as np
import pytest

from inkdigits.data import Dataset
from inkdigits.errors import UsageError
from inkdigits.synthetic.pages import KINDS, make_page


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_is_seeded_and_says_what_is_written_on_it(kind: str, small: Dataset) -> None:
    pages = [make_page(kind, small.test.images, small.test.labels, seed) for seed in (1, 1, 2)]
    assert np.array_equal(pages[0].image, pages[1].image)
    assert pages[0].lines == pages[1].lines
    assert pages[0].lines != pages[2].lines
    assert pages[0].image.dtype == np.uint8
    assert pages[0].image.ndim == 3
    allowed = set("0123456789_x" if kind == "boxes" else "0123456789")
    assert all(set(line) <= allowed for page in pages for line in page.lines)


def test_an_unknown_kind_is_refused(small: Dataset) -> None:
    with pytest.raises(UsageError, match="there is no kind of page 'box'; did you mean 'boxes'"):
        make_page("box", small.test.images, small.test.labels, 0)

"""A printed form, its reader, and a pen."""

import pytest

from inkdigits.data import Dataset
from inkdigits.forms.box_recognizer import BoxRecognizer
from inkdigits.forms.page_reader import PageReader
from inkdigits.forms.pages import Placement
from inkdigits.forms.printing import Copy
from inkdigits.reader.line_recognizer import LineRecognizer
from inkdigits.reader.recognizer import Recognizer
from tests.forms.sheets import ANSWERS, Pen, Picture, fill, printed_pages, small_form


@pytest.fixture(scope="session")
def form() -> Placement:
    """A form of one page."""
    return small_form()


@pytest.fixture(scope="session")
def boxes() -> BoxRecognizer:
    """The packaged models."""
    return BoxRecognizer(Recognizer(threads=1), LineRecognizer(threads=1))


@pytest.fixture(scope="session")
def reader(form: Placement, boxes: BoxRecognizer) -> PageReader:
    """Reads the form."""
    return PageReader(form, boxes)


@pytest.fixture(scope="session")
def pen(mnist_5k: Dataset) -> Pen:
    """Writes digits that the network reads without doubt."""
    return Pen.of(mnist_5k, Recognizer(threads=1))


@pytest.fixture(scope="session")
def blank(form: Placement, tmp_path_factory: pytest.TempPathFactory) -> Picture:
    """Copy 3, printed and not filled."""
    (page,) = printed_pages(form, [Copy(3)], tmp_path_factory.mktemp("blank"))
    return page


@pytest.fixture(scope="session")
def filled(form: Placement, blank: Picture, pen: Pen) -> Picture:
    """Copy 3, filled with ANSWERS."""
    return fill(blank, form.pages[0], ANSWERS, pen)

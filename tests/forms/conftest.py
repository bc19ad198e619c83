"""A printed form and one that exists already, their readers, and a pen."""

from pathlib import Path

import cv2
import pytest

from inkdigits.data import Dataset
from inkdigits.forms.box_recognizer import BoxRecognizer
from inkdigits.forms.design import load_design
from inkdigits.forms.files import page_reader
from inkdigits.forms.page_reader import PageReader
from inkdigits.forms.pages import Placement
from inkdigits.forms.placement import place
from inkdigits.forms.printing import Copy
from inkdigits.forms.template import read_sheets, write_template
from inkdigits.reader.line_recognizer import LineRecognizer
from inkdigits.reader.recognizer import Recognizer
from tests.forms.blank_forms import WIDTH, empty_form
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


@pytest.fixture(scope="session")
def template_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """station.toml, the template of a form that exists already, beside its blank."""
    folder = tmp_path_factory.mktemp("template")
    cv2.imwrite(str(folder / "blank.png"), empty_form())
    write_template(read_sheets(folder / "blank.png", WIDTH), folder / "station.toml")
    return folder


@pytest.fixture(scope="session")
def template(template_folder: Path) -> Placement:
    """The fields that were proposed for it."""
    return place(load_design(template_folder / "station.toml"))


@pytest.fixture(scope="session")
def template_reader(template: Placement, template_folder: Path) -> PageReader:
    """Reads its sheets."""
    return page_reader(template, (), None, None, template_folder)

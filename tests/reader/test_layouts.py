"""Layouts are exchangeable parts; the parameters of each part are passed in."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import pytest

from inkdigits.data import Dataset
from inkdigits.errors import DataError, PluginError, UsageError
from inkdigits.imaging.page import Page, PageParameters
from inkdigits.imaging.text_lines import TextLineParameters
from inkdigits.reader import Reader
from inkdigits.reader.glyphs import Glyph, GlyphReader
from inkdigits.reader.layouts import LayoutReading, Row, create_layout, list_layouts, register_layout
from inkdigits.reader.layouts.boxes import BoxLayout, BoxLayoutParameters
from inkdigits.reader.layouts.line import LineLayout, LineLayoutParameters
from inkdigits.reader.layouts.registry import LAYOUTS
from inkdigits.reader.orientation import OrientationParameters, best_orientation
from inkdigits.synthetic.pages import MadePage, make_page

BLANK = np.full((60, 60), 255, np.uint8)


@pytest.fixture(scope="module")
def page(mnist_5k: Dataset) -> MadePage:
    return make_page("plain", mnist_5k.test.images, mnist_5k.test.labels, 3)


@pytest.fixture(scope="module")
def form(mnist_5k: Dataset) -> MadePage:
    return make_page("boxes", mnist_5k.test.images, mnist_5k.test.labels, 1)


@dataclass(frozen=True)
class FirstLine:
    """A layout as another package would write it: the first line of handwriting alone."""

    name: ClassVar[str] = "first-line"
    order: ClassVar[int | None] = None

    def read(self, page: Page, glyphs: GlyphReader, length: int | None, required: bool) -> LayoutReading | None:
        found = LineLayout().read(page, glyphs, length, required)
        return LayoutReading(self.name, found.rows[:1], found.score)


@pytest.fixture
def first_line() -> Iterator[None]:
    register_layout(FirstLine)
    yield
    LAYOUTS.remove("first-line")


def test_a_new_layout_is_found_by_its_name(page: MadePage, first_line: None) -> None:
    reading = Reader().read(page.image, layout="first-line")
    assert reading.layout == "first-line"
    assert reading.text == Reader().read(page.image).lines[0].text
    assert Reader().read(page.image).layout == "line"  # its order is None: auto leaves it out


def test_a_name_that_is_taken_or_unknown_is_refused(first_line: None) -> None:
    with pytest.raises(UsageError, match=rf"two layouts are called 'first-line': {__name__}.FirstLine and .*FirstLine"):
        register_layout(FirstLine)
    with pytest.raises(UsageError, match=r"'auto' stands for all layouts; choose another name for .*Auto"):
        register_layout(type("Auto", (FirstLine,), {"name": "auto"}))
    with pytest.raises(UsageError, match="there is no layout 'lines'; did you mean 'line'"):
        create_layout("lines")
    assert list_layouts() == ["boxes", "first-line", "line"]


def break_down(*_: object) -> LayoutReading:
    raise ValueError("no ruler")


def find_dark(*_: object) -> LayoutReading:
    raise DataError("the page is too dark")


@pytest.mark.parametrize(
    ("member", "function", "says"),
    [
        ("read", break_down, "ValueError: no ruler"),
        ("read", lambda *_: [], "TypeError: it returned list, not a LayoutReading"),
        ("__init__", lambda self, width: None, "TypeError: .*missing 1 required positional argument: 'width'"),
    ],
)
def test_what_a_layout_from_elsewhere_does_wrong_names_it(
    member: str, function: Any, says: str, first_line: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FirstLine, member, function)
    with pytest.raises(PluginError, match=f"the layout 'first-line' of the plug-in {__name__} fails: {says}"):
        Reader().read(BLANK, layout="first-line")


@pytest.mark.parametrize(
    ("layout", "function", "error"), [(FirstLine, find_dark, DataError), (LineLayout, break_down, ValueError)]
)
def test_errors_of_inkdigits_and_of_its_own_layouts_stay_what_they_are(
    layout: Any, function: Any, error: type[Exception], first_line: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layout, "read", function)
    with pytest.raises(error, match=r"^(no ruler|the page is too dark)$"):
        Reader().read(BLANK, layout=layout.name)


def test_auto_takes_the_first_layout_that_fits(page: MadePage, form: MadePage) -> None:
    reader = Reader()
    assert (reader.read(page.image).layout, reader.read(form.image).layout) == ("line", "boxes")
    only_lines = Reader(layouts=[LineLayout()])
    assert only_lines.read(form.image).layout == "line"


def test_a_form_needs_as_many_written_boxes_as_the_parameters_say(form: MadePage) -> None:
    strict = BoxLayout(BoxLayoutParameters(fewest_written=1000))
    assert Reader(layouts=[strict, LineLayout()]).read(form.image).layout == "line"


def test_digits_below_the_probability_of_the_card_are_ambiguous(page: MadePage) -> None:
    reader = Reader()
    assert None in {digit.reject for digit in reader.read(page.image).digits}
    reader.lines.card["ambiguous_below"] = 2.0
    assert {digit.reject for digit in reader.read(page.image).digits} == {"ambiguous"}


def test_a_narrower_gap_parts_a_line_into_more_numbers(page: MadePage) -> None:
    narrow = LineLayout(LineLayoutParameters(gap=-1.0))
    reading = Reader(layouts=[narrow]).read(page.image)
    assert {len(line.digits) for line in reading.lines} == {1}
    assert len(reading.lines) == len(Reader().read(page.image).digits)


def test_page_parameters_reach_the_search_for_lines(page: MadePage) -> None:
    none = PageParameters(text_lines=TextLineParameters(core=50.0))
    assert Reader(page=none).read(page.image, turn=False).text == ""


def reading(score: float, confident: int = 9, mostly_print: bool = False) -> LayoutReading:
    glyph = Glyph((0, 0, 9, 9), np.eye(10, dtype=np.float32)[3], 0.0, None)
    return LayoutReading("line", [Row([glyph] * confident)], score, mostly_print)


@pytest.mark.parametrize(
    ("scores", "quarters"),
    [
        ((-0.55, 0.1, 0.1, 0.1), 0),  # it reads well as it lies
        ((-0.7, -0.05, -2.0, -2.0), 1),
        ((-3.0, -0.1, -2.0, -2.0), 1),
        ((-3.0, -1.0, -2.0, -2.0), 0),  # the other reads poorly too
        ((-3.0, -2.8, -2.9, -2.7), 0),  # the others are hardly better
        ((-1.0, -0.9, -0.8, -0.7), 0),
        ((-3.0, -2.0, -0.2, -2.0), 2),
        ((-3.0, -2.0, -2.0, -0.2), 3),
    ],
)
def test_a_page_is_turned_only_where_it_reads_clearly_better(scores: tuple[float, ...], quarters: int) -> None:
    assert best_orientation(lambda turn: reading(scores[turn], 8 if turn else 4))[0] == quarters


def test_a_page_stays_as_it_lies_unless_twice_as_many_digits_are_confident_in_another_orientation() -> None:
    for confident, quarters in ((7, 0), (8, 1)):
        found = best_orientation(lambda turn, n=confident: reading(-0.1, n) if turn == 1 else reading(-3.0, 4))
        assert found[0] == quarters


@pytest.mark.parametrize(("mostly_print", "tried"), [(False, [0, 1, 3, 2]), (True, [0, 2])])
def test_a_page_of_print_is_tried_upside_down_only(mostly_print: bool, tried: list[int]) -> None:
    turns: list[int] = []

    def read(turn: int) -> LayoutReading:
        turns.append(turn)
        return reading(-3.0, mostly_print=mostly_print)

    best_orientation(read)
    assert turns == tried


def test_a_page_that_is_too_complex_is_read_once() -> None:
    turns: list[int] = []

    def read(turn: int) -> LayoutReading:
        turns.append(turn)
        return replace(reading(-0.1 if turn else -3.0, 9 if turn else 1), too_complex=True)

    assert best_orientation(read)[0] == 0
    assert turns == [0]


def test_orientation_counts_digits_and_leaves_print_upright() -> None:
    def few(turn: int) -> LayoutReading:
        return reading(-0.1 if turn == 1 else -3.0, confident=3 if turn else 1)

    assert best_orientation(few)[0] == 0
    assert best_orientation(few, OrientationParameters(fewest=2))[0] == 1
    assert best_orientation(lambda turn: reading(-0.1 if turn == 1 else -3.0, 9, mostly_print=True))[0] == 0

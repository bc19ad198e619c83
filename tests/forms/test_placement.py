"""Where the boxes of a form stand, and which forms do not fit."""

import msgspec
import pytest

from inkdigits.errors import UsageError
from inkdigits.forms.design import Design, parse_design
from inkdigits.forms.example import example
from inkdigits.forms.fields import Choice, Date, Decimal, Digits, Integer, Rows, TextField
from inkdigits.forms.payload import Payload, decode
from inkdigits.forms.placement import place

AnyField = Digits | Integer | Decimal | Date | Choice | TextField | Rows


def form(*fields: AnyField, **settings: object) -> Design:
    return Design(name="exam", fields=fields, **{"title": "An exam", **settings})  # type: ignore[arg-type]


def number(name: str, length: int = 3, **settings: object) -> Digits:
    return Digits(name=name, length=length, **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize("paper", ["A4", "Letter"])
def test_no_box_of_the_example_touches_another_or_a_mark(paper: str) -> None:
    design = msgspec.structs.replace(parse_design(example("exam")), paper=paper)
    (page,) = place(design).pages
    boxes = [box for one in page.fields for box in one.boxes] + [mark.box for mark in page.marks] + [page.code]
    for index, box in enumerate(boxes):
        assert 0 < box.left < box.right < page.width
        assert 0 < box.top < box.bottom < page.height
        assert not any(box.overlaps(other) for other in boxes[:index])


def test_a_field_has_a_box_for_each_digit_or_option() -> None:
    fields = {one.name: one for one in place(parse_design(example("exam"))).fields}
    assert len(fields["student"].boxes) == 8
    assert len(fields["date"].boxes) == 8
    assert len(fields["group"].boxes) == 3
    assert len(fields["tasks.5.points"].boxes) == 3
    assert (fields["tasks.5.points"].table, fields["tasks.5.points"].line) == ("tasks", 5)
    gaps = [b.left - a.right for a, b in zip(fields["date"].boxes, fields["date"].boxes[1:], strict=False)]
    assert [gap > 2 for gap in gaps] == [False, True, False, True, False, False, False]  # DD.MM.YYYY


def test_a_mark_sheet_of_30_lines_fits_on_a_page() -> None:
    marks = Rows(name="marks", count=30, fields=(Decimal(name="points", before=2, after=1),))
    assert len(place(form(Digits(name="class", length=3), marks)).pages) == 1


def test_a_long_table_goes_on_on_the_next_page_with_its_head() -> None:
    marks = Rows(name="marks", count=70, fields=(Integer(name="points", label="Points here", maximum=99),))
    placement = place(form(marks))
    assert [sum(one.field.name == "points" for one in page.fields) for page in placement.pages] == [32, 32, 6]
    assert [one.name for one in placement.fields] == [f"marks.{line}.points" for line in range(1, 71)]
    for page in placement.pages:
        assert any(text.text.startswith("Points") for text in page.texts)


def test_a_field_beside_stands_on_the_same_line_and_a_field_on_a_new_page_begins_it() -> None:
    fields = (number("a"), number("b", beside=True), number("c", new_page=True))
    placed = {one.name: one.boxes[0] for one in place(form(*fields)).fields}
    assert placed["a"].top == placed["b"].top
    assert placed["b"].left > placed["a"].left + 3 * 7
    assert [one.name for one in place(form(*fields)).pages[1].fields] == ["c"]


def test_a_third_field_on_a_line_stands_behind_the_second() -> None:
    a, b, c = (one.boxes for one in place(form(number("a"), number("b", beside=True), number("c", beside=True))).fields)
    assert a[0].top == b[0].top == c[0].top
    assert b[-1].right < c[0].left


def test_options_that_fill_a_line_go_on_on_the_next() -> None:
    (one,) = place(form(Choice(name="a", options=tuple(f"option number {n}" for n in range(8))))).fields
    assert max(box.right for box in one.boxes) < 210 - 14
    assert [box.left == one.boxes[0].left for box in one.boxes] == [True, False, False, True, False, False, True, False]


def test_a_wide_field_stands_below_its_label() -> None:
    (one,) = place(form(number("a", 20))).fields
    assert one.boxes[0].left < 20
    assert one.boxes[-1].right < 210 - 13


@pytest.mark.parametrize(
    ("design", "says"),
    [
        (form(number("a", 30)), "the field a is 245 mm wide, and the page has 182"),
        (form(number("a", 14), number("b", 9, beside=True)), "b has no place beside the field"),
        (form(*(number(f"a{n}") for n in range(20)), pages=1), "does not fit: the form may have 1 pages"),
        (form(number("a", at=(50.0, 99.0)), number("b", at=(60.0, 105.0))), "field b overlaps the field a on page 1"),
        (form(number("a", at=(12.0, 15.0))), "the field a overlaps the mark in the corner 1"),
        (form(number("a", at=(165.0, 30.0))), "the field a overlaps the QR code"),
        (form(number("a", at=(195.0, 150.0))), "the field a reaches out of page 1"),
        (form(number("a"), number("b", at=(15.0, 38.0))), "the field b covers the text 'a'"),
        (form(number("a", at=(50.0, 100.0), page=2)), "the field a is on page 2, and the form has 1"),
        (form(TextField(name="a", height=250.0)), "the field a is 250 mm high, which fits on no page"),
        (form(Rows(name="m", count=2, fields=(number("a", 25),))), "the table m is"),
        (form(number("a"), TextField(name="b", width=9.0, height=240.0, beside=True)), "b has no place beside"),
        (form(number("a"), instructions="line\n" * 70), "the instructions fill more than a page"),
    ],
)  # fmt: skip
def test_a_form_that_does_not_fit_is_named_with_its_field(design: Design, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        place(design)
    assert says in str(caught.value)


def test_the_layout_hash_is_that_of_the_boxes_and_their_meaning() -> None:
    base = Choice(name="a", options=("aa", "bb"))
    layout = place(form(base)).layout
    assert place(form(msgspec.structs.replace(base, optional=True), title="Other")).layout == layout
    assert place(form(msgspec.structs.replace(base, options=("bb", "aa")))).layout != layout
    assert place(form(msgspec.structs.replace(base, name="b"))).layout != layout
    assert place(form(number("x", 2), base)).layout != layout
    assert place(form(base, paper="Letter")).layout != layout


def test_a_date_in_another_order_is_another_layout() -> None:
    assert place(form(Date(name="a"))).layout != place(form(Date(name="a", format="MM.DD.YYYY"))).layout


def test_a_code_without_a_person_is_in_the_short_alphabet_of_qr() -> None:
    text = Payload("exam_2-b", 12, "A1B2C3", 3, 250).encode()
    assert set(text) <= set("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:")


@pytest.mark.parametrize("person", ["", "g2müller:5%", "12 34"])
def test_the_code_says_what_was_encoded(person: str) -> None:
    payload = Payload("exam_2-b", 12, "A1B2C3", 3, 250, person)
    assert decode(payload.encode()) == payload


@pytest.mark.parametrize(
    "text",
    ["", "https://example.org", "INK1:EXAM:1.A1:x:1:", "INK1:EXAM:1:1:1:", "INK1:EXAM:1.A1", "INK2:EXAM:1.A:1:1:"],
)
def test_another_code_is_none_of_a_form(text: str) -> None:
    assert decode(text) is None

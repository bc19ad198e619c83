"""The printed PDF: its marks, its code, its texts, and what is refused."""

from pathlib import Path

import cv2
import numpy as np
import pypdfium2
import pytest
from numpy.typing import NDArray

from inkdigits.errors import UsageError
from inkdigits.forms.design import Design, parse_design
from inkdigits.forms.example import example
from inkdigits.forms.fields import Digits
from inkdigits.forms.guide_digits import STROKES, beziers
from inkdigits.forms.pages import MARK_DICTIONARY, Placement
from inkdigits.forms.payload import decode
from inkdigits.forms.people import Person
from inkdigits.forms.placement import place
from inkdigits.forms.printing import Copy, code_modules, numbered, one_for_each, print_form

DPI = 150


@pytest.fixture
def placement() -> Placement:
    return place(parse_design(example("exam")))


def rendered(path: Path) -> list[NDArray[np.uint8]]:
    document = pypdfium2.PdfDocument(path)
    return [page.render(scale=DPI / 72, grayscale=True).to_numpy().squeeze() for page in document]


def texts(path: Path) -> list[str]:
    return [page.get_textpage().get_text_range() for page in pypdfium2.PdfDocument(path)]


def test_the_marks_and_the_code_are_where_they_were_placed(placement: Placement, tmp_path: Path) -> None:
    print_form(placement, [Copy(7, Person("0123", "Åsa"))], tmp_path / "a.pdf")
    (picture,) = rendered(tmp_path / "a.pdf")
    detector = cv2.aruco.ArucoDetector(cv2.aruco.getPredefinedDictionary(getattr(cv2.aruco, MARK_DICTIONARY)))
    corners, ids, _ = detector.detectMarkers(picture)
    found = {int(number): quad[0] for number, quad in zip(ids.ravel(), corners, strict=True)}
    assert len(found) == 4
    for mark in placement.pages[0].marks:
        assert np.abs(found[mark.id] * 25.4 / DPI - mark.box.corners).max() < 0.3  # mm
    code = placement.pages[0].code
    text, quad, _ = cv2.QRCodeDetector().detectAndDecode(picture)
    assert decode(text) == placement.payload(1, 7, "0123")
    assert np.abs(quad[0] * 25.4 / DPI - code.corners).max() < 1.0


def test_every_box_is_drawn_where_it_was_placed(placement: Placement, tmp_path: Path) -> None:
    print_form(placement, [Copy()], tmp_path / "a.pdf")
    (picture,) = rendered(tmp_path / "a.pdf")
    ink = picture < 160
    scale = DPI / 25.4
    boxes = [box for one in placement.fields if one.field.kind != "text" for box in one.boxes]
    assert len(boxes) > 40
    for box in boxes:
        left, top, right, bottom = (round(value * scale) for value in (box.left, box.top, box.right, box.bottom))
        middle = slice(top + 5, bottom - 5), slice(left + 5, right - 5)
        assert not ink[middle].any()
        for edge in (left, right):
            assert ink[middle[0], edge - 2 : edge + 3].any(1).all()
        for edge in (top, bottom):
            assert ink[edge - 2 : edge + 3, middle[1]].any(0).all()


def test_each_copy_has_all_pages_with_its_number(tmp_path: Path) -> None:
    design = Design(name="x", title="X", fields=(Digits(name="a", length=2), Digits(name="b", length=2, new_page=True)))
    placement = place(design)
    print_form(placement, numbered(2), tmp_path / "a.pdf")
    footers = [text.splitlines()[-1] for text in texts(tmp_path / "a.pdf")]
    assert [[part.strip() for part in footer.split("·")[-2:]] for footer in footers] == [
        ["page 1 of 2", "copy 1"],
        ["page 2 of 2", "copy 1"],
        ["page 1 of 2", "copy 2"],
        ["page 2 of 2", "copy 2"],
    ]


def test_a_print_without_copies_has_no_number(placement: Placement, tmp_path: Path) -> None:
    print_form(placement, [Copy()], tmp_path / "a.pdf")
    (text,) = texts(tmp_path / "a.pdf")
    assert "page 1 of 1" in text
    assert "copy" not in text


def test_the_people_of_a_roster_have_their_names_printed(placement: Placement, tmp_path: Path) -> None:
    people = [Person("1", "Łukasz Ζωή Жанна"), Person("g2bo")]
    print_form(placement, one_for_each(people), tmp_path / "a.pdf")
    first, second = texts(tmp_path / "a.pdf")
    assert "Łukasz Ζωή Жанна 1" in first
    assert "g2bo" in second
    read = [cv2.QRCodeDetector().detectAndDecode(picture)[0] for picture in rendered(tmp_path / "a.pdf")]
    assert read == [placement.payload(1, n, one.id).encode() for n, one in enumerate(people, 1)]


def test_the_same_form_is_the_same_file(placement: Placement, tmp_path: Path) -> None:
    for name in ("a.pdf", "b.pdf"):
        print_form(placement, numbered(1), tmp_path / name)
    assert (tmp_path / "a.pdf").read_bytes() == (tmp_path / "b.pdf").read_bytes()


def test_a_wide_title_is_narrowed_to_its_place(tmp_path: Path) -> None:
    placement = place(Design(name="x", title="M" * 40, fields=(Digits(name="a", length=2),), guides=False))
    print_form(placement, [Copy()], tmp_path / "a.pdf")
    (picture,) = rendered(tmp_path / "a.pdf")
    title, scale = placement.pages[0].texts[0].box, DPI / 25.4
    strip = picture[round(title.top * scale) : round(title.bottom * scale)]
    ink = np.flatnonzero((strip < 128).any(0))
    between = (ink > title.right * scale + 1) & (ink < placement.pages[0].code.left * scale - 1)
    assert not between.any()
    assert (abs(ink - title.right * scale) < 5).any()  # it fills its place


@pytest.mark.parametrize(
    ("design", "says"),
    [
        (
            Design(name="x", title="試験", fields=(Digits(name="a", length=2),)),
            "the font has no letter '試' .U.8A66.*--font",
        ),
        (
            Design(name="x", title="M" * 120, fields=(Digits(name="a", length=2),)),
            "the text 'M{40}' is too long for its place on page 1",
        ),
    ],
)
def test_what_cannot_be_printed_is_named_and_leaves_no_file(design: Design, says: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=says):
        print_form(place(design), [Copy()], tmp_path / "a.pdf")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("count", [0, 10_001])
def test_a_number_of_copies_out_of_range_is_refused(count: int) -> None:
    with pytest.raises(UsageError, match="1 to 10,000 copies"):
        numbered(count)


def test_a_long_identity_makes_a_larger_code_that_is_read() -> None:
    text = f"INK1:A-LONG-NAME-OF-A-FORM-00:9999.A1B2C3:99:10000:{'abcdefghij' * 4}"
    modules = np.array(code_modules(text))
    assert len(modules) == 37  # with less error correction, so that the modules are not too small
    picture = np.pad(np.where(modules, 0, 255).astype(np.uint8), 4, constant_values=255)
    assert cv2.QRCodeDetector().detectAndDecode(cv2.resize(picture, None, fx=6, fy=6, interpolation=0))[0] == text
    assert len(code_modules("INK1:EXAM:1.A1B2C3:1:17:12345678")) == 29


def test_the_footer_stands_in_the_middle(placement: Placement, tmp_path: Path) -> None:
    print_form(placement, [Copy()], tmp_path / "a.pdf")
    (picture,) = rendered(tmp_path / "a.pdf")
    footer, scale = placement.pages[0].footer, DPI / 25.4
    left, top, right, bottom = (round(scale * edge) for edge in (footer.left, footer.top, footer.right, footer.bottom))
    strip = picture[top:bottom, left:right]
    ink = np.flatnonzero((strip < 128).any(0))
    assert abs((ink[0] + ink[-1]) / 2 - strip.shape[1] / 2) < 3


def test_the_guide_digits_stay_in_their_box() -> None:
    assert "".join(STROKES) == "0123456789"
    for strokes in STROKES.values():
        for stroke in strokes:
            points = [point for segment in beziers(stroke) for point in segment]
            assert points[-1] == stroke[-1]
            assert all(-0.12 < value < 1.12 for point in points for value in point)

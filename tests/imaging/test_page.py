"""From a picture to an upright page and back, its lines of writing, its form boxes, and the ink of one box."""

import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from inkdigits.errors import DataError
from inkdigits.imaging.geometry import map_box
from inkdigits.imaging.page import Page, PageLine, PageParameters, Source, open_pages
from tests.imaging.drawings import form, inky


def picture(angle: float = 0.0, scale: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Ruled paper with one blot, turned; and the middle of the blot."""
    page = np.full((600, 800), 235, np.uint8)
    for y in range(40, 600, 50):
        cv2.line(page, (0, y), (800, y), 150, 2)
    page[300:340, 500:540] = 20
    turn = cv2.getRotationMatrix2D((400, 300), -angle, scale)
    turned = cv2.warpAffine(page, turn, (800, 600), borderValue=235)
    return turned, turn @ np.array([520, 320, 1.0])


@pytest.mark.parametrize("quarters", [0, 1, 2, 3])
@pytest.mark.parametrize("angle", [0.0, 7.0])
def test_a_box_on_the_page_is_given_in_the_pictures_pixels(quarters: int, angle: float) -> None:
    image, middle = picture(angle)
    page = next(open_pages(image)).turned(quarters)
    dark = page.ink > 0.7
    ys, xs = np.nonzero(cv2.erode(dark.astype(np.uint8), np.ones((9, 9), np.uint8)))
    box = map_box((int(xs.min()), int(ys.min()), int(np.ptp(xs)) + 1, int(np.ptp(ys)) + 1), page.to_picture, page.size)
    found = np.array([box[0] + box[2] / 2, box[1] + box[3] / 2])
    assert np.abs(found - middle).max() < 5


def test_a_large_picture_is_worked_on_smaller_and_its_boxes_are_full_size() -> None:
    image = cv2.resize(picture()[0], None, fx=5, fy=5)
    page = next(open_pages(image))
    assert max(page.ink.shape) <= PageParameters().longest_side
    assert map_box((0, 0, page.ink.shape[1], page.ink.shape[0]), page.to_picture, page.size) == (0, 0, 4000, 3000)


def paper(*texts: tuple[str, int, int], size: float = 2.5) -> Page:
    """A page with texts at these left ends and base lines, each digit one piece of ink."""
    grey = np.full((400, 640), 235, np.uint8)
    for text, x, y in texts:
        for place, character in enumerate(text):
            cv2.putText(grey, character, (x + 70 * place, y), cv2.FONT_HERSHEY_SIMPLEX, size, 30, 7, cv2.LINE_AA)
    return next(open_pages(grey))


def test_a_rejected_line_is_removed_and_lines_are_looked_for_again() -> None:
    page, met = paper(("314", 60, 120), ("92", 60, 300)), []

    def lower(line: PageLine) -> bool:
        met.append(line.key)
        return line.line.box[1] > 200

    (line,) = page.text_lines(lower)
    assert len(line.line.pieces) == 2
    assert len(met) == 3  # both lines, and the one that is left
    assert met[2] == met[1] != met[0]


def test_lines_are_looked_for_in_so_many_rounds() -> None:
    met: list[PageLine] = []
    page = paper(("314", 60, 120), ("92", 60, 300))
    assert page.text_lines(lambda line: met.append(line) or len(met) > 1) != []  # type: ignore[func-returns-value]
    assert len(met) == 3
    met.clear()
    once = Page(page.pixels, page.size, parameters=PageParameters(rounds=1))
    assert len(once.text_lines(lambda line: met.append(line) or len(met) > 1)) == 1  # type: ignore[func-returns-value]
    assert len(met) == 2


def test_all_lines_of_a_page_may_be_rejected() -> None:
    assert paper(("314", 60, 120), ("92", 60, 300)).text_lines(lambda line: False) == []


def test_the_ink_of_a_line_is_that_of_its_pieces() -> None:
    page = paper(("314", 60, 120))
    (line,) = page.text_lines(lambda line: True)
    assert line.ink_pixels() == cv2.countNonZero(page.mask) > 1000
    assert line.key == (line.line.height, *(piece.box for piece in line.line.pieces))


def test_a_page_that_lies_askew_is_turned_only_if_that_is_wanted() -> None:
    askew = next(open_pages(picture(3.0)[0]))
    assert askew.skew == pytest.approx(3.0, abs=0.2)
    to_page = np.linalg.inv(np.vstack([askew.to_picture, [0, 0, 1]]))
    corners = (to_page @ np.array([[0, 800, 0, 800], [0, 0, 600, 600], [1, 1, 1, 1]]))[:2]
    assert corners.min(1) == pytest.approx((0, 0), abs=1)  # it grows, so that its corners stay on it
    assert corners.max(1) == pytest.approx(askew.ink.shape[::-1], abs=1)
    assert (askew.as_it_lies().skew, askew.as_it_lies().ink.shape) == (0.0, (600, 800))
    slight = Page(askew.pixels, askew.size, parameters=PageParameters(smallest_skew=5.0))
    assert slight.ink.shape == (600, 800)


def as_file(image: Image.Image, kind: str) -> bytes:
    packed = io.BytesIO()
    image.save(packed, kind)
    return packed.getvalue()


@pytest.mark.parametrize("kind", ["array", "path", "text", "bytes", "grey", "colour", "palette", "depth"])
def test_a_page_comes_from_many_sources(kind: str, tmp_path: Path) -> None:
    grey = paper(("314", 60, 120)).pixels
    image = Image.fromarray(grey)
    image.save(tmp_path / "page.png")
    sources: dict[str, Source] = {
        "array": grey,
        "path": tmp_path / "page.png",
        "text": str(tmp_path / "page.png"),
        "bytes": as_file(image, "PNG"),
        "grey": image,
        "colour": image.convert("RGB"),
        "palette": image.convert("P"),
        "depth": Image.fromarray(grey.astype(np.uint16) * 257),
    }
    (page,) = open_pages(sources[kind])
    assert page.size == (640, 400)
    assert np.abs(page.ink - paper(("314", 60, 120)).ink).max() < 0.02


def test_numbers_that_are_no_brightness_are_refused() -> None:
    with pytest.raises(DataError, match=r"^the page: "):
        next(open_pages(np.full((40, 60), np.nan, np.float32)))
    for wrong in (np.zeros(7), np.array(3.0)):
        with pytest.raises(DataError, match=r"^the page: "):
            next(open_pages(wrong))


def test_a_box_of_a_form_says_what_is_written_in_it() -> None:
    mask, inside = form(shared=False)
    page = next(open_pages(np.uint8(235 * (1 - inky(mask)))))
    found = page.form_boxes
    assert [content.row for content in found] == [row for row in range(3) for _ in range(7)]
    for index, (content, (x, y, wide, tall)) in enumerate(zip(found, inside, strict=True)):
        left, top, width, height = content.box
        assert x <= left <= left + width <= x + wide + 1
        assert y <= top <= top + height <= y + tall + 1
        if index % 7 % 3:
            assert (content.picture, content.height, content.crosses) == (None, 0.0, False)
            assert width > 0.9 * wide
        else:
            assert content.picture is not None
            assert content.picture.shape == (28, 28)
            assert content.height == pytest.approx(height / tall, abs=0.05)
            assert not content.crosses
            assert width < 0.8 * wide


def test_writing_that_reaches_the_lines_of_its_box_crosses_them() -> None:
    mask, ((x, y, *_), *_) = form(shared=False)
    cv2.line(mask, (x + 40, y + 70), (x + 44, y + 130), 255, 6)
    first = next(open_pages(np.uint8(235 * (1 - inky(mask))))).form_boxes[0]
    assert first.crosses


INSIDE = (200, 150, 60, 100)  # a box, whose writing may reach out of it by 15 pixels


def marked(*marks: tuple[int, int, int, int]) -> Page:
    """A page with dark rectangles of these left, top, width and height."""
    grey = np.full((400, 640), 235, np.uint8)
    for x, y, wide, tall in marks:
        grey[y : y + tall, x : x + wide] = 30
    return Page(grey, (640, 400), deskewed=False)


def isolated(*marks: tuple[int, int, int, int]) -> NDArray[np.uint8] | None:
    return marked(*marks).isolated_ink(INSIDE)


def test_the_ink_of_a_box_has_the_form_of_mnist() -> None:
    found = isolated((220, 160, 12, 80))
    assert found is not None
    rows, columns = np.nonzero(found > 128)
    assert np.ptp(rows) + 1 == pytest.approx(20, abs=1)
    assert np.ptp(columns) < 8
    assert (rows.mean(), columns.mean()) == pytest.approx((13.5, 13.5), abs=1)


def test_a_box_without_ink_has_no_picture() -> None:
    assert isolated() is None
    assert isolated((400, 160, 12, 80)) is None
    assert isolated((220, 160, 1, 3)) is None  # dust


@pytest.mark.parametrize("side", ["left", "right", "top", "bottom"])
def test_ink_may_reach_out_of_its_box_a_little(side: str) -> None:
    x, y, wide, tall = INSIDE
    for out, is_isolated in ((14, True), (17, False)):
        mark = {
            "left": (x - out, y + 20, 40, 10),
            "right": (x + wide - 40 + out, y + 20, 40, 10),
            "top": (x + 20, y - out, 10, 60),
            "bottom": (x + 20, y + tall - 60 + out, 10, 60),
        }[side]
        assert (isolated(mark) is not None) is is_isolated, out


@pytest.mark.parametrize("other", [(263, 100, 40, 200), (150, 100, 47, 200), (215, 255, 30, 90), (215, 60, 30, 85)])
def test_ink_beside_a_box_is_left_out_and_joins_nothing(other: tuple[int, int, int, int]) -> None:
    alone = isolated((220, 160, 12, 80))
    beside = isolated((220, 160, 12, 80), other)  # it reaches into the margin only
    assert alone is not None
    assert beside is not None
    assert (alone == beside).all()


def test_the_pieces_of_a_digit_are_one_picture() -> None:
    """The bar of a five that stands apart."""
    both = isolated((210, 180, 10, 60), (230, 165, 25, 8))
    alone = isolated((210, 180, 10, 60))
    assert both is not None
    assert alone is not None
    assert np.ptp(np.nonzero(both > 128)[1]) > np.ptp(np.nonzero(alone > 128)[1])


def test_a_box_at_the_edge_of_the_page_is_cut_off_there() -> None:
    page = marked((130, 120, 12, 60))
    assert page.isolated_ink((110, 110, 60, 80)) is not None
    assert Page(page.pixels[:, 125:], (515, 400), deskewed=False).isolated_ink((-5, 110, 60, 80)) is not None

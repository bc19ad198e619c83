"""Numbers as people write them: frames, fields, separators, corrections; and small changes that must change nothing."""

import io

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from inkdigits.data import Dataset
from inkdigits.evaluation.reading import pooled, score
from inkdigits.reader import Reader
from inkdigits.synthetic.jitter import JITTER, with_margin
from inkdigits.synthetic.pages import make_page

HEIGHT, MARGIN, PAPER = 38, 26, 250
Page = NDArray[np.uint8]


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader(threads=1)


class Pen:
    """Writes numbers with test digits."""

    def __init__(self, data: Dataset, seed: int) -> None:
        self.images, self.labels = data.test.images, data.test.labels
        self.rng = np.random.default_rng(seed)
        self.slash = 1.4  # heights of a digit; it reaches above and below them

    def digit(self, value: int, height: int = HEIGHT) -> Page:
        image = self.images[self.rng.choice(np.flatnonzero(self.labels == value))]
        rows, columns = np.nonzero(image > 60)
        image = image[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
        size = max(4, round(image.shape[1] * height / image.shape[0])), height
        return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_CUBIC), np.uint8)

    def number(self, text: str, gap: int = 9) -> Page:
        """A page with digits, slashes, dashes and points; other characters are gaps."""
        pieces = [self._piece(c) for c in text]
        width = sum(piece.shape[1] + gap for piece in pieces) - gap + 2 * MARGIN
        page, x = np.full((HEIGHT + 2 * MARGIN, width), PAPER, np.uint8), MARGIN
        for piece in pieces:
            top = MARGIN - (piece.shape[0] - HEIGHT) // 2
            view = page[top : top + piece.shape[0], x : x + piece.shape[1]]
            np.minimum(view, 255 - piece, out=view)
            x += piece.shape[1] + gap
        return page

    def _piece(self, character: str) -> Page:
        if character.isdigit():
            return self.digit(int(character))
        tall = round(self.slash * HEIGHT) if character == "/" else HEIGHT
        piece = np.zeros((tall, 22 if character == "/" else 16), np.uint8)
        ends = {
            "/": ((1, tall - 1), (20, 0)),
            "-": ((0, HEIGHT // 2), (14, HEIGHT // 2)),
            ".": ((7, HEIGHT - 3), (8, HEIGHT - 2)),
        }
        if character in ends:
            cv2.line(piece, *ends[character], 230, 4, cv2.LINE_AA)
        return piece

    def text(self, least: int, most: int) -> str:
        return "".join(map(str, self.rng.integers(0, 10, self.rng.integers(least, most + 1))))


def framed(page: Page, width: int) -> Page:
    picture = Image.fromarray(page)
    height, wide = page.shape
    ImageDraw.Draw(picture).rectangle((5, 7, wide - 6, height - 8), outline=20, width=width)
    return np.asarray(picture)


def share_read(pages: list[tuple[Page, str]], reader: Reader) -> float:
    return float(np.mean(["".join(line.text for line in reader.read(page).lines) == text for page, text in pages]))


@pytest.mark.parametrize("width", [1, 3, 5])
@pytest.mark.parametrize("fields", [1, 2])
def test_the_sides_of_a_field_are_no_ones(width: int, fields: int, reader: Reader, mnist_5k: Dataset) -> None:
    pages = []
    for seed in range(8):
        pen = Pen(mnist_5k, seed)
        texts = [pen.text(2, 4) for _ in range(fields)]
        pages.append((np.hstack([framed(pen.number(text), width) for text in texts]), "".join(texts)))
    assert share_read(pages, reader) >= 0.8


@pytest.mark.parametrize("separator", ["/", "-", "."])
def test_separators_are_kept_and_no_digits(separator: str, reader: Reader, mnist_5k: Dataset) -> None:
    pages = []
    for seed in range(8):
        pen = Pen(mnist_5k, seed)
        text = separator.join((pen.text(2, 2), pen.text(2, 2), pen.text(4, 4)))
        pages.append((pen.number(text), text))
    assert share_read(pages, reader) >= 0.8


@pytest.mark.parametrize(("height", "is_slash", "is_doubtful"), [(1.4, 0.7, 0.0), (1.05, 0.0, 0.6)])
def test_a_slash_that_stands_alone_is_read_or_doubtful(
    height: float, is_slash: float, is_doubtful: float, reader: Reader, mnist_5k: Dataset
) -> None:
    right, doubtful = [], []
    for seed in range(10):
        pen = Pen(mnist_5k, seed)
        pen.slash = height
        text = "/".join((pen.text(2, 3), pen.text(2, 3)))
        found = reader.read(pen.number(text))
        right.append(found.text == text)
        doubtful.append(right[-1] or all(line.is_doubtful for line in found.lines))  # it looks like a slanted 1
    assert np.mean(right) >= is_slash
    assert np.mean(doubtful) >= is_doubtful


def test_a_number_tells_its_digits_apart_from_what_stands_there(reader: Reader, mnist_5k: Dataset) -> None:
    line = reader.read(Pen(mnist_5k, 1).number("24/08/2020")).lines[0]
    assert (line.text, line.number) == ("24/08/2020", "24082020")
    assert line.separators == ((2, "/"), (4, "/"))
    assert line.to_dict()["number"] == "24082020"
    middles = [digit.box[0] + digit.box[2] / 2 for digit in line.digits]
    assert middles == sorted(middles)
    assert all(abs(digit.box[3] - HEIGHT) <= 0.3 * HEIGHT for digit in line.digits)


def test_numbers_far_apart_on_one_line_are_two(reader: Reader, mnist_5k: Dataset) -> None:
    pen = Pen(mnist_5k, 3)
    page = np.hstack([pen.number("4071"), np.full((HEIGHT + 2 * MARGIN, 90), PAPER, np.uint8), pen.number("592")])
    assert [line.text for line in reader.read(page).lines] == ["4071", "592"]


def test_a_blank_form_holds_no_digits(reader: Reader) -> None:
    picture = Image.new("L", (640, 200), 252)
    for place in range(9):
        ImageDraw.Draw(picture).rectangle((50 + 60 * place, 60, 110 + 60 * place, 120), outline=20, width=2)
    for layout in ("auto", "boxes", "line"):
        reading = reader.read(np.asarray(picture), layout=layout)
        assert all(digit.digit is None for digit in reading.digits)
        assert all(not line.text.strip() for line in reading.lines)


def test_a_crossed_out_number_is_refused(reader: Reader, mnist_5k: Dataset) -> None:
    crossed = 0
    for seed in range(8):
        page = Pen(mnist_5k, seed).number("40716")
        for row in (0.3, 0.45, 0.6, 0.75):
            y = MARGIN + round(row * HEIGHT)
            cv2.line(page, (MARGIN - 6, y), (page.shape[1] - MARGIN + 6, y + 3), 20, 3, cv2.LINE_AA)
        digits = reader.read(page).digits
        crossed += all(digit.digit is None for digit in digits)
    assert crossed >= 6


def test_light_ink_on_a_transparent_ground_is_read(reader: Reader, mnist_5k: Dataset) -> None:
    page = Pen(mnist_5k, 2).number("40716")
    for shade in (0, 255):
        drawing = np.full((*page.shape, 4), shade, np.uint8)
        drawing[..., 3] = 255 - page
        assert reader.read(drawing).text == "40716"


def test_a_fax_with_half_as_many_rows_is_read(reader: Reader, mnist_5k: Dataset) -> None:
    page = with_margin(Pen(mnist_5k, 2).number("40716"), 30)
    fax = Image.fromarray(page).resize((page.shape[1], page.shape[0] // 2)).convert("1")
    packed = io.BytesIO()
    fax.save(packed, "TIFF", compression="group4", dpi=(204, 98))
    reading = reader.read(packed.getvalue())
    assert ([line.number for line in reading.lines], reading.size) == (["40716"], fax.size)
    assert all(
        x + wide <= fax.size[0] and y + tall <= fax.size[1] for x, y, wide, tall in (d.box for d in reading.digits)
    )


@pytest.mark.parametrize("kind", ["plain", "ruled", "printed"])
def test_small_changes_of_a_page_change_nothing(kind: str, reader: Reader, mnist_5k: Dataset) -> None:
    rates = {}
    page = make_page(kind, mnist_5k.test.images, mnist_5k.test.labels, 50)
    for name, change in JITTER.items():
        if name != "scaled by 3":
            rates[name] = pooled([score(reader.read(change(page.image)).text, "".join(page.lines))])["pooled"]
    assert max(rates.values()) <= rates["as it is"] + 0.02, rates


def test_a_given_length_chooses_among_the_readings(reader: Reader, mnist_5k: Dataset) -> None:
    page = Pen(mnist_5k, 5).number("1407")
    (line,) = reader.read(page).lines
    assert line.number == "1407"
    assert 0.5 < line.confidence <= 1
    others = dict(line.alternatives)
    assert "1407" not in others
    assert sum(others.values()) + line.confidence <= 1 + 1e-6
    (longer,) = reader.read(page, length=4).lines
    assert longer.number == "1407"

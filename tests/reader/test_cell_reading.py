"""Tables with numbers in their cells, and wide fields: each number comes back in its row and column."""

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from inkdigits.data import Dataset
from inkdigits.reader import Reader, Reading
from inkdigits.reader.cells import _bands

WIDE, TALL, HEIGHT, MARGIN = 110, 56, 32, 30
Texts = tuple[tuple[str, ...], ...]

TABLE: Texts = (("64", "", "13", "97"), ("5", "41", "80", "26"), ("20", "33", "7", "58"), ("19", "", "72", "46"))


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader(threads=1)


def table(data: Dataset, texts: Texts, margin: int = MARGIN, wide: int = WIDE, seed: int = 0) -> NDArray[np.uint8]:
    """A ruled table with the texts in its cells."""
    rng = np.random.default_rng(seed)
    right, low = margin + wide * len(texts[0]), margin + TALL * len(texts)
    image = Image.new("L", (right + margin, low + margin), 250)
    draw = ImageDraw.Draw(image)
    for x in range(margin, right + 1, wide):
        draw.line((x, margin, x, low), fill=40, width=2)
    for y in range(margin, low + 1, TALL):
        draw.line((margin, y, right, y), fill=40, width=2)
    for row, line in enumerate(texts):
        for column, text in enumerate(line):
            x = margin + column * wide + 22
            for digit in text:
                ink = data.test.images[rng.choice(np.flatnonzero(data.test.labels == int(digit)))]
                ink = ink[np.flatnonzero(ink.max(1) > 60)][:, np.flatnonzero(ink.max(0) > 60)]
                size = max(4, round(ink.shape[1] * HEIGHT / ink.shape[0])), HEIGHT
                image.paste(0, (x, margin + row * TALL + 12), Image.fromarray(ink).resize(size))
                x += size[0] + 8
    return np.asarray(image)


def right(reading: Reading, texts: Texts) -> int:
    """How many cells hold what was written; 0 if the table has another shape."""
    if [len(row) for row in reading.cells] != [len(row) for row in texts]:
        return 0
    return sum(
        a == b for found, true in zip(reading.cells, texts, strict=True) for a, b in zip(found, true, strict=True)
    )


@pytest.mark.parametrize("layout", ["auto", "boxes"])
def test_a_table_comes_back_cell_by_cell(layout: str, reader: Reader, mnist_5k: Dataset) -> None:
    reading = reader.read(table(mnist_5k, TABLE), layout=layout)
    assert reading.layout == "boxes"
    assert right(reading, TABLE) >= 15
    assert len(reading.lines) == 16  # blank cells are numbers without digits


def test_cells_that_the_rim_cuts_are_read_too(reader: Reader, mnist_5k: Dataset) -> None:
    page = table(mnist_5k, TABLE)[:, MARGIN + 6 :]
    assert right(reader.read(page, layout="boxes"), TABLE) >= 14


def test_a_wide_field_is_a_box_where_boxes_are_asked_for(reader: Reader, mnist_5k: Dataset) -> None:
    reading = reader.read(table(mnist_5k, (("40716",),), wide=260), layout="boxes")
    assert (reading.layout, reading.text) == ("boxes", "40716")
    assert reading.lines[0].probability is not None  # it was read as a whole
    assert reader.read(table(mnist_5k, (("40716",),), wide=260)).text == "40716"  # as a line
    plain = table(mnist_5k, (("40716",),), wide=260)[MARGIN + 4 : MARGIN + TALL - 4, MARGIN + 4 : -MARGIN - 4]
    assert reader.read(plain, layout="boxes").lines == ()


def test_two_digits_in_one_box_of_a_form_join_the_number_of_its_row(reader: Reader, mnist_5k: Dataset) -> None:
    reading = reader.read(table(mnist_5k, (tuple("4071"), ("2", "65", "3", "8"), tuple("9152")), wide=TALL + 34))
    assert reading.layout == "boxes"
    assert reading.text.split("\n")[1] == "26538"


def test_intervals_that_overlap_through_others_are_one_band() -> None:
    """The first one's neighbours both have a neighbour of their own, which the first does not reach."""
    starts = np.array([50, 40, 60, 30, 70, 200.0])
    assert _bands(starts, np.full(6, 30.0)) == [0, 0, 0, 0, 0, 1]
    assert _bands(starts[::-1], np.full(6, 30.0)) == [1, 0, 0, 0, 0, 0]

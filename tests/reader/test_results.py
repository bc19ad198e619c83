"""What a reading says of itself: dictionaries, rows of tables, drawings, and the settings it was read with."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from inkdigits.data import Dataset
from inkdigits.errors import UsageError
from inkdigits.imaging.page import open_pages
from inkdigits.reader import Reader, Settings
from inkdigits.reader.annotate import AMBER, GREEN, GREY, RED
from inkdigits.reader.confidence import IDENTITY, Scaling, scalings
from inkdigits.reader.isolated import crop_reader, page_reader
from inkdigits.reader.recognizer import Prediction
from inkdigits.reader.results import Digit, Line, Reading
from inkdigits.reader.review import doubtful, review_page
from inkdigits.reader.tables import digit_rows

PAPER = np.full((60, 200), 255, np.uint8)


def reading(*digits: Digit, picture: bool = True) -> Reading:
    """A reading of one line on a page that was 400 pixels wide and 60 high, and is kept 200 wide."""
    line = Line(digits, (0, 0, 400, 60), probability=0.9)
    return Reading("a.png", 3, "model", (line,), size=(400, 60), picture=PAPER if picture else None)


def digit(value: int | None, confidence: float, left: int, reject: str | None = None) -> Digit:
    return Digit(value, confidence, (left, 20, 40, 32), ((1, 0.25), (7, 0.12345)), reject)


def colours(picture: Image.Image, left: int, top: int, wide: int, tall: int) -> set[tuple[int, ...]]:
    pixels = np.asarray(picture)[top : top + tall, left : left + wide].reshape(-1, 3)
    return {tuple(int(v) for v in pixel) for pixel in pixels}


@pytest.mark.parametrize(
    ("value", "confidence", "reject", "colour"),
    [
        (4, 0.99, None, GREEN),
        (4, 0.95, None, AMBER),
        (4, 0.5, None, RED),
        (None, 0.999, "ambiguous", RED),
        (None, 0.0, "blank", GREY),
    ],
)
def test_a_box_is_drawn_where_the_digit_stands_in_the_colour_of_its_confidence(
    value: int | None, confidence: float, reject: str | None, colour: tuple[int, int, int]
) -> None:
    picture = reading(digit(value, confidence, 100, reject)).annotated()
    assert picture.size == (200, 60)
    left = {(int(x), int(y)) for y, x in np.argwhere((np.asarray(picture) == colour).all(2))}
    sides = {x for x, y in left if 24 <= y <= 48}
    assert {min(sides), max(sides)} <= {49, 50, 70, 71}  # the box is half as wide in the kept picture
    assert min(y for x, y in left if x in (min(sides), max(sides))) in (19, 20)


def test_the_digit_is_written_above_its_box() -> None:
    def drawn(value: int | None) -> bytes:
        return reading(digit(value, 0.5, 100, None if value is not None else "ambiguous")).annotated().tobytes()

    assert len({drawn(value) for value in (0, 4, 7, None)}) == 4
    above = colours(reading(digit(4, 0.5, 100)).annotated(), 50, 4, 20, 14)
    assert RED in above


def test_a_reading_shows_no_pixels_in_its_text() -> None:
    assert "array" not in repr(reading(digit(4, 0.9, 0)))
    (page,) = open_pages(np.full((40, 40), 255, np.uint8))
    assert "array" not in repr(page)


def test_the_runner_up_of_a_rule_is_in_the_dictionary() -> None:
    line = replace(reading(digit(4, 0.9, 0)).lines[0], rule="luhn", runner_up=("7", 0.123456))
    assert line.to_dict()["runner_up"] == ["7", 0.1235]
    assert replace(line, runner_up=None).to_dict()["runner_up"] is None


def test_a_row_of_a_digit_has_four_decimals() -> None:
    (row,) = digit_rows(reading(digit(4, 0.123456, 0)))
    assert 0.1235 in row


def test_an_answer_below_the_threshold_becomes_an_alternative() -> None:
    answer = Prediction(4, 0.8, ((9, 0.1),), None, -0.2)
    assert answer.accepted_from(0.8) == answer
    refused = answer.accepted_from(0.81)
    assert (refused.digit, refused.reject, refused.alternatives) == (None, "ambiguous", ((4, 0.8), (9, 0.1)))
    blank = Prediction(None, 0.0, (), "blank", None)
    assert blank.accepted_from(0.5) == blank


def test_settings_are_the_documented_ones() -> None:
    chosen = Settings()
    assert (chosen.turn, chosen.layout, chosen.doubtful_below, chosen.min_confidence) == (True, "auto", 0.9, 0.0)
    assert Settings(doubtful_below=0, min_confidence=1).doubtful_below == 0
    for wrong in ({"doubtful_below": 1.1}, {"doubtful_below": -0.1}):
        with pytest.raises(UsageError, match="doubtful-below must be from 0 to 1"):
            Settings(**wrong)


def test_a_review_shows_what_is_in_doubt_and_the_likeliest_answers() -> None:
    found = reading(
        digit(4, 0.98, 0), digit(5, 0.995, 60), digit(None, 0.6, 120, "ambiguous"), digit(None, 0, 9, "blank")
    )
    sure, refused = doubtful(found)
    assert (sure["page"], sure["place"], refused["place"]) == (3, 0, 2)
    assert sure["guesses"] == [[4, 0.98], [1, 0.25], [7, 0.1235]]
    assert refused["guesses"] == [[1, 0.25], [7, 0.1235]]
    assert "1 doubtful digit<" in review_page([sure])
    assert "2 doubtful digits<" in review_page([sure, refused])
    assert "Nothing is in doubt" in review_page([])


def test_scaling_changes_a_probability_and_what_is_left_for_others() -> None:
    assert IDENTITY(0.7) == pytest.approx(0.7)
    assert Scaling(2.0, 0.0)(0.7) == pytest.approx(0.49 / (0.49 + 0.09))
    assert Scaling(1.0, 1.0)(0.0) == 0.0
    line = replace(reading(digit(4, 0.9, 0)).lines[0], probability=0.8, alternatives=(("7", 0.2),))
    scaled = Scaling(1.0, 1.0).scaled(line)
    assert scaled.confidence == pytest.approx(4 * np.e / (4 * np.e + 1))
    assert scaled.alternatives[0][1] == pytest.approx(1 - scaled.confidence)
    chosen = replace(line, rule="luhn")
    assert Scaling(1.0, 1.0).scaled(chosen) == chosen  # it is one among the numbers allowed
    refused = replace(line, digits=(digit(None, 0.5, 0, "ambiguous"),))
    assert Scaling(1.0, 1.0).scaled(refused) == refused


def test_the_scaling_is_that_of_the_packaged_models_alone() -> None:
    assert set(scalings(Reader().name)) == {"boxes", "line"}
    assert scalings("another") == {}


@pytest.fixture(scope="module")
def page(mnist_5k: Dataset) -> np.ndarray:
    """A page with one number of three digits."""
    chosen = mnist_5k.test.images[[7, 8, 9]]
    return np.pad(
        255 - np.hstack([np.kron(image, np.ones((2, 2), np.uint8)) for image in chosen]), 30, constant_values=255
    )


def test_a_layout_has_its_own_scaling(page: np.ndarray) -> None:
    plain, never = (
        Reader(scaling=scaling).read(page, layout="line") for scaling in ({}, {"line": Scaling(offset=-20.0)})
    )
    assert never.text == plain.text
    assert never.lines[0].confidence < 1e-4 < plain.lines[0].confidence


def test_a_reading_names_the_file_that_it_is_of(page: np.ndarray, tmp_path: Path) -> None:
    Image.fromarray(page).save(tmp_path / "a.png")
    assert Reader().read(tmp_path / "a.png").source == str(tmp_path / "a.png")
    assert Reader().read(page).source == ""


def test_a_worker_reads_as_the_reader_does(page: np.ndarray, mnist_5k: Dataset, tmp_path: Path) -> None:
    Image.fromarray(page).save(tmp_path / "page.png")
    Image.fromarray(255 - mnist_5k.test.images[0]).save(tmp_path / "crop.png")
    prepared: list[int] = []
    (found,) = page_reader(None, None, lambda: prepared.append(1))(tmp_path / "page.png", {"layout": "line"})
    assert found.text == Reader().read(page, layout="line").text != ""
    answer = crop_reader(None, lambda: prepared.append(2))(tmp_path / "crop.png")
    assert answer.digit == mnist_5k.test.labels[0]
    assert prepared == [1, 2]

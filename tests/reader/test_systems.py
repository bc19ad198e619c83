"""The formats of MarkUs, Submitty and Label Studio, from a form with boxes."""

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from inkdigits.data import Dataset
from inkdigits.errors import DataError
from inkdigits.reader import Reader, Reading
from inkdigits.reader.label_studio import annotated_numbers, task_of
from inkdigits.reader.markus import markus_lines
from inkdigits.reader.page_labels import read_labels
from inkdigits.reader.submitty import getDigits
from tests.forms.sheets import Pen

NUMBER = "405793"
QR = (30, 20, 90, 90)  # left, top, width, height, pixels
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader(threads=1)


@pytest.fixture(scope="module")
def page(mnist_5k: Dataset, reader: Reader) -> NDArray[np.uint8]:
    """A code, and on its right seven boxes with six digits."""
    out = np.full((140, 640), 255, np.uint8)
    cv2.rectangle(out, QR[:2], (QR[0] + QR[2], QR[1] + QR[3]), 0, -1)
    pen = Pen.of(mnist_5k, reader.recognizer)
    for place in range(7):
        left = 160 + 60 * place
        cv2.rectangle(out, (left, 35), (left + 60, 105), 0, 2)
        if place < len(NUMBER):
            ink = cv2.resize(pen.digits[NUMBER[place]], (56, 56), interpolation=cv2.INTER_CUBIC)
            out[43:99, left + 2 : left + 58] = np.minimum(out[43:99, left + 2 : left + 58], 255 - ink)
    return out


@pytest.fixture(scope="module")
def reading(page: NDArray[np.uint8], reader: Reader) -> Reading:
    """The boxes alone, as MarkUs cuts them out."""
    return reader.read(page[:, 130:])


def test_markus_gets_two_lines_for_each_field(
    reading: Reading, run_cli: Run, page: NDArray[np.uint8], tmp_path: Path
) -> None:
    assert markus_lines(reading) == f"??????\n{NUMBER}\n"
    cv2.imwrite(str(tmp_path / "student_info.jpg"), page[:, 130:])
    code, out, _ = run_cli("read", tmp_path / "student_info.jpg", "--format", "markus")
    letters, digits = out.strip().split("\n")  # as MarkUs does
    assert (code, letters.strip("?"), digits) == (0, "", NUMBER)


def test_markus_gets_no_number_of_another_student_for_a_doubtful_digit(reading: Reading) -> None:
    (line,) = reading.lines
    doubtful = type(line)(**{**vars(line), "probability": 0.5})
    digits = markus_lines(type(reading)(**{**vars(reading), "lines": (doubtful,)})).splitlines()[1]
    assert digits.count("?") == 1
    assert all(a in (b, "?") for a, b in zip(digits, NUMBER, strict=True))


def test_submitty_gets_the_digits_beside_the_code_and_their_confidences(
    page: NDArray[np.uint8], reader: Reader
) -> None:
    text, confidences = getDigits(page, list(QR), reader)
    assert (text, len(confidences), min(confidences) > 0.9) == (NUMBER, 6, True)
    colour = np.repeat(page[..., None], 3, 2)
    height, width = page.shape
    turned = cv2.warpAffine(colour, cv2.getRotationMatrix2D((75, 65), -3, 1.0), (width, height), borderValue=(255,) * 3)
    corners = cv2.boxPoints(((75.0, 65.0), (90.0, 90.0), 3.0))
    decoded = [(b"data", "QRCODE", cv2.boundingRect(corners), corners.tolist())]  # as pyzbar returns it
    assert getDigits(turned, decoded, reader)[0] == NUMBER


def test_submitty_gets_a_star_for_a_doubtful_digit_and_nothing_without_boxes(
    page: NDArray[np.uint8], reader: Reader
) -> None:
    crossed = page.copy()
    for shift in range(0, 12, 4):
        cv2.line(crossed, (230, 45 + shift), (270, 95 - shift), 0, 3)
        cv2.line(crossed, (230, 95 - shift), (270, 45 + shift), 0, 3)
    assert getDigits(crossed, list(QR), reader)[0] == NUMBER[0] + "*" + NUMBER[2:]
    assert getDigits(np.full((140, 130), 255, np.uint8), list(QR), reader) == ("", [])


def test_label_studio_gets_a_region_of_three_parts_for_each_number(reading: Reading) -> None:
    task = task_of(type(reading)(**{**vars(reading), "source": "scans/a 1.png"}))
    assert task["data"] == {"ocr": "/data/local-files/?d=scans/a 1.png"}
    (prediction,) = task["predictions"]
    parts = prediction["result"]
    assert [(one["from_name"], one["type"]) for one in parts] == [
        ("bbox", "rectangle"), ("label", "labels"), ("transcription", "textarea"),
    ]  # fmt: skip
    assert len({one["id"] for one in parts}) == 1
    assert parts[2]["value"]["text"][0].strip() == NUMBER
    place = parts[0]["value"]
    width, height = reading.size
    assert [round(place["x"] * width / 100), round(place["height"] * height / 100)] == [
        reading.lines[0].box[0], reading.lines[0].box[3],
    ]  # fmt: skip
    assert 0 < prediction["score"] <= 1


def region(text: str, x: float, y: float) -> list[dict[str, object]]:
    shared = {"id": f"{x}{y}", "to_name": "image", "original_width": 640, "original_height": 140}
    place = {"x": x, "y": y, "width": 20.0, "height": 10.0, "rotation": 0}
    return [
        shared | {"from_name": "bbox", "type": "rectangle", "value": place},
        shared | {"from_name": "transcription", "type": "textarea", "value": place | {"text": [text]}},
    ]


def export(address: str) -> list[dict[str, object]]:
    """A task as Label Studio exports it."""
    wrong = {"id": 7, "was_cancelled": True, "result": region("1", 0, 0)}
    right = {
        "id": 8,
        "was_cancelled": False,
        "result": region("52", 60, 41) + region("9", 2, 70) + region("417", 5, 40),
    }
    return [{"id": 1, "data": {"ocr": address}, "annotations": [right, wrong]}, {"id": 2, "data": {"ocr": "b.png"}}]


def test_annotations_of_label_studio_are_labels_in_reading_order(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"")
    (tmp_path / "export.json").write_text(json.dumps(export("/data/upload/3/1f2e3d4c-a.png")))
    labels = read_labels(tmp_path / "export.json", tmp_path)
    assert labels.numbers == {tmp_path / "a.png": ("417", "52", "9")}
    assert list(annotated_numbers(export("/data/local-files/?d=scans/a.png"))) == ["scans/a.png"]
    (tmp_path / "export.json").write_text('[{"data": {"ocr": "a.png"}, "annotations": [{"result": [{}]}]}]')
    with pytest.raises(DataError, match="cannot read the labels"):
        read_labels(tmp_path / "export.json", tmp_path)

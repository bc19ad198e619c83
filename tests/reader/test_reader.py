"""Pages in, numbers out: on made pages of MNIST's test digits, and on what is no page."""

import contextlib
import csv
import io
import json
import pickle
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import helper
from PIL import Image, ImageDraw, ImageFont
from pypdf import PdfReader, PdfWriter

from inkdigits.data import Dataset
from inkdigits.errors import DataError, UsageError
from inkdigits.evaluation.reading import pooled, score
from inkdigits.reader import BatchReader, Reader, Recognizer
from inkdigits.reader.confidence import TABLE
from inkdigits.reader.recognizer import METADATA, bundled
from inkdigits.reader.results import Line
from inkdigits.reader.review import doubtful, review_page
from inkdigits.synthetic.pages import MadePage, make_page
from tests import hostile

PAGES = 5
Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader(threads=1)


@pytest.fixture(scope="module")
def page(mnist_5k: Dataset) -> MadePage:
    return make_page("plain", mnist_5k.test.images, mnist_5k.test.labels, 3)


def png(image: NDArray[np.uint8]) -> bytes:
    packed = io.BytesIO()
    Image.fromarray(image).save(packed, "PNG")
    return packed.getvalue()


@pytest.mark.parametrize(
    ("kind", "most"),
    [
        ("plain", 0.03),
        ("ruled", 0.04),
        ("squared", 0.08),
        ("boxes", 0.03),
        ("touching", 0.25),
        ("desk", 0.04),
        ("printed", 0.04),
    ],
)
def test_made_pages_are_read(kind: str, most: float, reader: Reader, mnist_5k: Dataset) -> None:
    scores = []
    for seed in range(PAGES):
        made = make_page(kind, mnist_5k.test.images, mnist_5k.test.labels, seed)
        scores.append(score(reader.read(made.image).text, "".join(made.lines)))
    assert pooled(scores)["pooled"] <= most


def test_blank_boxes_are_called_blank_and_stand_in_their_place(reader: Reader, mnist_5k: Dataset) -> None:
    made = make_page("boxes", mnist_5k.test.images, mnist_5k.test.labels, 1)
    reading = reader.read(made.image)
    assert reading.layout == "boxes"
    assert [len(line.digits) for line in reading.lines] == [len(line) for line in made.lines]
    for line, truth in zip(reading.lines, made.lines, strict=True):
        assert [digit.reject == "blank" for digit in line.digits] == [character == "_" for character in truth]
        assert [character == " " for character in line.text] == [character == "_" for character in truth]


def print_on(paper: NDArray[np.uint8], size: int, fill: int) -> NDArray[np.uint8]:
    picture = Image.fromarray(paper)
    rows = (
        "Write one number in each of the lines below, with a dark pen and some",
        "space between the figures, and hand the sheet back to your teacher",
        "before the lesson ends. Do not fold it. What cannot be read will be",
        "asked for again, so that nothing which you know is lost. The school",
        "keeps these sheets until the end of term, when they are recycled.",
    )
    for row, text in enumerate(rows):
        place = size, round(size * (1 + 1.8 * row))
        ImageDraw.Draw(picture).text(place, text, fill=(fill, fill, fill), font=ImageFont.load_default(size))
    return np.asarray(picture)


@pytest.mark.parametrize("fill", [30, 130])
def test_numbers_below_print_are_read_as_without_it(fill: int, page: MadePage, reader: Reader) -> None:
    shade = np.median(page.image[:10], axis=(0, 1)) + np.zeros((150, *page.image.shape[1:]))
    paper = (shade + np.random.default_rng(0).normal(0, 3, shade.shape)).astype(np.uint8)
    assert reader.read(np.concatenate([print_on(paper, 14, fill), page.image])).text == reader.read(page.image).text


def test_a_page_of_print_alone_holds_no_numbers(reader: Reader) -> None:
    reading = reader.read(print_on(np.full((270, 900, 3), 235, np.uint8), 26, 30))
    assert len(reading.text) <= 10
    assert reading.turned == 0


def test_a_few_faint_boxes_below_the_writing_make_no_form(page: MadePage, reader: Reader) -> None:
    picture = np.concatenate([page.image, page.image[:10].mean((0, 1)) + np.zeros((300, *page.image.shape[1:]))])
    picture = (picture + np.random.default_rng(0).normal(0, 2, picture.shape)).astype(np.uint8)
    for x in range(20, 420, 100):
        box = picture[-200:-120, x : x + 80]
        box[[0, 1, -2, -1]] -= 15
        box[:, [0, 1, -2, -1]] -= 15
        cv2.line(picture, (x + 45, picture.shape[0] - 180), (x + 35, picture.shape[0] - 140), (40, 40, 40), 5)
    assert reader.read(picture).text.startswith(reader.read(page.image).text)


def test_a_page_is_read_from_a_path_bytes_an_array_and_a_picture(
    page: MadePage, reader: Reader, tmp_path: Path
) -> None:
    path = tmp_path / "page.png"
    path.write_bytes(png(page.image))
    readings = [reader.read(source) for source in (path, str(path), path.read_bytes(), page.image, Image.open(path))]
    assert len({reading.text for reading in readings}) == 1
    assert readings[0].source == str(path)
    out = readings[0].to_dict()
    assert json.loads(json.dumps(out)) == out
    assert {"source", "page", "model", "warnings", "lines"} <= set(out)
    assert {"text", "number", "confidence", "doubtful", "box", "alternatives", "digits"} == set(out["lines"][0])
    assert {"digit", "confidence", "box", "alternatives", "reject"} == set(out["lines"][0]["digits"][0])


def test_a_page_on_its_side_is_turned_and_its_boxes_lie_on_the_picture(page: MadePage, reader: Reader) -> None:
    upright = reader.read(page.image)
    turned = reader.read(np.ascontiguousarray(np.rot90(page.image, -1)))
    assert turned.turned == 90
    assert score(turned.text, upright.text).rate < 0.1
    height = page.image.shape[0]
    x, y, wide, tall = upright.lines[0].digits[0].box
    found = turned.lines[0].digits[0].box
    assert np.abs(np.array(found) - (height - y - tall, x, tall, wide)).max() <= 12
    assert reader.read(np.ascontiguousarray(np.rot90(page.image, -1)), turn=False).turned == 0


def test_threads_read_as_one_does(page: MadePage, reader: Reader) -> None:
    with ThreadPoolExecutor(4) as pool:
        readings = list(pool.map(lambda _: reader.read(page.image).to_dict(), range(8)))
    assert all(reading == readings[0] for reading in readings)


def test_a_rule_decides_and_names_the_runner_up(mnist_5k: Dataset, reader: Reader) -> None:
    images = [
        mnist_5k.test.images[np.flatnonzero(mnist_5k.test.labels == digit)[5]]
        for digit in (7, 9, 9, 2, 7, 3, 9, 8, 7, 1, 3)
    ]
    strip = cv2.resize(np.hstack([np.pad(image, ((6, 6), (4, 4))) for image in images]), None, fx=2.5, fy=2.5)
    reading = reader.read(255 - strip, check="luhn")
    assert reading.text == "79927398713"
    assert reading.lines[0].rule == "luhn"
    assert reading.lines[0].confidence > 0.9
    assert reading.lines[0].runner_up is not None
    by_roster = reader.read(255 - strip, roster=("79927398713", "79927398718"))
    assert by_roster.text == "79927398713"
    longer = reader.read(255 - strip, roster=("799273978713", "123456789"))
    assert (longer.text, len(longer.digits)) == ("799273978713", 12)
    assert longer.lines[0].confidence > 0.9
    unlike = reader.read(255 - strip, roster=("31415926535", "123456789"))
    assert (unlike.text, unlike.lines[0].rule, unlike.lines[0].confidence) == ("79927398713", "roster", 0.0)
    assert "79927398713 is like no number of the roster" in " ".join(unlike.warnings)
    twelve = reader.read(255 - strip, length=12)
    assert "11 digits were found, not 12" in " ".join(twelve.warnings) or len(twelve.text) == 12


def test_what_is_not_sure_enough_is_declined(page: MadePage, reader: Reader) -> None:
    sure = [digit.confidence for digit in reader.read(page.image).digits]
    least = float(np.median(sure))
    assert min(sure) < least
    digits = reader.read(page.image, min_confidence=least).digits
    assert [digit.confidence for digit in digits] == sure
    assert [digit.reject for digit in digits] == ["ambiguous" if share < least else None for share in sure]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"layout": "box"}, "there is no layout 'box'; did you mean 'boxes'"),
        ({"length": 0}, "length must be from 1 to 100"),
        ({"check": "crc"}, "there is no check 'crc'"),
        ({"check": "luhn", "roster": ("1",)}, "not both"),
        ({"min_confidence": 2.0}, "from 0 to 1"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(settings: dict[str, object], message: str, reader: Reader) -> None:
    with pytest.raises(UsageError, match=message):
        reader.read(np.zeros((50, 50), np.uint8), **settings)


@pytest.mark.parametrize(
    "image", [np.full((40, 40), np.nan), np.zeros((0, 5)), np.zeros(7), np.zeros((5, 5, 2)), np.array([["a"]])]
)
def test_an_array_that_is_no_picture_is_refused(image: NDArray[np.generic], reader: Reader) -> None:
    with pytest.raises(DataError):
        reader.read(image)


@pytest.mark.parametrize("shape", [(1, 1), (1, 2000), (2000, 1), (3, 3), (28, 28)])
@pytest.mark.parametrize("shade", [0, 255])
def test_a_page_with_no_digit_says_so(shape: tuple[int, int], shade: int, reader: Reader) -> None:
    reading = reader.read(np.full(shape, shade, np.uint8))
    assert reading.text == ""
    assert reading.warnings == ("no digits were found",)


def test_the_picture_is_drawn_on_and_the_doubtful_are_reviewed(page: MadePage, reader: Reader) -> None:
    reading = reader.read(page.image)
    drawn = np.asarray(reading.annotated())
    assert drawn.shape == page.image.shape
    assert (drawn != page.image).any()
    every = doubtful(reading, below=1.1)
    assert len(every) == len(reading.digits)
    html = review_page(every)
    assert html.count("data:image/png;base64,") == len(every)
    assert "{{" not in html
    assert "Nothing is in doubt" in review_page([])


def test_a_blank_box_is_drawn_thin_and_grey(reader: Reader, mnist_5k: Dataset) -> None:
    made = make_page("boxes", mnist_5k.test.images, mnist_5k.test.labels, 1)
    reading = reader.read(made.image)
    blank = next(digit for digit in reading.digits if digit.reject == "blank")
    left, top, wide, tall = blank.box
    alone = replace(reading, lines=(Line((blank,), blank.box),))
    drawn = np.asarray(alone.annotated())
    changed = (drawn != made.image).any(2)
    assert changed[top, left : left + wide].mean() > 0.9
    assert not changed[top + 1 : top + tall, left + 1 : left + wide].any()
    changed[top : top + tall + 1, left : left + wide + 1] = False
    assert not changed.any()
    assert np.ptp(drawn[top, left : left + wide].astype(int), axis=1).max() == 0
    assert doubtful(alone) == []


def test_a_batch_reader_travels_by_pickle(page: MadePage) -> None:
    batch = pickle.loads(pickle.dumps(BatchReader(layout="line")))
    good, bad = batch([png(page.image), b"nothing"])
    assert good["error"] is None
    assert json.loads(good["reading"])[0]["lines"]
    assert bad["text"] is None
    assert "no image" in bad["error"]
    columns = batch({"bytes": np.array([png(page.image)], object), "id": np.array([7])})
    assert columns["id"][0] == 7
    assert columns["text"][0] == good["text"]


def test_mutated_files_neither_crash_nor_hang(page: MadePage, reader: Reader) -> None:
    rng = np.random.default_rng(0)
    whole = {"png": png(page.image)}
    for form in ("JPEG", "TIFF", "WEBP", "BMP", "GIF"):
        packed = io.BytesIO()
        Image.fromarray(page.image).convert("P" if form == "GIF" else "RGB").resize((160, 120)).save(packed, form)
        whole[form] = packed.getvalue()
    for content in whole.values():
        for _ in range(6):
            broken = bytearray(content)
            for place in rng.integers(0, len(broken), rng.integers(1, 30)):
                broken[place] = rng.integers(256)
            cut = bytes(broken[: rng.integers(1, len(broken) + 1)])
            with contextlib.suppress(DataError):  # a line that names it; whatever else is raised fails the test
                reader.read(cut, turn=False)


@pytest.mark.parametrize("seed", range(12))
def test_strange_pictures_neither_crash_nor_hang(seed: int, reader: Reader) -> None:
    rng = np.random.default_rng(seed)
    height, width = (int(v) for v in rng.integers(1, 500, 2))
    image = rng.integers(0, 256, (height, width), np.uint8)
    makers = (
        lambda: image,
        lambda: (image > 250).astype(np.uint8) * 255,
        lambda: cv2.resize(image[:7, :7], (width, height), interpolation=cv2.INTER_NEAREST),
        lambda: np.tile(np.array([0, 255], np.uint8), (height, width // 2 + 1)),
        lambda: image.astype(np.uint16) * 257,
        lambda: np.dstack([image, image, image, np.zeros_like(image)]),
    )
    reader.read(makers[seed % len(makers)](), layout=("auto", "line", "boxes")[seed % 3])


def test_the_command_reads_many_files_and_reports_the_bad_ones(page: MadePage, run_cli: Cli, tmp_path: Path) -> None:
    folder = tmp_path / "pages"
    folder.mkdir()
    (folder / "a.png").write_bytes(png(page.image))
    (folder / "b.png").write_text("text")
    (folder / "c.jpg").touch()
    (folder / "notes.txt").write_text("passed over")
    Image.fromarray(page.image).save(folder / "two.tif", save_all=True, append_images=[Image.fromarray(page.image)])
    drawn, review = tmp_path / "drawn", tmp_path / "review.html"
    code, out, err = run_cli(
        "read", folder, tmp_path / "missing.png", "--format", "json", "--annotate", drawn, "--review", review
    )
    assert code == 1
    readings = json.loads(out)
    assert [(Path(r["source"]).name, r["page"]) for r in readings] == [("a.png", 0), ("two.tif", 0), ("two.tif", 1)]
    for name in ("b.png is no image", "c.jpg is no image", "missing.png does not exist", "1 file skipped"):
        assert name in err
    assert sorted(p.name for p in drawn.iterdir()) == ["a.png", "two-2.png", "two.png"]
    assert "doubtful" in review.read_text() or "Nothing" in review.read_text()


def test_the_command_prints_text_and_csv_and_is_strict(page: MadePage, run_cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(png(page.image))
    code, out, _ = run_cli("read", path)
    assert code == 0
    assert len(out.splitlines()) == len(page.lines)
    code, out, _ = run_cli("read", path, "--format", "csv")
    head, *rows = csv.reader(out.splitlines())
    assert ",".join(head) == "source,page,row,column,number,text,confidence,doubtful,left,top,width,height"
    assert [row[4] for row in rows] == list(page.lines)
    assert {row[1] for row in rows} == {"1"}
    code, out, _ = run_cli("read", path, "--format", "csv-digits")
    head, *rows = csv.reader(out.splitlines())
    assert ",".join(head) == "source,page,line,text,place,digit,confidence,reject,left,top,width,height"
    assert "".join(row[5] for row in rows) == "".join(page.lines)
    code, _, _ = run_cli("read", path, "--strict", "--min-confidence", "1")
    assert code == 3
    code, _, err = run_cli("read", path, "--format", "xml")
    assert (code, "--format is text, json, csv, csv-digits, markus or label-studio, not 'xml'" in err) == (2, True)
    code, _, err = run_cli("read", path, "--max-error", "much")
    assert (code, "a share such as 0.1%" in err) == (2, True)
    code, out, err = run_cli("read", path, "--max-error", "5%")
    assert (code, "numbers under 0." in err, "proves nothing for your pages" in err) == (0, True, True), err
    code, _, err = run_cli("read", path, "--max-error", "0.0001%")
    assert (code, "no threshold leaves an error of 0.0001 %" in err) == (2, True)
    other = onnx.load(bundled())
    helper.set_model_props(other, {METADATA: json.dumps({**Recognizer().card, "run_sha256": "0" * 64})})
    onnx.save(other, tmp_path / "other.onnx")
    code, _, err = run_cli("read", path, "--max-error", "5%", "--model", tmp_path / "other.onnx")
    assert (code, "the models in the package, not for" in err) == (2, True)


def test_the_table_of_errors_is_of_the_model_in_the_package(reader: Reader) -> None:
    assert json.loads(bundled(TABLE).read_text())["model"] == reader.name


def test_a_pdf_is_read_page_by_page_and_one_too_long_or_broken_is_refused(
    page: MadePage, reader: Reader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "pages.pdf"
    sheet = Image.fromarray(page.image)
    sheet.save(path, save_all=True, append_images=[sheet])
    readings = list(reader.read_pages(path))
    assert [reading.page for reading in readings] == [0, 1]
    assert score(readings[0].text, "".join(page.lines)).rate < 0.1
    monkeypatch.setattr("inkdigits.imaging.files.MAX_PAGES", 1)
    with pytest.raises(DataError, match=r"pages.pdf has more than 1 pages; split it"):
        reader.read(path)
    path.write_bytes(b"%PDF-1.4 broken")
    with pytest.raises(DataError, match=r"pages.pdf is a broken PDF"):
        reader.read(path)


def test_a_pdf_with_a_password_is_named_and_the_others_are_read(
    page: MadePage, reader: Reader, run_cli: Cli, tmp_path: Path
) -> None:
    plain, locked, unprintable = (tmp_path / f"{name}.pdf" for name in ("plain", "locked", "unprintable"))
    Image.fromarray(page.image).save(plain)
    for path, password in ((locked, "secret"), (unprintable, "")):  # the latter opens without, but has an owner
        writer = PdfWriter(clone_from=plain)
        writer.encrypt(password, "owner", algorithm="RC4-128")
        writer.write(path)
        writer.close()
        assert len(PdfReader(path, password=password).pages) == 1
    for source, name in ((locked, str(locked)), (locked.read_bytes(), "the image")):
        with pytest.raises(DataError) as refused:
            reader.read(source)
        assert str(refused.value) == f"{name} is a PDF with a password; save it without one"
    code, out, err = run_cli("read", locked, plain, unprintable, "--format", "json")
    assert code == 1
    readings = json.loads(out)
    assert [reading["source"] for reading in readings] == [str(plain), str(unprintable)]
    assert readings[0]["lines"] == readings[1]["lines"] != []
    said = [line for line in err.splitlines() if line.startswith("inkdigits: ")]
    assert said == [f"inkdigits: {locked} is a PDF with a password; save it without one"]
    assert "Traceback" not in err


def test_50_nearly_empty_pages_fit_the_time_limit_of_a_request() -> None:
    reader, pages = Reader(threads=1), hostile.pdf([hostile.stream(b"300 400 20 60 re f\n")] * 4)
    reading = reader.read_pages(pages)
    next(reading)
    begin = time.process_time()
    rest = len(list(reading))
    assert rest == 3
    assert (time.process_time() - begin) / rest * 50 < 30

import base64
import json
import os
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from inkdigits.data import Dataset
from inkdigits.data.pixel_graph import pixel_graph
from inkdigits.reader import Reader, Reading
from inkdigits.synthetic.pages import make_page

Open = Callable[..., Any]
GIVE = """([kind, event, key, png]) => {
  const bytes = Uint8Array.from(atob(png), character => character.charCodeAt(0)), carried = new DataTransfer();
  carried.items.add(new File([bytes], "form.png", { type: "image/png" }));
  document.body.dispatchEvent(new window[kind](event, { [key]: carried, bubbles: true, cancelable: true }));
}"""


@pytest.fixture(scope="module")
def photo(mnist_5k: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A photo of a form with numbers in boxes."""
    path = tmp_path_factory.mktemp("photo") / "form.png"
    Image.fromarray(make_page("boxes", mnist_5k.test.images, mnist_5k.test.labels, 3).image).save(path)
    return path


@pytest.fixture(scope="module")
def reading(photo: Path) -> Reading:
    return Reader(threads=1).read(photo)


def expect(visit: Any, text: str, where: str = "#verdict") -> None:
    visit.page.locator(where, has_text=text).wait_for(timeout=5000)


def expected_number(reading: Reading) -> str:
    return "".join("?" if d.digit is None else str(d.digit) for d in reading.digits if d.reject != "blank")


def test_the_page_stays_small() -> None:
    static = files("inkdigits") / "server" / "static"
    assert sum(len(part.read_text().splitlines()) for part in static.iterdir() if part.is_file()) < 400


def test_every_digit_is_read_as_its_stroke_ends(visit: Open, address: str) -> None:
    here = visit(address)
    for digit in "0123456789":
        here.write(digit, height=220, sample=1)
        expect(here, f"{digit}, ")
        here.page.get_by_role("button", name="Clear").click()
        here.page.locator("#number button").wait_for(state="detached")


def test_a_number_is_read_with_probabilities_picture_and_graph(visit: Open, address: str) -> None:
    here = visit(address)
    with here.page.expect_response("**/v1/predict") as first:
        here.write("7")
    answer = first.value.json()
    seen = cv2.imdecode(np.frombuffer(base64.b64decode(answer["picture"]), np.uint8), cv2.IMREAD_GRAYSCALE)
    graph = pixel_graph(seen)
    expect(here, f"{len(graph.cell)} pixels of ink, {graph.edge_index.shape[1] // 2} edges", "#size")
    assert here.page.locator("#graph circle").count() == len(graph.cell)
    shown = here.page.evaluate(
        "[...document.querySelector('#picture').getContext('2d').getImageData(0, 0, 28, 28).data]"
    )
    assert (np.array(shown).reshape(28, 28, 4)[..., 0] == seen).all()
    shares = here.page.evaluate(
        "[...document.querySelectorAll('#bars button')].map(bar => +bar.style.getPropertyValue('--share'))"
    )
    assert shares == answer["probabilities"]
    here.page.get_by_role("button", name="Clear").click()
    here.write("40716")
    expect(here, "40716: 5 digits, none doubtful")


def test_a_scribble_is_not_a_digit(visit: Open, address: str) -> None:
    here = visit(address)
    frame = here.page.locator("#ink").bounding_box()
    here.page.mouse.move(frame["x"] + 100, frame["y"] + 100)
    here.page.mouse.down()
    for turn in range(30):
        here.page.mouse.move(frame["x"] + 100 + 9 * turn, frame["y"] + 100 + 190 * (turn % 2))
    here.page.mouse.up()
    expect(here, "not a digit")
    assert here.number == "?"
    assert here.page.locator("#number button").get_attribute("class") == "poor chosen"


def test_a_dot_is_too_small(visit: Open, address: str) -> None:
    here = visit(address)
    here.page.locator("#ink").click()
    expect(here, "too small")


def test_undo_removes_the_last_stroke(visit: Open, address: str) -> None:
    here = visit(address)
    here.write("12")
    expect(here, "12: 2 digits")
    here.page.get_by_role("button", name="Undo").click()
    expect(here, "1, ")
    here.page.keyboard.press("Control+z")
    here.page.locator("#number button").wait_for(state="detached")


@pytest.mark.parametrize(
    "way", [("DragEvent", "drop", "dataTransfer"), ("ClipboardEvent", "paste", "clipboardData")], ids=["drop", "paste"]
)
def test_a_photo_is_read_with_its_boxes(
    visit: Open, address: str, photo: Path, reading: Reading, way: tuple[str, str, str]
) -> None:
    here = visit(address)
    here.page.evaluate(GIVE, [*way, base64.b64encode(photo.read_bytes()).decode()])
    expect(here, "digits,")
    digits = [digit for digit in reading.digits if digit.reject != "blank"]
    assert here.number == expected_number(reading)
    assert here.page.locator("#boxes rect").count() == len(digits)
    kinds = [
        "poor" if d.digit is None or d.confidence < 0.9 else "fair" if d.confidence < 0.99 else "sure" for d in digits
    ]
    assert (
        here.page.evaluate("[...document.querySelectorAll('#number button')].map(each => each.classList[0])") == kinds
    )
    styles = here.page.evaluate(
        "[...document.querySelectorAll('#boxes rect')].map(each => getComputedStyle(each).strokeDasharray)"
    )
    assert len(set(styles)) == len(set(kinds)) > 1  # colour is not the only difference
    box = here.page.locator("#boxes rect").first.bounding_box()
    image = here.page.locator("#photo").bounding_box()
    scale = image["width"] / reading.size[0]
    assert box["x"] - image["x"] == pytest.approx(digits[0].box[0] * scale, abs=3)
    assert box["y"] - image["y"] == pytest.approx(digits[0].box[1] * scale, abs=3)


def test_a_digit_that_is_crossed_out_is_named_so(visit: Open, address: str, photo: Path, reading: Reading) -> None:
    page = reading.to_dict()
    line = page["lines"][0]
    line["digits"] = [line["digits"][0] | {"digit": None, "reject": "crossed_out"}]
    page["lines"] = [line]
    here = visit(address)
    here.page.route("**/v1/read", lambda route: route.fulfill(json={"pages": [page]}))
    here.page.set_input_files("#file", photo)
    expect(here, "crossed out")
    assert here.number == "?"


def test_a_box_on_the_photo_chooses_its_digit(visit: Open, address: str, photo: Path, reading: Reading) -> None:
    here = visit(address)
    here.page.set_input_files("#file", photo)
    expect(here, "digits,")
    here.page.locator("#boxes rect").nth(3).click()
    assert here.page.evaluate("[...document.querySelectorAll('#number button')].indexOf(document.activeElement)") == 3
    expect(here, expected_number(reading)[3], "#which")
    expect(here, "pixels of ink", "#size")


def test_a_digit_is_corrected_with_one_key(visit: Open, address: str) -> None:
    here = visit(address)
    here.write("7")
    expect(here, "7, ")
    here.page.locator("#number button").focus()
    with here.page.expect_request("**/v1/feedback") as sent:
        here.page.keyboard.press("2")
    expect(here, "2, corrected and stored for training")
    sent_body = json.loads(sent.value.post_data)
    assert (sent_body["guess"], sent_body["truth"]) == (7, 2)
    pixels = cv2.imdecode(np.frombuffer(base64.b64decode(sent_body["image"]), np.uint8), cv2.IMREAD_GRAYSCALE)
    assert Reader(threads=1).predict(pixels[None])[0].digit == 7
    here.page.keyboard.press("x")
    expect(here, "no digit, corrected and stored for training")
    here.page.locator("#bars button").nth(1).click()
    expect(here, "1, corrected and stored for training")


def test_digits_are_saved_as_json_and_csv(visit: Open, address: str) -> None:
    here = visit(address)
    here.write("40")
    expect(here, "40: 2 digits")
    here.page.locator("#number button").first.press("9")
    here.page.keyboard.press("ArrowRight")
    here.page.keyboard.press("x")
    with here.page.expect_download() as json_file:
        here.page.get_by_role("button", name="JSON").click()
    saved = json.loads(Path(json_file.value.path()).read_text())
    assert [(d["digit"], d["truth"]) for d in saved["digits"]] == [(4, 9), (0, None)]
    with here.page.expect_download() as csv_file:
        here.page.get_by_role("button", name="CSV").click()
    head, *rows = Path(csv_file.value.path()).read_text().splitlines()
    assert head == "line,text,place,digit,confidence,reject,left,top,width,height,truth"
    assert [[row.split(",")[i] for i in (0, 1, 2, 3, -1)] for row in rows] == [
        ["0", "9?", "0", "4", "9"],
        ["0", "9?", "1", "0", "none"],
    ]


def test_the_page_works_with_the_keyboard_alone(visit: Open, address: str) -> None:
    here = visit(address)
    keys = here.page.keyboard
    keys.press("Tab")
    assert here.page.evaluate("document.activeElement.id") == "ink"
    keys.press("Space")
    for _ in range(18):
        keys.press("ArrowDown")
    keys.press("Space")
    expect(here, "1, ")
    keys.press("Tab")
    keys.press("8")
    expect(here, "8, corrected")
    for name in ("undo", "clear", "file", "json"):
        keys.press("Tab")
        while here.page.evaluate("document.activeElement.id") == "camera":
            keys.press("Tab")
        assert here.page.evaluate("document.activeElement.id") == name
        outline = "const e = document.activeElement; getComputedStyle(e.closest('label') ?? e).outlineStyle"
        assert here.page.evaluate(outline) == "solid"


def test_a_finger_writes_on_a_phone_and_nothing_overflows(visit: Open, address: str, photo: Path) -> None:
    here = visit(address, viewport={"width": 375, "height": 667}, has_touch=True, is_mobile=True, device_scale_factor=2)
    frame = here.page.locator("#ink").bounding_box()
    touch = here.page.context.new_cdp_session(here.page)
    for kind, y in [("touchStart", 40), *(("touchMove", y) for y in range(50, 190, 10)), ("touchEnd", None)]:
        points = [] if y is None else [{"x": frame["x"] + 150, "y": frame["y"] + y}]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    expect(here, "1, ")
    assert here.page.evaluate("scrollY") == 0
    assert here.page.locator("label.camera").is_visible()
    fits = "document.documentElement.scrollWidth <= innerWidth"
    assert here.page.evaluate(fits)
    here.page.set_input_files("#camera", photo)
    expect(here, "digits,")
    assert here.page.evaluate(fits)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_and_ink_have_enough_contrast(visit: Open, address: str, scheme: str) -> None:
    here = visit(address, color_scheme=scheme)
    here.write("5")
    expect(here, "5, ")
    paper, shades = here.page.evaluate(
        "[getComputedStyle(document.body).backgroundColor, ['body', '#ink', 'header p', '#bars span', '#number button']"
        ".map(each => getComputedStyle(document.querySelector(each)).color)]"
    )
    assert (luminance(paper) < 0.1) == (scheme == "dark")
    for shade in shades:  # WCAG 2, level AA
        low, high = sorted([luminance(paper), luminance(shade)])
        assert (high + 0.05) / (low + 0.05) >= 4.5


def luminance(colour: str) -> float:
    """Relative luminance of ``rgb(r, g, b)``, as WCAG 2 defines it."""
    parts = [int(part) / 255 for part in colour.removeprefix("rgb(").removesuffix(")").split(",")]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))


def test_a_problem_is_shown_in_one_line(visit: Open, address: str) -> None:
    here = visit(address)
    problem = {"title": "Too Many Requests", "detail": "the queue is full; try again", "status": 429}
    here.page.route(
        "**/v1/predict",
        lambda route: route.fulfill(status=429, content_type="application/problem+json", body=json.dumps(problem)),
    )
    here.write("3")
    expect(here, "Too Many Requests: the queue is full; try again", "#error")
    here.page.unroute("**/v1/predict")
    here.write("3")
    expect(here, "3, ")
    assert here.page.get_by_role("alert").inner_text() == ""
    here.messages[:] = [text for text in here.messages if "429" not in text]  # Chromium logs it


def test_a_newer_stroke_aborts_the_older_request(visit: Open, address: str) -> None:
    here = visit(address)
    held: list[Any] = []
    here.page.route("**/v1/predict", lambda route: route.continue_() if held else held.append(route))
    with here.page.expect_event("requestfailed") as failed:
        here.write("1")
        here.page.wait_for_timeout(100)
        here.write("10", height=180)
    assert failed.value.failure == "net::ERR_ABORTED"


def test_a_screen_reader_finds_names_and_status(visit: Open, address: str) -> None:
    here = visit(address)
    here.write("62")
    expect(here, "62: 2 digits")
    page = here.page
    assert page.get_by_role("status").inner_text() == "62: 2 digits, none doubtful"
    assert page.get_by_role("application", name="Sheet to write on").count() == 1
    assert page.get_by_role("group", name="What was read").get_by_role("button").count() == 2
    assert page.get_by_role("button", name="6, ").count() >= 1
    assert page.get_by_role("heading", level=1).count() == 1
    unnamed = (
        "[...document.querySelectorAll('button')].filter(each => !each.ariaLabel && !each.innerText.trim()).length"
    )
    assert page.evaluate(unnamed) == 0
    assert page.evaluate("document.documentElement.lang") == "en"


@pytest.mark.skipif("INKDIGITS_SCREENSHOTS" not in os.environ, reason="INKDIGITS_SCREENSHOTS is not set")
def test_screenshots(visit: Open, address: str, photo: Path) -> None:
    folder = Path(os.environ["INKDIGITS_SCREENSHOTS"])
    for scheme in ("light", "dark"):
        here = visit(address, color_scheme=scheme)
        here.write("40716", height=170)
        expect(here, "40716")
        here.page.screenshot(path=folder / f"{scheme}.png")
        here.page.set_input_files("#file", photo)
        expect(here, "digits,")
        here.page.screenshot(path=folder / f"{scheme}-photo.png")

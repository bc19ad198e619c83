"""The page of doubtful digits in a real browser, opened as the file that it is."""

import csv
import io
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from inkdigits.data import Dataset
from inkdigits.reader import Reader
from inkdigits.reader.review import Row, doubtful, review_page
from inkdigits.synthetic.pages import make_page

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

SCAN = '=1+1, "a".png'  # a formula to a spreadsheet, with what a CSV has to quote
PHONE, DESK = {"width": 390, "height": 844}, {"width": 1280, "height": 860}
FOCUSED = "[...document.querySelectorAll('li')].indexOf(document.activeElement)"


@dataclass
class Review:
    """A page of doubtful digits that is open, and what it is to show."""

    page: "Page"
    rows: list[Row]

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    @property
    def focused(self) -> int:
        """The digit that a key would correct, -1 for none."""
        return int(self.page.evaluate(FOCUSED))

    @property
    def shown(self) -> list[str]:
        """The digits as they stand on the page."""
        return self.page.locator("li .value").all_inner_texts()


@pytest.fixture(scope="module")
def written(mnist_5k: Dataset, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Row]]:
    """What ``inkdigits read --review`` writes of a page of touching digits, and the doubtful ones of them."""
    path = tmp_path_factory.mktemp("review") / SCAN
    Image.fromarray(make_page("touching", mnist_5k.test.images, mnist_5k.test.labels, 0).image).save(path)
    command = [sys.executable, "-m", "inkdigits.cli", "read", SCAN, "--review", "out.html"]
    subprocess.run(command, cwd=path.parent, check=True, stdout=subprocess.DEVNULL)
    rows = doubtful(Reader().read(path))
    assert len(rows) >= 10
    return path.with_name("out.html"), rows


@pytest.fixture(params=[PHONE, DESK], ids=["phone", "desk"])
def review(request: pytest.FixtureRequest, browser: "Browser", written: tuple[Path, list[Row]]) -> Iterator[Review]:
    """Open the page; it must fit the window, and ask for nothing but itself."""
    path, rows = written
    page = browser.new_context(viewport=request.param).new_page()
    asked: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda each: asked.append(each.url))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text))  # a breach of the page's policy too
    page.goto(path.as_uri())
    yield Review(page, rows)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert [url for url in asked if not url.startswith(("data:", "blob:"))] == [path.as_uri()]
    assert complaints == []
    page.context.close()


def test_every_doubtful_digit_is_shown_with_its_picture(review: Review) -> None:
    assert review.page.get_by_role("heading").inner_text() == f"{len(review.rows)} doubtful digits"
    assert review.shown == ["?" if row["digit"] is None else str(row["digit"]) for row in review.rows]
    pictures = "[...document.images].map(each => each.complete && each.naturalWidth > 8)"
    assert review.page.evaluate(pictures) == [True] * len(review.rows)


def test_digits_are_corrected_and_saved_by_keyboard(review: Review) -> None:
    guess = str(review.rows[3]["guesses"][0][0])
    review.press("3")
    assert review.focused == 1
    review.press("x", "ArrowRight", "Enter")
    assert review.focused == 4
    review.press("ArrowLeft", "ArrowUp", "ArrowLeft", "8")
    assert review.focused == 2
    review.press("X", "ArrowDown")
    assert review.focused == 4
    assert review.shown[:4] == ["3", "8", "none", guess]
    assert review.page.get_by_role("status").inner_text() == f"4 of {len(review.rows)} seen"
    review.press("Shift+Tab")
    assert review.page.evaluate("document.activeElement.id") == "save"
    with review.page.expect_download() as download:
        review.press("Enter")
    assert download.value.suggested_filename == "corrections.csv"
    saved = list(csv.DictReader(io.StringIO(Path(download.value.path()).read_text(encoding="utf-8"))))
    assert saved == [
        {
            "source": "'" + SCAN,
            **{key: str(row[key]) for key in ("page", "line", "place")},
            **dict(zip(("left", "top", "width", "height"), map(str, row["box"]), strict=True)),
            "guess": "" if row["digit"] is None else str(row["digit"]),
            "truth": truth,
        }
        for row, truth in zip(review.rows[:4], ("3", "8", "", guess), strict=True)
    ]
    review.press("Tab")
    assert review.focused == 4


def test_the_digit_that_has_the_focus_is_in_sight(review: Review) -> None:
    hidden = """() => {
      const { top, bottom } = document.activeElement.getBoundingClientRect();
      return top < document.querySelector("header").getBoundingClientRect().bottom || bottom > innerHeight;
    }"""
    steps = len(review.rows) - 1
    for key in ("ArrowDown", "ArrowUp"):
        for _ in range(steps):
            review.press(key)
            assert not review.page.evaluate(hidden), (key, review.focused)
    assert review.focused == 0


def test_a_key_that_is_held_down_corrects_one_digit(review: Review) -> None:
    for _ in range(3):
        review.page.keyboard.down("7")
    review.page.keyboard.up("7")
    assert review.focused == 1
    assert review.page.get_by_role("status").inner_text() == f"1 of {len(review.rows)} seen"


def test_a_name_that_is_html_or_a_formula_is_text(
    browser: "Browser", written: tuple[Path, list[Row]], tmp_path: Path
) -> None:
    names = [
        "</script><script>document.title='run'</script><img src=x onerror=\"document.title='run'\">",
        "{{rows}}{{count}}",
        "\t=1",
        "a;@SUM(1)",
        "\x1b[2J",
    ]
    rows = [row | {"source": name, "text": name} for row, name in zip(written[1], names, strict=False)]
    path = tmp_path / "review.html"
    path.write_text(review_page(rows), encoding="utf-8")
    page = browser.new_context().new_page()
    page.goto(path.as_uri())
    assert page.title() == "Doubtful digits"
    assert page.locator("img:not([src^='data:'])").count() == 0
    shown = page.locator("li small:last-child").all_text_contents()
    assert all(text.startswith(f"{name} page 1, ") for text, name in zip(shown, names, strict=True))
    for _ in names:
        page.keyboard.press("1")
    with page.expect_download() as download:
        page.click("#save")
    saved = csv.DictReader(io.StringIO(Path(download.value.path()).read_bytes().decode(), newline=""))
    assert [row["source"] for row in saved] == [names[0], names[1], "'\t=1", "a;'@SUM(1)", r"\x1b[2J"]
    page.context.close()

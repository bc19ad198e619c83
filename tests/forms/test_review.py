"""The page of doubtful fields in a real browser: corrected by keyboard and touch, kept, undone, saved, merged."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from inkdigits.forms.decided import Results, decide_pile
from inkdigits.forms.merging import merge_corrections, read_corrections
from inkdigits.forms.pages import Placement
from inkdigits.forms.pile import sort_pile
from inkdigits.forms.records import load_records
from inkdigits.forms.results import write_results
from tests.forms.readings import scanned, values
from tests.forms.sheets import VALUES

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PHONE, DESK = {"width": 390, "height": 844}, {"width": 1280, "height": 860}


@pytest.fixture(scope="module")
def results(form: Placement) -> Results:
    """Two copies, of which three fields are doubtful."""
    right = {name: values(value) for name, value in VALUES.items()}
    doubtful = right | {"account": values("123455", 0.6, "123465"), "marks.1.id": values("0?42", 0.5)}
    person = '=1+1, "a" </script>'
    pages = [
        scanned(form, doubtful, 1, person=person),
        scanned(form, right | {"day": values("", 0.5, "2026-11-05")}, 2),
    ]
    return decide_pile(form, sort_pile(form, pages), [], 0.9)


@pytest.fixture(params=[PHONE, DESK], ids=["phone", "desk"])
def page(request: pytest.FixtureRequest, browser: "Browser", results: Results, tmp_path: Path) -> Iterator["Page"]:
    """The page that the results hold; it must fit the window and complain of nothing."""
    write_results(results, tmp_path / "results")
    context = browser.new_context(viewport=request.param, has_touch=request.param == PHONE)
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text))
    page.goto((tmp_path / "results" / "review.html").as_uri())
    yield page
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert complaints == []
    context.close()


def shown(page: "Page") -> list[str]:
    return [box.input_value() for box in page.locator("li input").all()]


def status(page: "Page") -> str:
    return page.get_by_role("status").inner_text()


def test_whole_fields_are_shown_with_their_pictures(page: "Page") -> None:
    assert page.get_by_role("heading").inner_text() == "3 doubtful fields"
    assert shown(page) == ["123455", "0?42", ""]
    assert page.evaluate("[...document.images].map(each => each.naturalWidth > 40)") == [True] * 3
    assert page.locator("li small:last-child").first.inner_text() == "account of copy 1, pile.pdf page 1"


def test_fields_are_corrected_kept_undone_saved_and_merged(page: "Page", tmp_path: Path) -> None:
    page.fill("#reviewer", "Ann")
    page.locator("li input").first.focus()
    page.keyboard.press("Enter")  # as it stands
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("0042")
    page.keyboard.press("Enter")
    button = page.locator("li").nth(2).get_by_role("button", name="2026-11-05")
    button.tap() if page.viewport_size == PHONE else button.click()
    assert (shown(page), status(page)) == (["123455", "0042", "2026-11-05"], "3 of 3 seen")
    page.get_by_role("button", name="Undo").click()
    assert (shown(page)[2], status(page)) == ("", "2 of 3 seen")
    page.reload()
    assert (shown(page), status(page)) == (["123455", "0042", ""], "2 of 3 seen")
    assert page.input_value("#reviewer") == "Ann"
    with page.expect_download() as download:
        page.click("#save")
    download.value.save_as(tmp_path / "corrections.csv")
    found = merge_corrections(tmp_path / "results", read_corrections([tmp_path / "corrections.csv"]))
    assert (found.changed, found.confirmed, found.doubtful) == (1, 1, 1)
    (record,) = [one for one in load_records(tmp_path / "results") if one.field == "marks.1.id" and one.copy == 1]
    assert (record.value, record.read, record.doubtful) == ("0042", "0?42", False)

"""The folder of results: tables, problems, pictures; whole or not at all."""

import csv
import datetime
import io
import json
from pathlib import Path

import openpyxl
import pytest
from PIL import Image
from pyarrow import parquet

from inkdigits.errors import RunError, UsageError
from inkdigits.forms import results as module
from inkdigits.forms.decided import Results, decide_pile
from inkdigits.forms.pages import Placement
from inkdigits.forms.pile import BLANK, Problem, sort_pile
from inkdigits.forms.results import write_results
from tests.forms.readings import scanned, values
from tests.forms.sheets import VALUES


@pytest.fixture
def results(form: Placement) -> Results:
    """Copy 1 without fault, copy 2 with a wrong total; a page was blank."""
    right = {name: values(value) for name, value in VALUES.items()}
    pages = [scanned(form, right, 1, number=1), scanned(form, right | {"total": values("26")}, 2, number=3)]
    return decide_pile(form, sort_pile(form, pages), [Problem(BLANK, "the page is blank", "pile.pdf", 2)], 0.99)


def rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text())))


def test_the_table_has_a_row_for_each_copy(results: Results, tmp_path: Path) -> None:
    write_results(results, tmp_path / "out")
    first, second = rows(tmp_path / "out" / "table.csv")
    assert {name: first[name] for name in VALUES} == VALUES
    assert (first["copy"], first["doubtful"], second["copy"], second["doubtful"]) == ("1", "", "2", "total")
    assert (tmp_path / "out" / first["remark"]).read_bytes() == b"a picture"


def test_a_table_on_the_form_has_a_row_for_each_line_that_is_used(results: Results, tmp_path: Path) -> None:
    write_results(results, tmp_path / "out")
    lines = rows(tmp_path / "out" / "marks.csv")
    assert [(one["copy"], one["line"], one["id"], one["points"]) for one in lines] == [
        ("1", "1", "0042", "7.5"),
        ("1", "2", "3168", "12.0"),
        ("2", "1", "0042", "7.5"),
        ("2", "2", "3168", "12.0"),
    ]


def test_the_workbook_keeps_identities_as_text_and_colours_doubtful_cells(results: Results, tmp_path: Path) -> None:
    write_results(results, tmp_path / "out")
    book = openpyxl.load_workbook(tmp_path / "out" / "table.xlsx")
    header, first, second = book["table"].iter_rows()
    cells = {title.value: (one, other) for title, one, other in zip(header, first, second, strict=True)}
    assert [cells[name][0].value for name in ("account", "first", "marks.1.points")] == ["123455", 17, 7.5]
    assert cells["day"][0].value == datetime.datetime(2026, 11, 5)
    assert cells["marks.1.id"][0].value == "0042"
    coloured = [one.fill.fgColor.rgb == "FFFFD966" for one in cells["total"]]
    assert coloured == [False, True]
    assert [[cell.value for cell in row] for row in book["marks"].iter_rows(max_row=2, min_col=3)] == [
        ["line", "id", "points"],
        [1, "0042", 7.5],
    ]


def test_the_parquet_file_has_the_same_rows(results: Results, tmp_path: Path) -> None:
    write_results(results, tmp_path / "out")
    found = parquet.read_table(tmp_path / "out" / "table.parquet").to_pylist()
    assert [(row["account"], row["doubtful"]) for row in found] == [("123455", []), ("123455", ["total"])]


def test_each_field_is_a_line_of_json(results: Results, tmp_path: Path) -> None:
    write_results(results, tmp_path / "out")
    found = [json.loads(line) for line in (tmp_path / "out" / "fields.jsonl").read_text().splitlines()]
    assert len(found) == 2 * len(results.placement.fields)
    (total,) = [one for one in found if one["field"] == "total" and one["copy"] == 2]
    assert (total["value"], total["doubtful"], total["reasons"]) == ("26", True, ["does not add up"])
    assert (total["source"], total["page"], total["box"]) == ("pile.pdf", 3, [10, 20, 30, 40])
    assert 0 < total["confidence"] <= 1


def test_the_problems_are_the_pages_and_the_doubtful_fields(results: Results, tmp_path: Path) -> None:
    write_results(results, tmp_path / "out")
    found = rows(tmp_path / "out" / "problems.csv")
    assert [(one["kind"], one["page"], one["field"]) for one in found] == [
        ("blank", "2", ""),
        ("doubtful", "3", "total"),
    ]
    assert "written 26, the parts are 25" in found[1]["message"]


def test_the_overlay_marks_doubtful_fields(results: Results, tmp_path: Path, form: Placement) -> None:
    write_results(results, tmp_path / "out")
    pictures = [Image.open(tmp_path / "out" / "pages" / f"{copy}-page-1.jpg").convert("RGB") for copy in (1, 2)]
    box = next(one for one in form.fields if one.name == "total").boxes[0]
    middle = round(4 * (box.left + box.width / 2)), round(4 * (box.top + box.height / 2))
    plain, shaded = (picture.getpixel(middle) for picture in pictures)
    assert min(plain) > 250
    assert shaded[2] < 215 < shaded[0]  # amber


def test_a_cell_that_a_spreadsheet_would_run_is_only_shown(form: Placement, tmp_path: Path) -> None:
    page = scanned(form, {}, 1, person="=1+1")
    write_results(decide_pile(form, sort_pile(form, [page]), [], 0.99), tmp_path / "out")
    assert rows(tmp_path / "out" / "table.csv")[0]["person"] == "'=1+1"
    cell = openpyxl.load_workbook(tmp_path / "out" / "table.xlsx")["table"]["B2"]
    assert (cell.value, cell.data_type) == ("=1+1", "s")


def test_earlier_results_are_replaced_and_other_folders_are_not(results: Results, tmp_path: Path) -> None:
    write_results(results, tmp_path / "out")
    (tmp_path / "out" / "pages" / "old.jpg").write_bytes(b"")
    write_results(results, tmp_path / "out")
    assert not (tmp_path / "out" / "pages" / "old.jpg").exists()
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.txt").write_text("mine")
    with pytest.raises(UsageError, match="holds other files"):
        write_results(results, other)
    assert [path.name for path in other.iterdir()] == ["thesis.txt"]


def test_a_disk_that_is_full_leaves_the_earlier_results(
    results: Results, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_results(results, tmp_path / "out")
    before = (tmp_path / "out" / "table.csv").read_bytes()

    def full(*_: object) -> bytes:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "overlay", full)
    with pytest.raises(RunError, match="No space left"):
        write_results(results, tmp_path / "out")
    assert (tmp_path / "out" / "table.csv").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]

"""Corrections come back into the results, and who changed what is kept."""

import csv
import io
import json
from pathlib import Path

import openpyxl
import pytest

from inkdigits.errors import DataError, UsageError
from inkdigits.forms.decided import decide_pile
from inkdigits.forms.merging import COLUMNS, Merged, merge_corrections, read_corrections
from inkdigits.forms.pages import Placement
from inkdigits.forms.pile import BLANK, Problem, sort_pile
from inkdigits.forms.results import write_results
from tests.forms.readings import scanned, values
from tests.forms.sheets import VALUES


@pytest.fixture
def folder(form: Placement, tmp_path: Path) -> Path:
    """Copy 1 with two doubtful fields, copy 2 without fault; a page was blank."""
    right = {name: values(value) for name, value in VALUES.items()}
    doubtful = right | {"account": values("123455", 0.6, "123465"), "marks.1.id": values("0?42", 0.5)}
    pages = [scanned(form, doubtful, 1), scanned(form, right, 2, number=3)]
    results = decide_pile(form, sort_pile(form, pages), [Problem(BLANK, "the page is blank", "pile.pdf", 2)], 0.9)
    write_results(results, tmp_path / "out")
    return tmp_path / "out"


def corrected(folder: Path, *rows: tuple[str, str, str], by: str = "Ann", copy: int = 1) -> Merged:
    """Merge corrections of field, what was read, and what is right."""
    path = folder.with_name(f"{by}.csv")
    lines = [[copy, 1, "", field, read, value, by, f"2026-11-27T1{number}:00Z"] for number, (field, read, value)
             in enumerate(rows)]  # fmt: skip
    path.write_text("\n".join(",".join(map(str, line)) for line in [COLUMNS, *lines]))
    return merge_corrections(folder, read_corrections([path]))


def table(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text())))


def test_tables_fields_and_problems_have_the_corrections(folder: Path) -> None:
    found = corrected(folder, ("account", "123455", "123465"), ("marks.1.id", "0?42", "0042"))
    assert found == Merged(2, 0, (), 0)
    first, second = table(folder / "table.csv")
    assert (first["account"], first["doubtful"], second["account"]) == ("123465", "", "123455")
    assert table(folder / "marks.csv")[0]["id"] == "0042"
    (record,) = [
        one for one in map(json.loads, (folder / "fields.jsonl").read_text().splitlines())
        if (one["copy"], one["field"]) == (1, "account")
    ]  # fmt: skip
    assert (record["value"], record["read"], record["doubtful"], record["reasons"]) == ("123465", "123455", False, [])
    assert [one["kind"] for one in table(folder / "problems.csv")] == ["blank"]
    header, row, _ = openpyxl.load_workbook(folder / "table.xlsx")["table"].iter_rows()
    cell = row[[one.value for one in header].index("account")]
    assert (cell.value, cell.fill.fgColor.rgb == "FFFFD966") == ("123465", False)
    assert (folder / "pages" / "1-page-1.jpg").exists()


def test_changes_tell_who_changed_what_and_are_not_repeated(folder: Path) -> None:
    corrected(folder, ("account", "123455", "123465"))
    assert corrected(folder, ("account", "123455", "123465")) == Merged(0, 0, (), 1)
    corrected(folder, ("account", "123455", "999999"))  # Ann thinks again
    changes = [(one["field"], one["read"], one["before"], one["value"], one["reviewer"]) for one in
               table(folder / "changes.csv")]  # fmt: skip
    assert changes == [
        ("account", "123455", "123455", "123465", "Ann"),
        ("account", "123455", "123465", "999999", "Ann"),
    ]


def test_reviewers_do_not_overwrite_each_other(folder: Path) -> None:
    corrected(folder, ("account", "123455", "123465"))
    assert corrected(folder, ("account", "123455", "123499"), by="Bob").disputed == ((1, 1, "", "account"),)
    assert table(folder / "table.csv")[0]["account"] == "123465"
    both = read_corrections([folder.with_name("Ann.csv"), folder.with_name("Bob.csv")])
    assert merge_corrections(folder, both).disputed == ((1, 1, "", "account"),)
    assert corrected(folder, ("marks.1.id", "0?42", "0?42"), by="Bob") == Merged(0, 1, (), 0)


def test_corrections_of_another_reading_change_nothing(folder: Path) -> None:
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    for rows, copy in ((("account", "5", "123465"), 1), (("account", "123455", "1"), 7)):
        with pytest.raises(UsageError, match="review it anew"):
            corrected(folder, rows, copy=copy)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_files_that_are_no_corrections_are_named(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "other.csv"
    path.write_text("source,page\na,1\n")
    with pytest.raises(DataError, match="no CSV of a review page of forms"):
        read_corrections([path])
    path.write_text(",".join(COLUMNS) + "\nx,1,,account,1,2,Ann,now\n")
    with pytest.raises(DataError, match="line 2 of"):
        read_corrections([path])
    with pytest.raises(UsageError, match="holds no"):
        merge_corrections(tmp_path, [])

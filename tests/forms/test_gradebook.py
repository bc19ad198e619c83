"""Marks go into the files that Moodle and Canvas export; what is doubtful or unknown is named, not lost."""

import csv
import io
from pathlib import Path

import pytest

from inkdigits.errors import UsageError
from inkdigits.forms.gradebook import fill_gradebook, sure_marks
from inkdigits.forms.records import TableCell, TableRow

MOODLE = (
    '"First name","Last name","ID number",Institution,Department,"Email address","Assignment: Essay","Course total"\n'
    "Ann,Able,00417,,,ann@example.org,56.00,56.00\n"
    'Bob,"Bunce, B.",20981,,,bob@example.org,,75.00\n'
)
CANVAS = (
    "Student,ID,SIS User ID,SIS Login ID,Section,Midterm (101),Final exam (102)\n"
    "    Points Possible,,,,,10.00,50.00\n"
    '"Able, Ann",11,00417,ann,XC 101,8.00,\n'
    '"Bunce, Bob",12,20981,bob,XC 101,9.00,\n'
    '"Student, Test",13,,test,XC 101,,\n'
)
MARKS = {"00417": "42", "20981": "37.5", "99999": "1"}


def filled(text: str, item: str, folder: Path) -> tuple[list[list[str]], tuple[str, ...], str]:
    path = folder / "export.csv"
    path.write_text(text)
    found = fill_gradebook(path, MARKS, item)
    return list(csv.reader(io.StringIO(found.text))), found.unknown, found.system


def test_a_column_of_moodle_is_filled_and_a_new_one_is_added(tmp_path: Path) -> None:
    rows, unknown, system = filled(MOODLE, "Assignment: Essay", tmp_path)
    assert ([row[6] for row in rows], unknown, system) == (["Assignment: Essay", "42", "37.5"], ("99999",), "moodle")
    assert [row[:6] for row in rows] == [row[:6] for row in csv.reader(io.StringIO(MOODLE))]
    rows, _, _ = filled(MOODLE, "Exam", tmp_path)
    assert [row[8] for row in rows] == ["Exam", "42", "37.5"]


def test_a_column_of_canvas_is_found_without_its_number_and_the_points_stay(tmp_path: Path) -> None:
    rows, unknown, system = filled(CANVAS, "Final exam", tmp_path)
    assert [row[6] for row in rows] == ["Final exam (102)", "50.00", "42", "37.5", ""]
    assert [row[5] for row in rows] == ["Midterm (101)", "10.00", "8.00", "9.00", ""]
    assert (unknown, system) == (("99999",), "canvas")


def test_a_file_without_identities_or_with_the_item_twice_is_refused(tmp_path: Path) -> None:
    for text, message in (("Name,Mark\nAnn,3\n", "none of the columns"), (MOODLE.replace("Course total", "Exam (2)")
                          .replace("Assignment: Essay", "Exam (1)"), "the column Exam 2 times")):  # fmt: skip
        with pytest.raises(UsageError, match=message):
            filled(text, "Exam", tmp_path)


def row(name: str, student: str, total: str, doubtful: bool = False) -> TableRow:
    return TableRow(name, "", {"student": TableCell(student), "total": TableCell(total, doubtful)})


def test_doubtful_and_double_marks_are_left_out_and_named() -> None:
    rows = [row("1", "00417", "42"), row("2", "20981", "3?", True), row("3", "5", "7"), row("4", "5", "8")]
    found = sure_marks(rows, "student", "total")
    assert (found.marks, found.left_out) == ({"00417": "42"}, ("copy 2", "copy 3", "copy 4"))
    with pytest.raises(UsageError, match="no field mark"):
        sure_marks(rows, "student", "mark")

"""From the blank of a form that exists already to a corrected table and a filled gradebook, by the commands."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import cv2

from inkdigits.data import Dataset
from inkdigits.reader.recognizer import Recognizer
from tests.forms.blank_forms import WIDTH, WRITTEN, empty_form, scanned, written
from tests.forms.sheets import Pen

Run = Callable[..., tuple[int, str, str]]
EXPORT = "Student,ID,SIS User ID,SIS Login ID,Section,Report\n    Points Possible,,,,,9999\nAnn,1,403716,ann,X,\n"


def test_a_blank_becomes_a_table_and_a_gradebook(run_cli: Run, mnist_5k: Dataset, tmp_path: Path) -> None:
    design, scan, out = tmp_path / "station.toml", tmp_path / "scan.png", tmp_path / "results"
    cv2.imwrite(str(tmp_path / "blank.png"), empty_form())
    code, printed, err = run_cli("form", "template", tmp_path / "blank.png", "--out", design, "--width", WIDTH)
    assert (code, "9 fields (7 digits, 1 choice, 1 number)" in err) == (0, True)
    assert {Path(line).name for line in printed.splitlines()} == {
        "station.toml", "station-blank-1.png", "station-fields-1.jpg",
    }  # fmt: skip
    assert run_cli("form", "template", tmp_path / "blank.png", "--out", design)[0] == 2  # it is there already
    assert run_cli("form", "print", design, "-o", tmp_path / "a.pdf")[0] == 2

    pen = Pen.of(mnist_5k, Recognizer(threads=1))
    cv2.imwrite(str(scan), scanned(written(empty_form(), pen)))
    code, _, err = run_cli("form", "read", design, scan, "--out", out, "--min-confidence", 0.5)
    assert code == 0, err
    (row,) = csv.DictReader(io.StringIO((out / "table.csv").read_text()))
    assert [row["digits_1"], row["digits_2"], row["choice_1"]] == [WRITTEN["number"], WRITTEN["cells"][0], "2"]

    corrections, export, filled = tmp_path / "corrections.csv", tmp_path / "export.csv", tmp_path / "filled.csv"
    corrections.write_text(
        "copy,occurrence,person,field,read,value,reviewer,time\n"
        f"0,1,,number_1,{row['number_1']},2079,Ann,2026-11-27T10:00:00Z\n"
    )
    code, printed, err = run_cli("review", "merge", out, corrections)
    assert (code, printed, "1 fields changed" in err) == (0, f"{out / 'changes.csv'}\n", True)
    export.write_text(EXPORT)
    used = ("--id", "digits_1", "--mark", "number_1", "--item", "Report", "-o", filled)
    code, _, err = run_cli("form", "gradebook", out, export, *used)
    assert (code, "1 marks for canvas" in err) == (0, True)
    assert filled.read_text().splitlines()[2] == "Ann,1,403716,ann,X,2079"
    records = [json.loads(line) for line in (out / "fields.jsonl").read_text().splitlines()]
    assert [one["read"] for one in records if one["field"] == "number_1"] == [row["number_1"]]
    corrections.write_text(corrections.read_text().replace("2079,Ann", "2080,Bob"))
    assert run_cli("review", "merge", out, corrections)[0] == 3


def test_wrong_use_is_one_line(run_cli: Run, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x")
    wrong = [
        ("form", "template", tmp_path / "no.png", "--out", tmp_path / "a.json"),
        ("review", "merge", tmp_path, tmp_path / "a.csv"),
        ("form", "gradebook", tmp_path, tmp_path / "a.csv", "--id", "x", "--mark", "y", "--item", "z"),
        ("form", "calibrate", tmp_path, tmp_path / "a.csv", "--max-error", "1%"),
    ]
    for arguments in wrong:
        code, _, err = run_cli(*arguments)
        assert (code in (1, 2), err.strip().count("\n")) == (True, 0), err

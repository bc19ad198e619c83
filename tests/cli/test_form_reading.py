"""`inkdigits form read`: a pile with all that goes wrong becomes a table, and the exit code tells."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from inkdigits.data import Dataset
from inkdigits.forms.printing import Copy
from inkdigits.reader.calibration import Calibration
from inkdigits.reader.recognizer import Recognizer
from tests.forms.sheets import ANSWERS, DESIGN, VALUES, Pen, Picture, fill, printed_pages, small_form

Run = Callable[..., tuple[int, str, str]]
SURE = ("--min-confidence", 0.9)  # which all well-written digits have


@pytest.fixture(scope="module")
def sheets(mnist_5k: Dataset, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Picture]:
    """Copies 1, 2 and 4, of which copy 2 has a wrong total, and a blank page of another form."""
    form, pen = small_form(), Pen.of(mnist_5k, Recognizer(threads=1))
    folder = tmp_path_factory.mktemp("printed")
    answers = {"1": ANSWERS, "2": ANSWERS | {"total": " 26"}, "4": ANSWERS}
    blank = printed_pages(form, [Copy(int(name)) for name in answers], folder)
    made = {name: fill(page, form.pages[0], answers[name], pen) for name, page in zip(answers, blank, strict=True)}
    other = small_form(DESIGN.replace('name = "small"', 'name = "other"'))
    made["other"] = printed_pages(other, [Copy(1)], folder)[0]
    return made


@pytest.fixture
def design(tmp_path: Path) -> Path:
    path = tmp_path / "small.toml"
    path.write_text(DESIGN)
    return path


def as_pdf(pages: list[Picture], path: Path) -> Path:
    first, *rest = [Image.fromarray(page) for page in pages]
    first.save(path, save_all=True, append_images=rest, resolution=150)
    return path


def table(folder: Path, name: str = "table.csv") -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO((folder / name).read_text())))


def test_a_pile_with_all_that_goes_wrong_is_read_and_nothing_is_lost(
    run_cli: Run, design: Path, sheets: dict[str, Picture], tmp_path: Path
) -> None:
    upside_down = np.ascontiguousarray(np.rot90(sheets["4"], 2))
    paper = np.full_like(sheets["1"], 250)
    pile = as_pdf([upside_down, sheets["other"], sheets["2"], paper, sheets["1"], sheets["2"]], tmp_path / "pile.pdf")
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    code, out, err = run_cli("form", "read", design, pile, broken, "--out", tmp_path / "results", *SURE)
    assert code == 1  # a file and a page were not read
    rows = table(tmp_path / "results")
    assert [row["copy"] for row in rows] == ["1", "2", "4"]
    for row in rows:
        expected = VALUES | ({"total": "26"} if row["copy"] == "2" else {})
        assert {name: row[name] for name in VALUES} == expected
    assert ["total" in row["doubtful"].split() for row in rows] == [False, True, False]
    assert (rows[0]["doubtful"], rows[2]["doubtful"]) == ("", "")
    found = [(one["kind"], one["page"]) for one in table(tmp_path / "results", "problems.csv")]
    problems = list(dict.fromkeys(found))  # a part that may explain the wrong total is doubtful too
    assert problems == [
        ("unreadable", "1"),
        ("other_form", "2"),
        ("missing", ""),
        ("double", "6"),
        ("blank", "4"),
        ("doubtful", "3"),
    ]
    assert str(tmp_path / "results" / "table.xlsx") in out.splitlines()
    assert "a page of the form 'other', not of 'small'" in err


def test_strict_tells_by_the_exit_code_that_something_is_to_be_looked_at(
    run_cli: Run, design: Path, sheets: dict[str, Picture], tmp_path: Path
) -> None:
    paths = {}
    for name in ("1", "2"):
        paths[name] = tmp_path / f"{name}.png"
        cv2.imwrite(str(paths[name]), sheets[name])
    out = tmp_path / "results"
    assert run_cli("form", "read", design, paths["1"], "--out", out, "--strict", *SURE)[0] == 0
    code, text, _ = run_cli("form", "read", design, paths["1"], paths["2"], "--out", out, "--strict", "--json", *SURE)
    assert code == 3
    found = json.loads(text)
    assert (found["copies"], found["doubtful"] > 0) == (2, True)
    assert run_cli("form", "read", design, paths["1"], paths["2"], "--out", out)[0] == 0


def test_pages_are_read_in_any_number_of_processes_and_a_calibration_states_the_bound(
    run_cli: Run, design: Path, sheets: dict[str, Picture], tmp_path: Path
) -> None:
    paper = np.full_like(sheets["1"], 250)
    pile = as_pdf([sheets["4"], paper, sheets["1"]], tmp_path / "pile.pdf")
    out, truth, proven = tmp_path / "results", tmp_path / "truth.csv", tmp_path / "calibration.json"
    code, _, err = run_cli("form", "read", design, pile, "--out", out, "--jobs", 2, *SURE)
    assert (code, "2 pages of 1 files: 2 copies" in err) == (0, True)
    fields = [json.loads(line) for line in (out / "fields.jsonl").read_text().splitlines()]
    assert list(dict.fromkeys((one["page"], one["copy"]) for one in fields)) == [(3, 1), (1, 4)]
    truth.write_text((out / "table.csv").read_text())
    code, _, err = run_cli("form", "calibrate", out, truth, "--max-error", "80%", "--out", proven)
    assert (code, "2 forms cannot show 80 %" in err) == (2, True), err
    counts = (100, 2000, 1900, 0, 0)  # pages, numbers, accepted, wrong, lost
    Calibration("forms", fields[0]["model"], {}, 0.01, 0.95, 0.9, *counts, (0.9, 1.0)).save(proven)
    code, _, err = run_cli("form", "read", design, pile, "--out", out, "--calibration", proven)
    assert (code, "24 of 24 accepted; at most 1 % of those are wrong, with 95 % certainty" in err) == (0, True), err
    assert run_cli("form", "read", design, pile, "--calibration", proven, "--min-confidence", 0.9)[0] == 2


def test_wrong_use_is_one_line_and_exit_code_2(run_cli: Run, design: Path, tmp_path: Path) -> None:
    wrong = [
        ("form", "read", tmp_path / "no.toml", tmp_path),
        ("form", "read", design, tmp_path, "--min-confidence", "2"),
        ("form", "read", design, tmp_path, "--out", design),
        ("form", "read", design, tmp_path, "--out", tmp_path),  # which holds the design
        ("form", "read", design, tmp_path, "--roster", design),
    ]
    for arguments in wrong:
        code, _, err = run_cli(*arguments)
        assert (code, err.strip().count("\n")) == (2, 0), err


def test_a_form_with_a_roster_needs_one_of_its_length(run_cli: Run, tmp_path: Path) -> None:
    design = tmp_path / "a.toml"
    design.write_text('name = "a"\ntitle = "A"\nfields = [{kind = "roster", name = "person", length = 5}]')
    roster = tmp_path / "class.csv"
    roster.write_text("id,name\n123456,Ann\n")
    code, _, err = run_cli("form", "read", design, tmp_path)
    assert (code, "name the list with --roster" in err) == (2, True)
    code, _, err = run_cli("form", "read", design, tmp_path, "--roster", roster)
    assert (code, "123456 with 6 digits" in err) == (2, True)


def test_the_demo_reads_its_pile_and_names_the_table(run_cli: Run, tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    code, out, _ = run_cli("form", "demo", folder, "--copies", 2, "--seed", 4)
    assert (code, out.splitlines()[-1]) == (0, str(folder / "results" / "tasks.csv"))
    written = {one["copy"]: one["answers"]["student"] for one in json.loads((folder / "truth.json").read_text())}
    for row in table(folder / "results"):
        assert row["student"] == written[int(row["copy"])] or "student" in row["doubtful"].split()
    assert len(table(folder / "results")) == 2

"""inkdigits form new, print and demo: what they write, and their errors of one line."""

import csv
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pypdfium2
import pytest
from PIL import Image

Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture
def design(run_cli: Cli, tmp_path: Path) -> Path:
    path = tmp_path / "exam.toml"
    assert run_cli("form", "new", path)[0] == 0
    return path


def pages(path: Path) -> list[str]:
    return [page.get_textpage().get_text_range() for page in pypdfium2.PdfDocument(path)]


def last_line(err: str) -> str:
    return " ".join(err.strip().splitlines()[-1].split())


def test_a_new_form_is_printed_as_it_is(design: Path, run_cli: Cli) -> None:
    out = design.with_name("exam.pdf")
    code, printed, err = run_cli("form", "print", design, "-o", out)
    assert (code, printed) == (0, f"{out}\n")
    assert "1 page of the form exam (" in err
    (page,) = pages(out)
    assert "Mathematics, final exam" in page


def test_copies_are_numbered_and_a_roster_gets_one_for_each_person(design: Path, run_cli: Cli) -> None:
    out, roster = design.with_name("exam.pdf"), design.with_name("class.csv")
    assert run_cli("form", "print", design, "-o", out, "--copies", 3)[0] == 0
    assert ["copy 3" in page for page in pages(out)] == [False, False, True]
    roster.write_text("id,name\n17,Åsa\n18,Bo\n")
    assert run_cli("form", "print", design, "-o", out, "--roster", roster)[0] == 0
    assert ["Bo 18" in page for page in pages(out)] == [False, True]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["-o", "exam.pdf", "--copies", "2", "--roster", "class.csv"], "--copies and --roster exclude each other"),
        (["-o", "exam.txt"], "exam.txt is no PDF; name a file such as exam.pdf"),
        (["-o", "exam.pdf", "--copies", "0"], "a file has 1 to 10,000 copies, not 0"),
        (["-o", "exam.pdf", "--roster", "nobody.csv"], "the roster nobody.csv does not exist"),
    ],
)
def test_wrong_use_of_print_is_one_line(
    options: list[str], says: str, design: Path, run_cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(design.parent)
    code, out, err = run_cli("form", "print", "exam.toml", *options)
    assert (code, out) == (2, "")
    assert says in last_line(err)
    assert not Path("exam.pdf").exists()


def test_a_fault_in_the_form_names_its_place(design: Path, run_cli: Cli) -> None:
    design.write_text(design.read_text().replace('kind = "date"', 'kind = "day"'))
    code, _, err = run_cli("form", "print", design, "-o", design.with_name("exam.pdf"))
    assert code == 2
    assert "`$.fields[1].kind`; the kinds are choice, date, decimal" in last_line(err)


def test_new_replaces_no_file(design: Path, run_cli: Cli) -> None:
    design.write_text("mine")
    code, _, err = run_cli("form", "new", design)
    assert code == 2
    assert "is there already" in last_line(err)
    assert design.read_text() == "mine"


@pytest.mark.parametrize("module", ["reportlab.pdfgen.canvas", "font_roboto"])
def test_without_the_extra_the_line_says_how_to_install_it(
    module: str, design: Path, run_cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    code, _, err = run_cli("form", "print", design, "-o", design.with_name("exam.pdf"))
    assert code == 1
    assert f"this needs {module}: pip install 'inkdigits[forms]'" in last_line(err)


def test_the_demo_is_a_pile_of_scans_with_its_truth(tmp_path: Path, run_cli: Cli) -> None:
    folder = tmp_path / "demo"
    code, out, _ = run_cli("form", "demo", folder, "--copies", 3, "--seed", 4, "--no-read")
    assert (code, out) == (0, f"{folder / 'scans'}\n")
    truth = json.loads((folder / "truth.json").read_text())
    assert sorted(path.name for path in (folder / "scans").iterdir()) == [one["file"] for one in truth]
    assert sorted(one["copy"] for one in truth) == [1, 2, 3]
    assert len(pages(folder / "exam.pdf")) == 3
    with (folder / "class.csv").open() as file:
        people = {row["id"] for row in csv.DictReader(file)}
    assert {one["answers"]["student"] for one in truth} == people
    for one in truth:
        with Image.open(folder / "scans" / one["file"]) as picture:
            assert min(picture.size) > 1000
        assert {name: len(text) for name, text in one["answers"].items()} == {
            name: len(states) for name, states in one["states"].items()
        }


def test_the_demo_replaces_no_files(tmp_path: Path, run_cli: Cli) -> None:
    (tmp_path / "mine").touch()
    code, _, err = run_cli("form", "demo", tmp_path)
    assert code == 2
    assert "is not empty" in last_line(err)


def test_the_demo_needs_none_of_the_lab_s_packages() -> None:
    lab = ("torch", "skimage", "sklearn", "scipy", "mlxtend", "matplotlib")
    code = f"import sys, inkdigits.cli.form_demo; print([name for name in {lab} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout == b"[]\n"

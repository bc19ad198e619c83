"""Text from elsewhere: shown on a terminal, in JSON, in a spreadsheet and in Markdown, and never obeyed."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from inkdigits.escape import csv_table, json_text, markdown, printable, unguarded
from inkdigits.files import read_json, write_json

Cli = Callable[..., tuple[int, str, str]]
HOSTILE = "a\x1b[2J\n7\t100 %\x9b31m\u202e\udcff.png"  # clears a screen, forges a line, is no UTF-8


def test_control_characters_are_shown_as_escapes() -> None:
    assert printable(HOSTILE) == r"a\x1b[2J\n7\t100 %\x9b31m\u202e\udcff.png"
    assert printable("a\tb\r\n", keep="\t\n") == "a\tb\\r\n"
    assert printable("Größe 数字 №") == "Größe 数字 №"


def test_json_is_ascii_where_characters_control_and_reads_back_the_same(tmp_path: Path) -> None:
    content = {"name": HOSTILE, "note": "Größe"}
    text = json_text(content)
    assert not set(text) & set("\x1b\x9b\u202e\udcff\t")
    assert "Größe" in text
    assert json.loads(text) == content
    write_json(tmp_path / "x.json", content)
    assert read_json(tmp_path / "x.json", dict[str, str]) == content


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t=", "\n=", "\uff1d", "\uff0b", "\uff0d", "\uff20"])
def test_a_cell_that_a_spreadsheet_would_run_gets_an_apostrophe(start: str) -> None:
    ((cell, other),) = csv.reader(io.StringIO(csv_table(["a;b", "c"], [[f"{start}1", f"x;{start}1"]])[6:], newline=""))
    assert cell == f"'{start}1"
    assert unguarded(cell) == f"{start}1"
    assert unguarded(other) == f"x;{start}1"
    assert other == (f"x;'{start}1" if start not in ("\t=", "\n=") else f"x;{start}1")


def test_numbers_and_other_texts_stay_as_they_are() -> None:
    assert csv_table(("a", "b"), [[-3, 0.5], ["x\r=1", "y\n=1"], ["a-b", "1;2"]]) == (
        'a,b\n-3,0.5\nx\\r=1,"y\n=1"\na-b,1;2\n'
    )


def test_markdown_shows_html_links_and_cells_as_text() -> None:
    assert markdown("<img src=x>|[a](b)\n# `c`") == r"\<img src=x\>\|\[a\](b)\\n\# \`c\`"
    assert markdown("mnist-5k") == "mnist-5k"


@pytest.mark.parametrize("form", ["text", "json", "csv"])
def test_no_command_prints_the_control_characters_of_a_file_s_name(form: str, tmp_path: Path, run_cli: Cli) -> None:
    hostile, broken = tmp_path / HOSTILE.replace("100 %", "9"), tmp_path / f"b{HOSTILE}"
    image = np.zeros((28, 28), np.uint8)
    image[6:22, 13:16] = 255
    with hostile.open("wb") as file:
        Image.fromarray(image).save(file, "PNG")
    broken.write_text("no image")
    code, out, err = run_cli("predict", hostile, broken, "--format", form)
    assert code == 1
    assert not set(out + err) & set("\x1b\x9b\u202e\udcff\r")
    assert len(err.splitlines()) == 1
    assert r"\x1b" in err
    if form == "text":
        assert len(out.splitlines()) == 1
    elif form == "json":
        assert json.loads(out)[0]["source"] == str(hostile)


def test_a_table_on_a_terminal_shows_markup_as_text(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from inkdigits.cli import common

    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    common.table(["what"], [["[/x] [red]a\x1b[0m"]])
    assert r"[/x] [red]a\x1b[0m" in capsys.readouterr().out

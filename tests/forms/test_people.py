"""Who is on a roster, and which rosters are refused."""

from pathlib import Path

import pytest

from inkdigits.errors import DataError, UsageError
from inkdigits.forms.people import Person, read_people


def roster(folder: Path, text: str) -> Path:
    path = folder / "class.csv"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "text",
    [
        'id,name\n017,"Ågren, Åsa"\nx-2,Bo\n',
        '\ufeffName;ID\n"Ågren, Åsa";017\n\nBo;x-2\n',
        '017,"Ågren, Åsa"\nx-2,Bo',
        "class\tstudent number\tfull name\n7\t017\tÅgren, Åsa\n7\tx-2\tBo\n",
    ],
)
def test_a_roster_is_read_with_and_without_a_header(text: str, tmp_path: Path) -> None:
    assert read_people(roster(tmp_path, text)) == (Person("017", "Ågren, Åsa"), Person("x-2", "Bo"))


def test_a_roster_of_ids_alone_has_no_names(tmp_path: Path) -> None:
    assert read_people(roster(tmp_path, "1\n2\n")) == (Person("1"), Person("2"))


@pytest.mark.parametrize("content", [b"id,name\n1," + b"x" * 200_000, b"id\n\xff\xfe\n"])
def test_what_is_no_csv_is_named(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "class.csv").write_bytes(content)
    with pytest.raises(DataError, match=r"cannot read the roster .*class.csv"):
        read_people(tmp_path / "class.csv")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("id,name\n1,a\n2,b\n1,c\n", "line 4 of the roster .*class.csv: the id 1 stands in line 2 already"),
        ("id,name\n1,a\n,b\n", "line 3 of the roster .*class.csv has no id"),
        (f"id\n{'9' * 41}\n", "line 2 of the roster .*: the id 999999999999… has more than 40 characters"),
        ("id,name\n", "names nobody"),
        ("", "names nobody"),
        ('id,name\n1,"two\nlines"\n1,b\n', "line 3 of the roster .*: the id 1 stands in line 2 already"),
    ],
)
def test_a_faulty_line_is_named(text: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=says):
        read_people(roster(tmp_path, text))

"""CSV files of digits: the forms in use, and values that are no pixels."""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from inkdigits.data import Dataset, load
from inkdigits.data.own_csv import parse_csv_rows, read_csv
from inkdigits.errors import DataError

PIXELS = [f"pixel{i}" for i in range(784)]
ONE_BASED = [f"pixel{i}" for i in range(1, 785)]
GRID = [f"{row}x{column}" for row in range(1, 29) for column in range(1, 29)]
Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def rows(small: Dataset) -> list[list[str]]:
    """Twenty digits, the label first."""
    pairs = zip(small.train.labels[:20], small.train.images[:20], strict=True)
    return [[str(label), *map(str, image.ravel())] for label, image in pairs]


def label_last(row: list[str]) -> list[str]:
    return [*row[1:], row[0]]


def write(path: Path, *lines: list[str], delimiter: str = ",", encoding: str = "utf-8", quote: str = "") -> Path:
    text = "\n".join(delimiter.join(f"{quote}{cell}{quote}" for cell in line) for line in lines)
    path.write_text(text + "\n", encoding=encoding)
    return path


@pytest.mark.parametrize(
    ("header", "last"),
    [
        (["label", *PIXELS], False),
        (["Class", *ONE_BASED], False),
        ([*ONE_BASED, "class"], True),
        (["label", *GRID], False),
        (["label", *map(str, range(784))], False),
        (None, False),
        (None, True),
    ],
    ids=["kaggle", "class", "openml", "grid", "numbers", "no header", "no header, last"],
)
def test_the_forms_in_use_are_read(
    header: list[str] | None, last: bool, rows: list[list[str]], small: Dataset, tmp_path: Path
) -> None:
    lines = [label_last(row) for row in rows] if last else rows
    found = read_csv(write(tmp_path / "a.csv", *([header] if header else []), *lines))
    assert found.labels is not None
    assert found.labels.tolist() == small.train.labels[:20].tolist()
    assert (found.images == small.train.images[:20]).all()


@pytest.mark.parametrize(
    "form",
    [
        {"quote": '"'},
        {"delimiter": ", "},
        {"delimiter": ", ", "quote": chr(34)},
        {"delimiter": ";"},
        {"delimiter": "\t"},
        {"encoding": "utf-16"},
        {"encoding": "utf-8-sig"},
    ],
    ids=str,
)
def test_quotes_spaces_separators_and_encodings_do_not_matter(
    form: dict[str, str], rows: list[list[str]], small: Dataset, tmp_path: Path
) -> None:
    found = read_csv(write(tmp_path / "a.csv", ["label", *PIXELS], *rows, **form))
    assert (found.images == small.train.images[:20]).all()
    assert found.labels is not None


def test_empty_lines_and_numbers_as_savetxt_writes_them_are_read(small: Dataset, tmp_path: Path) -> None:
    table = np.column_stack([small.train.labels[:20], small.train.images[:20].reshape(20, 784)])
    np.savetxt(tmp_path / "a.csv", table, delimiter=",")
    text = (tmp_path / "a.csv").read_text()
    (tmp_path / "a.csv").write_text("\n" + text.replace("\n", "\r\n\r\n"), newline="")
    assert (read_csv(tmp_path / "a.csv").images == small.train.images[:20]).all()


@pytest.mark.parametrize(
    "cell", ["1_7", "1e300", "1e999", "nan", "inf", "0x10", "٣", "1 7", "1.5", "4294967297", "--1"]
)
def test_a_cell_that_is_no_whole_number_is_named(cell: str, rows: list[list[str]], tmp_path: Path) -> None:
    broken = [[*row] for row in rows]
    broken[0][400] = broken[5][400] = cell
    for header, line in ((["label", *PIXELS], 2), (None, 1)):
        path = write(tmp_path / "a.csv", *([header] if header else []), *broken)
        with pytest.raises(DataError, match=f"line {line}: '{cell}' is not a whole number"):
            read_csv(path)


@pytest.mark.parametrize(
    ("header", "says"),
    [
        (["label", "label", *PIXELS[1:]], "names a column twice"),
        (["label", "class", *PIXELS[1:]], "names a column twice"),
        (["label", *PIXELS[:-1], "weight"], "has a column 'weight'"),
        (["label", *PIXELS[:-1], "pixel900"], "has no column 'pixel783'"),
    ],
)
def test_other_columns_are_named(header: list[str], says: str, rows: list[list[str]], tmp_path: Path) -> None:
    with pytest.raises(DataError, match=says):
        read_csv(write(tmp_path / "a.csv", header, *rows))


def test_without_a_header_the_labels_must_be_found_surely(rows: list[list[str]], tmp_path: Path) -> None:
    zeros = [["0", *row[1:]] for row in rows]
    with pytest.raises(DataError, match="neither its first nor its last column is surely that of labels"):
        read_csv(write(tmp_path / "a.csv", *zeros))
    with pytest.raises(DataError, match="rows of 783 values; 784 pixels and a label are needed"):
        read_csv(write(tmp_path / "a.csv", *(row[:783] for row in rows)))


def test_a_corner_with_ink_is_no_column_of_labels(rows: list[list[str]], tmp_path: Path) -> None:
    inky = [[*row[:-1], str(20 + index)] for index, row in enumerate(rows)]
    found = read_csv(write(tmp_path / "a.csv", *inky)).labels
    assert found is not None
    assert found.tolist() == [int(row[0]) for row in rows]


def test_binary_content_is_one_line(tmp_path: Path) -> None:
    for content in (b"label,\xff\xfe", "label,1\n".encode("utf-16-le"), b'label,"' + b"x" * 200_000, b"a,b\0\n1,2\n"):
        (tmp_path / "a.csv").write_bytes(content)
        with pytest.raises(DataError, match=r"a\.csv") as caught:
            read_csv(tmp_path / "a.csv")
        assert len(str(caught.value).splitlines()) == 1


def test_a_table_without_header_is_read_as_numbers() -> None:
    assert parse_csv_rows("1,2\n3,4\n", "x").tolist() == [[1, 2], [3, 4]]
    with pytest.raises(DataError, match="x, line 1: 'a' is not a whole number"):
        parse_csv_rows("a,b\n3,4\n", "x")


def test_a_file_without_labels_is_predicted_and_not_learned_from(
    rows: list[list[str]], small: Dataset, tmp_path: Path, run_cli: Cli
) -> None:
    path = write(tmp_path / "test.csv", PIXELS, *(row[1:] for row in rows))
    code, out, _ = run_cli("predict", path, "--format", "csv")
    assert code == 0
    lines = [line.split(",") for line in out.splitlines()]
    assert [line[0] for line in lines[1:]] == [f"{path}#{number}" for number in range(1, 21)]
    answers = [line[1] for line in lines[1:]]
    assert sum(a == str(b) for a, b in zip(answers, small.train.labels[:20], strict=True)) >= 19
    with pytest.raises(DataError, match="has no column 'label'; `inkdigits predict` reads digits without labels"):
        load(str(path))
    code, out, err = run_cli("predict", write(tmp_path / "bad.csv", PIXELS, ["x"] * 784))
    assert (code, out) == (1, "")
    assert err.endswith("line 2: 'x' is not a whole number\n")


def test_a_large_file_is_read_in_seconds(rows: list[list[str]], tmp_path: Path) -> None:
    """MNIST has 70 times as many digits."""
    path = write(tmp_path / "a.csv", ["label", *PIXELS], *(rows * 50))
    started = time.process_time()
    assert len(read_csv(path).images) == 1000
    assert time.process_time() - started < 1

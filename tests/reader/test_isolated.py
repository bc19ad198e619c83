"""Files that are read in a process of their own."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from inkdigits.data import Dataset
from inkdigits.errors import ModelError
from inkdigits.reader import Reader
from inkdigits.reader.isolated import page_reader
from tests import hostile

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def folder(tmp_path: Path, mnist_5k: Dataset) -> Path:
    """A number, a PDF that takes hours, a file that is no image, and another number."""
    for name, digits in (("a.png", mnist_5k.test.images[::200]), ("d.png", mnist_5k.test.images[1::200])):
        row = np.hstack([255 - digit for digit in digits])
        Image.fromarray(np.pad(np.kron(row, np.ones((2, 2), np.uint8)), 40, constant_values=255)).save(tmp_path / name)
    (tmp_path / "b.pdf").write_bytes(hostile.dashed_lines_pdf())
    (tmp_path / "c.png").write_bytes(b"no image")
    return tmp_path


def test_a_file_that_hangs_costs_only_that_file(run_cli: Run, folder: Path) -> None:
    code, out, err = run_cli("read", folder, "--timeout", 6, "--format", "json")
    assert code == 1
    assert [Path(reading["source"]).name for reading in json.loads(out)] == ["a.png", "d.png"]
    complaints = [line for line in err.splitlines() if line.startswith("inkdigits: ")]
    assert complaints[0] == (
        f"inkdigits: {folder / 'b.pdf'}: reading it takes more than 6 seconds; raise --timeout, or remove the file"
    )
    assert complaints[1].startswith(f"inkdigits: {folder / 'c.png'} is no image")
    alone = [Reader().read(folder / name).to_dict() for name in ("a.png", "d.png")]
    assert json.loads(out) == json.loads(json.dumps(alone))


def test_predict_reads_several_files_as_it_reads_one(run_cli: Run, folder: Path, mnist_5k: Dataset) -> None:
    paths = [folder / f"digit-{index}.png" for index in range(3)]
    for path, image in zip(paths, mnist_5k.test.images[::400], strict=False):
        Image.fromarray(image).save(path)
    code, out, _ = run_cli("predict", *paths, "--format", "json")
    alone = [json.loads(run_cli("predict", path, "--format", "json")[1])[0] for path in paths]
    assert (code, json.loads(out)) == (0, alone)


def test_predict_takes_no_pdf(run_cli: Run, folder: Path) -> None:
    (folder / "b.png").write_bytes((folder / "b.pdf").read_bytes())
    code, _, err = run_cli("predict", folder / "b.png")
    assert (code, err) == (
        1,
        f"inkdigits: {folder / 'b.png'} is a PDF, which holds pages and not one digit; read it as a page\n",
    )


def test_a_timeout_must_be_positive(run_cli: Run, folder: Path) -> None:
    code, _, err = run_cli("read", folder / "a.png", "--timeout", 0)
    assert (code, err) == (2, "inkdigits: --timeout must be above 0 seconds, not 0\n")


def test_a_nearly_empty_page_is_read_only_as_it_lies(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise AssertionError("the page was turned")

    monkeypatch.setattr("inkdigits.reader.reader.best_orientation", fail)
    content = hostile.pdf([hostile.stream(b"3 w 100 700 m 130 690 l S\n")])
    assert [reading.lines for reading in Reader().read_pages(content)] == [()]


def test_a_worker_reads_pages_with_the_networks_that_were_chosen(tmp_path: Path) -> None:
    for chosen in ((tmp_path / "mine.onnx", None), (None, tmp_path / "mine.onnx")):
        with pytest.raises(ModelError, match=r"mine\.onnx"):
            page_reader(*chosen, lambda: None)

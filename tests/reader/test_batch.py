"""Many images on a cluster: Ray, started on this machine by a process of its own."""

import json
import os
import re
import secrets
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pandas
import pytest
from PIL import Image

from inkdigits.data import Dataset
from inkdigits.reader import BatchReader, Reader
from inkdigits.synthetic.pages import make_page

DOCS = (Path(__file__).parents[2] / "docs" / "reading.md").read_text(encoding="utf-8")
EXAMPLE = re.split(r"```(?:python)?\n", DOCS[DOCS.index("## Many pages") :])[1]
START = """
import sys
import ray
ray.init(num_cpus=2, include_dashboard=False, _temp_dir=sys.argv[1])
"""
Rows = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def folder(mnist_5k: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three scans and one that is broken, and what Ray made of them."""
    folder = tmp_path_factory.mktemp("ray")
    (folder / "scans").mkdir()
    for seed, kind in enumerate(("plain", "boxes", "ruled")):
        made = make_page(kind, mnist_5k.test.images, mnist_5k.test.labels, seed)
        Image.fromarray(made.image).save(folder / "scans" / f"{kind}.png")
    (folder / "scans" / "cut.png").write_bytes((folder / "scans" / "plain.png").read_bytes()[:3000])
    environment = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_TOKEN": secrets.token_hex(32)}  # none is kept in ~/.ray
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as kept:  # a short path: sockets lie below it
        done = subprocess.run(
            [sys.executable, "-c", START + EXAMPLE, kept],
            cwd=folder,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    return folder


def rows(folder: Path) -> Rows:
    found = [json.loads(line) for file in folder.iterdir() for line in file.read_text().splitlines()]
    assert {tuple(row) for row in found} == {("path", "text", "reading", "error")}
    by_name = {Path(row["path"]).name: row for row in found}
    assert len(found) == len(by_name)
    return by_name


def test_a_cluster_reads_what_the_reader_reads(folder: Path) -> None:
    found, reader = rows(folder / "numbers"), Reader(threads=1)
    assert set(found) == {"plain.png", "boxes.png", "ruled.png", "cut.png"}
    for name in ("plain.png", "boxes.png", "ruled.png"):
        (wanted,) = reader.read_pages((folder / "scans" / name).read_bytes(), check="luhn")
        assert wanted.lines
        assert found[name]["text"] == wanted.text
        assert json.loads(found[name]["reading"]) == [wanted.to_dict()]
        assert found[name]["error"] is None


def test_a_broken_image_is_reported_and_stops_no_other(folder: Path) -> None:
    broken = rows(folder / "numbers")["cut.png"]
    assert (broken["text"], broken["reading"]) == (None, None)
    assert re.fullmatch(r"cannot read the image \(.*truncated.*\); repair or remove it", broken["error"])


def test_a_missing_image_is_an_error_of_its_row() -> None:
    missing, empty = BatchReader()([None, b""])
    assert missing == {"text": None, "reading": None, "error": "there is no image"}
    assert "no image" in empty["error"]


def test_a_pandas_frame_keeps_its_columns_and_gains_the_reading(folder: Path) -> None:
    pages = [(folder / "scans" / name).read_bytes() for name in ("plain.png", "cut.png")]
    frame = pandas.DataFrame({"name": ["plain", "cut"], "bytes": pages}, index=[7, 9])
    found = BatchReader()(frame)
    assert list(found.columns) == ["name", "bytes", "text", "reading", "error"]
    assert list(found.index) == [7, 9]
    assert found["text"][7] == Reader(threads=1).read(pages[0]).text
    assert pandas.isna(found["text"][9])
    assert "truncated" in found["error"][9]

"""Corrections, from the request to a data set for training."""

import base64
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from inkdigits.data import Dataset, own
from inkdigits.errors import DataError
from inkdigits.imaging.files import page_images
from inkdigits.imaging.normalize import to_mnist
from inkdigits.server import export_feedback
from inkdigits.server.feedback import Feedback, reduced
from inkdigits.server.inference import as_png

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def corrections(tmp_path: Path, mnist_5k: Dataset) -> Path:
    """Six corrections, two of them of images that are not digits; images of several sizes, depths and colours."""
    path = tmp_path / "corrections.db"
    store = Feedback(path)
    for index, truth in enumerate((3, 5, None, 5, None, 8)):
        store.add("model", as_png(reduced(_photo(mnist_5k.test.images[index], index))), None if index % 2 else 7, truth)
    store.close()
    return path


def _photo(digit: np.ndarray, kind: int) -> np.ndarray:
    large = 255 - np.pad(np.kron(digit, np.ones((1 + 3 * kind, 1 + 3 * kind), np.uint8)), 9)
    if kind == 1:
        return large.astype(np.uint16) * 257
    return large if kind < 3 else np.dstack([large, large // 2 + 100, large])


def test_each_correction_gets_the_next_number(served: Any, pngs: list[bytes]) -> None:
    body = {"image": base64.b64encode(pngs[0]).decode(), "guess": 1, "truth": None}
    first, second = (served.client.post("/v1/feedback", json=body) for _ in range(2))
    assert first.status_code == second.status_code == 201
    assert second.json()["id"] == first.json()["id"] + 1


def test_an_invalid_correction_is_refused(served: Any, pngs: list[bytes]) -> None:
    good = {"image": base64.b64encode(pngs[0]).decode(), "guess": 1, "truth": 7}
    bad: list[dict[str, Any]] = [
        {"truth": 10},
        {"truth": -1},
        {"truth": "7"},
        {"guess": True},
        {"guess": 1.5},
        {"by": "me"},
    ]
    for changed in bad:
        assert served.client.post("/v1/feedback", json={**good, **changed}).status_code == 422
    assert served.client.post("/v1/feedback", json={"image": good["image"], "guess": 1}).status_code == 422
    assert served.client.post("/v1/feedback", json={**good, "image": "AAAA"}).status_code == 400
    assert served.client.post("/v1/feedback", content=pngs[0], headers={"content-type": "image/png"}).status_code == 415


def test_nothing_is_stored_without_the_option_feedback(serve: Callable[..., Any], pngs: list[bytes]) -> None:
    server = serve()
    assert server.client.get("/v1/models").json()["feedback"] is False
    body = {"image": base64.b64encode(pngs[0]).decode(), "guess": 1, "truth": 7}
    answer = server.client.post("/v1/feedback", json=body)
    assert (answer.status_code, answer.json()["status"]) == (404, 404)


@pytest.mark.parametrize("kind", range(6))
def test_a_stored_image_gives_the_same_28x28_picture(mnist_5k: Dataset, kind: int) -> None:
    photo = _photo(mnist_5k.test.images[kind], kind)
    np.testing.assert_array_equal(to_mnist(reduced(photo)), to_mnist(photo))
    assert max(reduced(photo).shape) <= 128


def test_corrections_are_exported_as_a_folder_for_training(
    corrections: Path, mnist_5k: Dataset, tmp_path: Path
) -> None:
    counts = export_feedback(corrections, tmp_path / "mine")
    assert counts == {"3": 1, "5": 2, "8": 1, "none": 2}
    images, labels, test = own.read(tmp_path / "mine")
    assert labels.tolist() == [3, 5, 5, 8]
    assert test is None
    expected = [to_mnist(_photo(mnist_5k.test.images[index], index)) for index in (0, 1, 3, 5)]
    np.testing.assert_array_equal(images, np.stack(expected))
    assert sorted(path.name for path in (tmp_path / "mine" / "none").iterdir()) == ["000003.png", "000005.png"]


def test_an_npz_has_the_same_digits_as_the_folder(corrections: Path, tmp_path: Path) -> None:
    export_feedback(corrections, tmp_path / "mine")
    export_feedback(corrections, tmp_path / "mine.npz")
    for found, other in zip(own.read(tmp_path / "mine.npz")[:2], own.read(tmp_path / "mine")[:2], strict=True):
        np.testing.assert_array_equal(found, other)


def test_the_command_prints_the_counts_and_the_path(corrections: Path, tmp_path: Path, run_cli: Run) -> None:
    code, out, err = run_cli("data", "export-feedback", corrections, "--out", tmp_path / "mine")
    assert (code, out) == (0, f"{tmp_path / 'mine'}\n")
    assert err == "6 corrections: 1 of 3, 2 of 5, 1 of 8, 2 of none\n"
    code, out, _ = run_cli("data", "export-feedback", corrections, "--out", tmp_path / "mine.npz", "--json")
    assert json.loads(out)["counts"]["5"] == 2


def test_what_cannot_be_exported_is_an_error(corrections: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist"):
        export_feedback(tmp_path / "none.db", tmp_path / "mine")
    (tmp_path / "text.db").write_text("letters" * 100)
    with pytest.raises(DataError, match="cannot read corrections"):
        export_feedback(tmp_path / "text.db", tmp_path / "mine")
    (tmp_path / "there").mkdir()
    with pytest.raises(DataError, match="exists"):
        export_feedback(corrections, tmp_path / "there")
    Feedback(tmp_path / "empty.db").close()
    with pytest.raises(DataError, match="no corrected digit"):
        export_feedback(tmp_path / "empty.db", tmp_path / "mine")


def test_corrections_survive_a_restart(serve: Callable[..., Any], pngs: list[bytes], tmp_path: Path) -> None:
    path = tmp_path / "corrections.db"
    for truth in (4, 9):
        server = serve("--feedback", path)
        body = {"image": base64.b64encode(pngs[truth]).decode(), "guess": None, "truth": truth}
        assert server.client.post("/v1/feedback", json=body).status_code == 201
        assert server.stop() == (0, "")
    with sqlite3.connect(path) as database:
        rows = database.execute("SELECT guess, truth, model FROM corrections").fetchall()
    database.close()
    assert [row[:2] for row in rows] == [(None, 4), (None, 9)]
    export_feedback(path, tmp_path / "mine")
    image = np.asarray(Image.open(tmp_path / "mine" / "4" / "000001.png"))
    np.testing.assert_array_equal(image, to_mnist(next(page_images(pngs[4])).pixels))

import base64
import functools
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import platformdirs
import pytest
from numpy.typing import NDArray

from inkdigits.data import Dataset
from inkdigits.errors import DataError
from inkdigits.exporting.web import RUNTIME, export_web
from inkdigits.imaging.normalize import normalize
from inkdigits.reader import Recognizer

Open = Callable[..., Any]
NORMALIZE = """async pictures => {
  const { normalize } = await import("./static/normalize.js");
  const bytes = packed => Uint8Array.from(atob(packed), character => character.charCodeAt(0));
  return pictures.map(packed => btoa(String.fromCharCode(...normalize(bytes(packed), 46, 46).digit)));
}"""
PREDICT = """async png => {
  const { predict } = await import("./static/reader.js");
  const bytes = Uint8Array.from(atob(png), character => character.charCodeAt(0));
  return predict(new Blob([bytes], { type: "image/png" }));
}"""


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture(scope="module")
def runtime() -> Path:
    """The archive of onnxruntime-web, from the user's cache or from npm; skips the tests without both."""
    cached = platformdirs.user_cache_path("inkdigits") / RUNTIME
    if not cached.exists():
        if shutil.which("npm") is None:
            pytest.skip(f"needs {cached}, or npm to get it")
        cached.parent.mkdir(parents=True, exist_ok=True)
        name = RUNTIME.removesuffix(".tgz").replace("web-", "web@")
        done = subprocess.run(["npm", "pack", "--silent", name], cwd=cached.parent, check=False, capture_output=True)
        if done.returncode:
            pytest.skip(f"npm could not get {name}")
    return cached


@pytest.fixture(scope="module")
def address(runtime: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a static server for the exported folder."""
    folder = tmp_path_factory.mktemp("web") / "page"
    export_web(folder, runtime=runtime)
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def drawings(mnist_5k: Dataset) -> list[NDArray[np.uint8]]:
    """Pictures of the size that the page sends: wide and narrow, dark and bright, pale and strong digits, and lines."""
    rng = np.random.default_rng(0)
    pictures = []
    for digit in mnist_5k.test.images[:: len(mnist_5k.test) // 150][:150]:
        x, y, width, height = cv2.boundingRect(digit)
        size = int(rng.integers(30, 44)), int(rng.integers(14, 44))
        large = cv2.resize(digit[y : y + height, x : x + width], size, interpolation=cv2.INTER_LINEAR)
        picture = np.zeros((46, 46), np.uint8)
        picture[1 : 1 + size[1], 1 : 1 + size[0]] = large
        pictures.append(picture if rng.random() < 0.3 else (255 - picture * rng.uniform(0.4, 1)).astype(np.uint8))
    for width in range(8):  # vertical and horizontal lines
        picture = np.full((46, 46), 255, np.uint8)
        picture[3:43, 20 : 21 + width] = 0
        pictures += [picture, picture.T.copy()]
    return pictures


def packed(content: bytes) -> str:
    return base64.b64encode(content).decode()


def test_pictures_are_normalized_bit_for_bit_as_in_python(
    visit: Open, address: str, drawings: list[NDArray[np.uint8]]
) -> None:
    here = visit(address)
    found = here.page.evaluate(NORMALIZE, [packed(picture.tobytes()) for picture in drawings])
    assert found == [packed(normalize(picture, whole=True).digit.tobytes()) for picture in drawings]


def scribbles() -> list[NDArray[np.uint8]]:
    """Four random strokes each: the recogniser accepts some, refuses most, and finds a few ambiguous."""
    rng, paper = np.random.default_rng(1), np.full((46, 46), 255, np.uint8)
    corners = rng.integers(4, 42, (400, 1, 5, 2)).astype(np.int32)
    return [np.asarray(cv2.polylines(paper.copy(), list(each), False, 0, 4, cv2.LINE_AA), np.uint8) for each in corners]


def test_predict_answers_as_the_recognizer(visit: Open, address: str, drawings: list[NDArray[np.uint8]]) -> None:
    here, recognizer = visit(address), Recognizer(threads=1)
    pictures = [*drawings[:12], *drawings[-16:], *scribbles(), np.full((46, 46), 255, np.uint8)]
    answers = recognizer.read_crops(pictures)
    for reason in (None, "blank", "ambiguous", "not_a_digit"):
        chosen = [
            (picture, wanted) for picture, wanted in zip(pictures, answers, strict=True) if wanted.reject == reason
        ]
        assert chosen
        for picture, wanted in chosen[:15]:
            found = here.page.evaluate(PREDICT, packed(cv2.imencode(".png", picture)[1].tobytes()))
            assert (found["digit"], found["reject"]) == (wanted.digit, wanted.reject)
            if wanted.refusal is not None:
                assert found["confidence"] == pytest.approx(wanted.confidence, abs=1e-3)


def test_a_number_is_read_without_the_service(visit: Open, address: str) -> None:
    here = visit(address)
    here.write("40716")
    here.page.locator("#verdict", has_text="40716: 5 digits, none doubtful").wait_for(timeout=10_000)
    assert here.page.get_by_text("It reads only what is written here").is_visible()
    assert not here.page.locator("#file").is_visible()
    here.page.locator("#number button").first.press("9")
    here.page.locator("#verdict", has_text="9, corrected").wait_for()
    assert here.number == "90716"
    assert not [url for url in here.requests if "/v1/" in url]


def test_an_archive_with_another_hash_is_refused(tmp_path: Path) -> None:
    other = tmp_path / RUNTIME
    other.write_bytes(b"something else")
    with pytest.raises(DataError, match="another sha512"):
        export_web(tmp_path / "page", runtime=other)
    assert not (tmp_path / "page").exists()

"""The mirrors' behaviour, against a real HTTP server on this machine."""

import gzip
import hashlib
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from inkdigits.data.download import fetch
from inkdigits.errors import DataError

PLAIN = bytes(range(256)) * 2000
PACKED = gzip.compress(PLAIN)
SHA256 = hashlib.sha256(PLAIN).hexdigest()


class Mirror(BaseHTTPRequestHandler):
    """Answers by the first folder of the path; counts the bytes it sends."""

    sent: ClassVar[list[tuple[str, int]]] = []

    def do_GET(self) -> None:
        kind = self.path.split("/")[1]
        if kind == "missing":
            self.send_error(404)
            return
        if kind == "hangs":
            time.sleep(1.5)
            return
        content = {"wrong": gzip.compress(b"other digits"), "page": b"<html>moved</html>"}.get(kind, PACKED)
        start = 0
        if kind in ("good", "cut-once") and "Range" in self.headers:
            start = int(self.headers["Range"].removeprefix("bytes=").rstrip("-"))
        whole = len(content) - start
        cut = kind == "cut" or (kind == "cut-once" and not start)
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(whole))
        self.end_headers()
        body = content[start : start + whole // 2] if cut else content[start:]
        self.wfile.write(body)
        Mirror.sent.append((kind, len(body)))

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def mirror() -> Iterator[str]:
    Mirror.sent = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Mirror)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(autouse=True)
def online(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("INKDIGITS_OFFLINE", raising=False)


@pytest.mark.parametrize("first", ["missing", "hangs", "cut", "wrong", "page"])
def test_the_second_mirror_serves_when_the_first_does_not(first: str, mirror: str, tmp_path: Path) -> None:
    target = tmp_path / "digits.gz"
    used = fetch([f"{mirror}/{first}/digits.gz", f"{mirror}/good/digits.gz"], target, SHA256, timeout=0.4)
    assert used == f"{mirror}/good/digits.gz"
    assert gzip.decompress(target.read_bytes()) == PLAIN


def test_a_dead_mirror_is_passed_over(mirror: str, tmp_path: Path) -> None:
    urls = ["http://127.0.0.1:9/digits.gz", f"{mirror}/good/digits.gz"]
    assert fetch(urls, tmp_path / "digits.gz", SHA256) == urls[1]


def test_no_good_mirror_is_said_with_every_answer_and_leaves_no_file(mirror: str, tmp_path: Path) -> None:
    urls = [f"{mirror}/{kind}/digits.gz" for kind in ("missing", "wrong", "cut")]
    with pytest.raises(DataError, match=r"could not fetch digits.gz") as caught:
        fetch(urls, tmp_path / "digits.gz", SHA256)
    for answer in ("HTTP 404", "wrong sha256", "cut off after"):
        assert answer in str(caught.value)
    assert not (tmp_path / "digits.gz").exists()


def test_a_cut_off_download_goes_on_where_it_stopped(mirror: str, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    fetch([f"{mirror}/cut-once/digits.gz"], tmp_path / "d.gz", SHA256, lambda done, total: seen.append((done, total)))
    half = len(PACKED) // 2
    assert Mirror.sent == [("cut-once", half), ("cut-once", len(PACKED) - half)]
    assert seen[-1] == (len(PACKED), len(PACKED))
    assert [path.name for path in tmp_path.iterdir()] == ["d.gz"]


def test_a_next_process_goes_on_from_the_part_that_is_there(mirror: str, tmp_path: Path) -> None:
    with pytest.raises(DataError):
        fetch([f"{mirror}/cut/digits.gz"], tmp_path / "d.gz", SHA256)
    (part,) = tmp_path.iterdir()
    part.rename(part.with_name(f".d.gz.{hashlib.sha256(f'{mirror}/good/digits.gz'.encode()).hexdigest()[:8]}.part"))
    held = len(PACKED) // 2
    Mirror.sent.clear()
    fetch([f"{mirror}/good/digits.gz"], tmp_path / "d.gz", SHA256)
    assert sum(length for _, length in Mirror.sent) == len(PACKED) - held


def test_offline_nothing_is_asked_for(mirror: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INKDIGITS_OFFLINE", "1")
    with pytest.raises(DataError, match="INKDIGITS_OFFLINE"):
        fetch([f"{mirror}/good/digits.gz"], tmp_path / "digits.gz", SHA256)
    assert Mirror.sent == []


def test_a_part_that_is_broken_is_thrown_away_and_fetched_anew(mirror: str, tmp_path: Path) -> None:
    url = f"{mirror}/good/digits.gz"
    part = tmp_path / f".d.gz.{hashlib.sha256(url.encode()).hexdigest()[:8]}.part"
    part.write_bytes(b"\x1f\x8bnot the beginning of this file")
    fetch([url], tmp_path / "d.gz", SHA256)
    assert gzip.decompress((tmp_path / "d.gz").read_bytes()) == PLAIN


def test_a_folder_that_cannot_be_made_is_said(mirror: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="name another folder with INKDIGITS_DATA"):
        fetch([f"{mirror}/good/digits.gz"], tmp_path / "file" / "mnist" / "d.gz", SHA256)

"""The mirrors' behaviour, against a real HTTP server on this machine, and several processes that download at once."""

import gzip
import hashlib
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from inkdigits.data import digits, download, load
from inkdigits.data.download import fetch
from inkdigits.errors import DataError, FetchError, NetworkError
from inkdigits.files import locked

PLAIN = bytes(range(256)) * 2000
PACKED = gzip.compress(PLAIN)
SHA256 = hashlib.sha256(PLAIN).hexdigest()
FETCH = "import sys; from pathlib import Path; from inkdigits.data.download import fetch; "
FETCH += "fetch([sys.argv[1]], Path(sys.argv[2]), sys.argv[3])"


class Mirror(BaseHTTPRequestHandler):
    """Answers by the first folder of the path; counts the bytes it sends."""

    sent: ClassVar[list[tuple[str, int]]] = []
    killed: ClassVar[threading.Event]  # ends the answer of "stalls", which has sent one half

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
        if kind in ("good", "cut-once", "slow", "stalls") and "Range" in self.headers:
            start = int(self.headers["Range"].removeprefix("bytes=").rstrip("-"))
        whole = len(content) - start
        cut = kind == "cut" or (kind in ("cut-once", "stalls") and not start)
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(whole))
        self.end_headers()
        body = content[start : start + whole // 2] if cut else content[start:]
        for index in range(0, len(body), 100):
            self.wfile.write(body[index : index + 100])
            time.sleep(0.05 if kind == "slow" else 0)
        if kind == "stalls" and cut:
            Mirror.killed.wait()
        Mirror.sent.append((kind, len(body)))

    def log_message(self, format: str, *args: object) -> None:
        pass


class QuietServer(ThreadingHTTPServer):
    """A server that says nothing when a client ends the connection: a full disk cannot take what it would say."""

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing."""


@pytest.fixture
def mirror() -> Iterator[str]:
    Mirror.sent, Mirror.killed = [], threading.Event()
    server = QuietServer(("127.0.0.1", 0), Mirror)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    Mirror.killed.set()
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


def test_processes_that_fetch_at_once_download_once(mirror: str, tmp_path: Path) -> None:
    """Threads stand for processes here, as each has a lock of its own; benchmarks/reliability.py takes processes."""
    url, target = f"{mirror}/slow/d.gz", tmp_path / "d.gz"
    with ThreadPoolExecutor(8) as pool:
        used = list(pool.map(lambda _: fetch([url], target, SHA256), range(8)))
    assert sorted(used) == [*7 * [""], url]
    assert Mirror.sent == [("slow", len(PACKED))]
    assert [path.name for path in tmp_path.iterdir()] == ["d.gz"]
    assert gzip.decompress(target.read_bytes()) == PLAIN


def test_the_next_process_resumes_what_a_killed_one_left(
    mirror: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "ATTEMPTS", 1)  # a second one would resume what the first has
    url, target = f"{mirror}/stalls/d.gz", tmp_path / "d.gz"
    with subprocess.Popen([sys.executable, "-c", FETCH, url, target, SHA256]) as process:
        half = len(PACKED) // 2
        while [part.stat().st_size for part in tmp_path.glob(".d.gz.*.part")] != [half]:
            assert process.poll() is None
            time.sleep(0.01)
        process.kill()
    fetch([url], target, SHA256, timeout=1)
    assert Mirror.sent == [("stalls", len(PACKED) - half)]
    assert [path.name for path in tmp_path.iterdir()] == ["d.gz"]


def test_a_process_that_waits_too_long_for_another_one_says_so(
    mirror: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "LOCK_WAIT", 0.2)
    caught: list[Exception] = []

    def wait() -> None:
        with pytest.raises(DataError, match=r"d\.gz is not there yet: another process has been") as error:
            fetch([f"{mirror}/good/d.gz"], tmp_path / "d.gz", SHA256)
        caught.append(error.value)

    with locked(tmp_path, ".d.gz.lock"):
        other = threading.Thread(target=wait)  # another thread holds the lock no more than another process does
        other.start()
        other.join()
    assert not isinstance(caught[0], FetchError)
    assert Mirror.sent == []


@pytest.mark.parametrize("kind", ["wrong", "page", "missing", "cut"])
def test_a_mirror_that_answers_wrongly_is_not_replaced_by_mnist_5k(
    kind: str, mirror: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mnist_in(tmp_path, monkeypatch, "http://127.0.0.1:9/", f"{mirror}/{kind}/")
    with pytest.raises(FetchError, match=r"could not fetch train-images-idx3-ubyte.gz") as caught:
        load("mnist")
    assert not isinstance(caught.value, NetworkError)


def test_a_full_disk_is_not_replaced_by_mnist_5k(mirror: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mnist_in(tmp_path, monkeypatch, f"{mirror}/good/")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500, limits[1]))
    try:
        with pytest.raises(DataError, match=r"cannot write .*; name another folder with INKDIGITS_DATA"):
            load("mnist")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_mirrors_that_cannot_be_reached_mean_that_there_is_no_network(tmp_path: Path) -> None:
    with pytest.raises(NetworkError, match=r"could not fetch d\.gz .*; check the network"):
        fetch(["http://127.0.0.1:9/d.gz", "http://127.0.0.1:10/d.gz"], tmp_path / "d.gz", SHA256)
    assert not list(tmp_path.iterdir())


def test_a_network_that_fails_in_the_middle_is_not_absent(tmp_path: Path) -> None:
    with HTTPServer(("127.0.0.1", 0), Mirror) as server:
        thread = threading.Thread(target=lambda: (server.handle_request(), server.server_close()))
        thread.start()
        with pytest.raises(FetchError, match="cut off after") as caught:
            fetch([f"http://127.0.0.1:{server.server_port}/cut/d.gz"], tmp_path / "d.gz", SHA256)
        thread.join()
    assert not isinstance(caught.value, NetworkError)


def mnist_in(folder: Path, monkeypatch: pytest.MonkeyPatch, *mirrors: str) -> None:
    """Make ``folder`` the empty folder of data sets, and ``mirrors`` those of MNIST."""
    monkeypatch.setenv("INKDIGITS_DATA", str(folder))
    monkeypatch.setattr(digits, "MNIST", replace(digits.MNIST, mirrors=mirrors))


def test_offline_nothing_is_asked_for(mirror: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INKDIGITS_OFFLINE", "1")
    with pytest.raises(DataError, match="INKDIGITS_OFFLINE"):
        fetch([f"{mirror}/good/digits.gz"], tmp_path / "digits.gz", SHA256)
    assert Mirror.sent == []


def test_a_part_that_is_broken_is_thrown_away_and_fetched_anew(mirror: str, tmp_path: Path) -> None:
    url = f"{mirror}/good/digits.gz"
    part = tmp_path / f".d.gz.{hashlib.sha256(url.encode()).hexdigest()[:8]}.0.part"
    part.write_bytes(b"\x1f\x8bnot the beginning of this file")
    fetch([url], tmp_path / "d.gz", SHA256)
    assert gzip.decompress((tmp_path / "d.gz").read_bytes()) == PLAIN


def test_a_folder_that_cannot_be_made_is_said(mirror: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="name another folder with INKDIGITS_DATA"):
        fetch([f"{mirror}/good/digits.gz"], tmp_path / "file" / "mnist" / "d.gz", SHA256)

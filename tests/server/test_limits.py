"""Limits: clients that are slow, send wrong lengths, or are too many."""

import base64
import json
import re
import socket
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

PNG = {"content-type": "image/png"}
HEAD = "POST /v1/predict HTTP/1.1\r\nhost: localhost\r\ncontent-type: image/png\r\n"


def talk(port: int, *parts: bytes, pause: float = 0.0, half: bool = False) -> bytes:
    """Send parts with pauses; return the first bytes of the answer, none when the server closes the connection."""
    with socket.create_connection(("127.0.0.1", port), 15) as opened:
        for part in parts:
            try:
                opened.sendall(part)
            except OSError:
                break
            time.sleep(pause)
        if half:
            opened.shutdown(socket.SHUT_WR)
        try:
            return opened.recv(65536)
        except OSError:
            return b""


def still_answers(served: Any, pngs: list[bytes]) -> bool:
    return bool(served.client.post("/v1/predict", content=pngs[0], headers=PNG).status_code == 200)


def test_a_content_length_that_is_too_large_is_refused_before_the_body(served: Any) -> None:
    answer = talk(served.port, f"{HEAD}content-length: 99999999999\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"application/problem+json" in answer


def test_a_body_shorter_than_its_content_length_does_no_harm(served: Any, pngs: list[bytes]) -> None:
    answer = talk(served.port, f"{HEAD}content-length: 1000\r\n\r\n".encode() + pngs[0][:100], half=True)
    assert b" 200 " not in answer
    assert still_answers(served, pngs)


def test_bytes_beyond_the_content_length_are_not_part_of_the_body(served: Any, pngs: list[bytes]) -> None:
    body = f"{HEAD}content-length: {len(pngs[0])}\r\n\r\n".encode() + pngs[0] + b"\x00garbage\r\n\r\n"
    assert talk(served.port, body).startswith(b"HTTP/1.1 200 ")
    assert still_answers(served, pngs)


@pytest.mark.parametrize("length", [b"-5", b"1e3", b"5\r\ncontent-length: 6"])
def test_an_invalid_content_length_is_400(served: Any, length: bytes) -> None:
    answer = talk(served.port, HEAD.encode() + b"content-length: " + length + b"\r\n\r\n12345")
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["status"] == 400


def test_a_body_without_length_is_measured_as_it_arrives(served: Any) -> None:
    def endless() -> Any:
        for _ in range(40):
            yield bytes(1 << 20)

    assert served.client.post("/v1/predict", content=endless(), headers=PNG).status_code == 413
    assert served.client.get("/healthz").status_code == 200


def test_a_client_that_sends_slowly_or_nothing_is_cut_off(serve: Callable[..., Any], pngs: list[bytes]) -> None:
    impatient = "from inkdigits.server import connection; connection.IDLE_SECONDS = 0.4; "
    server = serve("--timeout", "0.5", before=impatient)
    slow = talk(server.port, f"{HEAD}content-length: 50\r\n\r\n".encode(), *([b"x"] * 4), pause=0.2)
    assert slow.startswith(b"HTTP/1.1 408 ")
    start = time.monotonic()
    assert talk(server.port) == b""  # sends nothing
    assert (
        talk(server.port, *(bytes([letter]) for letter in HEAD.encode()), pause=0.05) == b""
    )  # sends its headers byte by byte
    assert time.monotonic() - start < 5
    assert still_answers(server, pngs)


def test_1000_idle_connections_do_not_block_others(served: Any, pngs: list[bytes]) -> None:
    opened = [socket.create_connection(("127.0.0.1", served.port)) for _ in range(1000)]
    try:
        assert still_answers(served, pngs)
    finally:
        for connection in opened:
            connection.close()


def test_too_many_requests_are_429_with_retry_after(serve: Callable[..., Any], page: bytes, pngs: list[bytes]) -> None:
    server = serve("--workers", 1, "--queue", 8)

    def ask(_: int) -> Any:
        return server.client.post("/v1/read", content=page, headers=PNG)

    with ThreadPoolExecutor(24) as together:
        answers = list(together.map(ask, range(24)))
    statuses = Counter(answer.status_code for answer in answers)
    assert set(statuses) == {200, 429}
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert int(refused.headers["retry-after"]) >= 1
    assert refused.headers["content-type"] == "application/problem+json"
    assert still_answers(server, pngs)


def test_an_answer_over_the_time_limit_is_503(serve: Callable[..., Any], page: bytes) -> None:
    server = serve("--workers", 1, "--timeout", "0.1")

    def ask(_: int) -> Any:
        return server.client.post("/v1/read", content=page, headers=PNG)

    with ThreadPoolExecutor(16) as together:
        late = [answer for answer in together.map(ask, range(16)) if answer.status_code == 503]
    assert late
    assert re.match("there was no answer within 0.1 seconds", late[0].json()["detail"])
    assert late[0].headers["retry-after"] == "1"


def test_a_document_with_too_many_pages_is_413(served: Any, tmp_path: Any) -> None:
    from PIL import Image

    path = tmp_path / "many.tif"
    pages = [Image.new("L", (8, 8), 255) for _ in range(51)]
    pages[0].save(path, save_all=True, append_images=pages[1:])
    answer = served.client.post("/v1/read", json={"image": base64.b64encode(path.read_bytes()).decode()})
    assert (answer.status_code, answer.json()["detail"]) == (413, "the document has more than 50 pages; split it")

"""Limits of headers, which hold before the token is checked, and connections at the end of the service."""

import contextlib
import os
import resource
import socket
import time
from collections.abc import Callable
from typing import Any

import psutil
import pytest

from inkdigits.server.process import refuse_connections
from inkdigits.server.settings import MAX_HEADER_BYTES, MAX_HELD_HEADERS
from tests.server.test_limits import talk

START = b"GET /v1/models HTTP/1.1\r\nhost: localhost\r\n"


@pytest.mark.parametrize(
    "head",
    [
        START + b"a: " + b"x" * 40_000 + b"\r\n\r\n",
        START + b"a: " + b"x" * 40_000,
        START + b"a: b\r\n" * 101 + b"\r\n",
        b"GET /" + b"x" * 40_000 + b" HTTP/1.1\r\nhost: localhost\r\n\r\n",
    ],
    ids=["a large header", "an incomplete header", "many headers", "a long path"],
)
def test_too_many_headers_are_431(served: Any, head: bytes) -> None:
    answer = talk(served.port, head)
    assert answer.startswith(b"HTTP/1.1 431 ")
    assert b"application/problem+json" in answer
    assert served.client.get("/healthz").status_code == 200


def test_headers_behind_the_body_count_too(served: Any) -> None:
    start = (
        b"POST /v1/predict HTTP/1.1\r\nhost: localhost\r\ncontent-type: image/png\r\ntransfer-encoding: chunked\r\n\r\n"
    )
    answer = talk(served.port, start + b"1\r\nx\r\n0\r\n" + b"a: b\r\n" * 200)
    assert b" 200 " not in answer[:20]
    assert served.client.get("/healthz").status_code == 200


def test_endless_headers_take_no_memory(served: Any) -> None:
    process = psutil.Process(served.process.pid)
    before = process.memory_info().rss
    with socket.create_connection(("127.0.0.1", served.port), 10) as opened, contextlib.suppress(OSError):
        opened.sendall(START)
        for _ in range(100):
            opened.sendall(b"a: " + os.urandom(500_000).hex().encode() + b"\r\n")
    assert process.memory_info().rss - before < 20 << 20


def test_the_headers_of_all_connections_together_are_limited(serve: Callable[..., Any]) -> None:
    server = serve()
    process, opened = psutil.Process(server.process.pid), []
    before = process.memory_info().rss
    piece = START + b"a: " + b"x" * (MAX_HEADER_BYTES - 1000)
    most = MAX_HELD_HEADERS // len(piece)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 2 * most)), hard))
    try:
        for _ in range(most + 50):
            opened.append(socket.create_connection(("127.0.0.1", server.port), 10))
            opened[-1].sendall(piece)
        refused = sum(answer.startswith(b"HTTP/1.1 503 ") for answer in map(received, opened))
        deadline = time.monotonic() + 10
        while not (refused := [one for one in opened if received(one).startswith(b"HTTP/1.1 503 ")]):
            assert time.monotonic() < deadline
        assert len(refused) <= 60
        assert process.memory_info().rss - before < 4 * MAX_HELD_HEADERS
    finally:
        for connection in opened:
            connection.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert server.client.get("/healthz").status_code == 200


def received(connection: socket.socket) -> bytes:
    """What has come on a connection until now."""
    connection.setblocking(False)
    try:
        return connection.recv(1000)
    except BlockingIOError:
        return b""


def test_pipelined_requests_are_limited(served: Any) -> None:
    with socket.create_connection(("127.0.0.1", served.port), 10) as opened:
        opened.sendall((START + b"\r\n") * 500)
        got = b""
        with contextlib.suppress(OSError):
            while part := opened.recv(1 << 20):
                got += part
    assert 1 <= got.count(b"HTTP/1.1 200 ") <= 20


def test_a_connection_that_was_opened_before_the_end_is_accepted() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=5) as listening:
        address = listening.getsockname()
        with socket.create_connection(address, 5) as early:
            refuse_connections(listening)
            with pytest.raises(TimeoutError):
                socket.create_connection(address, 0.3)
            accepted, _ = listening.accept()
            early.sendall(b"here")
            assert accepted.recv(4) == b"here"
            accepted.close()

"""Start, shutdown and the token."""

import base64
import hmac
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from benchmarks.service import post
from benchmarks.service_reliability import drain
from inkdigits.server import middleware

PNG = {"content-type": "image/png"}
Run = Callable[..., tuple[int, str, str]]
LAYOUT = """
import inkdigits
from inkdigits.reader.layouts import LayoutReading

@inkdigits.register_layout
class Empty:
    name, order = "empty", None

    def read(self, page, glyphs, length, required):
        if length == 1:
            raise ValueError("one digit is too few")
        return LayoutReading(self.name, [], 0.0)
"""


def test_the_service_needs_no_torch() -> None:
    code = "import sys, inkdigits.server, inkdigits.cli.serving; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_port_in_use_is_one_line(run_cli: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, out, err = run_cli("serve", "--port", port)
    assert (code, out) == (1, "")
    assert err == f"inkdigits: port {port} of 127.0.0.1 is in use; choose another with --port\n"


def test_a_host_of_another_machine_is_one_line(run_cli: Run) -> None:
    code, _, err = run_cli("serve", "--host", "192.0.2.1", "--port", 0, "--token", "long enough")
    assert code == 1
    assert err.startswith("inkdigits: cannot listen on port 0 of 192.0.2.1: ")
    assert err.count("\n") == 1


@pytest.mark.parametrize("kind", ["a folder", "no folder", "read-only", "no database", "another database"])
def test_a_feedback_file_that_cannot_be_written_is_one_line(run_cli: Run, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "corrections.db"
    if kind == "a folder":
        path.mkdir()
    elif kind == "no folder":
        path = tmp_path / "none" / "corrections.db"
    elif kind == "read-only":
        path = Path("/proc/corrections.db")  # root may write anywhere else
    elif kind == "no database":
        path.write_text("my letters\n" * 100)
    else:
        import sqlite3

        with sqlite3.connect(path) as other:
            other.execute("CREATE TABLE letters (text)")
        other.close()
    code, out, err = run_cli("serve", "--port", 0, "--feedback", path)
    assert (code, out) == (1, "")
    assert err.startswith("inkdigits: ")
    assert str(path) in err
    assert err.endswith("name another file with --feedback\n")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "example.org"])
def test_other_machines_need_a_token(run_cli: Run, host: str) -> None:
    code, _, err = run_cli("serve", "--host", host)
    assert code == 2
    assert err == f"inkdigits: --host {host} accepts requests from other machines; set a --token that they must send\n"


@pytest.mark.parametrize(
    "options", [("--workers", 0), ("--queue", 0), ("--timeout", 0), ("--grace", -1), ("--token", "short")]
)
def test_a_setting_out_of_range_is_wrong_use(run_cli: Run, options: tuple[str, Any]) -> None:
    code, _, err = run_cli("serve", *options)
    assert (code, err.count("\n")) == (2, 1)


def test_the_service_has_the_layouts_of_plugins(serve: Callable[..., Any], page: bytes, tmp_path: Path) -> None:
    (tmp_path / "my_layouts.py").write_text(LAYOUT)
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    server = serve("--plugin", "my_layouts", environment={"PYTHONPATH": path})
    answer = server.client.post("/v1/read", params={"layout": "empty"}, content=page, headers=PNG)
    assert (answer.status_code, answer.json()["pages"][0]["layout"]) == (200, "empty")
    body = {"image": base64.b64encode(page).decode(), "layout": "empty"}
    assert server.client.post("/v1/read", json=body).json()["pages"][0]["layout"] == "empty"
    schemas = server.client.get("/openapi.json").json()["components"]["schemas"]
    assert schemas["ReadBody"]["properties"]["layout"]["enum"] == ["auto", "boxes", "empty", "line"]
    answer = server.client.post("/v1/read", json=body | {"length": 1})
    assert (answer.status_code, answer.json()["detail"]) == (
        500,
        "an internal error occurred; see the log of the server",
    )
    assert server.client.post("/v1/read", json=body).status_code == 200
    code, log = server.stop()
    assert code == 0
    says = "the layout 'empty' of the plug-in my_layouts fails: ValueError: one digit is too few"
    assert log.splitlines()[-1] == f"inkdigits.errors.PluginError: {says}"


def test_everything_but_health_needs_the_token(serve: Callable[..., Any], pngs: list[bytes]) -> None:
    server = serve("--host", "0.0.0.0", environment={"INKDIGITS_TOKEN": "a secret of our own"})
    client = httpx.Client(base_url=f"http://127.0.0.1:{server.port}")
    for path in ("/healthz", "/readyz", "/v2/health/live", "/v2/health/ready"):
        assert client.get(path).status_code == 200
    for path in ("/", "/docs", "/openapi.json", "/metrics", "/v1/models", "/v2", "/static/x", "/nowhere"):
        answer = client.get(path)
        assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json")
        assert answer.headers["www-authenticate"].startswith("Bearer")
    for given in ("Bearer wrong", "Bearer a secret of our ow", "Bearer", "Basic !", "Basic", "", "a secret of our own"):
        assert client.get("/v1/models", headers={"authorization": given}).status_code == 401
    basic = base64.b64encode(b"anyone:a secret of our own").decode()
    for given in ("Bearer a secret of our own", f"Basic {basic}"):
        assert client.get("/v1/models", headers={"authorization": given}).status_code == 200
    answer = client.post("/v1/predict", content=pngs[0], headers={**PNG, "authorization": f"Basic {basic}"})
    assert answer.status_code == 200
    assert "security" in client.get("/openapi.json", headers={"authorization": f"Basic {basic}"}).text
    client.close()


def test_tokens_are_compared_in_constant_time() -> None:
    assert middleware.hmac is hmac
    assert "compare_digest" in middleware.ServiceMiddleware._authorized.__code__.co_names


def test_sigterm_first_ends_readiness_and_loses_no_request(serve: Callable[..., Any], pngs: list[bytes]) -> None:
    server = serve("--grace", 1)
    statuses: list[int | Exception] = []
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():  # like a balancer that watches readiness
            try:
                statuses.append(server.client.post("/v1/predict", content=pngs[0], headers=PNG).status_code)
            except httpx.TransportError as error:
                statuses.append(error)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    time.sleep(0.3)
    assert server.client.get("/readyz").status_code == 200
    server.process.send_signal(signal.SIGTERM)
    ready = [server.client.get("/readyz") for _ in range(3) if not time.sleep(0.1)]
    assert server.client.get("/healthz").status_code == 200
    assert server.client.get("/v2/health/ready").status_code == 503
    stop.set()
    assert [answer.status_code for answer in ready] == [503] * 3
    assert ready[0].headers["connection"] == "close"
    for thread in threads:
        thread.join()
    assert server.process.wait(10) == 0
    assert set(statuses) == {200}
    assert server.process.stderr.read() == ""


def test_accepted_requests_are_completed_after_sigterm(serve: Callable[..., Any], page: bytes) -> None:
    server = serve("--workers", 1)
    answers: list[int] = []

    def ask() -> None:
        answers.append(server.client.post("/v1/read", content=page, headers=PNG).status_code)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    while 'inkdigits_open_jobs{pool="pages"} 8.0' not in server.client.get("/metrics").text and not answers:
        time.sleep(0.005)
    server.process.send_signal(signal.SIGTERM)
    for thread in threads:
        thread.join()
    assert server.process.wait(10) == 0
    assert answers == [200] * 8


def test_ctrl_c_exits_with_0(serve: Callable[..., Any]) -> None:
    server = serve()
    server.process.send_signal(signal.SIGINT)
    assert server.process.wait(10) == 0


def test_no_accepted_connection_is_reset_at_the_end(serve: Callable[..., Any], pngs: list[bytes]) -> None:
    server = serve()
    answers = drain(
        server.port, server.process.terminate, post("/v1/predict", *PNG.values(), pngs[0], "connection: close")
    )
    assert len(answers) >= 100
    assert set(answers) == {b"HTTP/1.1 200 "}
    assert server.process.wait(30) == 0

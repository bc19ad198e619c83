"""Files that hang or fill a decoder: one request fails, the next is served."""

import io
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import psutil
import pytest
from PIL import Image

from tests import hostile

PNG, PDF = {"content-type": "image/png"}, {"content-type": "application/pdf"}
SECONDS = 5.0  # --timeout of the server
MEMORY = 1500 << 20  # bytes that the service may take, its processes together
CASES: dict[str, Callable[[], bytes]] = {
    "200,000 dashed lines": hostile.dashed_lines_pdf,
    "nested forms": hostile.nested_forms_pdf,
    "a stream of 4 GB": hostile.large_stream_pdf,
    "a chain of 700,000 TIFF directories": hostile.tiff_chain,
}


@pytest.fixture(scope="module")
def limited() -> Iterator[Any]:
    """A server with a short time limit."""
    from tests.server.conftest import Served

    server = Served("--grace", "0", "--timeout", SECONDS, "--workers", "1")
    yield server
    start = time.monotonic()
    assert server.stop() == (0, "")
    assert time.monotonic() - start < 15


def memory(server: Any) -> int:
    """Return the bytes that only the service's processes use."""
    main = psutil.Process(server.process.pid)
    total = 0
    for process in [main, *main.children(recursive=True)]:
        try:
            total += process.memory_full_info().uss
        except psutil.Error:
            continue
    return total


@pytest.mark.parametrize("name", CASES)
def test_one_request_fails_and_the_next_is_served(limited: Any, page: bytes, name: str) -> None:
    content = CASES[name]()
    start = time.monotonic()
    answer = limited.client.post("/v1/read", content=content, headers=PDF)
    assert time.monotonic() - start < SECONDS + 3
    assert answer.status_code in (400, 413, 503)
    assert answer.headers["content-type"] == "application/problem+json"
    assert "\n" not in answer.json()["detail"]
    assert memory(limited) < MEMORY
    for _ in range(20):  # until the new process is there
        if limited.client.get("/readyz").status_code == 200:
            break
        time.sleep(0.25)
    assert limited.client.post("/v1/read", content=page, headers=PNG).status_code == 200


def test_predict_takes_no_pdf(limited: Any) -> None:
    answer = limited.client.post("/v1/predict", content=hostile.dashed_lines_pdf(), headers=PNG)
    assert (answer.status_code, answer.json()["detail"]) == (
        400,
        "the image is a PDF, which holds pages and not one digit; read it as a page",
    )


def test_readiness_follows_the_processes(limited: Any, pngs: list[bytes]) -> None:
    main = psutil.Process(limited.process.pid)
    workers = [p for server in main.children() for p in server.children()]
    assert len(workers) == 3
    for worker in workers:
        worker.kill()
    psutil.wait_procs(workers, 10)
    assert limited.client.get("/readyz").status_code == 503
    for _ in range(200):
        if limited.client.get("/readyz").status_code == 200:
            break
        time.sleep(0.1)
    assert limited.client.get("/readyz").status_code == 200
    assert limited.client.post("/v1/predict", content=pngs[0], headers=PNG).status_code == 200


def test_a_stuck_file_does_not_hold_up_the_end(serve: Callable[..., Any]) -> None:
    import threading

    server = serve("--timeout", SECONDS, "--workers", 1)
    answers: list[int] = []
    content = hostile.dashed_lines_pdf()
    sender = threading.Thread(
        target=lambda: answers.append(server.client.post("/v1/read", content=content, headers=PDF).status_code)
    )
    sender.start()
    time.sleep(0.5)
    children = psutil.Process(server.process.pid).children(recursive=True)
    server.process.terminate()
    assert server.process.wait(SECONDS + 10) == 0
    sender.join()
    assert answers == [503]
    assert not psutil.wait_procs(children, 10)[1]


def test_a_large_legitimate_picture_fits_the_memory(served: Any) -> None:
    packed = io.BytesIO()
    Image.new("RGB", (10_000, 7_900), "white").save(packed, "PNG", compress_level=1)
    assert served.client.post("/v1/read", content=packed.getvalue(), headers=PNG).status_code == 200
    crop = np.full((4000, 3900, 4), 255, np.uint8)
    crop[1000:3000, 1900:2100, :3] = 0
    packed = io.BytesIO()
    Image.fromarray(crop).save(packed, "PNG", compress_level=1)
    assert served.client.post("/v1/predict", content=packed.getvalue(), headers=PNG).json()["digit"] == 1

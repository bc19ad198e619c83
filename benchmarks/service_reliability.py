"""What stays right when the service gets hostile files, damaged pictures, too many requests, or a signal to stop.

The functions are measurements of reliability.py: they take the numbers of the rounds that are left, and yield the
figures of each round.
"""

import asyncio
import base64
import contextlib
import io
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import httpx
import numpy as np
import psutil
from PIL import Image

from benchmarks.service import ALLOWED, COMMAND, CONNECTIONS, closed_loop, free_port, open_loop, png, post, running
from inkdigits.data import load
from inkdigits.isolation import CRASHED
from tests import hostile

Figures = dict[str, float]
DEADLINE = 4.0  # seconds; --timeout of the service that gets hostile files
REFUSALS = {400, 413, 415, 422}
PICTURES = 100  # mutated ones in each round
OVERLOAD_SECONDS = 30.0  # of each round
OPEN_CONNECTIONS = 512  # under overload
DRAINING = 16  # clients while the service stops
EXAMPLES = 8  # of schemathesis, for each operation in each round


@contextmanager
def serving(*options: object) -> Iterator[tuple[int, int]]:
    """Run a service; yield its port and its process id."""
    port = free_port()
    command = [sys.executable, "-c", COMMAND, "serve", "--port", str(port), "--grace", "0", *map(str, options)]
    with running(command, port, "/readyz") as pid:
        yield port, pid


def client_of(port: int) -> httpx.Client:
    """Return a client of the service on a port."""
    return httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60)


def page() -> np.ndarray:
    """Return a page with a number of five digits, dark on white, uint8 (H, W)."""
    digits = 255 - np.hstack(list(load("mnist-5k").test.images[::200]))
    return np.pad(np.kron(digits, np.ones((3, 3), np.uint8)), 60, constant_values=255)


# Hostile files


def hostile_files(rounds: range) -> Iterator[Figures]:
    """Send a file that takes a decoder for ever, or all memory; then a good page, which must be read."""
    good = png(page())
    with serving("--timeout", DEADLINE, "--workers", 1) as (port, pid), client_of(port) as client:
        for index in rounds:
            path, kind, content = hostile_request(index)
            with memory_watched(pid) as worst:
                begin = time.perf_counter()
                try:
                    status = client.post(path, content=content, headers={"content-type": kind}).status_code
                except httpx.TransportError:
                    status = 0
                seconds = time.perf_counter() - begin
                served = is_served(client, good)
            yield {
                "files": 1,
                "stuck": status == 0 or not served,
                "wrong_statuses": status not in {200, 503, *REFUSALS},
                "worst_seconds_after_deadline": round(max(seconds - DEADLINE, 0), 3),
                "worst_memory_mib": round(worst[0] / 2**20),
            }


def hostile_request(index: int) -> tuple[str, str, bytes]:
    """Return the path, the content type and the body of a request with a hostile file; each index has another one."""
    rng = random.Random(index)
    files: list[Callable[[], bytes]] = [
        lambda: hostile.dashed_lines_pdf(rng.randrange(50_000, 400_000)),
        lambda: hostile.nested_forms_pdf(rng.randrange(6, 12), rng.randrange(8, 16)),
        lambda: hostile.large_stream_pdf(rng.randrange(1000, 6000)),
        lambda: hostile.tiff_chain(rng.randrange(100_000, 700_000)),
        lambda: hostile.large_png(rng.randrange(3000, 60_000)),
        lambda: hostile.animation(rng.randrange(500, 2000)),
        lambda: hostile.many_pages_pdf(rng.randrange(60, 3000)),
        lambda: hostile.nested_json(rng.randrange(1000, 1_000_000)),
    ]
    content = files[index % len(files)]()
    if content[:1] == b"{":
        return rng.choice(["/v1/read", "/v1/predict", "/v1/feedback"]), "application/json", content
    if rng.random() < 0.25:
        body = json.dumps({"image": base64.b64encode(content).decode()}).encode()
        return rng.choice(["/v1/read", "/v1/predict"]), "application/json", body
    return (
        rng.choice(["/v1/read", "/v1/read", "/v1/predict"]),
        rng.choice(["image/png", "application/octet-stream"]),
        content,
    )


def is_served(client: httpx.Client, picture: bytes, seconds: float = 30.0) -> bool:
    """Return whether a page is read within so many seconds, in which killed processes are replaced."""
    end = time.monotonic() + seconds
    while client.post("/v1/read", content=picture, headers={"content-type": "image/png"}).status_code != 200:
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True


@contextmanager
def memory_watched(pid: int) -> Iterator[list[int]]:
    """Yield a list with the most bytes that only a service's processes used together, until now."""
    worst, done = [0], threading.Event()

    def watch() -> None:
        while not done.wait(0.1):
            worst[0] = max(worst[0], own_memory(pid))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield worst
    finally:
        done.set()
        thread.join()


def own_memory(pid: int) -> int:
    """Return the bytes of memory that a process and its descendants share with no other process."""
    main, total = psutil.Process(pid), 0
    for process in [main, *main.children(recursive=True)]:
        with contextlib.suppress(psutil.Error):
            total += process.memory_full_info().uss
    return total


# Mutated pictures


def mutated_pictures(rounds: range, count: int = PICTURES) -> Iterator[Figures]:
    """Send pictures with changed, lost and repeated bytes. None may end a worker process."""
    pictures = good_pictures()
    with serving() as (port, _), client_of(port) as client, ThreadPoolExecutor(4) as together:
        for index in rounds:
            rng = random.Random(index)
            bodies = [mutated(rng.choice(pictures), rng) for _ in range(count)]
            answers = list(together.map(partial(send_picture, client), bodies, ["/v1/predict", "/v1/read"] * count))
            statuses = [answer.status_code for answer in answers]
            yield {
                "pictures": len(answers),
                "still_read": statuses.count(200),
                "crashes": sum(CRASHED in answer.text for answer in answers),
                "wrong_statuses": sum(status not in {200, *REFUSALS} for status in statuses),
            }


def send_picture(client: httpx.Client, body: bytes, path: str) -> httpx.Response:
    """Return the answer to a picture."""
    return client.post(path, content=body, headers={"content-type": "image/png"})


def good_pictures() -> list[bytes]:
    """Return a digit and a page in each format that is read."""
    found = []
    for pixels in (load("mnist-5k").test.images[0], page()):
        for form in ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "PDF"):
            packed = io.BytesIO()
            Image.fromarray(pixels).save(packed, form)
            found.append(packed.getvalue())
    return found


def mutated(content: bytes, rng: random.Random) -> bytes:
    """Return a file with one to ten changes: a byte is another one, or a piece is lost, repeated or moved."""
    out = bytearray(content)
    for _ in range(rng.randint(1, 10)):
        at = rng.randrange(min(len(out), rng.choice([64, len(out)])))  # half of the changes are in the header
        piece = out[at : at + rng.randint(1, 64)]
        change = rng.randrange(4)
        if change < 2:
            out[at] = rng.choice([0, 255, rng.randrange(256), out[at] ^ 1 << rng.randrange(8)])
        elif change == 2 and len(out) > len(piece) + 1:
            del out[at : at + len(piece)]
        else:
            out[at:at] = piece * rng.randint(1, 4)
    return bytes(out)


# Overload and the end


def overload(rounds: range, seconds: float = OVERLOAD_SECONDS) -> Iterator[Figures]:
    """Ask for twice the rate that the service reaches: it answers 200, 429 or 503 and breaks no connection."""
    request = post("/v1/predict", "image/png", png(load("mnist-5k").test.images[0]))
    for _ in rounds:
        with serving() as (port, pid):
            rate = asyncio.run(closed_loop(port, request, CONNECTIONS, min(seconds, 3.0))).figures()["per_second"]
            found = asyncio.run(open_loop(port, request, 2 * rate, seconds, OPEN_CONNECTIONS, pid))
        statuses = {int(status): count for status, count in found["statuses"].items()}
        yield {
            "seconds": seconds,
            "answers": sum(statuses.values()),
            "refused": sum(count for status, count in statuses.items() if status != 200),
            "wrong_statuses": sum(count for status, count in statuses.items() if status not in ALLOWED),
            "broken": found["broken"],
            "worst_memory_mib": max(found["memory_mib"]),
        }


def drains(rounds: range) -> Iterator[Figures]:
    """Stop the service while clients open connections: each connection that is made gets its answer."""
    request = post("/v1/predict", "image/png", png(load("mnist-5k").test.images[0]), "connection: close")
    for _ in rounds:
        with serving() as (port, pid):
            answers = drain(port, lambda pid=pid: os.kill(pid, signal.SIGTERM), request)
        yield {"drains": 1, "requests": len(answers), "lost": sum(b" 200 " not in answer for answer in answers)}


def drain(port: int, stop: Callable[[], None], request: bytes) -> list[bytes]:
    """Call ``stop`` while clients send requests, each on a connection of its own, until no one can connect any more.

    Returns
    -------
    answers
        The first bytes of each answer; none when the connection was reset.
    """
    answers: list[bytes] = []
    refused = threading.Event()

    def ask() -> None:
        while not refused.is_set():
            try:
                opened = socket.create_connection(("127.0.0.1", port), 0.5)
            except OSError:
                refused.set()
                return
            answer = b""
            with opened, contextlib.suppress(OSError):
                opened.settimeout(30)
                opened.sendall(request)
                answer = opened.recv(65536)[:13]
            answers.append(answer)

    with ThreadPoolExecutor(DRAINING) as together:
        asking = [together.submit(ask) for _ in range(DRAINING)]
        while len(answers) < 100:
            time.sleep(0.01)
        stop()
        for thread in asking:
            thread.result()
    return answers


# Schemathesis

# A schema cannot say which bytes are an image, nor that one field has the length that another one states. Requests that
# are refused for one of these reasons, and for no other, may agree with the document.
CONFIG = """
[checks.positive_data_acceptance]
expected-statuses = ["2xx", "3xx", "400", "401", "403", "404", "409", "413", "422", "429", "5xx"]
"""
BEYOND_SCHEMAS = re.compile("|".join(("no image that can be read", "do not fill the shape", "content-length")), re.I)


def schemathesis(rounds: range, examples: int = EXAMPLES) -> Iterator[Figures]:
    """Send requests that the OpenAPI document allows, and others that it does not; all checks, and no hooks."""
    for index in rounds:
        with tempfile.TemporaryDirectory() as folder, serving("--feedback", Path(folder) / "kept.db") as (port, _):
            yield run_schemathesis(f"http://127.0.0.1:{port}", Path(folder), index, examples)


def run_schemathesis(url: str, folder: Path, seed: int, examples: int, *options: str) -> Figures:
    """Return how many cases a service got, how many failed a check, and how many were refused for no good reason."""
    report, config = folder / "events.ndjson", folder / "schemathesis.toml"
    config.write_text(CONFIG)
    command = [str(Path(sys.executable).parent / "schemathesis"), "--config-file", str(config)]
    command += ["run", f"{url}/openapi.json", "--checks", "all", "--seed", str(seed), "--max-examples", str(examples)]
    command += ["--report", "ndjson", "--report-ndjson-path", str(report), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    figures = {"cases": 0, "failures": 0, "refused_beyond_schemas": 0, "refused_without_reason": 0}
    with report.open() as lines:
        for line in lines:
            recorder = json.loads(line).get("ScenarioFinished", {}).get("recorder", {})
            for name, value in figures_of(recorder).items():
                figures[name] += value
    if done.returncode or figures["refused_without_reason"]:
        print(done.stdout[-6000:])
    return {**figures, "failures": max(figures["failures"], done.returncode)}


def figures_of(recorder: dict[str, dict[str, dict]]) -> Figures:
    """Return the figures of one scenario in the report of schemathesis."""
    failures = sum(check["status"] == "failure" for checks in recorder.get("checks", {}).values() for check in checks)
    beyond = without = 0
    for name, exchange in recorder.get("interactions", {}).items():
        response, meta = exchange.get("response"), recorder["cases"][name]["value"].get("meta")
        positive = meta is not None and meta["generation"]["mode"] == "positive"
        if positive and response is not None and response["status_code"] in REFUSALS:
            detail = base64.b64decode(response["content"]["$base64"]).decode(errors="replace")
            explained = bool(BEYOND_SCHEMAS.search(detail))
            beyond, without = beyond + explained, without + (not explained)
            if not explained:
                print(f"{recorder['label']}: {response['status_code']} {detail}")
    cases = len(recorder.get("interactions", {}))
    return {
        "cases": cases,
        "failures": failures,
        "refused_beyond_schemas": beyond,
        "refused_without_reason": without,
    }

"""Measures the speed of the service and its behaviour under overload. Server and load run on the same machine.

python benchmarks/service.py                      about a minute
python benchmarks/service.py --full               ten minutes of overload, 10,000 idle connections
python benchmarks/service.py --litserve-python P  also LitServe; P is a Python with litserve, onnxruntime and pillow

Writes benchmarks/service.json. Each connection sends its next request when it has the answer to the last one. Overload
has a fixed rate instead, whatever the answers.
"""

import argparse
import asyncio
import base64
import contextlib
import json
import os
import platform
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from inkdigits.data import load
from inkdigits.files import write_json
from inkdigits.reader.recognizer import bundled

HERE = Path(__file__).parent
CONNECTIONS = 32
BATCH = 256  # digits
WARM = 1.0  # seconds before the measurement begins
ALLOWED = {200, 429, 503}  # statuses under overload
COMMAND = "from inkdigits.cli import main, serving; main()"
LITSERVE = HERE / "litserve_server.py"


@dataclass
class Tally:
    """The answers between two times."""

    begin: float = 0.0
    end: float = float("inf")
    seconds: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    broken: int = 0

    def figures(self, each: int = 1) -> dict[str, Any]:
        """Return rates and percentiles; ``each`` is the number of digits per request."""
        good = self.statuses[200]
        span = self.end - self.begin
        p50, p99 = np.percentile(self.seconds, [50, 99]).tolist() if self.seconds else (0.0, 0.0)
        out = {
            "per_second": round(good * each / span, 1),
            "p50_ms": round(1000 * p50, 2),
            "p99_ms": round(1000 * p99, 2),
        }
        return {**out, "statuses": {str(k): v for k, v in sorted(self.statuses.items())}, "broken": self.broken}


class Client(asyncio.Protocol):
    """One connection that sends one request again and again."""

    def __init__(self, request: bytes, tally: Tally, pause: float | None = None) -> None:
        self.request, self.tally, self.pause = request, tally, pause
        self.waiting, self.got, self.sent = False, bytearray(), 0.0
        self.lost = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the first."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        if self.pause is None:
            self.send()

    def send(self) -> None:
        """Send the next."""
        self.sent, self.waiting = time.perf_counter(), True
        self.transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        """Receive an answer, or a part of it."""
        self.got += data
        head = self.got.find(b"\r\n\r\n")
        if head < 0:
            return
        length = int(re.search(rb"content-length: (\d+)", self.got[:head], re.I).group(1))  # type: ignore[union-attr]
        if len(self.got) < head + 4 + length:
            return
        now, status = time.perf_counter(), int(self.got[9:12])
        if self.tally.begin <= now <= self.tally.end:
            self.tally.statuses[status] += 1
            if status == 200:
                self.tally.seconds.append(now - self.sent)
        self.got.clear()
        self.waiting = False
        if self.pause is None and now < self.tally.end:
            self.send()

    def connection_lost(self, exc: Exception | None) -> None:
        """Count a connection that the server closed."""
        if time.perf_counter() < self.tally.end:
            self.tally.broken += 1
        if not self.lost.done():
            self.lost.set_result(None)


async def closed_loop(port: int, request: bytes, connections: int, seconds: float) -> Tally:
    """Send over several connections, on each the next request as soon as the last one is answered."""
    loop = asyncio.get_running_loop()
    tally = Tally()
    tally.begin = time.perf_counter() + WARM
    tally.end = tally.begin + seconds
    made = [await loop.create_connection(lambda: Client(request, tally), "127.0.0.1", port) for _ in range(connections)]
    await asyncio.sleep(tally.end - time.perf_counter() + 0.3)
    for transport, _ in made:
        transport.close()
    return tally


async def open_loop(
    port: int, request: bytes, rate: float, seconds: float, connections: int, pid: int
) -> dict[str, Any]:
    """Send at a fixed rate over the connections that are free, and watch the memory of the server."""
    loop = asyncio.get_running_loop()
    tally = Tally(begin=time.perf_counter())
    tally.end = tally.begin + seconds
    pairs = [
        await loop.create_connection(lambda: Client(request, tally, 0.0), "127.0.0.1", port) for _ in range(connections)
    ]
    clients = [client for _, client in pairs]
    memory, sent, next_sample, turn = [], 0, tally.begin, 0
    while (now := time.perf_counter()) < tally.end:
        due = int((now - tally.begin) * rate) - sent
        for _ in range(min(due, connections)):
            client = clients[turn % connections]
            turn += 1
            if not client.waiting and not client.transport.is_closing():
                client.send()
        sent += due
        if now >= next_sample:
            memory.append(resident(pid))
            next_sample += seconds / 100
        await asyncio.sleep(0.005)
    await asyncio.sleep(1)
    memory.append(resident(pid))
    for transport, _ in pairs:
        transport.close()
    settled = memory[len(memory) // 10]  # when the buffers of all connections exist
    growth = memory[-1] / settled - 1
    return {
        "asked_per_second": round(rate, 1),
        "seconds": seconds,
        "connections": connections,
        **tally.figures(),
        "memory_mib": [round(settled / 2**20, 1), round(max(memory) / 2**20, 1), round(memory[-1] / 2**20, 1)],
        "memory_growth_percent": round(100 * growth, 2),
        "only_allowed": set(tally.statuses) <= ALLOWED and not tally.broken,
    }


async def idle_connections(port: int, count: int, request: bytes) -> dict[str, Any]:
    """Measure one busy connection beside idle ones."""
    opened = []
    for _ in range(count):
        try:
            opened.append(await asyncio.open_connection("127.0.0.1", port))
        except OSError:
            break
    tally = await closed_loop(port, request, 1, 2.0)
    for _, writer in opened:
        writer.close()
    return {"opened": len(opened), **tally.figures()}


def resident(pid: int) -> int:
    """Return the resident memory of a process in bytes."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def free_port() -> int:
    """Return a port that is not in use."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


@contextmanager
def running(command: list[str], port: int, path: str, environment: dict[str, str] | None = None) -> Iterator[int]:
    """Run a server: wait until ``path`` answers 200, yield the process id, then stop it."""
    process = subprocess.Popen(
        command, env={**os.environ, **(environment or {})}, stdout=subprocess.DEVNULL, start_new_session=True
    )
    try:
        for _ in range(300):
            try:
                with socket.create_connection(("127.0.0.1", port), 1) as opened:
                    opened.sendall(f"GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n".encode())
                    if b" 200 " in opened.recv(64):
                        break
            except OSError:
                pass
            time.sleep(0.1)
        else:
            raise SystemExit(f"{command} does not answer")
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        with contextlib.suppress(ProcessLookupError):  # LitServe does not stop its workers
            os.killpg(process.pid, signal.SIGKILL)


def post(path: str, kind: str, body: bytes, *headers: str) -> bytes:
    """Return the bytes of an HTTP request."""
    lines = [
        f"POST {path} HTTP/1.1",
        "host: 127.0.0.1",
        f"content-type: {kind}",
        f"content-length: {len(body)}",
        *headers,
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


def png(image: np.ndarray) -> bytes:
    """Return an image as a PNG."""
    packed = BytesIO()
    Image.fromarray(image).save(packed, "PNG")
    return packed.getvalue()


def batch(images: np.ndarray, binary: bool) -> bytes:
    """Return a request for inference on a batch."""
    tensor: dict[str, Any] = {"name": "images", "shape": list(images.shape), "datatype": "UINT8"}
    if not binary:
        tensor["data"] = images.ravel().tolist()
        return post("/v2/models/digits/infer", "application/json", json.dumps({"inputs": [tensor]}).encode())
    tensor["parameters"] = {"binary_data_size": images.size}
    head = json.dumps({"inputs": [tensor], "parameters": {"binary_data_output": True}}).encode()
    length = f"inference-header-content-length: {len(head)}"
    return post("/v2/models/digits/infer", "application/octet-stream", head + images.tobytes(), length)


def litserve(python: str, body: bytes, seconds: float, ours: int) -> dict[str, Any]:
    """Measure LitServe in three settings, each by turns with our server, which listens on the port ``ours``.

    LitServe's server only decodes the image and runs the network; ours also finds the digit, judges it and returns the
    picture.
    """
    result = {}
    for workers, batch_size in ((1, 1), (2, 1), (1, 32)):
        port = free_port()
        command = [python, str(LITSERVE), str(bundled()), str(port), str(workers), str(batch_size)]
        beside = asyncio.run(closed_loop(ours, post("/v1/predict", "application/json", body), CONNECTIONS, seconds))
        with running(command, port, "/health"):
            request = post("/predict", "application/json", body)
            tally = asyncio.run(closed_loop(port, request, CONNECTIONS, seconds))
        name = f"workers={workers} max_batch_size={batch_size}"
        result[name] = {"litserve": tally.figures(), "inkdigits": beside.figures()}
        print(name, result[name])
    return result


def measure(port: int, pid: int, options: argparse.Namespace) -> Iterator[tuple[str, dict[str, Any]]]:
    """Measure a running server; yield the name and the figures of each measurement."""
    images = load("mnist-5k").test.images
    crop = png(images[0])
    in_json = json.dumps({"image": base64.b64encode(crop).decode()}).encode()
    request = post("/v1/predict", "image/png", crop)

    def closed(request: bytes, connections: int, each: int = 1) -> dict[str, Any]:
        figures = asyncio.run(closed_loop(port, request, connections, options.seconds)).figures(each)
        return {"connections": connections, **({"batch": each} if each > 1 else {}), **figures}

    predict = closed(request, CONNECTIONS)
    yield "predict", predict
    yield "predict_json", closed(post("/v1/predict", "application/json", in_json), CONNECTIONS)
    yield "infer_binary", closed(batch(images[:BATCH], True), 4, BATCH)
    yield "infer_json", closed(batch(images[:BATCH], False), 4, BATCH)
    if options.litserve_python:
        yield "litserve", litserve(options.litserve_python, in_json, options.seconds, port)
    seconds = options.overload_seconds or (600.0 if options.full else 10.0)
    yield "overload", asyncio.run(open_loop(port, request, 2 * predict["per_second"], seconds, 512, pid))
    yield "idle", asyncio.run(idle_connections(port, 10_000 if options.full else 1000, request))


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--seconds", type=float, default=4.0, help="of each measurement")
    parser.add_argument("--overload-seconds", type=float)
    parser.add_argument("--litserve-python")
    parser.add_argument("--out", type=Path, default=HERE / "service.json")
    options = parser.parse_args()
    result: dict[str, Any] = {
        "machine": {"cores": os.cpu_count(), "processor": platform.machine(), "load_before": os.getloadavg()[0]},
        "seconds": options.seconds,
        "versions": {name: version(name) for name in ("inkdigits", "onnxruntime", "fastapi", "uvicorn")},
    }
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        feedback = str(Path(folder) / "corrections.db")
        command = [sys.executable, "-c", COMMAND, "serve", "--port", str(port), "--feedback", feedback]
        with running(command, port, "/readyz") as pid:
            for name, figures in measure(port, pid, options):
                result[name] = figures
                print(name, figures)
    write_json(options.out, result)


if __name__ == "__main__":
    main()

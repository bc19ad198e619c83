"""Real servers, each in its own process on a free port."""

import io
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from inkdigits.cli import serving
from inkdigits.data import Dataset

assert serving
START = "from inkdigits.cli import main, serving; main()"


class Served:
    """A running ``inkdigits serve``."""

    def __init__(self, *options: object, before: str = "", environment: dict[str, str] | None = None) -> None:
        command = [sys.executable, "-c", before + START, "serve", "--port", "0", *map(str, options)]
        self.process = subprocess.Popen(
            command, stderr=subprocess.PIPE, text=True, env={**os.environ, **(environment or {})}
        )
        assert self.process.stderr is not None
        line = self.process.stderr.readline()
        assert "reading at http://" in line, line + self.process.stderr.read()
        self.url = line.split()[2]
        self.port = int(self.url.rpartition(":")[2])
        self.client = httpx.Client(base_url=self.url, timeout=30)

    def stop(self) -> tuple[int, str]:
        """Stop it; return the exit code and the rest of stderr."""
        self.client.close()
        self.process.send_signal(signal.SIGTERM)
        _, stderr = self.process.communicate(timeout=30)
        return self.process.returncode, stderr


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server that stores corrections. It must exit with 0 and must not have logged an error."""
    server = Served("--grace", "0", "--feedback", tmp_path_factory.mktemp("feedback") / "corrections.db")
    yield server
    assert server.stop() == (0, "")


@pytest.fixture
def serve() -> Iterator[Callable[..., Served]]:
    """Starts further servers, and kills those that the test has not stopped."""
    started: list[Served] = []

    def start(*options: object, **more: Any) -> Served:
        started.append(Served("--grace", "0", *options, **more))
        return started[-1]

    yield start
    for server in started:
        server.client.close()
        server.process.kill()
        server.process.wait()
        assert server.process.stderr is not None
        server.process.stderr.close()


def as_png(image: np.ndarray) -> bytes:
    packed = io.BytesIO()
    Image.fromarray(image).save(packed, "PNG")
    return packed.getvalue()


@pytest.fixture(scope="session")
def pngs(mnist_5k: Dataset) -> list[bytes]:
    """64 real digits as PNG files."""
    return [as_png(image) for image in mnist_5k.test.images[::15][:64]]


@pytest.fixture(scope="session")
def page(mnist_5k: Dataset) -> bytes:
    """A page with a number of five digits, dark on white, as a PNG file."""
    digits = [255 - image for image in mnist_5k.test.images[::200]]
    return as_png(np.pad(np.kron(np.hstack(digits), np.ones((3, 3), np.uint8)), 60, constant_values=255))


@pytest.fixture
def hooks() -> Path:
    return Path(__file__).with_name("schemathesis_hooks.py")

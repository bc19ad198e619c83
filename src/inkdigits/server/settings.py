"""The settings of a server, and the fixed limits of every server."""

import ipaddress
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from inkdigits.errors import UsageError

MIB = 1 << 20
MAX_CROP_BODY = 8 * MIB  # of /v1/predict and /v1/feedback
MAX_PAGE_BODY = 32 * MIB  # of /v1/read
MAX_TENSOR_BODY = 16 * MIB  # of /v2/…/infer
SMALL_BODY = 32 << 10  # bytes; several requests with such bodies go to a worker process at once,
SMALL_TOGETHER = 8  # so many at most
CROP_MEMORY = 512 * MIB  # of a process that reads digits, beyond its start; see inkdigits.isolation
PAGE_MEMORY = 1024 * MIB  # of a process that reads pages
MAX_HELD = 256 * MIB  # bodies in memory at a time, all requests together
MAX_CROP_PIXELS = 16_000_000  # of the image of one digit; a phone's photo has about 12 million
MAX_PAGES = 50  # of one document
MAX_BATCH = 4096  # digits in one tensor
MAX_PARTS = 16  # of a multipart form
MAX_CONNECTIONS = 16_384
MAX_HEADER_BYTES = 32 << 10  # path, query and headers of one request
MAX_HEADERS = 100  # of one request
MAX_HELD_HEADERS = 64 * MIB  # headers in memory at a time, all connections together
MAX_PIPELINED = 16  # requests of one connection that wait for the answers before
IDLE_SECONDS = 5.0  # between two checks of a connection; see inkdigits.server.process
SHORTEST_TOKEN = 8  # characters


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True)
class ServerSettings:
    """Settings of a server.

    Attributes
    ----------
    model
        An .onnx file that ``inkdigits export`` wrote; None for the model in the package.
    token
        The token that every request except those for health must send; None when no token is needed.
    feedback
        SQLite file in which corrections are stored; None when they are not stored.
    workers
        Number of processes that read digits; as many run batches, and half as many read pages.
    queue
        Number of requests that may wait for a process. When the queue is full, requests are answered with status 429.
    timeout
        Seconds for a body to arrive, and again for the answer to be computed. Then the process at work is killed.
    grace
        Seconds from the signal to stop, when the service stops being ready, until the port closes.
    host
        Address that the service listens on; its name may stand in the header ``Host``.
    allowed_hosts
        Further names by which browsers and clients reach the service, such as that of a proxy.
    prepare
        Called first in every worker process; it can load plug-ins. It is pickled.

    Raises
    ------
    UsageError
        When a number is out of its range, or the token is too short.
    """

    model: Path | None = None
    token: str | None = field(default=None, repr=False)
    feedback: Path | None = None
    workers: int = field(default_factory=_cores)
    queue: int = 128
    timeout: float = 30.0
    grace: float = 1.0
    host: str = "127.0.0.1"
    allowed_hosts: tuple[str, ...] = ()
    prepare: Callable[[], None] | None = None

    def __post_init__(self) -> None:
        """Check the ranges."""
        for name, least, most in (
            ("workers", 1, 256),
            ("queue", 1, 100_000),
            ("timeout", 0.1, 3600),
            ("grace", 0, 600),
        ):
            value = getattr(self, name)
            if not least <= value <= most:
                raise UsageError(f"--{name} must be from {least:g} to {most:g}, not {value:g}")
        if self.token is not None and len(self.token) < SHORTEST_TOKEN:
            raise UsageError(f"a token needs at least {SHORTEST_TOKEN} characters; make one with: openssl rand -hex 16")
        for name in self.allowed_hosts:
            if not name or set(name) & set("/ @*?#"):
                raise UsageError(f"--allowed-host takes a name such as digits.example.org, not {name!r}")


def check_host(host: str, token: str | None) -> None:
    """Refuse to accept requests from other machines without a token.

    Raises
    ------
    UsageError
        When ``host`` is not a loopback address and there is no token.
    """
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = host == "localhost"
    if not loopback and token is None:
        raise UsageError(f"--host {host} accepts requests from other machines; set a --token that they must send")

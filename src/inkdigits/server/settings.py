"""What a server is told when it starts, and the limits that hold whatever it is told."""

import ipaddress
import os
from dataclasses import dataclass, field
from pathlib import Path

from inkdigits.errors import UsageError

MIB = 1 << 20
MAX_CROP_BODY = 8 * MIB  # of /v1/predict and /v1/feedback
MAX_PAGE_BODY = 32 * MIB  # of /v1/read
MAX_TENSOR_BODY = 16 * MIB  # of /v2/…/infer
MAX_HELD = 256 * MIB  # bodies in memory at a time, all requests together
MAX_CROP_PIXELS = 16_000_000  # of the picture of one digit; a telephone's photo has 12 million
MAX_PAGES = 50  # of one document
MAX_BATCH = 4096  # digits in one tensor
MAX_PARTS = 16  # of a multipart form
MAX_CONNECTIONS = 16_384
IDLE_SECONDS = 5.0  # that a connection may stay without a whole request's headers, or twice that
SHORTEST_TOKEN = 8  # characters


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True)
class ServerSettings:
    """How a server works.

    Attributes
    ----------
    model
        An .onnx file that ``inkdigits export`` wrote; None for the model that comes with the package.
    token
        What every request must know, but those for health; None where none is asked for.
    feedback
        The SQLite file that corrections are kept in; None where they are not kept.
    workers
        Threads that read digits.
    queue
        Requests that may wait for one of them; those that come when it is full are problem_response 429.
    timeout
        Seconds that a body may take to arrive, and an answer to be found.
    grace
        Seconds between not being ready any more and closing the port, when told to stop.
    """

    model: Path | None = None
    token: str | None = field(default=None, repr=False)
    feedback: Path | None = None
    workers: int = field(default_factory=_cores)
    queue: int = 128
    timeout: float = 30.0
    grace: float = 1.0

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
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


def check_host(host: str, token: str | None) -> None:
    """Refuse to listen to other machines without a token.

    Raises
    ------
    UsageError
        When ``host`` is not this machine's own address and there is no token.
    """
    try:
        own = ipaddress.ip_address(host).is_loopback
    except ValueError:
        own = host == "localhost"
    if not own and token is None:
        raise UsageError(f"--host {host} lets other machines in; give a --token that they must know")

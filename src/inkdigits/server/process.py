"""The process: the port, and a shutdown that completes the requests of every accepted connection."""

import contextlib
import ctypes
import errno
import gc
import socket
import struct
import sys
import time
from dataclasses import replace
from types import FrameType

import uvicorn

from inkdigits.errors import InkdigitsError
from inkdigits.progress import say
from inkdigits.server.connection import Connection
from inkdigits.server.service import Service
from inkdigits.server.settings import MAX_CONNECTIONS, ServerSettings, check_host

BACKLOG = 2048
SETTLE_SECONDS = 0.3  # between refusing new connections and closing the port, for those that are being opened
SO_ATTACH_FILTER = 26  # of Linux; see socket(7)
NO_SYN = (  # (code, jt, jf, k): a packet filter of Linux that drops packets of TCP which open a connection
    (0x30, 0, 0, 13),  # load the byte of flags
    (0x54, 0, 0, 0x12),  # keep SYN and ACK
    (0x15, 0, 1, 0x02),  # is it SYN alone?
    (0x06, 0, 0, 0),  # drop it
    (0x06, 0, 0, 0xFFFFFFFF),  # pass it
)


def serve(host: str, port: int, settings: ServerSettings) -> None:
    """Serve until a signal stops the process, and print the address on stderr. Port 0 means any free port.

    Raises
    ------
    UsageError
        When ``host`` is open to other machines and there is no token.
    InkdigitsError
        When the port is not available, the model cannot be loaded, or corrections cannot be stored.
    """
    check_host(host, settings.token)
    gc.disable()  # imports make no garbage, but many objects
    service = Service(replace(settings, host=host))
    try:
        listening = _listen(host, port)
        _raise_file_limit()
        server = _Server(_config(service), service, listening)
        service.wait()
        address, chosen = listening.getsockname()[:2]
        gc.freeze()  # what is there stays: no search for garbage needs to visit it
        gc.enable()
        say(f"reading at http://{f'[{address}]' if ':' in address else address}:{chosen} (stop with Ctrl+C)")
        server.run([listening])
    finally:
        gc.enable()
        service.close()


def _config(service: Service) -> uvicorn.Config:
    from inkdigits.server.app import create_app  # FastAPI is imported while the worker processes start

    return uvicorn.Config(
        create_app(service),
        http=Connection,
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="error",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        backlog=BACKLOG,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=int(2 * service.settings.timeout) + 1,
    )


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, kind, protocol)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(address)
            listening.listen(BACKLOG)
        except OSError:
            listening.close()
            raise
    except (OSError, OverflowError, UnicodeError) as error:
        if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
            raise InkdigitsError(f"port {port} of {host} is in use; choose another with --port") from None
        reason = getattr(error, "strerror", None) or error
        raise InkdigitsError(f"cannot listen on port {port} of {host}: {reason}") from None
    return listening


def _raise_file_limit() -> None:
    """Raise the limit of open files to what MAX_CONNECTIONS needs, as far as the system allows it."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = MAX_CONNECTIONS + 256 if hard == resource.RLIM_INFINITY else min(hard, MAX_CONNECTIONS + 256)
        if soft != resource.RLIM_INFINITY and soft < wanted:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class _Server(uvicorn.Server):
    """A server that stops in steps.

    At the first signal it stops being ready. After the grace it accepts no new connections, then closes the port and
    completes the accepted requests.
    """

    def __init__(self, config: uvicorn.Config, service: Service, listening: socket.socket) -> None:
        super().__init__(config)
        self._service, self._listening = service, listening
        self._stopping_since: float | None = None
        self._refusing_since: float | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Handle a signal: the first starts the shutdown, the second skips the grace, the third drops requests."""
        if self._stopping_since is None:
            self._stopping_since = time.monotonic()
            self._service.draining = True
        elif self.should_exit:
            self.force_exit = True
        else:
            self.should_exit = True

    async def on_tick(self, counter: int) -> bool:
        """Refuse new connections when the grace is over, and close the port when none is being opened any more."""
        now = time.monotonic()
        if self._refusing_since is not None:
            self.should_exit |= now - self._refusing_since >= SETTLE_SECONDS
        elif self._stopping_since is not None and now - self._stopping_since >= self._service.settings.grace:
            self._refusing_since = now
            refuse_connections(self._listening)
        return await super().on_tick(counter)


def refuse_connections(listening: socket.socket) -> None:
    """Let no one open a connection any more; those that are open can be accepted. Only Linux can do this.

    A client that the system has connected, but that is not accepted when the port is closed, would be reset.
    """
    if sys.platform == "linux":
        program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in NO_SYN))
        value = struct.pack("HP", len(NO_SYN), ctypes.addressof(program))
        with contextlib.suppress(OSError):  # not allowed in some sandboxes
            listening.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, value)

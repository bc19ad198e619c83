"""The process: the port, time limits for connections, and a shutdown that completes every accepted request."""

import asyncio
import contextlib
import errno
import socket
import time
from types import FrameType
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from inkdigits.errors import InkdigitsError
from inkdigits.progress import say
from inkdigits.server.app import create_app
from inkdigits.server.problems import ProblemError, problem_response
from inkdigits.server.service import Service
from inkdigits.server.settings import IDLE_SECONDS, MAX_CONNECTIONS, ServerSettings, check_host

BACKLOG = 2048
LINGER_SECONDS = 0.3  # between closing the port and closing a connection without a request


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
    service = Service(settings)
    try:
        listening = _listen(host, port)
        _raise_file_limit()
        server = _Server(_config(service), service)
        service.wait()
        address, chosen = listening.getsockname()[:2]
        say(f"reading at http://{f'[{address}]' if ':' in address else address}:{chosen} (stop with Ctrl+C)")
        server.run([listening])
    finally:
        service.close()


def _config(service: Service) -> uvicorn.Config:
    return uvicorn.Config(
        create_app(service),
        http=_Protocol,
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

    At the first signal it stops being ready. After the grace it closes the port and completes the accepted requests.
    """

    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self._service = service
        self._stopping_since: float | None = None

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
        """Close the port when the grace is over."""
        since = self._stopping_since
        if since is not None and time.monotonic() - since >= self._service.settings.grace:
            self.should_exit = True
        return await super().on_tick(counter)


class _Protocol(HttpToolsProtocol):
    """A connection with a time limit: it is closed when the headers of its first request do not arrive.

    The connection is checked every IDLE_SECONDS. It is closed when it waited for headers at two checks in a row and
    no request was answered in between. Between requests, the keep-alive limit of uvicorn holds.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._answered = 0  # requests
        self._answered_at_check: int | None = None  # at the last check; None when it did not wait for headers
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the checks of a new connection, or refuse it when there are too many."""
        super().connection_made(transport)
        if len(self.connections) > MAX_CONNECTIONS:
            self._refuse(ProblemError(503, "the service has too many connections; try again later", retry_after=1))
            return
        self._timer = self.loop.call_later(IDLE_SECONDS, self._check)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the checks."""
        if self._timer is not None:
            self._timer.cancel()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        """Count an answered request."""
        self._answered += 1
        super().on_response_complete()

    def shutdown(self) -> None:
        """Close after the current request; an idle connection closes later, as a request may be on its way."""
        if self._idle:
            self.loop.call_later(LINGER_SECONDS, self._close_if_idle)
        else:
            super().shutdown()

    def send_400_response(self, msg: str) -> None:
        """Answer bytes that are not HTTP. Behind a complete request, that request's response is the last one."""
        if self.cycle is not None and not self.cycle.response_complete and not self.cycle.more_body:
            self.cycle.keep_alive = False
            return
        self._refuse(ProblemError(400, "this is not an HTTP request"))

    @property
    def _idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _close_if_idle(self) -> None:
        if self._idle:
            self.transport.close()

    def _check(self) -> None:
        """Close the connection if it waited for headers at the last check and still does."""
        if self.transport.is_closing():  # for a whole interval: the client does not read the rest
            self.transport.abort()
            return
        waits = self._idle and self.timeout_keep_alive_task is None
        if waits and self._answered_at_check == self._answered:
            self.transport.close()
        self._answered_at_check = self._answered if waits else None
        self._timer = self.loop.call_later(IDLE_SECONDS, self._check)

    def _refuse(self, problem: ProblemError) -> None:
        """Write a response without an ASGI cycle, and close the connection."""
        response = problem_response(problem)
        lines = [name + b": " + value for name, value in response.raw_headers]
        head = STATUS_LINE[problem.status] + b"\r\n".join([b"connection: close", *lines])
        self.transport.write(head + b"\r\n\r\n" + bytes(response.body))
        self.transport.close()

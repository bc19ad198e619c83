"""The process: a port, connections that cannot be held for nothing, and a stop that loses no request."""

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
LINGER_SECONDS = 0.3  # that a connection on which nothing is asked stays open when the port is closed


def serve(host: str, port: int, settings: ServerSettings) -> None:
    """Serve until told to stop; with port 0 the system chooses one. Says where on stderr.

    Raises
    ------
    UsageError
        When other machines would be let in without a token.
    InkdigitsError
        When the port cannot be had, the model not be read, or corrections not be kept.
    """
    check_host(host, settings.token)
    service = Service(settings)
    try:
        listening = _listen(host, port)
        _raise_file_limit()
        config = uvicorn.Config(
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
            timeout_graceful_shutdown=int(2 * settings.timeout) + 1,
        )
        where, at = listening.getsockname()[:2]
        say(f"reading at http://{f'[{where}]' if ':' in where else where}:{at} (stop with Ctrl+C)")
        _Server(config, service).run([listening])
    finally:
        service.close()


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
    """Let the process hold as many connections as the system allows it, where it has such limits."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = MAX_CONNECTIONS + 256 if hard == resource.RLIM_INFINITY else min(hard, MAX_CONNECTIONS + 256)
        if soft != resource.RLIM_INFINITY and soft < wanted:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class _Server(uvicorn.Server):
    """Told to stop, says that it is not ready, goes on for the grace, then closes the port and ends what it began."""

    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self._service = service
        self._told: float | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to stop; told again, without grace; and again, at once."""
        if self._told is None:
            self._told = time.monotonic()
            self._service.draining = True
        elif self.should_exit:
            self.force_exit = True
        else:
            self.should_exit = True

    async def on_tick(self, counter: int) -> bool:
        """Close the port when the grace is over."""
        if self._told is not None and time.monotonic() - self._told >= self._service.settings.grace:
            self.should_exit = True
        return await super().on_tick(counter)


class _Protocol(HttpToolsProtocol):
    """A connection that is closed when no request comes: one that sends nothing, or headers byte by byte.

    Between requests it stays as long as uvicorn's keep-alive lets it.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._answered = 0
        self._waited_at: int | None = None  # so many were answered at the last look, if the next was waited for then
        self._watch: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Watch a new connection; refuse one too many."""
        super().connection_made(transport)
        if len(self.connections) > MAX_CONNECTIONS:
            self._refuse(ProblemError(503, "the service has too many connections; try again later", retry_after=1))
            return
        self._watch = self.loop.call_later(IDLE_SECONDS, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        """Watch it no more."""
        if self._watch is not None:
            self._watch.cancel()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        """Count an answered request."""
        self._answered += 1
        super().on_response_complete()

    def shutdown(self) -> None:
        """Begin no more after this; a request that is on its way may still come."""
        if self._idle:
            self.loop.call_later(LINGER_SECONDS, self._end)
        else:
            super().shutdown()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP; behind a request that is, the answer to that is the last."""
        if self.cycle is not None and not self.cycle.response_complete and not self.cycle.more_body:
            self.cycle.keep_alive = False
            return
        self._refuse(ProblemError(400, "this is no HTTP request"))

    @property
    def _idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _end(self) -> None:
        if self._idle:
            self.transport.close()

    def _look(self) -> None:
        """Close the connection where a request was waited for at the last look, and is still."""
        if self.transport.is_closing():  # since the last look, but the other side takes nothing
            self.transport.abort()
            return
        waits = self._idle and self.timeout_keep_alive_task is None
        if waits and self._waited_at == self._answered:
            self.transport.close()
        self._waited_at = self._answered if waits else None
        self._watch = self.loop.call_later(IDLE_SECONDS, self._look)

    def _refuse(self, problem: ProblemError) -> None:
        response = problem_response(problem)
        lines = [name + b": " + value for name, value in response.raw_headers]
        head = STATUS_LINE[problem.status] + b"\r\n".join([b"connection: close", *lines])
        self.transport.write(head + b"\r\n\r\n" + bytes(response.body))
        self.transport.close()

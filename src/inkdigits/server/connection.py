"""A connection: limits of time and of headers before the application sees a request."""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from inkdigits.server.problems import ProblemError, problem_response
from inkdigits.server.settings import (
    IDLE_SECONDS,
    MAX_CONNECTIONS,
    MAX_HEADER_BYTES,
    MAX_HEADERS,
    MAX_HELD_HEADERS,
    MAX_PIPELINED,
)

LINGER_SECONDS = 0.3  # between closing the port and closing a connection without a request
TOO_LARGE = ProblemError(431, f"the headers have more than {MAX_HEADER_BYTES >> 10} KiB or {MAX_HEADERS} fields")


class Connection(HttpToolsProtocol):
    """A connection with limits: of the time until the headers of its first request arrive, and of their size.

    The connection is checked every IDLE_SECONDS. It is closed when it waited for headers at two checks in a row and
    no request was answered in between. Between requests, the keep-alive limit of uvicorn holds.
    """

    held = 0  # bytes of headers in memory, all connections together; only the event loop changes it

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._unparsed = 0  # bytes, received since the last complete headers or the last part of a body
        self._header_bytes = self._header_count = 0  # of the request that is received
        self._held = 0  # bytes of this connection in ``held``
        self._excess: ProblemError | None = None
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

    def data_received(self, data: bytes) -> None:
        """Parse bytes, and refuse more headers than a request may have."""
        if self._excess is not None:
            return
        self._unparsed += len(data)
        super().data_received(data)
        if self._unparsed > MAX_HEADER_BYTES:
            self._refuse_headers(TOO_LARGE)
        self._hold(self._unparsed + self._header_bytes)
        if Connection.held > MAX_HELD_HEADERS and self._excess is None:
            self._refuse_headers(ProblemError(503, "the service holds too many headers; try again later", 1))

    def on_message_begin(self) -> None:
        """Count the headers of a new request."""
        self._header_bytes = self._header_count = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """Count a part of the path and the query."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count a header; one behind the body counts too."""
        self._header_count += 1
        self._count(len(name) + len(value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Begin a request, or keep it until the ones before are answered."""
        self._unparsed = 0
        if len(self.pipeline) >= MAX_PIPELINED:
            self._excess = ProblemError(429, "too many requests wait on one connection", 1)
            raise ValueError(str(self._excess))
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a part of the body, which the application limits."""
        self._unparsed = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End a request."""
        self._unparsed = 0
        super().on_message_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the checks."""
        self._hold(0)
        if self._timer is not None:
            self._timer.cancel()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        """Count an answered request."""
        self._answered += 1
        self._hold(self._unparsed)
        super().on_response_complete()

    def shutdown(self) -> None:
        """Close after the current request; an idle connection closes later, as a request may be on its way."""
        if self._idle:
            self.loop.call_later(LINGER_SECONDS, self._close_if_idle)
        else:
            super().shutdown()

    def send_400_response(self, msg: str) -> None:
        """Answer bytes that are not HTTP, or that are too many. A complete request before them is answered first."""
        if self.cycle is not None and not self.cycle.response_complete and not self.cycle.more_body:
            self.cycle.keep_alive = False
            return
        self._refuse(self._excess or ProblemError(400, "this is not an HTTP request"))

    def _count(self, size: int) -> None:
        """Count bytes of headers.

        Raises
        ------
        ValueError
            When there are too many. The parser then stops, and :meth:`send_400_response` answers.
        """
        self._header_bytes += size
        if self._header_bytes > MAX_HEADER_BYTES or self._header_count > MAX_HEADERS:
            self._excess = TOO_LARGE
            raise ValueError(str(self._excess))

    def _refuse_headers(self, problem: ProblemError) -> None:
        if self._excess is None and not self.transport.is_closing():
            self._excess = problem
            self.send_400_response("")

    def _hold(self, size: int) -> None:
        """Count the bytes of headers of this connection that are in memory now."""
        Connection.held += size - self._held
        self._held = size

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

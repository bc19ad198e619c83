"""Reads the bodies of requests, and limits their size, their time and the memory of all of them together."""

import asyncio

from starlette.requests import ClientDisconnect, Request

from inkdigits.server.problems import ProblemError
from inkdigits.server.settings import MAX_HELD, MIB


class BodyReader:
    """Reads bodies and counts the bytes that are in memory."""

    def __init__(self) -> None:
        self.held = 0  # bytes; only the event loop changes it

    async def receive(self, request: Request, max_bytes: int, timeout: float) -> bytes:
        """Return the body of a request. It counts as held until :meth:`release`.

        Raises
        ------
        ProblemError
            400 when the body breaks off, 408 when it takes more than ``timeout`` seconds, 413 when it is larger than
            ``max_bytes`` or its header says so, 415 when it is compressed, 503 when other bodies fill the memory.
        """
        _check_headers(request, max_bytes)
        parts: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(timeout):
                async for part in request.stream():
                    size += len(part)
                    self.held += len(part)
                    parts.append(part)
                    if size > max_bytes:
                        raise _too_large(max_bytes)
                    if self.held > MAX_HELD:
                        raise ProblemError(503, "the service holds too many bodies; try again later", retry_after=1)
        except BaseException as error:
            self.release(size)
            if isinstance(error, TimeoutError):
                detail = f"the body did not arrive within {timeout:g} seconds"
                raise ProblemError(408, detail, headers={"connection": "close"}) from None
            if isinstance(error, ClientDisconnect):
                raise ProblemError(400, "the body broke off") from None
            raise
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def release(self, size: int) -> None:
        """Count ``size`` bytes as freed."""
        self.held -= size


def _check_headers(request: Request, max_bytes: int) -> None:
    headers = request.headers
    if headers.get("content-encoding", "identity") != "identity":
        raise ProblemError(415, "compressed bodies are not supported; send the body uncompressed")
    length = headers.get("content-length", "")
    if length.isdecimal() and int(length) > max_bytes:
        raise _too_large(max_bytes)


def _too_large(max_bytes: int) -> ProblemError:
    return ProblemError(413, f"the body is larger than {max_bytes // MIB} MiB")

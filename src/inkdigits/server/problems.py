"""Errors of requests as problem details (RFC 9457)."""

import math
from http import HTTPStatus
from typing import Any

import orjson
from starlette.responses import Response

MEDIA_TYPE = "application/problem+json"


class ProblemError(Exception):
    """An error that the client sees. It may be raised anywhere; one handler turns it into a response.

    Parameters
    ----------
    status
        HTTP status.
    detail
        One line: what is wrong, and what to do.
    retry_after
        Seconds after which the request may succeed.
    headers
        Further headers of the response.
    """

    def __init__(
        self, status: int, detail: str, retry_after: float | None = None, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.status, self.detail = status, detail
        self.headers = dict(headers or {})
        if retry_after is not None:
            self.headers["retry-after"] = str(max(1, math.ceil(retry_after)))

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle it, for the way from a worker process."""
        return type(self), (self.status, self.detail, None, self.headers)


def problem_response(problem: ProblemError, path: str = "") -> Response:
    """Return the response to a request for ``path``. Under /v2 it has the field ``error`` too, which clients expect."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "detail": problem.detail,
    }
    if path.startswith("/v2"):
        body["error"] = problem.detail
    return Response(orjson.dumps(body), problem.status, problem.headers, MEDIA_TYPE)

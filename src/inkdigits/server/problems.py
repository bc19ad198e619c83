"""What went wrong with a request, as the problem details of RFC 9457."""

import math
from http import HTTPStatus
from typing import Any

import orjson
from starlette.responses import Response

MEDIA_TYPE = "application/problem+json"


class ProblemError(Exception):
    """A request that is answered with an error; raised anywhere, turned into a response in one place.

    Parameters
    ----------
    status
        Of HTTP.
    detail
        One line: what is wrong, and what to do.
    retry_after
        Seconds after which it may go well.
    headers
        Further ones.
    """

    def __init__(
        self, status: int, detail: str, retry_after: float | None = None, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.status, self.detail = status, detail
        self.headers = dict(headers or {})
        if retry_after is not None:
            self.headers["retry-after"] = str(max(1, math.ceil(retry_after)))


def problem_response(problem: ProblemError, path: str = "") -> Response:
    """Return the response to a request at ``path``; under /v2 with the field ``error`` that its clients look for."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "detail": problem.detail,
    }
    if path.startswith("/v2"):
        body["error"] = problem.detail
    return Response(orjson.dumps(body), problem.status, problem.headers, MEDIA_TYPE)

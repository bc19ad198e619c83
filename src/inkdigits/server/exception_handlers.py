"""Turns every exception that a request can raise into problem details."""

import sqlite3
from collections.abc import Sequence

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from inkdigits.errors import DataError, PluginError, UsageError
from inkdigits.server.problems import ProblemError, problem_response
from inkdigits.server.uploads import error_line

HANDLED: Sequence[int | type[Exception]] = (
    ProblemError,
    HTTPException,
    RequestValidationError,
    DataError,
    UsageError,
    sqlite3.Error,
)


async def handle(request: Request, error: Exception) -> Response:
    """Return the response to a request that raised ``error``; what a plug-in raised is left to the middleware."""
    if isinstance(error, PluginError):  # no fault of the request: 500, and a traceback in the log
        raise error
    return problem_response(_problem(error), request.url.path)


def _problem(error: Exception) -> ProblemError:
    if isinstance(error, ProblemError):
        return error
    if isinstance(error, HTTPException):
        return ProblemError(error.status_code, str(error.detail), headers=dict(error.headers or {}))
    if isinstance(error, RequestValidationError):
        return ProblemError(422, error_line(error.errors()[0], "request"))
    if isinstance(error, DataError):
        return ProblemError(400, " ".join(str(error).split()))
    if isinstance(error, UsageError):
        return ProblemError(422, str(error))
    assert isinstance(error, sqlite3.Error)
    return ProblemError(503, "the correction could not be stored; try again later", retry_after=10)

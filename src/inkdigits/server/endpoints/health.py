"""Endpoints for balancers and monitoring: alive, ready, metrics."""

from starlette.requests import Request
from starlette.responses import Response

from inkdigits.server.endpoints.common import json_response, service_of
from inkdigits.server.metrics import MEDIA_TYPE
from inkdigits.server.problems import ProblemError
from inkdigits.server.service import Service


async def alive(request: Request) -> Response:
    """Answer 200 as long as the process runs."""
    return json_response({"status": "ok"})


async def ready(request: Request) -> Response:
    """Answer 503 while no worker process is there for a kind of job, and from the signal to stop on."""
    check_ready(service_of(request))
    return json_response({"status": "ready"})


def check_ready(service: Service) -> None:
    """Refuse when the service accepts no requests.

    Raises
    ------
    ProblemError
        503.
    """
    if service.draining:
        raise ProblemError(503, "the service is about to stop", retry_after=1)
    if not service.ready:
        raise ProblemError(503, "the worker processes are about to start", retry_after=1)


async def metrics(request: Request) -> Response:
    """Return counts of requests and digits, times, and open jobs."""
    return Response(service_of(request).metrics.text(), media_type=MEDIA_TYPE)

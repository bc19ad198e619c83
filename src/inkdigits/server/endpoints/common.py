"""What several endpoints need: the service behind a request, its content type, and a JSON response."""

from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from inkdigits.server.service import Service


def service_of(request: Request) -> Service:
    """Return the service that answers a request."""
    service: Service = request.app.state.service
    return service


def content_type(request: Request) -> str:
    """Return the content type of a request, which may be empty."""
    return request.headers.get("content-type", "")


def json_response(value: Any, status: int = 200) -> Response:
    """Return a value as JSON; bytes are JSON already."""
    content = value if isinstance(value, bytes) else orjson.dumps(value)
    return Response(content, status, media_type="application/json")

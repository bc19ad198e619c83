"""Endpoints for people: the page to write on, and the documentation."""

from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response

from inkdigits.server.document import page
from inkdigits.server.endpoints.common import json_response
from inkdigits.server.problems import ProblemError

STATIC = Path(__file__).parents[1] / "static"


async def openapi(request: Request) -> Response:
    """Return the OpenAPI document."""
    return json_response(request.app.openapi())


async def docs(request: Request) -> Response:
    """Return the OpenAPI document as a page."""
    return HTMLResponse(page(request.app.openapi(), STATIC))


async def index(request: Request) -> Response:
    """Return the page to write on."""
    if not (STATIC / "index.html").is_file():
        raise ProblemError(404, "this copy of inkdigits has no page; /docs describes the service")
    return FileResponse(STATIC / "index.html", headers={"cache-control": "no-cache"})

"""The application: the routes, the middleware and the exception handlers around a service."""

from functools import cache, partial
from importlib.metadata import version

from fastapi import FastAPI

from inkdigits.server import v2
from inkdigits.server.document import openapi_document
from inkdigits.server.exception_handlers import HANDLED, handle
from inkdigits.server.middleware import ServiceMiddleware
from inkdigits.server.routes import ROUTES
from inkdigits.server.service import Service
from inkdigits.server.settings import ServerSettings


def create_app(service: Service | ServerSettings | None = None) -> FastAPI:
    """Return the ASGI application of a service, or of a new service with the given or the default settings.

    Raises
    ------
    ModelError, DataError
        See :class:`inkdigits.server.service.Service`.
    """
    if not isinstance(service, Service):
        service = Service(service or ServerSettings())
        service.wait()
    app = FastAPI(
        title="inkdigits",
        version=version("inkdigits"),
        description="Reads handwritten digits: single digits, numbers and whole pages.",
        routes=ROUTES,
        exception_handlers=dict.fromkeys(HANDLED, handle),
        openapi_url=None,  # the project's own page needs no other host; see inkdigits.server.document
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.state.service = service
    app.add_middleware(ServiceMiddleware, service=service)
    token = service.settings.token is not None
    document = partial(openapi_document, app, token, name=v2.MODEL, version=service.version)
    app.openapi = cache(document)  # type: ignore[method-assign]  # made at its first use: the start is quicker
    return app

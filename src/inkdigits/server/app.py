"""The application: paths, and what answers them."""

import sqlite3
from collections.abc import Callable, Coroutine
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import orjson
from fastapi import FastAPI, Header, Query, Request
from fastapi import Path as InPath
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic.json_schema import SkipJsonSchema
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.staticfiles import StaticFiles

from inkdigits.errors import DataError, UsageError
from inkdigits.server import inference, schemas, v2
from inkdigits.server.document import BINARY, body, document, page, refusals
from inkdigits.server.metrics import MEDIA_TYPE
from inkdigits.server.middleware import ServiceMiddleware
from inkdigits.server.problems import ProblemError, problem_response
from inkdigits.server.service import Service
from inkdigits.server.settings import MAX_CROP_BODY, MAX_PAGE_BODY, MAX_TENSOR_BODY, ServerSettings
from inkdigits.server.uploads import fault, from_base64, image_in, is_json, parsed

STATIC = Path(__file__).parent / "static"
CROP_TYPES = ("image/", "application/octet-stream")
PAGE_TYPES = (*CROP_TYPES, "application/pdf")
BUSY = (408, 413, 415, 429, 503)  # what any request with a body may be answered

Name = Annotated[str, InPath(description="The one model that reads here.")]
Version = Annotated[str, InPath(description="See the model's metadata.")]
Length = Annotated[schemas.Length | SkipJsonSchema[None], Query()]
Check = Annotated[schemas.Check | SkipJsonSchema[None], Query()]


class Plain(APIRoute):
    """A route whose endpoint takes the request and no more, so that FastAPI need not look for anything in it."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the endpoint itself."""
        return self.endpoint


def create_app(service: Service | ServerSettings | None = None) -> FastAPI:
    """Return the application of a service; of one with these settings, or of one as it is by default.

    Raises
    ------
    ModelError, DataError
        See :class:`inkdigits.server.service.Service`.
    """
    if not isinstance(service, Service):
        service = Service(service or ServerSettings())
    app = FastAPI(
        title="inkdigits",
        version=version("inkdigits"),
        description="Reads handwritten digits: one, a number, a page.",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.state.service = service
    app.add_middleware(ServiceMiddleware, service=service)
    for kind in (ProblemError, HTTPException, RequestValidationError, DataError, UsageError, sqlite3.Error):
        app.add_exception_handler(kind, _answer)
    _add_reading(app, service)
    _add_feedback(app, service)
    _add_health(app, service)
    _add_protocol(app, service)
    _add_pages(app, service)
    return app


def _json(value: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(value), status, media_type="application/json")


async def _answer(request: Request, error: Exception) -> Response:
    """Turn what was raised into a response."""
    if isinstance(error, ProblemError):
        problem = error
    elif isinstance(error, HTTPException):
        problem = ProblemError(error.status_code, str(error.detail), headers=dict(error.headers or {}))
    elif isinstance(error, RequestValidationError):
        problem = ProblemError(422, fault(error.errors()[0], "request"))
    elif isinstance(error, DataError):
        problem = ProblemError(400, " ".join(str(error).split()))
    elif isinstance(error, UsageError):
        problem = ProblemError(422, str(error))
    else:
        problem = ProblemError(503, "the correction could not be kept; try again later", retry_after=10)
    return problem_response(problem, request.url.path)


def _add_reading(app: FastAPI, service: Service) -> None:
    reader, metrics = service.reader, service.metrics

    async def predict(request: Request) -> Response:
        kind = request.headers.get("content-type", "")

        def job(content: bytes) -> bytes:
            if is_json(kind):
                image = from_base64(parsed(content, schemas.CropBody).image)
            else:
                image = image_in(kind, content, CROP_TYPES)
            found = inference.predict(reader, image)
            metrics.digits(found["reject"] or "read")
            return orjson.dumps(found)

        return Response(await service.work(request, MAX_CROP_BODY, service.crops, job), media_type="application/json")

    app.router.add_api_route(
        "/v1/predict",
        predict,
        methods=["POST"],
        summary="Read an image of one digit",
        response_model=schemas.Predicted,
        responses=refusals(400, 422, *BUSY),
        openapi_extra=body(schemas.CropBody, "image/*", form=True),
        route_class_override=Plain,
    )

    @app.post(
        "/v1/read",
        summary="Read the numbers on a page",
        description="Of a photo, a scan, a form or a PDF. In JSON the options stand beside the image.",
        response_model=schemas.Pages,
        responses=refusals(400, 422, *BUSY),
        openapi_extra=body(schemas.ReadBody, "image/*", "application/pdf", form=True),
    )
    async def read(
        request: Request,
        layout: Annotated[schemas.Layout, Query()] = "auto",
        length: Length = None,
        check: Check = None,
        min_confidence: Annotated[schemas.Share, Query()] = 0.0,
    ) -> Response:
        kind = request.headers.get("content-type", "")
        asked = {"layout": layout, "length": length, "check": check, "min_confidence": min_confidence}
        until = service.until

        def job(content: bytes) -> bytes:
            options = asked
            if is_json(kind):
                told = parsed(content, schemas.ReadBody)
                image, options = (
                    from_base64(told.image),
                    {**asked, **told.model_dump(exclude={"image"}, exclude_unset=True)},
                )
            else:
                image = image_in(kind, content, PAGE_TYPES)
            found = inference.read(reader, image, options, until)
            for line in (line for one in found["pages"] for line in one["lines"]):
                for digit in line["digits"]:
                    metrics.digits(digit["reject"] or "read")
            return orjson.dumps(found)

        return Response(await service.work(request, MAX_PAGE_BODY, service.pages, job), media_type="application/json")

    @app.get("/v1/models", summary="The model that reads", response_model=schemas.Models)
    async def models() -> Response:
        facts = {"name": reader.name, "served_as": v2.MODEL, "version": service.version, "card": reader.recognizer.card}
        return _json({"models": [facts], "feedback": service.feedback is not None})


def _add_feedback(app: FastAPI, service: Service) -> None:
    kept = service.feedback

    @app.post(
        "/v1/feedback",
        summary="Keep a correction",
        description="404 where the service was started without --feedback.",
        status_code=201,
        response_model=schemas.Kept,
        responses=refusals(400, 404, 422, *BUSY),
        openapi_extra=body(schemas.CorrectionBody),
    )
    async def feedback(request: Request) -> Response:
        if kept is None:
            raise ProblemError(404, "corrections are not kept here; inkdigits serve --feedback FILE keeps them")
        if not is_json(request.headers.get("content-type", "")):
            raise ProblemError(415, "a correction is JSON")

        def job(content: bytes) -> int:
            told = parsed(content, schemas.CorrectionBody)
            pixels = inference.crop_pixels(from_base64(told.image))
            try:
                return kept.add(service.reader.name, pixels, told.guess, told.truth)
            except ValueError as error:
                raise DataError(f"the image: {error}") from error

        return _json({"id": await service.work(request, MAX_CROP_BODY, service.crops, job)}, 201)


def _add_health(app: FastAPI, service: Service) -> None:
    @app.get("/healthz", summary="Whether the process lives", response_model=schemas.Health)
    async def alive() -> Response:
        return _json({"status": "ok"})

    @app.get("/readyz", summary="Whether it takes requests", response_model=schemas.Health, responses=refusals(503))
    async def ready() -> Response:
        _check_ready(service)
        return _json({"status": "ready"})

    @app.get(
        "/metrics",
        summary="Counts for Prometheus",
        responses={200: {"content": {"text/plain": {}}}},
        response_class=Response,
    )
    async def metrics() -> Response:
        return Response(service.metrics.text(), media_type=MEDIA_TYPE)


def _check_ready(service: Service) -> None:
    if service.draining:
        raise ProblemError(503, "the service is about to stop", retry_after=1)


def _add_protocol(app: FastAPI, service: Service) -> None:
    def known(name: str, version: str | None = None) -> None:
        if name != v2.MODEL:
            raise ProblemError(404, f"there is no model of that name; {v2.MODEL!r} is the one that reads here")
        if version not in (None, service.version):
            raise ProblemError(
                404, f"there is no such version of the model; {service.version!r} is the one that reads here"
            )

    def both(path: str, method: str, handler: Callable[..., Any], **options: Any) -> None:
        for middle in ("", "/versions/{version}"):
            app.add_api_route(f"/v2/models/{{name}}{middle}{path}", handler, methods=[method], **options)

    @app.get("/v2", summary="What this server is", response_model=v2.ServerMetadata)
    async def server() -> Response:
        return _json({**v2.SERVER, "version": app.version})

    @app.get("/v2/health/live", summary="Whether the process lives", response_model=schemas.Health)
    async def live() -> Response:
        return _json({"status": "ok"})

    @app.get(
        "/v2/health/ready", summary="Whether it takes requests", response_model=schemas.Health, responses=refusals(503)
    )
    async def ready() -> Response:
        _check_ready(service)
        return _json({"status": "ready"})

    async def metadata(name: Name, version: Version | None = None) -> Response:
        known(name, version)
        return _json(v2.metadata(service.version))

    async def model_ready(name: Name, version: Version | None = None) -> Response:
        known(name, version)
        _check_ready(service)
        return _json({"name": name, "ready": True})

    async def infer(
        request: Request,
        name: Name,
        version: Version | None = None,
        json_length: Annotated[int | SkipJsonSchema[None], Header(alias=v2.HEADER_LENGTH, ge=0)] = None,
    ) -> Response:
        known(name, version)

        def job(content: bytes) -> tuple[bytes, int | None]:
            return v2.infer(service.reader, service.version, content, json_length)

        answer, length = await service.work(request, MAX_TENSOR_BODY, service.batches, job)
        if length is None:
            return Response(answer, media_type="application/json")
        return Response(answer, headers={v2.HEADER_LENGTH: str(length)}, media_type="application/octet-stream")

    both(
        "",
        "GET",
        metadata,
        summary="What the model takes and gives",
        response_model=v2.ModelMetadata,
        responses=refusals(404, 422),
    )
    both(
        "/ready",
        "GET",
        model_ready,
        summary="Whether the model can be asked",
        response_model=v2.Ready,
        responses=refusals(404, 422, 503),
    )
    both(
        "/infer",
        "POST",
        infer,
        summary="Put a batch of digits through the network",
        description="JSON, or JSON whose length the header tells and binary tensors behind it.",
        response_model=v2.InferResponse,
        responses={200: {"content": {"application/octet-stream": BINARY}}, **refusals(400, 404, 422, *BUSY)},
        openapi_extra=body(v2.InferRequest),
    )


def _add_pages(app: FastAPI, service: Service) -> None:
    whole = document(app, service.settings.token is not None, name=v2.MODEL, version=service.version)
    app.openapi_schema = whole

    @app.get("/openapi.json", include_in_schema=False)
    async def openapi() -> Response:
        return _json(whole)

    @app.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        return HTMLResponse(page(whole, STATIC))

    @app.get("/", include_in_schema=False)
    async def index() -> Response:
        if not (STATIC / "index.html").is_file():
            raise ProblemError(404, "this copy of inkdigits has no page; /docs says what the service does")
        return FileResponse(STATIC / "index.html", headers={"cache-control": "no-cache"})

    app.mount("/static", StaticFiles(directory=STATIC, check_dir=False), name="static")

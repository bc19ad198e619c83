"""The table of paths: the endpoint of each one, and its description in the OpenAPI document."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount
from starlette.staticfiles import StaticFiles

from inkdigits.server import schemas, v2
from inkdigits.server.document import BINARY, problems, request_body
from inkdigits.server.endpoints import feedback, health, pages, protocol, reading

BODY_PROBLEMS = (408, 413, 415, 429, 503)  # possible answers to any request with a body


class DirectRoute(APIRoute):
    """A route that calls its endpoint with the request and nothing else.

    It skips dependency injection, which costs about 0.012 ms of the 0.46 ms CPU time of a request to /v1/predict.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the endpoint itself."""
        return self.endpoint


def _get(path: str, endpoint: Callable[..., Any], **description: Any) -> APIRoute:
    return APIRoute(path, endpoint, methods=["GET"], **description)


def _post(path: str, endpoint: Callable[..., Any], **description: Any) -> APIRoute:
    return APIRoute(path, endpoint, methods=["POST"], **description)


V1: list[BaseRoute] = [
    DirectRoute(
        "/v1/predict",
        reading.predict,
        methods=["POST"],
        summary="Read an image of one digit",
        response_model=schemas.Predicted,
        responses=problems(400, 422, *BODY_PROBLEMS),
        openapi_extra=request_body(schemas.CropBody, "image/*", form=True),
    ),
    _post(
        "/v1/read",
        reading.read,
        summary="Read the numbers on a page",
        response_model=schemas.Pages,
        responses=problems(400, 422, *BODY_PROBLEMS),
        openapi_extra=request_body(schemas.ReadBody, "image/*", "application/pdf", form=True),
    ),
    _get("/v1/models", reading.models, summary="Describe the model", response_model=schemas.Models),
    _post(
        "/v1/feedback",
        feedback.feedback,
        summary="Store a correction",
        status_code=201,
        response_model=schemas.Kept,
        responses=problems(400, 404, 422, *BODY_PROBLEMS),
        openapi_extra=request_body(schemas.CorrectionBody),
    ),
]

HEALTH: list[BaseRoute] = [
    _get("/healthz", health.alive, summary="Tell whether the process runs", response_model=schemas.Health),
    _get(
        "/readyz",
        health.ready,
        summary="Tell whether the service accepts requests",
        response_model=schemas.Health,
        responses=problems(503),
    ),
    _get(
        "/metrics",
        health.metrics,
        summary="Metrics for Prometheus",
        responses={200: {"content": {"text/plain": {}}}},
        response_class=Response,
    ),
]


def _model_routes(model: str) -> list[BaseRoute]:
    """Return the routes of a model, whose path may name a version or not."""
    return [
        _get(
            model,
            protocol.metadata,
            summary="Describe the inputs and outputs of the model",
            response_model=v2.ModelMetadata,
            responses=problems(404, 422),
        ),
        _get(
            f"{model}/ready",
            protocol.model_ready,
            summary="Tell whether the model accepts requests",
            response_model=v2.Ready,
            responses=problems(404, 422, 503),
        ),
        _post(
            f"{model}/infer",
            protocol.infer,
            summary="Run the network on a batch of digits",
            response_model=v2.InferResponse,
            responses={
                200: {"content": {"application/octet-stream": BINARY}},
                **problems(400, 404, 422, *BODY_PROBLEMS),
            },
            openapi_extra=request_body(v2.InferRequest),
        ),
    ]


V2: list[BaseRoute] = [
    _get("/v2", protocol.server, summary="Describe the server", response_model=v2.ServerMetadata),
    _get(
        "/v2/health/live",
        health.alive,
        name="live",
        summary="Tell whether the process runs",
        response_model=schemas.Health,
    ),
    _get(
        "/v2/health/ready",
        health.ready,
        summary="Tell whether the service accepts requests",
        response_model=schemas.Health,
        responses=problems(503),
    ),
    *_model_routes("/v2/models/{name}"),
    *_model_routes("/v2/models/{name}/versions/{version}"),
]

PAGES: list[BaseRoute] = [
    _get("/", pages.index, include_in_schema=False),
    _get("/docs", pages.docs, include_in_schema=False),
    _get("/openapi.json", pages.openapi, include_in_schema=False),
    Mount("/static", StaticFiles(directory=pages.STATIC, check_dir=False), name="static"),
]

ROUTES = [*V1, *HEALTH, *V2, *PAGES]

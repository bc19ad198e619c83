"""Endpoints under /v2, the Open Inference Protocol. inkdigits.server.v2 has its tensors."""

from typing import Annotated

from fastapi import Header
from fastapi import Path as InPath
from pydantic.json_schema import SkipJsonSchema
from starlette.requests import Request
from starlette.responses import Response

from inkdigits.server import v2
from inkdigits.server.endpoints.common import json_response, service_of
from inkdigits.server.endpoints.health import check_ready
from inkdigits.server.problems import ProblemError
from inkdigits.server.service import Service
from inkdigits.server.settings import MAX_TENSOR_BODY

Name = Annotated[str, InPath(description="Name of the only model of this server.")]
Version = Annotated[str, InPath(description="Version of the model, as in its metadata.")]


async def server(request: Request) -> Response:
    """Return the name and the version of the server, and the extensions of the protocol that it supports."""
    return json_response({**v2.SERVER, "version": request.app.version})


async def metadata(request: Request, name: Name, version: Version | None = None) -> Response:
    """Return the names, types and shapes of the inputs and outputs."""
    service = service_of(request)
    _check_model(service, name, version)
    return json_response(v2.metadata(service.version))


async def model_ready(request: Request, name: Name, version: Version | None = None) -> Response:
    """Answer 503 from the signal to stop on."""
    service = service_of(request)
    _check_model(service, name, version)
    check_ready(service)
    return json_response({"name": name, "ready": True})


async def infer(
    request: Request,
    name: Name,
    version: Version | None = None,
    json_length: Annotated[int | SkipJsonSchema[None], Header(alias=v2.HEADER_LENGTH, ge=2)] = None,
) -> Response:
    """Accept JSON, or JSON followed by binary tensors; the header states the length of the JSON in bytes."""
    service = service_of(request)
    _check_model(service, name, version)
    job = "infer", service.version, json_length
    content, length = await service.work(request, MAX_TENSOR_BODY, service.batches, *job)
    if length is None:
        return json_response(content)
    return Response(content, headers={v2.HEADER_LENGTH: str(length)}, media_type="application/octet-stream")


def _check_model(service: Service, name: str, version: str | None) -> None:
    if name != v2.MODEL:
        raise ProblemError(404, f"there is no model of that name; the only model is {v2.MODEL!r}")
    if version not in (None, service.version):
        raise ProblemError(404, f"the model has no such version; the only version is {service.version!r}")

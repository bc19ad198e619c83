"""Endpoints under /v1 that read digits and pages, and name the model."""

from typing import Annotated

from fastapi import Query
from pydantic.json_schema import SkipJsonSchema
from starlette.requests import Request
from starlette.responses import Response

from inkdigits.server import schemas, v2
from inkdigits.server.endpoints.common import content_type, json_response, service_of
from inkdigits.server.jobs import Read
from inkdigits.server.service import Service
from inkdigits.server.settings import MAX_CROP_BODY, MAX_PAGE_BODY

Length = Annotated[schemas.Length | SkipJsonSchema[None], Query()]
Check = Annotated[schemas.Check | SkipJsonSchema[None], Query()]


async def predict(request: Request) -> Response:
    """Accept the image as the whole body, as the field `image` of a form, or in JSON."""
    service = service_of(request)
    return _response(
        service, await service.work(request, MAX_CROP_BODY, service.crops, "predict", content_type(request))
    )


async def read(
    request: Request,
    layout: Annotated[schemas.Layout, Query()] = "auto",
    length: Length = None,
    check: Check = None,
    min_confidence: Annotated[schemas.Share, Query()] = 0.0,
) -> Response:
    """Accept a photo, a scan, a form or a PDF. In JSON the options are fields beside the image."""
    service = service_of(request)
    options = {"layout": layout, "length": length, "check": check, "min_confidence": min_confidence}
    return _response(service, await service.work(request, MAX_PAGE_BODY, service.pages, content_type(request), options))


def _response(service: Service, read: Read) -> Response:
    """Return the response of a job, and count its digits in the metrics."""
    for outcome in read.outcomes:
        service.metrics.digits(outcome)
    return json_response(read.body)


async def models(request: Request) -> Response:
    """Return the name, the version and the card of the model, and whether corrections are stored."""
    service = service_of(request)
    reader = service.reader
    facts = {"name": reader.name, "served_as": v2.MODEL, "version": service.version, "card": reader.recognizer.card}
    return json_response({"models": [facts], "feedback": service.feedback is not None})

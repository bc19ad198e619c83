"""Endpoints under /v1 that read digits and pages, and name the model."""

from collections.abc import Iterable
from functools import partial
from typing import Annotated, Any

import orjson
from fastapi import Query
from pydantic.json_schema import SkipJsonSchema
from starlette.requests import Request
from starlette.responses import Response

from inkdigits.server import inference, schemas, v2
from inkdigits.server.endpoints.common import content_type, json_response, service_of
from inkdigits.server.service import Service
from inkdigits.server.settings import MAX_CROP_BODY, MAX_PAGE_BODY
from inkdigits.server.uploads import decode_base64, image_bytes, is_json, parse_json

CROP_TYPES = ("image/", "application/octet-stream")
PAGE_TYPES = (*CROP_TYPES, "application/pdf")

Length = Annotated[schemas.Length | SkipJsonSchema[None], Query()]
Check = Annotated[schemas.Check | SkipJsonSchema[None], Query()]


async def predict(request: Request) -> Response:
    """Accept the image as the whole body, as the field `image` of a form, or in JSON."""
    service = service_of(request)
    job = partial(_predict, service, content_type(request))
    return json_response(await service.work(request, MAX_CROP_BODY, service.crops, job))


def _predict(service: Service, kind: str, body: bytes) -> bytes:
    if is_json(kind):
        image = decode_base64(parse_json(body, schemas.CropBody).image)
    else:
        image = image_bytes(kind, body, CROP_TYPES)
    prediction = inference.predict(service.reader, image)
    _count(service, [prediction])
    return orjson.dumps(prediction)


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
    job = partial(_read, service, content_type(request), options, service.deadline)
    return json_response(await service.work(request, MAX_PAGE_BODY, service.pages, job))


def _read(service: Service, kind: str, options: dict[str, Any], deadline: float, body: bytes) -> bytes:
    if is_json(kind):
        parsed = parse_json(body, schemas.ReadBody)
        image = decode_base64(parsed.image)
        options = {**options, **parsed.model_dump(exclude={"image"}, exclude_unset=True)}
    else:
        image = image_bytes(kind, body, PAGE_TYPES)
    document = inference.read(service.reader, image, options, deadline)
    _count(service, (digit for page in document["pages"] for line in page["lines"] for digit in line["digits"]))
    return orjson.dumps(document)


def _count(service: Service, digits: Iterable[dict[str, Any]]) -> None:
    """Count digits in the metrics by their reason of rejection; accepted ones count as ``read``."""
    for digit in digits:
        service.metrics.digits(digit["reject"] or "read")


async def models(request: Request) -> Response:
    """Return the name, the version and the card of the model, and whether corrections are stored."""
    service = service_of(request)
    reader = service.reader
    facts = {"name": reader.name, "served_as": v2.MODEL, "version": service.version, "card": reader.recognizer.card}
    return json_response({"models": [facts], "feedback": service.feedback is not None})

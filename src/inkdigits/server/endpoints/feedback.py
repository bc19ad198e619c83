"""The endpoint that stores corrections."""

from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from inkdigits.errors import DataError
from inkdigits.server import inference, schemas
from inkdigits.server.endpoints.common import content_type, json_response, service_of
from inkdigits.server.feedback import Feedback
from inkdigits.server.problems import ProblemError
from inkdigits.server.settings import MAX_CROP_BODY
from inkdigits.server.uploads import decode_base64, is_json, parse_json


async def feedback(request: Request) -> Response:
    """Answer 404 when the service was started without --feedback."""
    service = service_of(request)
    if service.feedback is None:
        raise ProblemError(404, "corrections are not stored here; start the service with --feedback FILE")
    if not is_json(content_type(request)):
        raise ProblemError(415, "a correction must be JSON")
    job = partial(_store, service.feedback, service.reader.name)
    return json_response({"id": await service.work(request, MAX_CROP_BODY, service.crops, job)}, 201)


def _store(store: Feedback, model: str, body: bytes) -> int:
    correction = parse_json(body, schemas.CorrectionBody)
    pixels = inference.crop_pixels(decode_base64(correction.image))
    try:
        return store.add(model, pixels, correction.guess, correction.truth)
    except ValueError as error:
        raise DataError(f"the image: {error}") from error

"""The endpoint that stores corrections."""

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from inkdigits.server.endpoints.common import content_type, json_response, service_of
from inkdigits.server.jobs import Correction
from inkdigits.server.problems import ProblemError
from inkdigits.server.settings import MAX_CROP_BODY
from inkdigits.server.uploads import is_json


async def feedback(request: Request) -> Response:
    """Answer 404 when the service was started without --feedback."""
    service = service_of(request)
    if service.feedback is None:
        raise ProblemError(404, "corrections are not stored here; start the service with --feedback FILE")
    if not is_json(content_type(request)):
        raise ProblemError(415, "a correction must be JSON")
    correction: Correction = await service.work(request, MAX_CROP_BODY, service.crops, "correct")
    number = await run_in_threadpool(service.feedback.add, service.reader.name, *correction)
    return json_response({"id": number}, 201)

"""Parses the bodies of requests: JSON, base64, and images that are sent raw or in a multipart form."""

import base64
import binascii
from typing import TYPE_CHECKING, TypeVar

import orjson
from pydantic import BaseModel, ValidationError
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from inkdigits.server.problems import ProblemError
from inkdigits.server.settings import MAX_PARTS

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

Model = TypeVar("Model", bound=BaseModel)
CROP_TYPES = ("image/", "application/octet-stream")  # content types of a body that is an image of one digit
PAGE_TYPES = (*CROP_TYPES, "application/pdf")


def parse_json(body: bytes, model: type[Model]) -> Model:
    """Return a JSON body as an instance of ``model``.

    Raises
    ------
    ProblemError
        400 when the body is not JSON or is nested too deeply, 422 when a field is missing, unknown or invalid.
    """
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise ProblemError(400, f"the body is not JSON: {error.msg}") from None
    try:
        return model.model_validate(value, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        raise ProblemError(422, error_line(first, "body")) from None


def error_line(error: object, root: str) -> str:
    """Return an error of pydantic as one line: the field, or ``root`` when there is none, and the message."""
    assert isinstance(error, dict)
    location = error["loc"]
    if location and location[0] in ("query", "header", "path"):
        location = location[:2]
    return f"{'.'.join(map(str, location)) or root}: {error['msg']}"


def is_json(content_type: str) -> bool:
    """Return whether a content type is that of JSON."""
    return content_type.partition(";")[0].strip().lower() == "application/json"


def decode_base64(text: str) -> bytes:
    """Return the bytes that ``text`` encodes: base64, or a data: URL with base64 (RFC 2397), as a canvas makes it.

    Raises
    ------
    ProblemError
        422 when the text is neither.
    """
    if text[:5].lower() == "data:":
        head, comma, text = text.partition(",")
        if not comma or not head.lower().endswith(";base64"):
            raise ProblemError(
                422, "image: the data: URL is not in base64; it should begin with data:image/png;base64,"
            )
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ProblemError(422, "image: it is not base64 (RFC 4648, section 4)") from None


def image_bytes(content_type: str, body: bytes, raw_types: tuple[str, ...]) -> bytes:
    """Return the image file of a body that is the image itself, or a form with the field ``image``.

    Parameters
    ----------
    content_type
        Content type of the body.
    raw_types
        Prefixes of the content types whose whole body is the image.

    Raises
    ------
    ProblemError
        400 when the body is empty or the form is broken, 415 for any other content type, 422 when the form does not
        have exactly one field ``image``.
    """
    content_type = content_type.strip()
    if content_type.lower().startswith(raw_types):
        if not body:
            raise ProblemError(400, "the body is empty; it should be an image")
        return body
    if content_type.lower().startswith("multipart/form-data"):
        return _form_field(content_type, body, b"image")
    kind = f"a body of type {content_type[:80]!r}" if content_type else "a body without a content type"
    raise ProblemError(415, f"{kind} is not supported; send an image as image/png or similar, a form or JSON")


def _form_field(content_type: str, body: bytes, name: bytes) -> bytes:
    """Return the content of the field ``name``, which a multipart form must have exactly once."""
    _, options = parse_options_header(content_type)
    if not options.get(b"boundary"):
        raise ProblemError(400, "the form has no boundary")
    form = _Form(name)
    try:
        parser = MultipartParser(options[b"boundary"], form.callbacks())
        parser.write(body)
        parser.finalize()
    except FormParserError:
        raise ProblemError(400, "the form is broken") from None
    if not form.complete:
        raise ProblemError(400, "the form breaks off")
    if form.count != 1:
        raise ProblemError(422, f"the form must have one field {name.decode()!r}, not {form.count}")
    return b"".join(form.content)


class _Form:
    """Collects the content of one field while the parser runs through a form."""

    def __init__(self, wanted: bytes) -> None:
        self.count, self.content, self.complete = 0, list[bytes](), False
        self._wanted, self._parts = wanted, 0
        self._header_name, self._header_value, self._in_field = b"", b"", False

    def callbacks(self) -> "MultipartCallbacks":
        """Return what the parser calls."""
        return {
            "on_part_begin": self._on_part_begin,
            "on_header_field": self._on_header_field,
            "on_header_value": self._on_header_value,
            "on_header_end": self._on_header_end,
            "on_part_data": self._on_part_data,
            "on_end": self._on_end,
        }

    def _on_part_begin(self) -> None:
        self._parts += 1
        self._in_field = False
        if self._parts > MAX_PARTS:
            raise ProblemError(400, f"the form has more than {MAX_PARTS} parts")

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def _on_header_end(self) -> None:
        if self._header_name.lower() == b"content-disposition":
            _, options = parse_options_header(self._header_value)
            self._in_field = options.get(b"name") == self._wanted
            self.count += self._in_field
        self._header_name = self._header_value = b""

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._in_field:
            self.content.append(data[start:end])

    def _on_end(self) -> None:
        self.complete = True

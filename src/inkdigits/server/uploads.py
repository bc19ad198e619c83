"""What a request brings: its body, counted and timed, and the image in it, which may be raw, in a form or in JSON."""

import asyncio
import base64
import binascii
from typing import TYPE_CHECKING, TypeVar

import orjson
from pydantic import BaseModel, ValidationError
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect, Request

from inkdigits.server.problems import ProblemError
from inkdigits.server.settings import MAX_HELD, MAX_PARTS, MIB

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

Model = TypeVar("Model", bound=BaseModel)


class BodyReader:
    """Takes bodies in, and knows how many bytes of them are held at the moment."""

    def __init__(self) -> None:
        self.held = 0

    async def receive(self, request: Request, most: int, within: float) -> bytes:
        """Return a request's body; it counts as held until :meth:`release`.

        Raises
        ------
        ProblemError
            400 where it breaks off, 408 where it takes too long, 413 where it is larger than ``most`` bytes or says so,
            415 where it is compressed, 503 where other bodies take all the room.
        """
        headers = request.headers
        if headers.get("content-encoding", "identity") != "identity":
            raise ProblemError(415, "a compressed body is not read here; send it as it is")
        announced = headers.get("content-length", "")
        if announced.isdecimal() and int(announced) > most:
            raise _too_large(most)
        parts: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(within):
                async for part in request.stream():
                    size += len(part)
                    self.held += len(part)
                    parts.append(part)
                    if size > most:
                        raise _too_large(most)
                    if self.held > MAX_HELD:
                        raise ProblemError(503, "the service holds too many bodies; try again later", retry_after=1)
        except BaseException as error:
            self.held -= size
            if isinstance(error, TimeoutError):
                detail = f"the body did not arrive within {within:g} seconds"
                raise ProblemError(408, detail, headers={"connection": "close"}) from None
            if isinstance(error, ClientDisconnect):
                raise ProblemError(400, "the body broke off") from None
            raise
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def release(self, body: bytes) -> None:
        """Count a body as gone."""
        self.held -= len(body)


def _too_large(most: int) -> ProblemError:
    return ProblemError(413, f"the body is larger than {most // MIB} MiB")


def parsed(body: bytes, model: type[Model]) -> Model:
    """Return a JSON body as a model.

    Raises
    ------
    ProblemError
        400 where it is no JSON, or nested too deep; 422 where it is of another form.
    """
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise ProblemError(400, f"the body is not JSON: {error.msg}") from None
    try:
        return model.model_validate(value, strict=True)
    except ValidationError as error:
        raise ProblemError(422, first_fault(error)) from None


def first_fault(error: ValidationError) -> str:
    """Return where the first fault lies, and what it is."""
    return fault(error.errors(include_url=False, include_context=False, include_input=False)[0], "body")


def fault(found: object, root: str) -> str:
    """Return a fault of pydantic's as one line."""
    assert isinstance(found, dict)
    place = found["loc"]
    where = ".".join(map(str, place[:2] if place and place[0] in ("query", "header", "path") else place)) or root
    return f"{where}: {found['msg']}"


def image_in(kind: str, body: bytes, raw: tuple[str, ...]) -> bytes:
    """Return the image of a body that is raw or a form.

    Parameters
    ----------
    kind
        The body's content type.
    raw
        How content types begin whose whole body is the image.

    Raises
    ------
    ProblemError
        400 where a form is broken, 415 where the type is none of those, 422 where a form lacks the field.
    """
    kind = kind.strip()
    if kind.lower().startswith(raw):
        if not body:
            raise ProblemError(400, "the body is empty; it should be an image")
        return body
    if kind.lower().startswith("multipart/form-data"):
        return _field(kind, body, b"image")
    said = f"a body of type {kind[:80]!r}" if kind else "a body without a content type"
    raise ProblemError(415, f"{said} is not read here; send an image as image/png or the like, a form or JSON")


def is_json(kind: str) -> bool:
    """Return whether a content type is that of JSON."""
    return kind.partition(";")[0].strip().lower() == "application/json"


def from_base64(text: str) -> bytes:
    """Return the bytes that base64 stands for.

    Raises
    ------
    ProblemError
        422 where it is none.
    """
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ProblemError(422, "image: it is not base64 (RFC 4648, section 4)") from None


def _field(kind: str, body: bytes, wanted: bytes) -> bytes:
    """Return the content of the one field of that name in a multipart form."""
    _, options = parse_options_header(kind)
    if not options.get(b"boundary"):
        raise ProblemError(400, "the form has no boundary")
    form = _Form(wanted)
    try:
        parser = MultipartParser(options[b"boundary"], form.callbacks())
        parser.write(body)
        parser.finalize()
    except FormParserError:
        raise ProblemError(400, "the form is broken") from None
    if not form.whole:
        raise ProblemError(400, "the form breaks off")
    if form.count != 1:
        raise ProblemError(422, f"the form must have one field {wanted.decode()!r}, not {form.count}")
    return b"".join(form.content)


class _Form:
    """Keeps the content of one field while a form goes by."""

    def __init__(self, wanted: bytes) -> None:
        self.count, self.content, self.whole = 0, list[bytes](), False
        self._wanted, self._parts = wanted, 0
        self._name, self._value, self._here = b"", b"", False

    def callbacks(self) -> "MultipartCallbacks":
        """Return what the parser calls."""
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._header_field,
            "on_header_value": self._header_value,
            "on_header_end": self._header_end,
            "on_part_data": self._data,
            "on_end": self._end,
        }

    def _begin(self) -> None:
        self._parts += 1
        self._here = False
        if self._parts > MAX_PARTS:
            raise ProblemError(400, f"the form has more than {MAX_PARTS} parts")

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        if self._name.lower() == b"content-disposition":
            _, options = parse_options_header(self._value)
            self._here = options.get(b"name") == self._wanted
            self.count += self._here
        self._name = self._value = b""

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._here:
            self.content.append(data[start:end])

    def _end(self) -> None:
        self.whole = True

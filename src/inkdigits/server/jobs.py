"""What worker processes do for requests: from the bytes of a body to those of a response, without HTTP."""

from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from inkdigits.errors import DataError
from inkdigits.isolation import Handler
from inkdigits.reader import Reader, Recognizer
from inkdigits.server import inference, schemas, v2
from inkdigits.server.feedback import reduced
from inkdigits.server.uploads import CROP_TYPES, PAGE_TYPES, decode_base64, image_bytes, is_json, parse_json


class Read(NamedTuple):
    """The JSON of a response, and the outcome of each digit for the metrics: ``read``, or why it was rejected."""

    body: bytes
    outcomes: list[str]


class Correction(NamedTuple):
    """A correction to store: the image as a PNG, the digit that was read, and the true one."""

    image: bytes
    guess: int | None
    truth: int | None


def crop_jobs(model: Path | None) -> Handler:
    """Return the function of a process that reads digits: the name of a job and its arguments in, its result out."""
    recognizer = Recognizer(model, threads=1)
    recognizer.warm_up()
    jobs: dict[str, Handler] = {
        "predict": partial(predict, recognizer),
        "correct": correct,
        "infer": partial(v2.infer, recognizer),
    }
    return lambda name, *arguments: jobs[name](*arguments)


def page_jobs(model: Path | None) -> Handler:
    """Return the function of a process that reads pages: :func:`read`."""
    reader = Reader(model, threads=1)
    reader.recognizer.warm_up()
    return partial(read, reader)


def predict(recognizer: Recognizer, kind: str, body: bytes) -> Read:
    """Read the image of one digit in a body of the content type ``kind``."""
    if is_json(kind):
        image = decode_base64(parse_json(body, schemas.CropBody).image)
    else:
        image = image_bytes(kind, body, CROP_TYPES)
    prediction = inference.predict(recognizer, image)
    return Read(orjson.dumps(prediction), [prediction["reject"] or "read"])


def read(reader: Reader, kind: str, options: dict[str, Any], body: bytes) -> Read:
    """Read the pages in a body of the content type ``kind``. Options in JSON replace those in ``options``."""
    if is_json(kind):
        parsed = parse_json(body, schemas.ReadBody)
        image = decode_base64(parsed.image)
        options = {**options, **parsed.model_dump(exclude={"image"}, exclude_unset=True)}
    else:
        image = image_bytes(kind, body, PAGE_TYPES)
    document = inference.read(reader, image, options)
    digits = (digit for page in document["pages"] for line in page["lines"] for digit in line["digits"])
    return Read(orjson.dumps(document), [digit["reject"] or "read" for digit in digits])


def correct(body: bytes) -> Correction:
    """Return the correction in a body, its image at the size at which it is stored."""
    correction = parse_json(body, schemas.CorrectionBody)
    pixels = inference.crop_pixels(decode_base64(correction.image))
    try:
        return Correction(inference.as_png(reduced(pixels)), correction.guess, correction.truth)
    except ValueError as error:
        raise DataError(f"the image: {error}") from error

"""Inference without HTTP: from the bytes of an image to the fields of the response."""

import base64
import io
import struct
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from inkdigits.errors import DataError
from inkdigits.imaging.files import FORMATS, MAX_PIXELS, read_pixels
from inkdigits.imaging.normalize import normalize
from inkdigits.reader import Reader, Recognizer
from inkdigits.reader.recognizer import refused, unreadable
from inkdigits.server.problems import ProblemError
from inkdigits.server.settings import MAX_CROP_PIXELS, MAX_PAGES

PNG = b"\x89PNG\r\n\x1a\n"


def crop_pixels(content: bytes) -> NDArray[Any]:
    """Return the pixels of an image file, as in :class:`inkdigits.imaging.files.PageImage`.

    Raises
    ------
    ProblemError
        413 when the header states too many pixels; none is decoded then.
    DataError
        When the file is not an image.
    """
    _limit(content, MAX_CROP_PIXELS)
    return read_pixels(content)


def predict(recognizer: Recognizer, content: bytes) -> dict[str, Any]:
    """Return the prediction for an image of one digit, and the 28x28 picture that the network sees.

    Raises
    ------
    ProblemError, DataError
        See :func:`crop_pixels`.
    """
    pixels = crop_pixels(content)
    try:
        crop = normalize(pixels)
    except ValueError as error:
        raise DataError(f"the image: {error}") from error
    answers = recognizer.run(crop.digit[None])
    reason = unreadable(crop)
    prediction = refused(reason) if reason else recognizer.judge(answers)[0]
    return {
        "model": recognizer.name,
        **prediction.to_dict(),
        "probabilities": [round(share, 6) for share in answers.probabilities[0].tolist()],
        "picture": base64.b64encode(as_png(crop.digit)).decode(),
    }


def read(reader: Reader, content: bytes, options: dict[str, Any]) -> dict[str, Any]:
    """Return the numbers on the pages of an image or a PDF.

    Parameters
    ----------
    options
        Fields of :class:`inkdigits.reader.Settings`.

    Raises
    ------
    ProblemError
        413 when a page has too many pixels or there are too many pages.
    DataError
        When the file is not an image or a PDF.
    """
    _limit(content, MAX_PIXELS)
    pages: list[dict[str, Any]] = []
    for reading in reader.read_pages(content, **options):
        if len(pages) == MAX_PAGES:
            raise ProblemError(413, f"the document has more than {MAX_PAGES} pages; split it")
        pages.append(reading.to_dict())
    return {"pages": pages}


def as_png(picture: NDArray[np.uint8]) -> bytes:
    """Return a grey (H, W) or colour (H, W, 3) picture as a PNG."""
    ordered = picture if picture.ndim == 2 else cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    return bytes(cv2.imencode(".png", ordered)[1])


def _limit(content: bytes, most: int) -> None:
    """Refuse an image whose header states more than ``most`` pixels."""
    if content[:8] == PNG and content[12:16] == b"IHDR" and len(content) >= 24:  # the common case, without Pillow
        width, height = struct.unpack(">II", content[16:24])
        _check_count(width * height, most)
        return
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as opened:
            count = opened.width * opened.height
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        count = most + 1
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, EOFError, TypeError, OverflowError, MemoryError):
        return  # a PDF, or broken: the reader reports it
    _check_count(count, most)


def _check_count(count: int, most: int) -> None:
    if count > most:
        raise ProblemError(413, f"the image has more than {most // 1_000_000} million pixels; scale it down")

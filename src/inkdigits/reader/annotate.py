"""The picture of a page with the reading drawn on it."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from inkdigits.errors import DataError
from inkdigits.imaging.geometry import Box
from inkdigits.imaging.pixels import to_bytes
from inkdigits.reader.refusal import BLANK

SURE, FAIRLY = 0.99, 0.9
GREEN, AMBER, RED, GREY = (0, 125, 60), (200, 120, 0), (205, 20, 40), (150, 150, 150)
LONGEST = 2400  # longer side of the drawing, pixels


class ReadDigit(Protocol):
    """A digit that can be drawn: :class:`inkdigits.reader.results.Digit`."""

    @property
    def digit(self) -> int | None:
        """0 to 9; None where it was rejected."""

    @property
    def confidence(self) -> float:
        """In [0, 1]."""

    @property
    def box(self) -> Box:
        """Left, top, width, height in the picture's pixels."""

    @property
    def reject(self) -> str | None:
        """Why it was rejected; None where it was accepted."""


def annotate(picture: NDArray[Any] | None, size: tuple[int, int], digits: Sequence[ReadDigit]) -> Image.Image:
    """Return a picture with boxes, digits and confidence: green from 99 %, amber from 90 %, else red; blank boxes grey.

    Parameters
    ----------
    picture
        Pixels, perhaps scaled down.
    size
        Width and height of the original picture, pixels, to which the boxes refer.

    Raises
    ------
    DataError
        When there is no picture.
    """
    if picture is None:
        raise DataError("this reading has no picture to draw on; read the page again")
    pixels = to_bytes(np.asarray(picture))
    page = Image.fromarray(pixels).convert("RGB")
    page.thumbnail((LONGEST, LONGEST))
    scale = page.width / max(1, size[0]), page.height / max(1, size[1])
    draw = ImageDraw.Draw(page)
    for digit in digits:
        left, top, wide, tall = digit.box
        x, y = left * scale[0], top * scale[1]
        right, bottom = (left + wide) * scale[0], (top + tall) * scale[1]
        colour = _colour(digit)
        height = bottom - y
        if digit.reject == BLANK:
            draw.rectangle((x, y, right, bottom), outline=GREY)
            continue
        draw.rectangle((x - 1, y - 1, right + 1, bottom + 1), outline=colour, width=max(1, round(height / 40)))
        font = ImageFont.load_default(max(10.0, 0.45 * height))
        draw.text((x, y - 2), "?" if digit.digit is None else str(digit.digit), colour, font, anchor="ls")
        if digit.digit is not None and height >= 30:
            small = ImageFont.load_default(max(8.0, 0.18 * height))
            draw.text((x, bottom + 2), f"{100 * digit.confidence:.1f}", colour, small, anchor="la")
    return page


def _colour(digit: ReadDigit) -> tuple[int, int, int]:
    if digit.digit is None:
        return RED
    return GREEN if digit.confidence >= SURE else AMBER if digit.confidence >= FAIRLY else RED

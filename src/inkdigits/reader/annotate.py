"""A page with what was read drawn on it."""

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from inkdigits.errors import DataError
from inkdigits.imaging.pixels import to_bytes
from inkdigits.reader.results import Digit, Reading

SURE, FAIRLY = 0.99, 0.9
GREEN, AMBER, RED = (0, 125, 60), (200, 120, 0), (205, 20, 40)
LONGEST = 2400  # longer side of the drawing, pixels


def annotated(reading: Reading) -> Image.Image:
    """Return a reading's picture with boxes, digits and confidence: green from 99 %, amber from 90 %, else red.

    Raises
    ------
    DataError
        When the reading has no picture.
    """
    if reading.picture is None:
        raise DataError("this reading has no picture to draw on; read the page again")
    pixels = to_bytes(np.asarray(reading.picture))
    page = Image.fromarray(pixels).convert("RGB")
    page.thumbnail((LONGEST, LONGEST))
    scale = page.width / max(1, reading.size[0]), page.height / max(1, reading.size[1])
    draw = ImageDraw.Draw(page)
    for digit in reading.digits:
        left, top, wide, tall = digit.box
        x, y = left * scale[0], top * scale[1]
        right, bottom = (left + wide) * scale[0], (top + tall) * scale[1]
        colour = _colour(digit)
        height = bottom - y
        draw.rectangle((x - 1, y - 1, right + 1, bottom + 1), outline=colour, width=max(1, round(height / 40)))
        font = ImageFont.load_default(max(10.0, 0.45 * height))
        draw.text((x, y - 2), "?" if digit.digit is None else str(digit.digit), colour, font, anchor="ls")
        if digit.digit is not None and height >= 30:
            small = ImageFont.load_default(max(8.0, 0.18 * height))
            draw.text((x, bottom + 2), f"{100 * digit.confidence:.1f}", colour, small, anchor="la")
    return page


def _colour(digit: Digit) -> tuple[int, int, int]:
    if digit.digit is None:
        return RED
    return GREEN if digit.confidence >= SURE else AMBER if digit.confidence >= FAIRLY else RED

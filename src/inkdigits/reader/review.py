"""The review page: one HTML page of doubtful digits, which a person corrects by keyboard."""

import base64
import html
import io
import json
from collections.abc import Sequence
from importlib.resources import files

import numpy as np
from PIL import Image

from inkdigits.imaging.pixels import to_bytes
from inkdigits.reader.results import Digit, Reading

DOUBTFUL = 0.99  # confidence below which a digit is shown
MARGIN = 0.35  # of a digit's size; surroundings that are shown
SHOWN = 120  # side of a crop, pixels


Row = dict[str, object]


def doubtful(reading: Reading, below: float = DOUBTFUL) -> list[Row]:
    """Return the doubtful digits of a reading: those rejected, or with a confidence under ``below``.

    Blank boxes are left out.
    """
    return [
        _row(reading, number, place, digit, line.text)
        for number, line in enumerate(reading.lines)
        for place, digit in enumerate(line.digits)
        if digit.reject != "blank" and (digit.digit is None or digit.confidence < below)
    ]


def review_page(rows: Sequence[Row]) -> str:
    """Return an HTML page of the rows of :func:`doubtful`: each digit beside the likeliest answers.

    The page needs no other file. Its button saves the corrections as CSV.
    """
    template = (files("inkdigits.reader") / "review.html").read_text(encoding="utf-8")
    data = json.dumps(rows).replace("<", "\\u003c")
    count = "Nothing is in doubt" if not rows else f"{len(rows)} doubtful digit{'s' if len(rows) > 1 else ''}"
    return template.replace("{{count}}", html.escape(count)).replace("{{rows}}", data)


def _row(reading: Reading, number: int, place: int, digit: Digit, text: str) -> Row:
    guesses = ([] if digit.digit is None else [(digit.digit, digit.confidence)]) + list(digit.alternatives)
    return {
        "source": reading.source,
        "page": reading.page,
        "line": number,
        "place": place,
        "text": text,
        "box": list(digit.box),
        "digit": digit.digit,
        "reject": digit.reject,
        "guesses": [[value, round(share, 4)] for value, share in guesses[:3]],
        "crop": _crop(reading, digit),
    }


def _crop(reading: Reading, digit: Digit) -> str:
    """Return a digit and its surroundings as a PNG in a data URI; an empty string without a picture."""
    if reading.picture is None:
        return ""
    picture = np.asarray(reading.picture)
    scale = picture.shape[1] / max(1, reading.size[0])
    left, top, wide, tall = (value * scale for value in digit.box)
    more = MARGIN * max(wide, tall)
    y0, y1 = max(0, round(top - more)), min(picture.shape[0], round(top + tall + more))
    x0, x1 = max(0, round(left - more)), min(picture.shape[1], round(left + wide + more))
    cut = Image.fromarray(to_bytes(picture[y0:y1, x0:x1]))
    cut.thumbnail((SHOWN, SHOWN))
    packed = io.BytesIO()
    cut.save(packed, "PNG")
    return "data:image/png;base64," + base64.b64encode(packed.getvalue()).decode()

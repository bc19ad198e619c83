"""The review page: one HTML page of what is doubtful, which a person corrects by keyboard or touch.

The browser keeps what was corrected until the page is opened again; a button saves it as CSV.
"""

import base64
import hashlib
import html
import io
import json
import re
from collections.abc import Sequence
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from inkdigits.imaging.pixels import to_bytes
from inkdigits.reader.results import Digit, Reading

DOUBTFUL = 0.99  # confidence below which a digit is shown
MARGIN = 0.35  # of a digit's size; paper above and below it that is shown
BESIDE = 2.5  # of a digit's size; what stands on either side of it that is shown
SHOWN = (420, 110)  # width and height of a picture at most, pixels
MARK = (205, 20, 40)  # of the rectangle around the doubtful digit


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


def review_page(rows: Sequence[Row], thing: str = "digit") -> str:
    """Return an HTML page of rows: each with its picture beside the likeliest answers.

    The page needs no other file.

    Parameters
    ----------
    rows
        Those of :func:`doubtful`, or of another source with ``crop``, ``guesses``, ``value`` and ``where``.
    thing
        What they are: ``digit`` for one key each, ``field`` for a text each.
    """
    template = (files("inkdigits.reader") / "review.html").read_text(encoding="utf-8")
    data = json.dumps(rows).replace("<", "\\u003c")
    identity = hashlib.sha256(data.encode()).hexdigest()[:16]
    count = "Nothing is in doubt" if not rows else f"{len(rows)} doubtful {thing}{'s' if len(rows) > 1 else ''}"
    values = {"count": html.escape(count), "title": f"Doubtful {thing}s", "identity": identity, "thing": thing}
    return re.sub(r"\{\{(\w+)\}\}", lambda found: data if found[1] == "rows" else values[found[1]], template)


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
    """Return a digit marked among its neighbours as a PNG in a data URI; an empty string without a picture."""
    if reading.picture is None:
        return ""
    picture = np.asarray(reading.picture)
    scale = picture.shape[1] / max(1, reading.size[0])
    left, top, wide, tall = (value * scale for value in digit.box)
    size = max(wide, tall)
    area = left - BESIDE * size, top - MARGIN * size, left + wide + BESIDE * size, top + tall + MARGIN * size
    return marked_picture(to_bytes(picture), area, [(left, top, left + wide, top + tall)])


def marked_picture(picture: NDArray[np.uint8], area: tuple[float, ...], marks: Sequence[tuple[float, ...]]) -> str:
    """Return a part of a picture with rectangles around what is doubtful, as a PNG in a data URI.

    Parameters
    ----------
    picture
        uint8 (H, W) or (H, W, 3).
    area, marks
        Left, top, right, bottom in its pixels.
    """
    x0, y0 = max(0, round(area[0])), max(0, round(area[1]))
    x1, y1 = min(picture.shape[1], round(area[2])), min(picture.shape[0], round(area[3]))
    cut = Image.fromarray(picture[y0 : max(y0 + 1, y1), x0 : max(x0 + 1, x1)]).convert("RGB")
    factor = min(SHOWN[0] / cut.width, SHOWN[1] / cut.height)
    cut = cut.resize((max(1, round(cut.width * factor)), max(1, round(cut.height * factor))))
    draw = ImageDraw.Draw(cut)
    for left, top, right, bottom in marks:
        box = [factor * (left - x0) - 2, factor * (top - y0) - 2, factor * (right - x0) + 2, factor * (bottom - y0) + 2]
        draw.rectangle(box, outline=MARK, width=2)
    packed = io.BytesIO()
    cut.save(packed, "PNG")
    return "data:image/png;base64," + base64.b64encode(packed.getvalue()).decode()

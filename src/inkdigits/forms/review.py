"""The review page of forms: each doubtful field as a whole, with the doubtful boxes marked."""

from collections.abc import Sequence

import cv2
import numpy as np

from inkdigits.forms.decided import Results, Row
from inkdigits.forms.decisions import Decision
from inkdigits.forms.page_reader import Quad
from inkdigits.reader.review import marked_picture, review_page

AROUND = (28.0, 12.0)  # pixels of the flat page beside, and above and below a field, that are shown
GUESSES = 4  # values to choose from


def field_review(results: Results) -> str:
    """Return an HTML page of the doubtful fields of a pile, copy by copy."""
    found = [
        _row(row, one) for row in results.rows for one in row.decisions.values() if one.doubtful and not one.picture
    ]
    return review_page(found, "field")


def _row(row: Row, one: Decision) -> dict[str, object]:
    guesses = [(one.value, one.confidence), *((other.text, other.probability) for other in one.alternatives)]
    return {
        "copy": row.copy.copy,
        "occurrence": row.copy.occurrence,
        "person": row.copy.person,
        "field": one.name,
        "value": one.value,
        "reject": ", ".join(one.reasons),
        "guesses": [[text, round(share, 4)] for text, share in guesses[:GUESSES]],
        "where": f"{one.name} of copy {row.copy.name}, {one.scanned.source} page {one.scanned.number}",
        "crop": _picture(one),
    }


def _picture(one: Decision) -> str:
    """Return the field, with its doubtful boxes marked, or all where none is told apart."""
    page = cv2.imdecode(np.frombuffer(one.scanned.read.picture, np.uint8), cv2.IMREAD_GRAYSCALE)
    quads = one.scanned.read.quads[one.place]
    marks = [_rectangle([quads[index]]) for index in one.doubts if index < len(quads)]
    left, top, right, bottom = _rectangle(quads)
    area = left - AROUND[0], top - AROUND[1], right + AROUND[0], bottom + AROUND[1]
    return marked_picture(np.asarray(page, np.uint8), area, marks or [(left, top, right, bottom)])


def _rectangle(quads: Sequence[Quad]) -> tuple[float, float, float, float]:
    corners = np.array(quads).reshape(-1, 2)
    (left, top), (right, bottom) = corners.min(0).tolist(), corners.max(0).tolist()
    return left, top, right, bottom

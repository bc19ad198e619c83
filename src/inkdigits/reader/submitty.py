"""A function in place of Submitty's ``submitty_ocr.getDigits``, which reads the student number beside a QR code."""

from collections.abc import Sequence
from functools import cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from inkdigits.imaging.pixels import to_grey
from inkdigits.reader.reader import Reader
from inkdigits.reader.results import DOUBTFUL_BELOW, Digit

DOUBT = "*"  # for a digit that is not sure, as there


def get_digits(page: NDArray[Any], qr_data: Sequence[Any], reader: Reader | None = None) -> tuple[str, list[float]]:
    """Return the digits in the boxes on the right of a QR code, and the confidence of each in [0, 1].

    A doubtful digit is ``*``; blank boxes are left out.

    Parameters
    ----------
    page
        Picture of the page, uint8 (H, W) or (H, W, 3).
    qr_data
        What ``pyzbar.decode`` returned: of the first code, the rectangle (left, top, width, height) is the third entry
        and the corners are the fourth. Or that rectangle alone, as earlier versions pass it.
    reader
        One that was made before; the packaged models if None.
    """
    grey = to_grey(page)
    (left, top, width, height), angle = _place(qr_data)
    if angle:
        middle = left + width / 2, top + height / 2
        matrix = cv2.getRotationMatrix2D(middle, angle, 1.0)
        size = grey.shape[::-1]
        grey = np.asarray(cv2.warpAffine(grey, matrix, size, borderMode=cv2.BORDER_REPLICATE), np.uint8)
    part = grey[max(0, top) : top + height, max(0, left + width) :]
    if not part.size:
        return "", []
    reading = (reader or _reader()).read(part, layout="boxes", turn=False)
    digits = [digit for line in reading.lines for digit in line.digits if digit.reject != "blank"]
    return "".join(map(_shown, digits)), [0.0 if one.digit is None else one.confidence for one in digits]


getDigits = get_digits  # noqa: N816  its name in Submitty


@cache
def _reader() -> Reader:
    return Reader()


def _place(qr_data: Sequence[Any]) -> tuple[tuple[int, int, int, int], float]:
    """Return left, top, width and height of the code, and by how many degrees the page is turned."""
    if len(qr_data) == 4 and all(isinstance(value, int | np.integer) for value in qr_data):
        left, top, width, height = map(int, qr_data)
        return (left, top, width, height), 0.0
    rectangle, corners = qr_data[0][2], np.array([tuple(point) for point in qr_data[0][3]], np.float32)
    left, top, width, height = (int(value) for value in rectangle)
    angle = float(cv2.minAreaRect(corners)[2]) % 90  # degrees; a level square has 0 or 90
    return (left, top, width, height), angle - 90 if angle > 45 else angle


def _shown(digit: Digit) -> str:
    return DOUBT if digit.digit is None or digit.confidence < DOUBTFUL_BELOW else str(digit.digit)

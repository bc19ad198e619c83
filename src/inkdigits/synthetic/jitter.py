"""Small changes of a picture that change nothing of what is written on it; a reader should not notice them."""

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]  # (H, W) or (H, W, 3)


def paper_colour(picture: Picture) -> tuple[float, ...]:
    """Return the median colour of a picture's rim."""
    rim = np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]])
    return tuple(float(value) for value in np.atleast_1d(np.median(rim, axis=0)))


def cut(picture: Picture, share: float) -> Picture:
    """Cut a share of the height and of the width off at each side, at least one pixel."""
    tall, wide = (max(1, int(share * side)) for side in picture.shape[:2])
    return picture[tall:-tall, wide:-wide]


def turned(picture: Picture, degrees: float) -> Picture:
    """Turn to the left; the picture grows, and the corners have the colour of its rim."""
    height, width = picture.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
    cos, sin = abs(matrix[0, 0]), abs(matrix[0, 1])
    size = int(height * sin + width * cos), int(height * cos + width * sin)
    matrix[:, 2] += [(size[0] - width) / 2, (size[1] - height) / 2]
    return _bytes(cv2.warpAffine(picture, matrix, size, flags=cv2.INTER_LINEAR, borderValue=paper_colour(picture)))


def scaled(picture: Picture, factor: float) -> Picture:
    """Make it larger or smaller."""
    way = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return _bytes(cv2.resize(picture, None, fx=factor, fy=factor, interpolation=way))


def with_margin(picture: Picture, pixels: int) -> Picture:
    """Put paper in the colour of the picture's rim around it."""
    return _bytes(
        cv2.copyMakeBorder(picture, pixels, pixels, pixels, pixels, cv2.BORDER_CONSTANT, value=paper_colour(picture))
    )


def _bytes(picture: NDArray[Any]) -> Picture:
    return np.ascontiguousarray(picture, np.uint8)


JITTER: dict[str, Callable[[Picture], Picture]] = {
    "as it is": lambda picture: picture,
    "cut by 1 %": lambda picture: cut(picture, 0.01),
    "turned by 1 degree": lambda picture: turned(picture, 1),
    "turned by -1 degree": lambda picture: turned(picture, -1),
    "turned by 2 degrees": lambda picture: turned(picture, 2),
    "scaled by 0.5": lambda picture: scaled(picture, 0.5),
    "scaled by 0.9": lambda picture: scaled(picture, 0.9),
    "scaled by 2": lambda picture: scaled(picture, 2),
    "scaled by 3": lambda picture: scaled(picture, 3),
    "margin of 60 pixels": lambda picture: with_margin(picture, 60),
}

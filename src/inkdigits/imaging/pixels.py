"""Arrays of any dtype as 8-bit images, grey or colour."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

LIGHT_INK = 160.0  # mean level of the visible part of a picture; lighter ink is not seen on white
MOSTLY_SEEN = 0.5  # share of a picture that is visible; more is a page, and no drawing on a transparent ground


def to_bytes(image: NDArray[Any]) -> NDArray[np.uint8]:
    """Return an image (H, W), (H, W, 1), (H, W, 3) or (H, W, 4) as uint8, grey (H, W) or colour (H, W, 3).

    16-bit values are divided by 257; floats and booleans are in [0, 1]; transparency is blended with white,
    or with black under light ink.

    Raises
    ------
    ValueError
        When the array is empty, has another shape or dtype, or holds NaN or infinity.
    """
    if image.ndim not in (2, 3) or image.size == 0 or (image.ndim == 3 and image.shape[2] not in (1, 3, 4)):
        raise ValueError(f"an image of shape {image.shape} is neither grey (H, W) nor colour (H, W, 3 or 4)")
    if image.dtype.kind not in "buif":
        raise ValueError(f"an image holds numbers, not {image.dtype}")
    if image.dtype == np.uint16:
        image = np.asarray((image // 257).astype(np.uint8))
    elif image.dtype != np.uint8:
        if not np.isfinite(image).all():
            raise ValueError("the image holds NaN or infinite pixels")
        image = np.asarray((image.astype(np.float32).clip(0, 1) * 255).round(), np.uint8)
    if image.ndim == 2:
        return image
    if image.shape[2] == 4:
        alpha = image[..., 3]
        if int(alpha.min()) == 255:
            return np.ascontiguousarray(image[..., :3])
        share = (alpha / np.float32(255))[..., None]
        ink = float((image[..., :3] * share).sum() / max(1.0, 3.0 * float(share.sum())))  # mean level of what is seen
        ground = 0 if ink > LIGHT_INK and float(share.mean()) < MOSTLY_SEEN else 255
        return np.asarray((image[..., :3] * share + ground * (1 - share)).round(), np.uint8)
    return image if image.shape[2] == 3 else np.ascontiguousarray(image[..., 0])


def to_grey(image: NDArray[Any]) -> NDArray[np.uint8]:
    """Return an image that :func:`to_bytes` takes as grey uint8 (H, W), the luma of ITU-R BT.601.

    Raises
    ------
    ValueError
        See :func:`to_bytes`.
    """
    values = to_bytes(image)
    return values if values.ndim == 2 else np.asarray(cv2.cvtColor(values, cv2.COLOR_RGB2GRAY), np.uint8)


def shrunk(image: NDArray[np.uint8], longest: int) -> NDArray[np.uint8]:
    """Return an image (H, W) or (H, W, 3), scaled down by area averaging to a longer side of ``longest`` pixels."""
    height, width = image.shape[:2]
    scale = longest / max(height, width)
    if scale >= 1:
        return image
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)

"""Ink and paper: of any page the map of its ink, 0 on paper whatever its shade, light or colour, and which pixels count.

The paper's shade is a grey closing of the page, at a coarse scale; the ink is what stays below it, as a share of it, in
the channel that shows it best. A threshold that follows the strongest ink nearby keeps faint and strong writing alike
(as in B. Su, S. Lu, C. L. Tan, "Binarization of historical document images using the local maximum and minimum",
DAS 2010).
"""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from inkdigits.imaging.normalize import LUMA

COARSE = 240  # longer side of the page on which the paper's shade is found, pixels
PATCH = 31  # side of the closing there: strokes are narrower, shadows' edges wider
AROUND = 40  # reach of the neighbourhood there whose median is paper, not ink
SURROUNDINGS = 21  # side of the neighbourhood there whose strongest ink counts
SHARE = 0.42  # of the strongest ink nearby that a pixel of ink has at least
FAINT = 0.5  # of that, which bridges the gaps of a stroke
FAINTEST = 0.085  # of the paper's shade: less is paper
GRAIN = 5.0  # standard deviations of the paper's noise: less is noise

Ink = NDArray[np.float32]  # (H, W) in [0, 1]
Mask = NDArray[np.uint8]  # (H, W), 0 or 255


def channels(image: NDArray[Any]) -> NDArray[np.float32]:
    """Return an image (H, W), or (H, W, 1, 3 or 4), as float32 (H, W, 1 or 3) in [0, 255]; transparency lies on white.

    16-bit values are scaled by 1/257, floats and booleans are taken as [0, 1].

    Raises
    ------
    ValueError
        When the array is empty, of another shape, or holds NaN or infinity.
    """
    if image.ndim not in (2, 3) or image.size == 0 or (image.ndim == 3 and image.shape[2] not in (1, 3, 4)):
        raise ValueError(f"an image of shape {image.shape} is neither grey (H, W) nor colour (H, W, 3 or 4)")
    values: NDArray[np.float32] = image.astype(np.float32).reshape(*image.shape[:2], -1)
    if image.dtype == np.uint16:
        values /= 257
    elif image.dtype != np.uint8:
        if not np.isfinite(values).all():
            raise ValueError("the image holds NaN or infinite pixels")
        values = np.asarray(values.clip(0, 1) * 255, np.float32)
    if values.shape[2] == 4:
        alpha = values[..., 3:] / 255
        values = np.asarray(values[..., :3] * alpha + 255 * (1 - alpha), np.float32)
    return values


def light_on_dark(grey: NDArray[np.float32]) -> bool:
    """Return whether a page (H, W) is written in light on dark: what stands out from its surroundings is lighter.

    Most of the surroundings of a stroke are paper, so their median is.
    """
    small = _shrunk(grey, COARSE).clip(0, 255)
    around = cv2.medianBlur(cv2.copyMakeBorder(small.astype(np.uint8), *[AROUND] * 4, cv2.BORDER_REFLECT), 2 * AROUND + 1)
    difference = small - around[AROUND:-AROUND, AROUND:-AROUND]
    return float((difference.clip(0) ** 3).mean()) > 1.5 * float(((-difference).clip(0) ** 3).mean())


def ink_map(values: NDArray[np.float32]) -> Ink:
    """Return how much ink lies on every pixel of a page float32 (H, W, 1 or 3) in [0, 255], as a share of the paper."""
    height, width, count = values.shape
    grey = values[..., 0] if count == 1 else values @ LUMA
    if light_on_dark(grey):
        values, grey = 255 - values, 255 - grey
    layers = [grey] if count == 1 else [grey, *(values[..., i] for i in range(3))]
    ink = np.zeros((height, width), np.float32)
    for index, layer in enumerate(layers):
        paper = _paper(layer)
        paper = np.maximum(paper, max(16.0, 0.25 * float(np.median(paper[::8, ::8]))))
        share = 1 - layer / paper
        ink = np.maximum(ink, share if index == 0 else 0.85 * share)
    return np.asarray(ink.clip(0, 1), np.float32)


def grain(ink: Ink) -> float:
    """Return the standard deviation of the paper's noise, from the half of the pixels with the least ink."""
    half = ink[::2, ::2]
    return float(1.4826 * np.median(np.abs(half - np.median(half))))


def inked(ink: Ink, share: float = SHARE) -> Mask:
    """Return the pixels that hold ink: more than the paper's noise and ``share`` of the strongest ink nearby.

    Gaps between them are bridged where there is some ink, as a dry pen leaves it.
    """
    height, width = ink.shape
    step = max(1, round(max(height, width) / COARSE))
    rows, columns = -(-height // step), -(-width // step)
    padded = np.zeros((rows * step, columns * step), np.float32)
    padded[:height, :width] = cv2.blur(ink, (3, 3))
    strongest = padded.reshape(rows, step, columns, step).max((1, 3))
    strongest = cv2.dilate(strongest, np.ones((SURROUNDINGS, SURROUNDINGS), np.uint8))
    strongest = cv2.blur(strongest, (SURROUNDINGS, SURROUNDINGS))
    local = cv2.resize(strongest, (width, height), interpolation=cv2.INTER_LINEAR)
    level = np.maximum(share * local, max(FAINTEST, GRAIN * grain(ink)))
    sure = np.asarray((ink > level) * 255, np.uint8)
    reach = 2 * (max(height, width) // 300) + 3
    bridged = cv2.morphologyEx(sure, cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach)))
    return np.asarray(cv2.bitwise_or(sure, bridged & ((ink > FAINT * level) * np.uint8(255))))


def _paper(layer: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the shade that the page (H, W) would have without its ink."""
    height, width = layer.shape
    small = _shrunk(layer, COARSE)
    kernel = _kernel(small)
    edge = len(kernel)
    wide = cv2.copyMakeBorder(cv2.medianBlur(small, 3), edge, edge, edge, edge, cv2.BORDER_REPLICATE)
    shade = cv2.GaussianBlur(cv2.morphologyEx(wide, cv2.MORPH_CLOSE, kernel), (0, 0), edge / 6)
    shade = shade[edge:-edge, edge:-edge]
    return np.asarray(cv2.resize(shade, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)


def _kernel(small: NDArray[np.float32]) -> NDArray[Any]:
    side = max(3, min(PATCH, 2 * (min(small.shape) // 2) - 1))
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))


def _shrunk(layer: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    scale = side / max(layer.shape)
    if scale >= 1:
        return layer
    size = max(1, round(layer.shape[1] * scale)), max(1, round(layer.shape[0] * scale))
    return np.asarray(cv2.resize(layer, size, interpolation=cv2.INTER_AREA), np.float32)

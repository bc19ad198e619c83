"""Crops of one digit in the form of MNIST: 28x28 grey, ink bright on black, centred by mass.

MNIST's authors scaled each digit to fit 20x20 pixels, with its aspect kept and anti-aliasing, and moved its centre of
mass to the centre of 28x28 (LeCun et al., "Gradient-based learning applied to document recognition", 1998).
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from inkdigits.imaging.binarize import binarize, normalize_background, stroke_width, strongest_ink
from inkdigits.imaging.crops import digit_ink, without_dust
from inkdigits.imaging.pixels import shrunk, to_bytes, to_grey

SIZE = 28  # side of the finished image, pixels
BOX = 20  # side of the box that the digit fills, pixels
LARGE = 48  # pixels of the longer side; from here on, the background of an image is normalised
MOST = 128  # pixels of the longer side; larger images are scaled down
STROKE = 2.0  # pixels of the finished image; finer strokes are thickened
LEVELS = np.arange(256, dtype=np.float32)  # of grey


@dataclass(frozen=True)
class Crop:
    """The digit on an image of one digit.

    Attributes
    ----------
    digit
        uint8 (28, 28) in the form of MNIST; zeros without ink.
    contrast
        Difference between the strongest ink and the paper, in [0, 255] grey levels.
    box
        Left, top, width, height of the ink, pixels of the image; zeros without ink.
    """

    digit: NDArray[np.uint8]
    contrast: float
    box: tuple[int, int, int, int]


NOTHING = Crop(np.zeros((SIZE, SIZE), np.uint8), 0.0, (0, 0, 0, 0))  # an image without ink


def ink_bright(grey: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], float]:
    """Return ``grey`` (H, W) with paper at 0 and the strongest ink at 255, and the contrast in grey levels.

    Paper is the median of the image's edge; ink is what differs from it most, darker or lighter.
    """
    rim = np.sort(np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]]))
    middle = len(rim) // 2  # the number of pixels is even; np.median takes six times as long
    paper = (float(rim[middle - 1]) + float(rim[middle])) / 2
    low, high, _, _ = cv2.minMaxLoc(grey)
    strongest = max(high - paper, paper - low)
    if strongest <= 0:
        return np.zeros_like(grey), 0.0
    ink = LEVELS - paper if high - paper >= paper - low else paper - LEVELS
    return (ink.clip(0, strongest) * (255 / strongest)).round().astype(np.uint8)[grey], strongest


def normalize(image: NDArray[Any], whole: bool = False) -> Crop:
    """Return the digit on any image of one digit, in the form of MNIST.

    The background of larger images is normalised first. What reaches in from outside, rules, frames and points are
    left out (:mod:`inkdigits.imaging.crops`), but not of an image of MNIST's size, which is taken as it is.

    Parameters
    ----------
    image
        Of any size, grey or colour, ink dark or light.
    whole
        Take all ink that is no dust.

    Raises
    ------
    ValueError
        See :func:`to_bytes`.
    """
    pixels = to_bytes(image)
    if max(pixels.shape[:2]) >= LARGE:
        return _from_paper(pixels, whole)
    ink, contrast = ink_bright(to_grey(pixels))
    if not contrast:
        return NOTHING
    threshold, _ = cv2.threshold(ink, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    mask = (ink > min(threshold, 64.0)) * np.uint8(255)
    if max(pixels.shape[:2]) > SIZE and not whole:  # an image of MNIST's size is taken as it is
        mask = digit_ink(mask)
        if not mask.any():
            return NOTHING
        ink = _near(ink, mask)
    left, top, width, height = cv2.boundingRect(mask)
    digit = ink[top : top + height, left : left + width]
    return Crop(fit_to_mnist(digit), contrast, (left, top, width, height))


def _from_paper(pixels: NDArray[np.uint8], whole: bool) -> Crop:
    """Return the digit on a larger image, whose background is normalised."""
    scale = min(1.0, MOST / max(pixels.shape[:2]))
    pixels = shrunk(pixels, MOST)
    ink = normalize_background(pixels)
    mask = (without_dust if whole else digit_ink)(binarize(ink)[0])
    if not mask.any():
        return NOTHING
    left, top, wide, tall = cv2.boundingRect(mask)
    strongest = strongest_ink(ink[mask > 0])
    digit = _near(ink * (255 / strongest), mask).clip(0, 255).astype(np.uint8)
    box = tuple(round(value / scale) for value in (left, top, wide, tall))
    return Crop(thicken_and_fit(digit), 255 * strongest, (box[0], box[1], box[2], box[3]))


def _near(ink: NDArray[Any], mask: NDArray[np.uint8]) -> NDArray[Any]:
    """Return the ink on a mask and one pixel around it, zeros elsewhere."""
    return np.where(cv2.dilate(mask, np.ones((3, 3), np.uint8)) > 0, ink, ink.dtype.type(0))


def thicken_and_fit(digit: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the ink of one digit, bright on black (H, W), in the form of MNIST, uint8 (28, 28).

    Strokes that are too fine for that size are thickened first.
    """
    rows, columns = np.flatnonzero((digit > 64).any(1)), np.flatnonzero((digit > 64).any(0))
    if not len(rows):
        return np.zeros((SIZE, SIZE), np.uint8)
    digit = digit[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    scale = BOX / max(digit.shape)
    if scale < 0.7:
        stroke = stroke_width(np.asarray((digit > 100) * np.uint8(255), np.uint8))
        widen = round(STROKE / scale - stroke)
        if widen > 1:
            element = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (widen, widen))
            wider = cv2.copyMakeBorder(digit, *4 * (widen // 2,), cv2.BORDER_CONSTANT)
            digit = np.asarray(cv2.dilate(wider, element), np.uint8)
    return fit_to_mnist(digit)


def to_mnist(image: NDArray[Any], whole: bool = False) -> NDArray[np.uint8]:
    """Return any image of one digit as uint8 (28, 28) in the form of MNIST; a blank image as zeros.

    With ``whole`` all its ink is taken, whether or not it belongs to one digit.

    Raises
    ------
    ValueError
        See :func:`to_grey`.
    """
    return normalize(image, whole).digit


def fit_to_mnist(digit: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return ink (h, w), cut to its bounding box, scaled to fit 20x20 and centred by mass: uint8 (28, 28)."""
    height, width = digit.shape
    scale = BOX / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    resized = cv2.resize(digit, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    return center_by_mass(np.asarray(resized, np.uint8))


def center_by_mass(digit: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return ``digit`` (h, w), at most 20x20, on black (28, 28), with its centre of mass in the middle."""
    height, width = digit.shape
    moments = cv2.moments(digit)
    canvas = np.zeros((SIZE, SIZE), np.uint8)
    if not moments["m00"]:
        return canvas
    centre_y, centre_x = moments["m01"] / moments["m00"], moments["m10"] / moments["m00"]
    top = min(max(round(SIZE / 2 - centre_y), 0), SIZE - height)
    left = min(max(round(SIZE / 2 - centre_x), 0), SIZE - width)
    canvas[top : top + height, left : left + width] = digit
    return canvas

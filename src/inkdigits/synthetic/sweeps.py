"""Distortions of digits by one number, which is raised until a reader fails.

As with corruptions, every function takes float32 images (N, H, W) in [0, 1], ink bright on black, and returns images of
the same shape, not yet clipped.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from inkdigits.errors import unknown

Images = NDArray[np.float32]


@dataclass(frozen=True)
class Sweep:
    """A distortion by one number.

    Attributes
    ----------
    unit
        The unit of the amount.
    neutral
        The amount that changes nothing.
    amounts
        The amounts that are measured, in the order of their distance from ``neutral``.
    """

    name: str
    unit: str
    neutral: float
    amounts: tuple[float, ...]
    apply: Callable[[Images, float, np.random.Generator], Images]


def _affine(x: Images, matrices: NDArray[np.float64]) -> Images:
    """Return images transformed by ``matrices`` (N, 2, 2) about their centre, bilinearly; black outside."""
    height, width = x.shape[1:]
    middle = np.array([(width - 1) / 2, (height - 1) / 2])
    out = np.empty_like(x)
    for index, (image, matrix) in enumerate(zip(x, matrices, strict=True)):
        whole = np.column_stack([matrix, middle - matrix @ middle])
        out[index] = cv2.warpAffine(image, whole, (width, height), flags=cv2.INTER_LINEAR)
    return out


def noise(x: Images, amount: float, rng: np.random.Generator) -> Images:
    """Add Gaussian noise with the standard deviation ``amount``; 1 is full ink."""
    return x + np.float32(amount) * rng.normal(size=x.shape).astype(np.float32)


def angle(x: Images, amount: float, rng: np.random.Generator) -> Images:
    """Rotate by ``amount`` degrees, clockwise or counterclockwise."""
    turn = np.deg2rad(amount) * rng.choice([-1, 1], len(x))
    cos, sin = np.cos(turn), np.sin(turn)
    return _affine(x, np.stack([np.stack([cos, -sin], -1), np.stack([sin, cos], -1)], 1))


def size(x: Images, amount: float, rng: np.random.Generator) -> Images:
    """Scale by the factor ``amount``."""
    return _affine(x, np.broadcast_to(np.eye(2) * amount, (len(x), 2, 2)))


def shift(x: Images, amount: float, rng: np.random.Generator) -> Images:
    """Shift by ``amount`` whole pixels in one of eight directions; ink outside the image is lost."""
    steps = np.array([(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1) if dy or dx]) * round(amount)
    reach = abs(round(amount))
    padded = np.pad(x, ((0, 0), (reach, reach), (reach, reach)))
    height, width = x.shape[1:]
    out = np.empty_like(x)
    for index, (top, left) in enumerate(steps[rng.integers(0, 8, len(x))] + reach):
        out[index] = padded[index, top : top + height, left : left + width]
    return out


def blur(x: Images, amount: float, rng: np.random.Generator) -> Images:
    """Smooth by a Gaussian with a standard deviation of ``amount`` pixels."""
    out = x.copy()
    for image in out if amount > 0 else ():
        image[:] = cv2.GaussianBlur(image, (0, 0), amount)
    return out


def pen(x: Images, amount: float, rng: np.random.Generator) -> Images:
    """Widen each side of the strokes by ``amount`` pixels; a negative amount narrows it.

    The amount is rounded to a quarter of a pixel: the images are enlarged four times, then dilated or eroded.
    """
    radius = round(abs(amount) * 4)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    change = cv2.dilate if amount > 0 else cv2.erode
    height, width = x.shape[1:]
    out = x.copy()
    for image in out if radius else ():
        large = change(cv2.resize(image, (4 * width, 4 * height), interpolation=cv2.INTER_LINEAR), kernel)
        image[:] = cv2.resize(large, (width, height), interpolation=cv2.INTER_AREA)
    return out


def _steps(first: float, last: float, step: float) -> tuple[float, ...]:
    return tuple(round(first + step * i, 6) for i in range(math.floor((last - first) / step + 1e-9) + 1))


SWEEPS = {
    sweep.name: sweep
    for sweep in (
        Sweep("noise", "standard deviation", 0, _steps(0.05, 1, 0.05), noise),
        Sweep("angle", "degrees", 0, _steps(5, 90, 5), angle),
        Sweep("smaller", "factor", 1, _steps(0.25, 0.95, 0.05)[::-1], size),
        Sweep("larger", "factor", 1, _steps(1.05, 2, 0.05), size),
        Sweep("shift", "pixels", 0, _steps(1, 12, 1), shift),
        Sweep("blur", "pixels", 0, _steps(0.5, 4, 0.25), blur),
        Sweep("thick pen", "pixels", 0, _steps(0.25, 3, 0.25), pen),
        Sweep("thin pen", "pixels", 0, tuple(-amount for amount in _steps(0.25, 1.5, 0.25)), pen),
    )
}


def on_bytes(images: NDArray[np.uint8], change: Callable[[Images], Images]) -> NDArray[np.uint8]:
    """Return uint8 images changed by ``change``, which takes and returns float32; clipped to uint8."""
    out = change((images / 255).astype(np.float32))
    return (out.clip(0, 1) * 255).round().astype(np.uint8)


def sweep(images: NDArray[np.uint8], name: str, amount: float, seed: int = 0) -> NDArray[np.uint8]:
    """Return digits distorted by ``amount``. The same arguments give the same images.

    Parameters
    ----------
    images
        uint8 (N, H, W), ink bright on black.
    name
        One of :data:`SWEEPS`.

    Raises
    ------
    UsageError
        When there is no such distortion.
    """
    if name not in SWEEPS:
        raise unknown("distortion", name, SWEEPS)
    return on_bytes(images, lambda x: SWEEPS[name].apply(x, amount, np.random.default_rng(seed)))

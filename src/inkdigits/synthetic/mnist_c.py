"""The fifteen corruptions of MNIST-C, with the parameters of its authors' code.

N. Mu, J. Gilmer, "MNIST-C: a robustness benchmark for computer vision", 2019, arXiv:1906.02337. Each function takes
float32 images (N, H, W) in [0, 1], ink bright on black, a severity of 1 to 5 and a generator. It returns images of the
same shape, not yet clipped.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inkdigits.synthetic.sweeps import Images


def _signs(rng: np.random.Generator, *shape: int) -> NDArray[np.int64]:
    return rng.choice(np.array([-1, 1]), shape)


def smooth(x: Images, sigma: float, axes: tuple[int, ...] = (1, 2)) -> Images:
    """Return images smoothed by a Gaussian along ``axes``, cut off at four sigma; the edge pixels are repeated."""
    radius = int(4 * sigma + 0.5)
    taps = np.exp(-(np.arange(-radius, radius + 1) ** 2) / (2 * sigma**2))
    taps = (taps / taps.sum()).astype(np.float32)
    for axis in axes:
        padded = np.pad(x, [(radius, radius) if a == axis else (0, 0) for a in range(3)], mode="edge")
        length = x.shape[axis]
        x = np.zeros_like(x)
        for i, tap in enumerate(taps):
            x += tap * padded.take(range(i, i + length), axis)
    return x


def _sample(x: Images, column: NDArray[Any], row: NDArray[Any]) -> Images:
    """Return x (N, H, W) sampled bilinearly at ``column`` and ``row``, (H, W) or (N, H, W); black outside."""
    count, height, width = x.shape
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1)))
    column = np.clip(column + 1, 0, width + 1).astype(np.float32)
    row = np.clip(row + 1, 0, height + 1).astype(np.float32)
    left, top = np.minimum(column.astype(int), width), np.minimum(row.astype(int), height)
    right_share, low_share = column - left, row - top
    flat = padded.reshape(count, (height + 2) * (width + 2))
    at = top * (width + 2) + left

    def read(step: int) -> Images:
        if at.ndim == 2:
            return flat[:, at + step]
        return np.take_along_axis(flat, (at + step).reshape(count, height * width), 1).reshape(x.shape)

    upper = read(0) * (1 - right_share) + read(1) * right_share
    lower = read(width + 2) * (1 - right_share) + read(width + 3) * right_share
    return np.asarray(upper * (1 - low_share) + lower * low_share, np.float32)


def _warp(x: Images, sign: NDArray[np.int64], matrix: Callable[[int], NDArray[np.float64]]) -> Images:
    """Return each image warped by ``matrix(sign)`` (2, 2) about its centre; ``sign`` (N,) is -1 or 1 for each image.

    The matrix takes column and row in the result to column and row in the source.
    """
    height, width = x.shape[1:]
    row, column = np.mgrid[:height, :width] - np.array([(height - 1) / 2, (width - 1) / 2])[:, None, None]
    out = np.empty_like(x)
    for value in np.unique(sign):
        (a, b), (c, d) = matrix(int(value))
        source = a * column + b * row + (width - 1) / 2, c * column + d * row + (height - 1) / 2
        out[sign == value] = _sample(x[sign == value], *source)
    return out


def _line(x: Images, c0: NDArray[Any], r0: NDArray[Any], c1: NDArray[Any], r1: NDArray[Any]) -> Images:
    """Return (N, H, W): for each image a line between two points (column, row), 1 at its centre, soft at its sides."""
    row, column = np.mgrid[: x.shape[1], : x.shape[2]].astype(np.float32)
    c0, r0, c1, r1 = (np.asarray(v, np.float32).reshape(-1, 1, 1) for v in (c0, r0, c1, r1))
    distance = np.abs(row - (r0 + (r1 - r0) / (c1 - c0) * (column - c0)))
    line = np.log(1 - np.minimum(distance, 2.3 - 1e-6) / 2.3) + 1
    return np.asarray(line.clip(0, 1) * ((column >= np.floor(c0)) & (column < np.ceil(c1))), np.float32)


def _plasma(count: int, decay: float, rng: np.random.Generator, size: int = 256) -> Images:
    """Return clouds (count, size, size) in [0, 1], made by the diamond-square algorithm on a torus."""
    height = np.zeros((count, size, size), np.float32)
    wibble, step = 100.0, size

    def mean_of(total: Images) -> Images:
        noise = rng.random(total.shape, dtype=np.float32)
        return np.asarray(total / 4 + wibble**2 * (2 * noise - 1), np.float32)

    while step >= 2:
        half = step // 2
        corner = height[:, ::step, ::step]
        pairs = corner + np.roll(corner, -1, 1)
        height[:, half::step, half::step] = mean_of(pairs + np.roll(pairs, -1, 2))
        middle = height[:, half::step, half::step]
        height[:, ::step, half::step] = mean_of(middle + np.roll(middle, 1, 1) + corner + np.roll(corner, -1, 2))
        height[:, half::step, ::step] = mean_of(middle + np.roll(middle, 1, 2) + corner + np.roll(corner, -1, 1))
        step, wibble = half, wibble / decay
    height -= height.min((1, 2), keepdims=True)
    return np.asarray(height / height.max((1, 2), keepdims=True), np.float32)


def shot_noise(x: Images, severity: int, rng: np.random.Generator) -> Images:
    """Add shot noise (Poisson), as of 60, 25, 12, 5 or 3 photons for a pixel of full brightness."""
    photons = (60, 25, 12, 5, 3)[severity - 1]
    return (rng.poisson(x * photons) / photons).astype(np.float32)


def impulse_noise(x: Images, severity: int, rng: np.random.Generator) -> Images:
    """Set 3, 6, 9, 17 or 27 % of the pixels to black or white."""
    share = (0.03, 0.06, 0.09, 0.17, 0.27)[severity - 1]
    return np.where(rng.random(x.shape) < share, rng.random(x.shape) < 0.5, x).astype(np.float32)


def glass_blur(x: Images, severity: int, rng: np.random.Generator) -> Images:
    """Smooth along the columns, swap pixels with near ones at random, and smooth again.

    The code of MNIST-C smooths along the columns only, not along the rows.
    """
    sigma, reach, rounds = ((0.7, 1, 2), (0.9, 2, 1), (1.0, 2, 3), (1.1, 3, 2), (1.5, 4, 2))[severity - 1]
    count, height, width = x.shape
    x, every = smooth(x, sigma, (1,)), np.arange(count)
    for _ in range(rounds):
        for row in range(height - reach, reach, -1):
            for column in range(width - reach, reach, -1):
                some = every[rng.random(count) < 0.5]
                dx, dy = rng.integers(-reach, reach, (2, len(some)))
                here, there = x[some, row, column], x[some, row + dy, column + dx]
                x[some, row + dy, column + dx], x[some, row, column] = here, there
    return smooth(x, sigma, (1,))


def motion_blur(x: Images, severity: int, rng: np.random.Generator) -> Images:
    """Blur by half a Gaussian along a line of -45 to 45 degrees, in steps of whole pixels."""
    radius, sigma = ((10, 3), (15, 5), (15, 8), (15, 12), (20, 15))[severity - 1]
    steps = np.arange(2 * radius + 1)
    taps = np.exp(-(steps**2) / (2 * sigma**2))
    taps /= taps.sum()
    angle = np.deg2rad(rng.uniform(-45, 45, len(x)))
    height, width = x.shape[1:]
    row, column = np.mgrid[:height, :width]
    out, flat = np.zeros_like(x), x.reshape(len(x), -1)
    for step, tap in zip(steps, taps, strict=True):
        dx = np.ceil(step * np.cos(angle) - 0.5).astype(int)[:, None, None]
        dy = np.ceil(step * np.sin(angle) - 0.5).astype(int)[:, None, None]
        at = (row + dy).clip(0, height - 1) * width + (column + dx).clip(0, width - 1)
        out += tap * np.take_along_axis(flat, at.reshape(len(x), -1), 1).reshape(x.shape)
    return out


def shear(x: Images, severity: int, rng: np.random.Generator) -> Images:
    """Shear by 0.2 to 1 radian, to the left or to the right."""
    angle = severity / 5
    return _warp(x, _signs(rng, len(x)), lambda s: np.array([[1, -math.sin(s * angle)], [0, math.cos(s * angle)]]))


def scale(x: Images, severity: int, rng: np.random.Generator) -> Images:
    """Shrink to 0.9, 0.8, 0.7, 0.6 or 0.5 of the size."""
    factor = 1 / (1 - severity / 10)
    return _warp(x, np.ones(len(x), np.int64), lambda _: np.eye(2) * factor)


def rotate(x: Images, severity: int, rng: np.random.Generator) -> Images:
    """Rotate by 0.2 to 1 radian, clockwise or counterclockwise."""
    angle = severity / 5

    def matrix(sign: int) -> NDArray[np.float64]:
        cos, sin = math.cos(angle), sign * math.sin(angle)
        return np.array([[cos, -sin], [sin, cos]])

    return _warp(x, _signs(rng, len(x)), matrix)


def brightness(x: Images, severity: int, rng: np.random.Generator) -> Images:
    """Add 0.1 to 0.5 to every pixel."""
    return x + np.float32(severity / 10)


def translate(x: Images, severity: int, rng: np.random.Generator) -> Images:
    """Shift by 1 to 5 pixels along both axes."""
    row, column = np.mgrid[: x.shape[1], : x.shape[2]]
    signs = _signs(rng, len(x), 2)
    out = np.empty_like(x)
    for dx, dy in ((-1, -1), (-1, 1), (1, -1), (1, 1)):
        at = (signs == (dx, dy)).all(1)
        out[at] = _sample(x[at], column + severity * dx, row + severity * dy)
    return out


def stripe(x: Images, severity: int, rng: np.random.Generator) -> Images:
    """Invert the outer 3, 5, 7, 9 or 11 columns on each side; 7 is published."""
    width = 1 + 2 * severity
    out = x.copy()
    out[:, :, :width] = 1 - x[:, :, :width]
    out[:, :, -width:] = 1 - x[:, :, -width:]
    return out


def fog(x: Images, severity: int, rng: np.random.Generator) -> Images:
    """Add a cloud and lower the contrast of the digit."""
    strength, decay = ((1.5, 2), (2.0, 2), (2.5, 1.7), (2.5, 1.5), (3.0, 1.4))[severity - 1]
    height, width = x.shape[1:]
    parts = []
    for part in np.array_split(x, max(1, len(x) // 100)):
        cloud = _plasma(len(part), decay, rng)[:, :height, :width]
        brightest = part.max((1, 2), keepdims=True)
        parts.append((part + strength * cloud) * brightest / (brightest + strength))
    return np.concatenate(parts)


def spatter(x: Images, severity: int, rng: np.random.Generator) -> Images:
    """Cover parts of the image with grey drops."""
    mean, sd, sigma, level, soft = (
        (0.65, 0.3, 4, 0.69, 0.6),
        (0.65, 0.3, 3, 0.68, 0.6),
        (0.65, 0.3, 2, 0.68, 0.5),
        (0.65, 0.3, 1, 0.65, 1.5),
        (0.67, 0.4, 1, 0.65, 1.5),
    )[severity - 1]
    liquid = smooth(rng.normal(mean, sd, x.shape).astype(np.float32), sigma)
    drops = smooth((liquid > level).astype(np.float32), soft)
    drops[drops < 0.8] = 0
    return x * (1 - drops) + np.float32(63 / 255) * drops


def dotted_line(x: Images, severity: int, rng: np.random.Generator) -> Images:
    """Draw 1 to 5 dotted lines from the left edge to the right one; one line is published."""
    dots = np.arange(x.shape[2]) // 2 % 2 == 1
    for _ in range(severity):
        start, end = rng.integers(0, 27, (2, len(x)))
        x = np.clip(x + _line(x, np.zeros(len(x)), start, np.full(len(x), 27), end) * dots, 0, 1)
    return x


def zigzag(x: Images, severity: int, rng: np.random.Generator) -> Images:
    """Draw 1 to 5 zigzag lines across the image; one line is published."""
    for _ in range(severity):
        x = _one_zigzag(x, rng)
    return x


def _one_zigzag(x: Images, rng: np.random.Generator) -> Images:
    side, first, last = 2.0, 2, 25
    start = rng.integers(0, 27, len(x))
    angle = np.arctan(rng.integers(-5, 5, len(x)) / (last - first))
    length = (last - first) / np.cos(angle)
    along = [0.0, 2.0, 6.0, 10.0, 14.0, 18.0, 22.0]  # the corners, before the line is rotated
    across = [0.0, side, -side, side, -side, side, -side]
    columns = np.stack([*np.broadcast_arrays(*np.array(along)[:, None] + 0 * length), length])
    rows = np.stack([*np.broadcast_arrays(*np.array(across)[:, None] + 0 * length), -1 / (length - 20)])
    cos, sin = np.cos(angle), np.sin(angle)
    columns, rows = cos * columns - sin * rows + first, sin * columns + cos * rows + start
    for i in range(len(columns) - 1):
        x = np.clip(x + _line(x, columns[i], rows[i], columns[i + 1], rows[i + 1]), 0, 1)
    return x


def canny_edges(x: Images, severity: int, rng: np.random.Generator) -> Images:
    """Keep only the edges of the strokes, found after smoothing by 0.5, 0.75, 1 (published), 1.25 or 1.5 pixels."""
    from skimage.feature import canny  # comes with the extra "lab"

    sigma = 0.25 + severity / 4
    return np.array([canny(image, sigma) for image in x]).astype(np.float32).reshape(x.shape)

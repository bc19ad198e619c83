"""Named corruptions of digits at five severities, seeded, a whole batch at once: to measure with, never to train on.

``MNIST_C``: the fifteen of N. Mu, J. Gilmer, "MNIST-C: a robustness benchmark for computer vision", 2019,
arXiv:1906.02337, with the parameters of their code; each has a published severity. Where they have only one strength,
the others are ours. ``PAPER``: what pens, paper and cameras do to a digit, ours throughout.

Every function takes float32 images (N, H, W) in [0, 1], ink bright on black, a severity of 1 to 5 and a generator, and
returns images of the same form, not yet clipped.
"""

import math
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from inkdigits.errors import DataError, UsageError, unknown
from inkdigits.synthetic.sweeps import Images, on_bytes, pen

Corrupt = Callable[[Images, int, np.random.Generator], Images]

SEVERITIES = (1, 2, 3, 4, 5)


@dataclass(frozen=True)
class Corruption:
    """One corruption: its function, and the severity at which MNIST-C publishes it, or the middle one."""

    name: str
    apply: Corrupt
    published: int = 3


# ── tools ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _signs(rng: np.random.Generator, *shape: int) -> NDArray[np.int64]:
    return rng.choice(np.array([-1, 1]), shape)


def _smooth(x: Images, sigma: float, axes: tuple[int, ...] = (1, 2)) -> Images:
    """Return Gaussian smoothing along ``axes``, cut off at four sigma, the rim repeated."""
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
    """Return x (N, H, W) read at ``column`` and ``row``, (H, W) or (N, H, W), bilinearly; black outside."""
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
    """Return each image read through ``matrix(sign)`` (2, 2) of column and row about the middle, for signs -1 and 1."""
    height, width = x.shape[1:]
    row, column = np.mgrid[:height, :width] - np.array([(height - 1) / 2, (width - 1) / 2])[:, None, None]
    out = np.empty_like(x)
    for value in np.unique(sign):
        (a, b), (c, d) = matrix(int(value))
        source = a * column + b * row + (width - 1) / 2, c * column + d * row + (height - 1) / 2
        out[sign == value] = _sample(x[sign == value], *source)
    return out


def _line(x: Images, c0: NDArray[Any], r0: NDArray[Any], c1: NDArray[Any], r1: NDArray[Any]) -> Images:
    """Return (N, H, W) with a soft line between two points (column, row) of each image, 1 at its middle."""
    row, column = np.mgrid[: x.shape[1], : x.shape[2]].astype(np.float32)
    c0, r0, c1, r1 = (np.asarray(v, np.float32).reshape(-1, 1, 1) for v in (c0, r0, c1, r1))
    distance = np.abs(row - (r0 + (r1 - r0) / (c1 - c0) * (column - c0)))
    line = np.log(1 - np.minimum(distance, 2.3 - 1e-6) / 2.3) + 1
    return np.asarray(line.clip(0, 1) * ((column >= np.floor(c0)) & (column < np.ceil(c1))), np.float32)


def _plasma(count: int, decay: float, rng: np.random.Generator, size: int = 256) -> Images:
    """Return clouds (count, size, size) in [0, 1] by the diamond-square algorithm on a torus."""
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


# ── the fifteen of MNIST-C ───────────────────────────────────────────────────────────────────────────────────────────


def shot_noise(x: Images, severity: int, rng: np.random.Generator) -> Images:
    """Count 60, 25, 12, 5 or 3 photons at full brightness."""
    photons = (60, 25, 12, 5, 3)[severity - 1]
    return (rng.poisson(x * photons) / photons).astype(np.float32)


def impulse_noise(x: Images, severity: int, rng: np.random.Generator) -> Images:
    """Set 3, 6, 9, 17 or 27 % of the pixels to black or white."""
    share = (0.03, 0.06, 0.09, 0.17, 0.27)[severity - 1]
    return np.where(rng.random(x.shape) < share, rng.random(x.shape) < 0.5, x).astype(np.float32)


def glass_blur(x: Images, severity: int, rng: np.random.Generator) -> Images:
    """Smooth along the columns, swap near pixels, smooth again; their smoothing leaves the rows alone."""
    sigma, reach, rounds = ((0.7, 1, 2), (0.9, 2, 1), (1.0, 2, 3), (1.1, 3, 2), (1.5, 4, 2))[severity - 1]
    count, height, width = x.shape
    x, every = _smooth(x, sigma, (1,)), np.arange(count)
    for _ in range(rounds):
        for row in range(height - reach, reach, -1):
            for column in range(width - reach, reach, -1):
                some = every[rng.random(count) < 0.5]
                dx, dy = rng.integers(-reach, reach, (2, len(some)))
                here, there = x[some, row, column], x[some, row + dy, column + dx]
                x[some, row + dy, column + dx], x[some, row, column] = here, there
    return _smooth(x, sigma, (1,))


def motion_blur(x: Images, severity: int, rng: np.random.Generator) -> Images:
    """Smear by half a Gaussian along a line of -45 to 45 degrees, in whole pixels."""
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
    """Slant by 0.2 to 1 radian, to either side."""
    angle = severity / 5
    return _warp(x, _signs(rng, len(x)), lambda s: np.array([[1, -math.sin(s * angle)], [0, math.cos(s * angle)]]))


def scale(x: Images, severity: int, rng: np.random.Generator) -> Images:
    """Shrink to 0.9, 0.8, 0.7, 0.6 or 0.5."""
    factor = 1 / (1 - severity / 10)
    return _warp(x, np.ones(len(x), np.int64), lambda _: np.eye(2) * factor)


def rotate(x: Images, severity: int, rng: np.random.Generator) -> Images:
    """Turn by 0.2 to 1 radian, to either side."""
    angle = severity / 5

    def matrix(sign: int) -> NDArray[np.float64]:
        cos, sin = math.cos(angle), sign * math.sin(angle)
        return np.array([[cos, -sin], [sin, cos]])

    return _warp(x, _signs(rng, len(x)), matrix)


def brightness(x: Images, severity: int, rng: np.random.Generator) -> Images:
    """Add 0.1 to 0.5 everywhere."""
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
    """Turn ink and paper round in the outer 3, 5, 7, 9 or 11 columns on either side; 7 is published."""
    width = 1 + 2 * severity
    out = x.copy()
    out[:, :, :width] = 1 - x[:, :, :width]
    out[:, :, -width:] = 1 - x[:, :, -width:]
    return out


def fog(x: Images, severity: int, rng: np.random.Generator) -> Images:
    """Lay a cloud over the digit and lower its contrast."""
    strength, decay = ((1.5, 2), (2.0, 2), (2.5, 1.7), (2.5, 1.5), (3.0, 1.4))[severity - 1]
    height, width = x.shape[1:]
    parts = []
    for part in np.array_split(x, max(1, len(x) // 100)):
        cloud = _plasma(len(part), decay, rng)[:, :height, :width]
        brightest = part.max((1, 2), keepdims=True)
        parts.append((part + strength * cloud) * brightest / (brightest + strength))
    return np.concatenate(parts)


def spatter(x: Images, severity: int, rng: np.random.Generator) -> Images:
    """Throw drops of grey on it."""
    mean, sd, sigma, level, soft = (
        (0.65, 0.3, 4, 0.69, 0.6),
        (0.65, 0.3, 3, 0.68, 0.6),
        (0.65, 0.3, 2, 0.68, 0.5),
        (0.65, 0.3, 1, 0.65, 1.5),
        (0.67, 0.4, 1, 0.65, 1.5),
    )[severity - 1]
    liquid = _smooth(rng.normal(mean, sd, x.shape).astype(np.float32), sigma)
    drops = _smooth((liquid > level).astype(np.float32), soft)
    drops[drops < 0.8] = 0
    return x * (1 - drops) + np.float32(63 / 255) * drops


def dotted_line(x: Images, severity: int, rng: np.random.Generator) -> Images:
    """Draw 1 to 5 dotted lines from rim to rim; one is published."""
    dots = np.arange(x.shape[2]) // 2 % 2 == 1
    for _ in range(severity):
        start, end = rng.integers(0, 27, (2, len(x)))
        x = np.clip(x + _line(x, np.zeros(len(x)), start, np.full(len(x), 27), end) * dots, 0, 1)
    return x


def zigzag(x: Images, severity: int, rng: np.random.Generator) -> Images:
    """Draw 1 to 5 zigzag lines across; one is published."""
    for _ in range(severity):
        x = _one_zigzag(x, rng)
    return x


def _one_zigzag(x: Images, rng: np.random.Generator) -> Images:
    side, first, last = 2.0, 2, 25
    start = rng.integers(0, 27, len(x))
    angle = np.arctan(rng.integers(-5, 5, len(x)) / (last - first))
    length = (last - first) / np.cos(angle)
    along = [0.0, 2.0, 6.0, 10.0, 14.0, 18.0, 22.0]  # the corners, before the line is turned
    across = [0.0, side, -side, side, -side, side, -side]
    columns = np.stack([*np.broadcast_arrays(*np.array(along)[:, None] + 0 * length), length])
    rows = np.stack([*np.broadcast_arrays(*np.array(across)[:, None] + 0 * length), -1 / (length - 20)])
    cos, sin = np.cos(angle), np.sin(angle)
    columns, rows = cos * columns - sin * rows + first, sin * columns + cos * rows + start
    for i in range(len(columns) - 1):
        x = np.clip(x + _line(x, columns[i], rows[i], columns[i + 1], rows[i + 1]), 0, 1)
    return x


def canny_edges(x: Images, severity: int, rng: np.random.Generator) -> Images:
    """Keep the edges of the strokes alone, found after smoothing by 0.5, 0.75, 1 (published), 1.25 or 1.5 pixels."""
    from skimage.feature import canny  # with the lab's packages; the reader has no use for it

    sigma = 0.25 + severity / 4
    return np.array([canny(image, sigma) for image in x]).astype(np.float32).reshape(x.shape)


# ── pens, paper and cameras ──────────────────────────────────────────────────────────────────────────────────────────


def shadow(x: Images, severity: int, rng: np.random.Generator) -> Images:
    """Brighten the paper, as seen in negative, from one side to the other by up to 0.15 to 0.75."""
    row, column = np.mgrid[: x.shape[1], : x.shape[2]] / (x.shape[1] - 1) - 0.5
    angle = rng.uniform(0, 2 * np.pi, (len(x), 1, 1))
    ramp = 0.5 + (np.cos(angle) * column + np.sin(angle) * row) / math.sqrt(2)
    return np.asarray(np.maximum(x, 0.15 * severity * ramp), np.float32)


def ruled_lines(x: Images, severity: int, rng: np.random.Generator) -> Images:
    """Print lines of 0.2 to 1 of full ink across the paper, 6 to 12 pixels apart."""
    return np.maximum(x, _ruling(x, severity, rng, axis=1))


def squared_paper(x: Images, severity: int, rng: np.random.Generator) -> Images:
    """Print lines both ways."""
    return np.maximum(x, np.maximum(_ruling(x, severity, rng, axis=1), _ruling(x, severity, rng, axis=2)))


def _ruling(x: Images, severity: int, rng: np.random.Generator, axis: int) -> Images:
    place = np.arange(x.shape[axis]).reshape((1, -1, 1) if axis == 1 else (1, 1, -1))
    apart = rng.integers(6, 13, (len(x), 1, 1))
    lines = (place + rng.integers(0, 12, (len(x), 1, 1))) % apart == 0
    return np.broadcast_to((lines * 0.2 * severity).astype(np.float32), x.shape)


def paper_texture(x: Images, severity: int, rng: np.random.Generator) -> Images:
    """Add grain of the paper, coarse and fine, of up to 0.08 to 0.4."""
    coarse = _smooth(rng.normal(size=x.shape).astype(np.float32), 1.5) * 5
    grain = coarse + rng.normal(size=x.shape).astype(np.float32)
    return np.asarray(x + 0.04 * severity * np.abs(grain), np.float32)


def low_contrast(x: Images, severity: int, rng: np.random.Generator) -> Images:
    """Leave 0.6, 0.45, 0.3, 0.2 or 0.12 of the contrast, on paper of a random grey."""
    left = (0.6, 0.45, 0.3, 0.2, 0.12)[severity - 1]
    return x * np.float32(left) + rng.uniform(0, 1 - left, (len(x), 1, 1)).astype(np.float32)


def uneven_ink(x: Images, severity: int, rng: np.random.Generator) -> Images:
    """Let the ink run thin in places, down to 0.85 to 0.25 of its strength and less."""
    field = _smooth(rng.normal(size=x.shape).astype(np.float32), 2.5)
    field = (field - field.min((1, 2), keepdims=True)) / np.ptp(field, (1, 2), keepdims=True).clip(1e-6)
    return np.asarray(x * (1 - 0.2 * severity * field), np.float32)


def thin_pen(x: Images, severity: int, rng: np.random.Generator) -> Images:
    """Take 0.25 to 1.25 pixels off each side of the strokes."""
    return pen(x, -0.25 * severity, rng)


def thick_pen(x: Images, severity: int, rng: np.random.Generator) -> Images:
    """Add 0.4 to 2 pixels to each side of the strokes."""
    return pen(x, 0.4 * severity, rng)


def defocus(x: Images, severity: int, rng: np.random.Generator) -> Images:
    """Blur by a disc of 0.7 to 3.5 pixels radius."""
    radius = 0.7 * severity
    far = math.ceil(radius)
    row, column = np.mgrid[-far : far + 1 : 0.2, -far : far + 1 : 0.2]
    fine = (row**2 + column**2 <= radius**2).astype(np.float32)
    kernel = cv2.resize(fine, (2 * far + 1, 2 * far + 1), interpolation=cv2.INTER_AREA)
    kernel /= kernel.sum()
    return np.array([cv2.filter2D(image, -1, kernel) for image in x], np.float32).reshape(x.shape)


def jpeg(x: Images, severity: int, rng: np.random.Generator) -> Images:
    """Compress to JPEG of quality 30, 18, 12, 7 or 4."""
    quality = (30, 18, 12, 7, 4)[severity - 1]
    out = np.empty_like(x)
    for index, image in enumerate((x.clip(0, 1) * 255).astype(np.uint8)):
        _, packed = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
        out[index] = np.asarray(cv2.imdecode(packed, cv2.IMREAD_GRAYSCALE), np.float32) / 255
    return out


def perspective(x: Images, severity: int, rng: np.random.Generator) -> Images:
    """Move the corners of the image by up to 1.5 to 7.5 pixels."""
    height, width = x.shape[1:]
    corners = np.array([[0, 0], [width - 1, 0], [width - 1, height - 1], [0, height - 1]], np.float32)
    moved = corners + rng.uniform(-1.5, 1.5, (len(x), 4, 2)).astype(np.float32) * severity
    return np.array(
        [
            cv2.warpPerspective(image, cv2.getPerspectiveTransform(to, corners), (width, height))
            for image, to in zip(x, moved, strict=True)
        ],
        np.float32,
    ).reshape(x.shape)


def salt_stains(x: Images, severity: int, rng: np.random.Generator) -> Images:
    """Dry 1 to 5 rings of a stain on the paper, and wash the ink out within."""
    row, column = np.mgrid[: x.shape[1], : x.shape[2]].astype(np.float32)
    for _ in range(severity):
        y, x0 = rng.uniform(0, x.shape[1], (2, len(x), 1, 1)).astype(np.float32)
        radius = rng.uniform(3, 8, (len(x), 1, 1)).astype(np.float32)
        distance = np.hypot(row - y, column - x0)
        rim = np.exp(-((distance - radius) ** 2) / 0.8)
        x = np.maximum(x * np.where(distance < radius, np.float32(0.75), np.float32(1)), np.float32(0.5) * rim)
    return x


def clipped_edges(x: Images, severity: int, rng: np.random.Generator) -> Images:
    """Cut 1 to 5 rows or columns off the digit's own box at one random side."""
    out = x.copy()
    for image, side in zip(out, rng.integers(0, 4, len(x)), strict=True):
        inked = np.flatnonzero((image > 0.1).any(1 if side < 2 else 0))
        if len(inked):
            cut = inked[:severity] if side % 2 == 0 else inked[-severity:]
            image[(cut, slice(None)) if side < 2 else (slice(None), cut)] = 0
    return out


MNIST_C = {
    corruption.name: corruption
    for corruption in (
        Corruption("shot_noise", shot_noise, 5),
        Corruption("impulse_noise", impulse_noise, 4),
        Corruption("glass_blur", glass_blur, 1),
        Corruption("motion_blur", motion_blur, 1),
        Corruption("shear", shear, 2),
        Corruption("scale", scale, 3),
        Corruption("rotate", rotate, 2),
        Corruption("brightness", brightness, 5),
        Corruption("translate", translate, 3),
        Corruption("stripe", stripe, 3),
        Corruption("fog", fog, 5),
        Corruption("spatter", spatter, 4),
        Corruption("dotted_line", dotted_line, 1),
        Corruption("zigzag", zigzag, 1),
        Corruption("canny_edges", canny_edges, 3),
    )
}
PAPER = {
    function.__name__: Corruption(function.__name__, function)
    for function in (
        *(shadow, ruled_lines, squared_paper, paper_texture, low_contrast, uneven_ink, thin_pen, thick_pen),
        *(defocus, jpeg, perspective, salt_stains, clipped_edges),
    )
}
CORRUPTIONS = MNIST_C | PAPER


def corrupt(images: NDArray[np.uint8], name: str, severity: int | None = None, seed: int = 0) -> NDArray[np.uint8]:
    """Return corrupted digits; the same call gives the same images.

    Parameters
    ----------
    images
        uint8 (N, H, W), ink bright on black.
    name
        One of :data:`CORRUPTIONS`.
    severity
        1 to 5; the published one, or 3, by default.

    Raises
    ------
    UsageError
        When there is no such corruption or severity.
    DataError
        When the images are of another form.
    """
    if name not in CORRUPTIONS:
        raise unknown("corruption", name, CORRUPTIONS)
    corruption = CORRUPTIONS[name]
    chosen = corruption.published if severity is None else severity
    if chosen not in SEVERITIES:
        raise UsageError(f"a severity is 1 to 5, not {severity}")
    if images.ndim != 3 or images.dtype != np.uint8:
        raise DataError(f"digits are uint8 (N, H, W), not {images.dtype} {images.shape}")
    if not len(images):
        return images.copy()
    rng = np.random.default_rng([seed, zlib.crc32(name.encode()), chosen])
    return on_bytes(images, lambda x: corruption.apply(x, chosen, rng))

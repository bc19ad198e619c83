"""How a scanner or a phone sees a filled sheet: turned, upside down, shaded, in perspective, a little curled."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from inkdigits.synthetic.papers import drawn, smooth_noise
from inkdigits.synthetic.scanning import blur, jpeg, sensor_noise, sharpen, tone

MM = 25.4  # in an inch
DIGIT = 6.0  # mm, height of a digit, to which the strengths of the scanner's steps are relative

Picture = NDArray[np.uint8]
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Scanning:
    """A scanner with a feeder, or a flat bed."""

    turn: float = 0.8  # standard deviation of the skew, degrees; more turns a corner mark out of the scan
    shift: float = 1.5  # mm, standard deviation of the sheet's place
    upside_down: float = 0.2  # share of the sheets
    scale: float = 1.0  # of the print: 0.97 for a printer that fits the page to its margins
    black_lid: float = 0.2  # share of the scans on which the scanner's black lid is seen beside the sheet
    grey: float = 0.7  # share of the scans without colour


@dataclass(frozen=True)
class Photographing:
    """A phone above a sheet on a desk."""

    tilt: float = 0.05  # how far a corner lies from its place, share of the sheet's width
    turn: float = 4.0  # standard deviation of the skew, degrees
    upside_down: float = 0.1  # share of the photos
    quarter: float = 0.2  # share of the photos turned by 90 degrees
    curl: float = 2.0  # mm, by which the sheet's middle rises or falls at most, as seen in the photo
    shadow: float = 0.5  # of the light at most that the phone or a hand takes away
    margin: float = 0.06  # of the desk around the sheet, share of its width


def scan(page: Picture, dpi: float, rng: np.random.Generator, settings: Scanning | None = None) -> Picture:
    """Return a page uint8 (H, W, 3) as a scanner sees it: grey (H, W) or colour (H, W, 3)."""
    s = settings or Scanning()
    height, width = page.shape[:2]
    turn = float(rng.normal(0, s.turn)) + (180.0 if rng.random() < s.upside_down else 0.0)
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), turn, s.scale)
    matrix[:, 2] = matrix[:, 2] + rng.normal(0, s.shift, 2) * dpi / MM
    lid = 30 if rng.random() < s.black_lid else int(rng.integers(235, 256))
    seen = cv2.warpAffine(page, matrix, (width, height), flags=cv2.INTER_AREA, borderValue=(lid,) * 3)
    digit = DIGIT * dpi / MM
    if rng.random() < s.grey:
        return _degraded(drawn(np.asarray(cv2.cvtColor(seen, cv2.COLOR_RGB2GRAY), np.uint8)), digit, rng)
    state = rng.bit_generator.state  # the same changes in the three colours
    channels = []
    for channel in range(3):
        rng.bit_generator.state = state
        channels.append(_degraded(drawn(np.asarray(seen[..., channel], np.uint8)), digit, rng))
    return np.stack(channels, 2)


def _degraded(image: Floats, digit: float, rng: np.random.Generator) -> Picture:
    for step, share in ((blur, 0.5), (sharpen, 0.3), (sensor_noise, 0.4), (tone, 0.5), (jpeg, 0.4)):
        if rng.random() < share:
            image = step(image, digit, rng)
    return _bytes(image)


def _bytes(image: Floats) -> Picture:
    """Return brightness 0 to 1 as bytes."""
    return np.asarray(np.clip(image, 0, 1, out=image) * 255, np.uint8)


def photograph(page: Picture, dpi: float, rng: np.random.Generator, settings: Photographing | None = None) -> Picture:
    """Return a page uint8 (H, W, 3) as a phone sees it on a desk: uint8 (H', W', 3)."""
    s = settings or Photographing()
    height, width = page.shape[:2]
    margin = round(s.margin * width)
    size = (width + 2 * margin, height + 2 * margin)
    where = _seen_from(page.shape, size, margin, rng, s)
    where[..., 1] += _curl(where[..., 0] / width, dpi, rng, s)
    sheet = cv2.remap(
        page, where[..., 0], where[..., 1], cv2.INTER_LINEAR, dst=_desk(size, rng), borderMode=cv2.BORDER_TRANSPARENT
    )
    picture = drawn(np.asarray(sheet, np.uint8)) * _light(size, rng, s)[..., None]
    if rng.random() < 0.7:
        picture = cv2.GaussianBlur(picture, (0, 0), dpi / 150 * rng.uniform(0.3, 0.9)).astype(np.float32)
    noise = rng.standard_normal(picture.shape[:2], dtype=np.float32) * np.float32(rng.uniform(0.003, 0.02))
    picture += noise[..., None]
    image = _bytes(picture)
    turns = 2 * (rng.random() < s.upside_down) + (rng.random() < s.quarter)
    return np.ascontiguousarray(np.rot90(image, turns))


def _seen_from(
    shape: tuple[int, ...], size: tuple[int, int], margin: int, rng: np.random.Generator, s: Photographing
) -> Floats:
    """Return for each pixel of the photo the place on the page that it shows, x and y, (H', W', 2)."""
    height, width = shape[:2]
    page = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    angle = np.radians(rng.normal(0, s.turn))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    middle = np.array([width, height]) / 2
    seen = (page - middle) @ turn.T + rng.uniform(-s.tilt, s.tilt, (4, 2)) * width
    fit = np.min(np.array(size) / (np.ptp(seen, 0) + margin))  # the whole sheet is in the photo
    seen = (seen - (seen.max(0) + seen.min(0)) / 2) * min(1.0, fit) + np.array(size) / 2
    matrix = cv2.getPerspectiveTransform(seen.astype(np.float32), page)
    grid = np.stack(np.meshgrid(np.arange(size[0], dtype=np.float32), np.arange(size[1], dtype=np.float32)), 2)
    return np.asarray(cv2.perspectiveTransform(grid, matrix), np.float32)


def _curl(across: Floats, dpi: float, rng: np.random.Generator, s: Photographing) -> Floats:
    """Return how far a curled sheet is displaced along its height, in pixels, at places across it from 0 to 1."""
    amount = rng.uniform(-s.curl, s.curl) * dpi / MM
    waves, phase = rng.uniform(0.4, 1.0), rng.uniform(0, 2 * np.pi)
    return np.asarray(amount * np.sin(2 * np.pi * waves * across + phase), np.float32)


def _desk(size: tuple[int, int], rng: np.random.Generator) -> Picture:
    """Return a desk of one colour with a grain, uint8 (H', W', 3)."""
    colour = np.array(((0.45, 0.33, 0.22), (0.2, 0.2, 0.22), (0.6, 0.58, 0.55), (0.3, 0.35, 0.4))[rng.integers(4)])
    shape = (size[1], size[0])
    grain = 1 + 0.12 * smooth_noise(shape, 30, rng) + 0.06 * smooth_noise(shape, 4, rng)
    levels = cv2.merge([cv2.convertScaleAbs(grain, alpha=255 * share) for share in colour])
    return np.asarray(levels, np.uint8)


def _light(size: tuple[int, int], rng: np.random.Generator, s: Photographing) -> Floats:
    """Return the light on the desk, (H', W'): it falls off to one side, and a soft-edged shadow lies on a part."""
    width, height = size[0] // 4, size[1] // 4
    y, x = np.arange(height, dtype=np.float32)[:, None] / height - 0.5, np.arange(width, dtype=np.float32) / width - 0.5
    slope = rng.uniform(-0.25, 0.25, 2)
    light = rng.uniform(0.75, 1.0) * (1 + slope[0] * y + slope[1] * x)
    angle = rng.uniform(0, 2 * np.pi)
    edge = (np.cos(angle) * x + np.sin(angle) * y - rng.uniform(-0.1, 0.5)) / rng.uniform(0.02, 0.15)
    dark = rng.uniform(0, s.shadow) / (1 + np.exp(-np.clip(edge, -30, 30)))
    return np.asarray(cv2.resize(light * (1 - dark), size), np.float32)

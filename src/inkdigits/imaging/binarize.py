"""Background normalisation and binarization: the ink of a page, 0 on paper of any shade, light or colour.

The paper's brightness is a grey closing of the page at a coarse scale. Ink is the share of that brightness that a pixel
lacks, in the channel that shows it best. The threshold follows the strongest ink nearby, so that faint and strong
writing both stay (after B. Su, S. Lu, C. L. Tan, "Binarization of historical document images using the local maximum
and minimum", DAS 2010).
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from inkdigits.imaging.pixels import shrunk, to_grey

Ink = NDArray[np.float32]  # (H, W) in [0, 1]
Mask = NDArray[np.uint8]  # (H, W), 0 or 255


@dataclass(frozen=True)
class BinarizationParameters:
    """What tells ink from paper. Coarse pixels are those of a page whose longer side is ``coarse``."""

    coarse: int = 240  # pixels of the longer side; shades change slowly, so a small image shows them
    closing: int = 31  # coarse pixels; side of the closing, wider than strokes and narrower than shadows
    surroundings: int = 40  # coarse pixels; the median over this reach is paper, which tells light ink from dark
    light_factor: float = 1.5  # times the dark contrast; light ink stands out by more than this
    nearby: int = 21  # coarse pixels; side of the neighbourhood whose strongest ink sets the threshold
    share: float = 0.42  # of the strongest ink nearby; a pixel of writing has at least this
    bridge_share: float = 0.5  # of that threshold; ink that bridges the gaps of a dry pen has at least this
    faintest: float = 0.085  # share of the paper's brightness; less is paper
    noise_factor: float = 5.0  # standard deviations of the paper's noise; less is noise
    noise_cell: int = 12  # pixels; side of the cells in which the noise is measured
    noisy: float = 0.02  # noise from which on a page is smoothed before the threshold


def light_on_dark(grey: NDArray[np.uint8], parameters: BinarizationParameters | None = None) -> bool:
    """Return whether a page (H, W) is written in light on dark.

    The median around a stroke is paper. What is narrow and sharp and lighter than that median is light ink; sheets on a
    desk are not narrow, shadows are not sharp.
    """
    p = parameters or BinarizationParameters()
    small = shrunk(grey, min(p.coarse, max(grey.shape) // 2))
    reach = min(p.surroundings, max(small.shape) // 3 + 1)
    median = cv2.medianBlur(np.pad(small, reach, mode="symmetric"), 2 * reach + 1)
    difference = small.astype(np.float32) - median[reach:-reach, reach:-reach]
    sharp = cv2.morphologyEx(small, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    side = np.ones((reach * 3 // 2 + 1,) * 2, np.uint8)
    hats = (cv2.morphologyEx(small, hat, side) for hat in (cv2.MORPH_TOPHAT, cv2.MORPH_BLACKHAT))
    parts = (np.minimum(part, hat).clip(0) for part, hat in zip((difference, -difference), hats, strict=True))
    light, dark = (float((sharp * part**3).mean()) for part in parts)
    return light > p.light_factor * dark


def normalize_background(page: NDArray[np.uint8], parameters: BinarizationParameters | None = None) -> Ink:
    """Return the ink on each pixel of a page uint8 (H, W) or (H, W, 3), as a share of the paper's brightness.

    Coloured ink counts in the channel that shows it best, if grey shows it too: JPEG blurs colour, not brightness.
    """
    p = parameters or BinarizationParameters()
    grey = to_grey(page)
    layers = [grey] if page.ndim == 2 else [grey, *(np.ascontiguousarray(page[..., i]) for i in range(3))]
    inverted = light_on_dark(grey, p)
    shares = []  # of the paper's brightness that each pixel lacks, by layer
    for layer in layers:
        layer = np.asarray(255 - layer, np.uint8) if inverted else layer
        paper = _paper(layer, p)
        least = max(16, int(0.25 * np.median(paper[::8, ::8])))
        shares.append(cv2.divide(cv2.subtract(paper, layer), np.maximum(paper, least), scale=255))
    ink = shares[0]
    for share in shares[1:]:
        ink = cv2.max(ink, cv2.min(cv2.convertScaleAbs(share, alpha=0.85), cv2.convertScaleAbs(shares[0], alpha=2.5)))
    return np.asarray(ink * np.float32(1 / 255), np.float32)


def noise_level(ink: Ink, parameters: BinarizationParameters | None = None) -> Ink:
    """Return the standard deviation of the paper's noise around each pixel, (H, W); dark places have more."""
    p = parameters or BinarizationParameters()
    height, width = ink.shape
    rough = cv2.absdiff(ink, cv2.blur(ink, (3, 3)))
    size = max(2, width // p.noise_cell), max(2, height // p.noise_cell)
    cells = cv2.resize(rough, size, interpolation=cv2.INTER_AREA) * 2.0  # ink below 0 is cut off: half of the noise
    reach = np.ones((9, 9), np.uint8)
    paper = cv2.blur(cv2.erode(cells, reach), (9, 9))  # under writing, the paper beside it counts
    return np.asarray(cv2.resize(paper, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)


def binarize(ink: Ink, parameters: BinarizationParameters | None = None) -> tuple[Mask, Mask]:
    """Return the pixels (H, W) of writing, and those of any ink, fainter print and rules included.

    Any ink exceeds the paper's noise. Writing also has a share of the strongest ink nearby. Gaps of a dry pen are
    bridged where there is some ink; a plain closing would fill the squares of squared paper.
    """
    p = parameters or BinarizationParameters()
    height, width = ink.shape
    noise = noise_level(ink, p)
    smooth = cv2.GaussianBlur(ink, (5, 5), 1.0)
    noisy = noise > p.noisy
    ink = np.where(noisy, smooth, ink)
    noise = np.where(noisy, 0.35 * noise, noise)  # what the smoothing leaves
    level = np.maximum(p.noise_factor * noise, p.faintest)
    faint = np.asarray((ink > level) * np.uint8(255), np.uint8)
    level = np.maximum(level, p.share * _strongest_nearby(ink, p))
    sure = np.asarray((ink > level) * np.uint8(255), np.uint8)
    reach = 2 * (max(height, width) // 300) + 3
    bridged = cv2.morphologyEx(sure, cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach)))
    dry = (ink > np.maximum(p.bridge_share * level, 3 * noise)) * np.uint8(255)
    return np.asarray(cv2.bitwise_or(sure, bridged & dry), np.uint8), faint


def _strongest_nearby(ink: Ink, p: BinarizationParameters) -> Ink:
    """Return the strongest ink in the neighbourhood of each pixel, smoothed, (H, W)."""
    height, width = ink.shape
    step = max(1, round(max(height, width) / p.coarse))
    rows, columns = -(-height // step), -(-width // step)
    padded = np.zeros((rows * step, columns * step), np.float32)
    padded[:height, :width] = cv2.blur(ink, (3, 3))
    strongest = padded.reshape(rows, step, columns, step).max((1, 3))
    strongest = cv2.dilate(strongest, np.ones((p.nearby, p.nearby), np.uint8))
    strongest = cv2.blur(strongest, (p.nearby, p.nearby))
    return np.asarray(cv2.resize(strongest, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)


def stroke_width(mask: Mask) -> float:
    """Return the width of the strokes of a mask (H, W), pixels: twice the median distance of their ridge from paper."""
    inside = cv2.distanceTransform(cv2.copyMakeBorder(mask, 1, 1, 1, 1, cv2.BORDER_CONSTANT), cv2.DIST_L2, 3)
    ridge = inside[(inside > 0) & (inside >= cv2.dilate(inside, np.ones((3, 3), np.uint8)) - 1e-3)]
    return max(1.0, 2 * float(np.median(ridge)) - 1) if len(ridge) else 1.0


def strongest_ink(ink: Ink) -> float:
    """Return the 90th percentile of ink (N,), N at least 1; a few pixels of glare or blots do not count."""
    rank = (9 * len(ink)) // 10
    return float(np.partition(ink, rank)[rank])


def _paper(layer: NDArray[np.uint8], p: BinarizationParameters) -> NDArray[np.uint8]:
    """Return the brightness that the page (H, W) would have without its ink."""
    height, width = layer.shape
    small = shrunk(layer, p.coarse)
    kernel = _kernel(small, p)
    edge = len(kernel)
    wide = cv2.copyMakeBorder(cv2.medianBlur(small, 3), edge, edge, edge, edge, cv2.BORDER_REPLICATE)
    box = (edge // 5 * 2 + 1,) * 2
    shade = cv2.blur(cv2.blur(cv2.morphologyEx(wide, cv2.MORPH_CLOSE, kernel), box), box)
    shade = shade[edge:-edge, edge:-edge]
    return np.asarray(cv2.resize(shade, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


def _kernel(small: NDArray[np.uint8], p: BinarizationParameters) -> NDArray[Any]:
    side = max(3, min(p.closing, 2 * (min(small.shape) // 2) - 1))
    return np.ones((side, side), np.uint8)  # a square is separable, and quick

"""Ink and paper: the map of a page's ink, 0 on paper whatever its shade, light or colour, and which pixels count.

The paper's shade is a grey closing of the page, at a coarse scale; the ink is what stays below it, as a share of it, in
the channel that shows it best. A threshold that follows the strongest ink nearby keeps faint and strong writing alike
(as in B. Su, S. Lu, C. L. Tan, "Binarization of historical document images using the local maximum and minimum",
DAS 2010).
"""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from inkdigits.imaging.pixels import shrunk, to_grey

COARSE = 240  # longer side of the page on which the paper's shade is found, pixels
PATCH = 31  # side of the closing there: strokes are narrower, shadows' edges wider
AROUND = 40  # reach of the neighbourhood there whose median is paper, not ink
SURROUNDINGS = 21  # side of the neighbourhood there whose strongest ink counts
SHARE = 0.42  # of the strongest ink nearby that a pixel of ink has at least
FAINT = 0.5  # of that, which bridges the gaps of a stroke
FAINTEST = 0.085  # of the paper's shade: less is paper
GRAIN = 5.0  # standard deviations of the paper's noise: less is noise
GRAIN_CELL = 12  # side of the cells in which that noise is measured, pixels
GRAINY = 0.02  # noise from which on the page is smoothed before it is cut into ink and paper

Ink = NDArray[np.float32]  # (H, W) in [0, 1]
Mask = NDArray[np.uint8]  # (H, W), 0 or 255


def light_on_dark(grey: NDArray[np.uint8]) -> bool:
    """Return whether a page (H, W) is written in light on dark: what stands out from its surroundings is lighter.

    Most of the surroundings of a stroke are paper, so their median is. What stands out counts if it is narrow,
    unlike a sheet on a desk, and as much as it is sharp, unlike a shadow. Half of the pixels a side tell as much.
    """
    small = shrunk(grey, min(COARSE, max(grey.shape) // 2))
    reach = min(AROUND, max(small.shape) // 3 + 1)
    around = cv2.medianBlur(np.pad(small, reach, mode="symmetric"), 2 * reach + 1)
    difference = small.astype(np.float32) - around[reach:-reach, reach:-reach]
    sharp = cv2.morphologyEx(small, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    side = np.ones((reach * 3 // 2 + 1,) * 2, np.uint8)
    hats = (cv2.morphologyEx(small, hat, side) for hat in (cv2.MORPH_TOPHAT, cv2.MORPH_BLACKHAT))
    parts = (np.minimum(part, hat).clip(0) for part, hat in zip((difference, -difference), hats, strict=True))
    light, dark = (float((sharp * part**3).mean()) for part in parts)
    return light > 1.5 * dark


def normalize_background(page: NDArray[np.uint8]) -> Ink:
    """Return how much ink lies on every pixel of a page uint8 (H, W) or (H, W, 3), as a share of the paper.

    Coloured ink counts in the channel that shows it best, if grey shows it too: JPEG lets colour bleed, not light.
    """
    grey = to_grey(page)
    layers = [grey] if page.ndim == 2 else [grey, *(np.ascontiguousarray(page[..., i]) for i in range(3))]
    dark = light_on_dark(grey)
    shares = []  # of the paper's light that is taken
    for layer in layers:
        layer = np.asarray(255 - layer, np.uint8) if dark else layer
        paper = _paper(layer)
        least = max(16, int(0.25 * np.median(paper[::8, ::8])))
        shares.append(cv2.divide(cv2.subtract(paper, layer), np.maximum(paper, least), scale=255))
    ink = shares[0]
    for share in shares[1:]:
        ink = cv2.max(ink, cv2.min(cv2.convertScaleAbs(share, alpha=0.85), cv2.convertScaleAbs(shares[0], alpha=2.5)))
    return np.asarray(ink * np.float32(1 / 255), np.float32)


def noise_level(ink: Ink) -> Ink:
    """Return the standard deviation of the paper's noise around every pixel, (H, W); there is more in the dark."""
    height, width = ink.shape
    rough = cv2.absdiff(ink, cv2.blur(ink, (3, 3)))
    size = max(2, width // GRAIN_CELL), max(2, height // GRAIN_CELL)
    cells = cv2.resize(rough, size, interpolation=cv2.INTER_AREA) * 2.0  # half of the noise is lost below 0
    reach = np.ones((9, 9), np.uint8)
    paper = cv2.blur(cv2.erode(cells, reach), (9, 9))  # where something is written, what is beside it counts
    return np.asarray(cv2.resize(paper, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)


def binarize(ink: Ink) -> tuple[Mask, Mask]:
    """Return the pixels (H, W) of writing, and those with any ink: what is printed or ruled more faintly too.

    Ink is what exceeds the paper's noise; writing is a share of the strongest ink nearby, too. Gaps between writing are
    bridged where there is some ink, as a dry pen leaves it; between ruled lines that would fill narrow squares.
    """
    height, width = ink.shape
    noise = noise_level(ink)
    smooth = cv2.GaussianBlur(ink, (5, 5), 1.0)  # which leaves a quarter of the noise
    noisy = noise > GRAINY
    ink = np.where(noisy, smooth, ink)
    noise = np.where(noisy, 0.35 * noise, noise)
    level = np.maximum(GRAIN * noise, FAINTEST)
    faint = np.asarray((ink > level) * np.uint8(255), np.uint8)
    step = max(1, round(max(height, width) / COARSE))
    rows, columns = -(-height // step), -(-width // step)
    padded = np.zeros((rows * step, columns * step), np.float32)
    padded[:height, :width] = cv2.blur(ink, (3, 3))
    strongest = padded.reshape(rows, step, columns, step).max((1, 3))
    strongest = cv2.dilate(strongest, np.ones((SURROUNDINGS, SURROUNDINGS), np.uint8))
    strongest = cv2.blur(strongest, (SURROUNDINGS, SURROUNDINGS))
    level = np.maximum(level, SHARE * cv2.resize(strongest, (width, height), interpolation=cv2.INTER_LINEAR))
    sure = np.asarray((ink > level) * np.uint8(255), np.uint8)
    reach = 2 * (max(height, width) // 300) + 3
    bridged = cv2.morphologyEx(sure, cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach)))
    dry = (ink > np.maximum(FAINT * level, 3 * noise)) * np.uint8(255)
    return np.asarray(cv2.bitwise_or(sure, bridged & dry), np.uint8), faint


def stroke_width(mask: Mask) -> float:
    """Return how wide the strokes of a mask (H, W) are, pixels: twice the middle distance of their ridge from paper."""
    inside = cv2.distanceTransform(cv2.copyMakeBorder(mask, 1, 1, 1, 1, cv2.BORDER_CONSTANT), cv2.DIST_L2, 3)
    ridge = inside[(inside > 0) & (inside >= cv2.dilate(inside, np.ones((3, 3), np.uint8)) - 1e-3)]
    return max(1.0, 2 * float(np.median(ridge)) - 1) if len(ridge) else 1.0


def strongest_ink(ink: Ink) -> float:
    """Return the ink (N,) that a tenth of its pixels exceed; a few that shine or blot do not count."""
    rank = (9 * len(ink)) // 10
    return float(np.partition(ink, rank)[rank])


def _paper(layer: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the shade that the page (H, W) would have without its ink."""
    height, width = layer.shape
    small = shrunk(layer, COARSE)
    kernel = _kernel(small)
    edge = len(kernel)
    wide = cv2.copyMakeBorder(cv2.medianBlur(small, 3), edge, edge, edge, edge, cv2.BORDER_REPLICATE)
    box = (edge // 5 * 2 + 1,) * 2
    shade = cv2.blur(cv2.blur(cv2.morphologyEx(wide, cv2.MORPH_CLOSE, kernel), box), box)
    shade = shade[edge:-edge, edge:-edge]
    return np.asarray(cv2.resize(shade, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


def _kernel(small: NDArray[np.uint8]) -> NDArray[Any]:
    side = max(3, min(PATCH, 2 * (min(small.shape) // 2) - 1))
    return np.ones((side, side), np.uint8)  # a square is separable, and quick

"""A sheet of paper on a desk: what lies around it is replaced by paper, so that only the sheet is read."""

import cv2
import numpy as np
from numpy.typing import NDArray

from inkdigits.imaging.pixels import shrunk, to_grey

COARSE = 240  # longer side of the picture on which the sheet is looked for, pixels
LEAST = 0.2  # of the picture that the sheet covers
SPAN = 0.35  # of the picture's width and height that it spans
DARK_RIM = 0.7  # of the picture's rim that lies outside of it
CONVEX = 0.9  # of its hull that it covers
BLANK = 0.75  # of it that is as light as paper
BRIGHTER = 1.35  # times as light as what is beyond its edge; a shadow has none
EDGE = 4  # coarse pixels at its edge that are left out


def without_desk(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a picture uint8 (H, W) or (H, W, 3) with all but the sheet on it replaced by the nearest of its paper.

    A picture without a sheet that lies apart from darker surroundings is returned as it is.
    """
    height, width = pixels.shape[:2]
    scale = COARSE / max(height, width)
    if scale > 1 or min(height, width) * scale < 40:
        return pixels
    small = shrunk(pixels, COARSE)
    sheet = _sheet(to_grey(small))
    if sheet is None:
        return pixels
    inner = cv2.erode(sheet, np.ones((2 * EDGE + 1, 2 * EDGE + 1), np.uint8), borderValue=0)
    outside = np.asarray(255 - inner, np.uint8)
    _, nearest = cv2.distanceTransformWithLabels(outside, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    smooth = np.asarray(cv2.morphologyEx(small, cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8)), np.uint8)
    shades = np.zeros((int(nearest.max()) + 1, *small.shape[2:]), np.uint8)
    shades[nearest[inner > 0]] = smooth[inner > 0]
    filled = np.asarray(cv2.resize(shades[nearest], (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)
    kept = cv2.resize(inner, (width, height), interpolation=cv2.INTER_LINEAR) > 127
    return np.where(kept if pixels.ndim == 2 else kept[..., None], pixels, filled)


def _sheet(grey: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
    """Return the sheet on a coarse picture, 255 where it is; None where there is none apart from its surroundings."""
    blurred = cv2.GaussianBlur(grey, (0, 0), 2)
    threshold, light = cv2.threshold(blurred, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    contours, _ = cv2.findContours(light, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not contours:
        return None
    largest = max(contours, key=cv2.contourArea)
    area = cv2.contourArea(largest)
    _, _, wide, tall = cv2.boundingRect(largest)
    height, width = grey.shape
    if area < LEAST * grey.size or wide < SPAN * width or tall < SPAN * height:
        return None
    if area < CONVEX * cv2.contourArea(cv2.convexHull(largest)):
        return None
    sheet = np.zeros_like(grey)
    cv2.drawContours(sheet, [largest], -1, 255, cv2.FILLED)
    inside = sheet > 0
    rim = np.concatenate([inside[0], inside[-1], inside[:, 0], inside[:, -1]])
    if (~rim).mean() < DARK_RIM or (grey[inside] > threshold).mean() < BLANK:
        return None
    grown, shrunk = (change(sheet, np.ones((9, 9), np.uint8)) for change in (cv2.dilate, cv2.erode))
    within = inside & (cv2.erode(shrunk, np.ones((7, 7), np.uint8)) == 0) & (shrunk > 0)
    beyond = (cv2.dilate(grown, np.ones((7, 7), np.uint8)) > 0) & (grown == 0)
    if not within.any() or not beyond.any():
        return None
    return sheet if float(np.median(grey[within])) >= BRIGHTER * float(np.median(grey[beyond])) else None

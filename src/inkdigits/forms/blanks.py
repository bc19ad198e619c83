"""The blank of a form that exists already: its pages with their print and the features that find them on pictures."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from inkdigits.errors import DataError, UsageError
from inkdigits.files import read_bytes
from inkdigits.forms.flattening import FlatteningParameters, PlacedBox, flatten, placed_boxes
from inkdigits.forms.pages import PlacedPage, Placement
from inkdigits.imaging.binarize import Ink, Mask, binarize, normalize_background
from inkdigits.imaging.files import page_images
from inkdigits.imaging.pixels import shrunk, to_grey
from inkdigits.imaging.rectangles import Corners, find_rectangles
from inkdigits.imaging.ruled_lines import find_faint_lines

SCALE = 8  # pixels of a blank's picture for a millimetre: 200 dpi
SHORTEST = 3.0  # mm, side of a rectangle

NEAR = FlatteningParameters(reach=0.6, alike=0.4, near=0.4)  # the blank's boxes lie where they were found, about

Points = NDArray[np.float64]  # (N, 2): x, y
Grey = NDArray[np.uint8]


@dataclass(frozen=True)
class FeatureParameters:
    """How features are found."""

    longest: int = 1400  # pixels of the longer side: letters of 8 pt have 12 pixels
    count: int = 4000  # features, at most
    contrast: float = 0.02  # of SIFT; faint print counts too


@dataclass(frozen=True, eq=False)
class Features:
    """Distinct places of a picture: N points (x, y) in its pixels, and descriptors float32 (N, 128)."""

    points: Points
    descriptors: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Blank:
    """A page of a blank.

    Attributes
    ----------
    page
        Its boxes.
    ink
        float32 (H, W) in [0, 1], SCALE pixels for a millimetre.
    boxes
        Where its boxes lie on this raster.
    features
        Points in millimetres.
    rectangles
        Those that its lines draw, millimetres.
    """

    page: PlacedPage
    ink: Ink
    boxes: tuple[PlacedBox, ...]
    features: Features
    rectangles: Corners


def features_of(grey: Grey, parameters: FeatureParameters | None = None) -> Features:
    """Return the features of a picture (H, W).

    (D. Lowe, "Distinctive image features from scale-invariant keypoints", 2004; normalised as R. Arandjelović and
    A. Zisserman propose, "Three things everyone should know to improve object retrieval", 2012.)
    """
    p = parameters or FeatureParameters()
    small = shrunk(grey, p.longest)
    found, descriptors = cv2.SIFT.create(nfeatures=p.count, contrastThreshold=p.contrast).detectAndCompute(small, None)
    if descriptors is None:
        return Features(np.empty((0, 2)), np.empty((0, 128), np.float32))
    points = np.array([one.pt for one in found]) * (grey.shape[1] / small.shape[1])
    share = descriptors / np.maximum(descriptors.sum(1, keepdims=True), 1e-6)
    return Features(points, np.asarray(np.sqrt(share), np.float32))


def print_of(ink: Ink) -> Mask:
    """Return the pixels of a page that have any ink, uint8 (H, W)."""
    return binarize(ink)[1]


def rectangles_of(ink: Ink, shortest: float) -> Corners:
    """Return the rectangles that the lines of a page draw, also where a line is faint; see :func:`find_rectangles`."""
    return find_rectangles(print_of(ink) | find_faint_lines(ink), shortest)


def blank_of(grey: Grey, page: PlacedPage) -> Blank:
    """Return a page of a blank from its picture (H, W)."""
    size = round(page.width * SCALE), round(page.height * SCALE)
    way = cv2.INTER_AREA if grey.shape[1] > size[0] else cv2.INTER_LINEAR
    picture = np.asarray(cv2.resize(grey, size, interpolation=way), np.uint8)
    ink = normalize_background(picture)
    features = features_of(picture)
    rectangles = rectangles_of(ink, SHORTEST * SCALE)
    boxes = tuple(placed_boxes(page, flatten(ink, page, SCALE, NEAR), SCALE)) if page.fields else ()
    return Blank(page, ink, boxes, Features(features.points / SCALE, features.descriptors), rectangles / SCALE)


def load_blanks(placement: Placement, folder: Path) -> Sequence[Blank]:
    """Return the pages of the blank of a form whose design lies in a folder.

    Raises
    ------
    UsageError
        When a picture does not exist, or is not the one that the design was made from.
    DataError
        When it cannot be read.
    """
    blanks = []
    for sheet, page in zip(placement.design.blank, placement.pages, strict=True):
        path = folder / sheet.file
        try:
            content = read_bytes(path)
        except FileNotFoundError:
            raise UsageError(f"the blank {path} does not exist; put it beside the design") from None
        except OSError as error:
            raise DataError(f"cannot read the blank {path}: {error.strerror}") from None
        if hashlib.sha256(content).hexdigest() != sheet.sha256:
            raise UsageError(f"the blank {path} was changed; run inkdigits form template again")
        blanks.append(blank_of(to_grey(next(page_images(content, str(path))).pixels), page))
    return blanks

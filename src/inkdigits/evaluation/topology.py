"""The topology of a digit: components, holes, end points and junctions, and error rates by number of holes.

Ink is connected over eight neighbours, paper over four, so that a diagonal stroke separates paper. The skeleton is
that of T. Y. Zhang, C. Y. Suen, "A fast parallel algorithm for thinning digital patterns", CACM 27, 1984; end points
and junctions follow from D. Rutovitz's crossing number, "Pattern recognition", J. Royal Statistical Society A 129,
1966.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.morphology import skeletonize

from inkdigits.errors import DataError
from inkdigits.evaluation.statistics import wilson

INK = 0.4  # brightness; of 0.2, 0.3, 0.4 and 0.5, most training digits have the holes of CLASSIC_HOLES at this one
CLASSIC_HOLES = {0: (1,), 1: (0,), 2: (0, 1), 3: (0,), 4: (0, 1), 5: (0,), 6: (1,), 7: (0,), 8: (2,), 9: (1,)}
EIGHT = np.ones((3, 3), np.int8)
RING = [(-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1)]  # the neighbours of a pixel, clockwise


@dataclass(frozen=True)
class Topology:
    """Counts per image, each int64 (B,)."""

    components: NDArray[np.int64]
    holes: NDArray[np.int64]
    ends: NDArray[np.int64]
    junctions: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.holes)

    @staticmethod
    def describe(counts: Mapping[str, int]) -> str:
        """Return counts in words: ``1 component, 2 holes``."""
        return ", ".join(f"{n} {name if n != 1 else name.removesuffix('s')}" for name, n in counts.items())

    def of(self, index: int) -> dict[str, int]:
        """Return the four counts of one image by name."""
        return {f.name: int(getattr(self, f.name)[index]) for f in fields(self)}


def skeletons(images: NDArray[np.generic], ink: float = INK) -> NDArray[np.bool_]:
    """Return the skeleton of each image's ink, bool (B, H, W), of images (B, H, W), uint8 or float in [0, 1]."""
    found = [skeletonize(mask, method="zhang") for mask in _ink(images, ink)]
    return np.array(found, np.bool_).reshape(images.shape)


def crossing_numbers(masks: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return for each ink pixel of (B, H, W) how often its ring of neighbours changes to ink; 0 elsewhere."""
    padded = np.pad(masks, ((0, 0), (1, 1), (1, 1)))
    _, height, width = masks.shape
    ring = [padded[:, 1 + dy : 1 + dy + height, 1 + dx : 1 + dx + width] for dy, dx in RING]
    turns = sum((~here & there).astype(np.int64) for here, there in zip(ring, ring[1:] + ring[:1], strict=True))
    return np.asarray(turns * masks, np.int64)


def topology(images: NDArray[np.generic], ink: float = INK) -> Topology:
    """Return components, holes, end points and junctions of each image.

    Parameters
    ----------
    images
        (B, H, W), uint8 or float in [0, 1], ink bright on black.
    ink
        Pixels brighter than this share of full ink belong to the figure.

    Raises
    ------
    DataError
        When the array is not a batch of grey images.
    """
    masks = _ink(images, ink)
    crossings = crossing_numbers(skeletons(images, ink))
    return Topology(
        components=_count_components(masks, EIGHT),
        holes=_count_components(~np.pad(masks, ((0, 0), (1, 1), (1, 1)))) - 1,  # without the paper around the figure
        ends=(crossings == 1).sum((1, 2)),
        junctions=_count_components(crossings >= 3, EIGHT),
    )


def _ink(images: NDArray[np.generic], ink: float) -> NDArray[np.bool_]:
    if images.ndim != 3 or not (images.dtype == np.uint8 or images.dtype.kind == "f"):
        raise DataError(f"grey images (B, H, W), uint8 or float, are needed, not {images.dtype} {images.shape}")
    return np.asarray(images.astype(np.float32) > ink * (255 if images.dtype == np.uint8 else 1))


def _count_components(masks: NDArray[np.bool_], structure: NDArray[np.int8] | None = None) -> NDArray[np.int64]:
    return np.array([ndimage.label(mask, structure)[1] for mask in masks], np.int64)


@dataclass(frozen=True)
class Form:
    """The digits of one class with the same number of holes, and how many of them were misread.

    ``classic`` is whether the class is usually written with that number of holes; for a 2 or a 4 that is true with a
    loop and without. ``components``, ``ends`` and ``junctions`` are means; ``n`` is at least 1.
    """

    digit: int
    holes: int
    classic: bool
    n: int
    errors: int
    error_low: float  # Wilson 95 % interval of the error rate
    error_high: float
    components: float
    ends: float
    junctions: float

    @property
    def error(self) -> float:
        """Share of these digits that were misread, in [0, 1]."""
        return self.errors / self.n


def error_by_form(shape: Topology, labels: NDArray[np.int64], wrong: NDArray[np.bool_]) -> list[Form]:
    """Count the digits, and the misread ones, by class and number of holes.

    Parameters
    ----------
    labels
        Class of each digit, (B,).
    wrong
        Whether it was misread, bool (B,).
    """
    forms = []
    for digit in range(10):
        for holes in np.unique(shape.holes[labels == digit]):
            at = (labels == digit) & (shape.holes == holes)
            n, errors = int(at.sum()), int(wrong[at].sum())
            low, high = wilson(errors, n)
            means = [float(getattr(shape, name)[at].mean()) for name in ("components", "ends", "junctions")]
            forms.append(Form(digit, int(holes), int(holes) in CLASSIC_HOLES[digit], n, errors, low, high, *means))
    return forms

"""Flattening: where the printed boxes of a page lie, when the paper is curled or a mark was found a little beside.

The homography places each box within some millimetres. The sides of the boxes are then looked for in the ink near
their places, first those of a whole field together, then those of each box. A low polynomial through what was found
gives the displacement everywhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inkdigits.forms.fields import TextField
from inkdigits.forms.pages import Box, PlacedField, PlacedPage
from inkdigits.imaging.binarize import Ink

Displacements = NDArray[np.float64]  # (N, 2): x, y in pixels


@dataclass(frozen=True)
class FlatteningParameters:
    """How the sides of boxes are looked for. Lengths are in millimetres."""

    reach: float = 3.2  # from the place that the homography gives; less than half of a box, so none is mistaken
    alike: float = 2.0  # between what a field shows and the polynomial, at most; else the field is not trusted
    near: float = 0.9  # from the place that the field, or the polynomial, gives
    line: float = 0.5  # thickness of a printed side with its blur, about
    strong: float = 0.5  # ink; handwriting is stronger, and counts no more than this
    least_contrast: float = 0.06  # ink of a side above that beside it, at least; else the side was not found
    outlier: float = 0.5  # from the polynomial; what is further was not a side
    found: float = 0.5  # of the boxes whose sides are found, at least; else the page is not where it seems to be
    terms: tuple[tuple[int, int], ...] = (  # powers of x and y, the simplest first
        (0, 0), (1, 0), (0, 1), (1, 1), (2, 0), (0, 2), (2, 1), (1, 2), (3, 0), (0, 3), (2, 2),
    )  # fmt: skip
    points_for_term: int = 2  # that a term of the polynomial needs
    anchor: float = 3.0  # weight of a corner mark, at which the displacement is 0, against a box


@dataclass(frozen=True)
class Flattened:
    """Where the boxes of a page lie on its raster.

    Attributes
    ----------
    displacements
        Of each box of each field, in the order of the page, (N, 2) pixels.
    slopes
        Change of the displacement along x and along y around each box, (N, 2, 2): rows are the components.
    seen
        Whether the sides of each box were found near their places, bool (N,); true for text without a frame.
    found
        Share of the boxes with a frame whose sides were found, in [0, 1].
    """

    displacements: Displacements
    slopes: NDArray[np.float64]
    seen: NDArray[np.bool_]
    found: float


def flatten(ink: Ink, page: PlacedPage, scale: float, parameters: FlatteningParameters | None = None) -> Flattened:
    """Find the boxes of a page on its raster.

    Parameters
    ----------
    ink
        float32 (H, W) in [0, 1], ``scale`` pixels for a millimetre.
    """
    p = parameters or FlatteningParameters()
    edges = np.minimum(ink, np.float32(p.strong))
    framed = [field for field in page.fields if _has_frame(field)]
    fields = [_found(edges, field.boxes, (0.0, 0.0), p.reach, scale, p) for field in framed]
    marks = np.array([_middle((mark.box,)) for mark in page.marks]).reshape(-1, 2)
    model = _Polynomial(np.array([_middle(field.boxes) for field in framed]), np.array(fields), marks, page, scale, p)
    boxes = [box for field in framed for box in field.boxes]
    places = np.array([_middle((box,)) for box in boxes]).reshape(-1, 2)
    own = np.repeat(np.array(fields).reshape(-1, 2), [len(field.boxes) for field in framed], axis=0)
    near = model(places)
    near = np.where(np.abs(own - near) <= p.alike * scale, own, near)
    exact = np.array([_found(edges, (box,), tuple(d), p.near, scale, p) for box, d in zip(boxes, near, strict=True)])
    model = _Polynomial(places, exact, marks, page, scale, p)
    off = np.abs(exact - model(places))  # NaN where no side was found
    middles = np.array([_middle((box,)) for field in page.fields for box in field.boxes]).reshape(-1, 2)
    displaced = model(middles)
    has_frame = np.array([field in framed for field in page.fields for _ in field.boxes], np.bool_)
    at = displaced[has_frame]
    displaced[has_frame] = np.where(off <= p.outlier * scale, (exact + at) / 2, at)
    steps = [(model(middles + step) - model(middles - step)) / (2 * scale) for step in np.eye(2)]
    seen = ~has_frame
    seen[has_frame] = (off <= p.near * scale).all(1)
    found = float(seen[has_frame].mean()) if boxes else 1.0
    return Flattened(displaced, np.stack(steps, 2), seen, found)


def _has_frame(field: PlacedField) -> bool:
    """Return whether lines are printed around the boxes of a field; inkdigits prints one line below text."""
    return bool(field.field.boxes) or not isinstance(field.field, TextField)


def _middle(boxes: Sequence[Box]) -> tuple[float, float]:
    left, right = min(box.left for box in boxes), max(box.right for box in boxes)
    top, bottom = min(box.top for box in boxes), max(box.bottom for box in boxes)
    return (left + right) / 2, (top + bottom) / 2


def _found(
    ink: Ink, boxes: Sequence[Box], near: tuple[float, ...], reach: float, scale: float, p: FlatteningParameters
) -> tuple[float, float]:
    """Return the displacement of a row of boxes, looked for around ``near``; NaN in a direction where none is seen."""
    left, top = min(box.left for box in boxes) * scale + near[0], min(box.top for box in boxes) * scale + near[1]
    right, bottom = (
        max(box.right for box in boxes) * scale + near[0],
        max(box.bottom for box in boxes) * scale + near[1],
    )
    slack = round((reach + p.line) * scale)
    x0, x1, y0, y1 = round(left), round(right), round(top), round(bottom)
    inset = max(1, round(0.15 * (y1 - y0)))
    rows = ink[max(0, y0 - slack) : y1 + slack + 1, max(0, x0 + inset) : max(1, x1 - inset)]
    columns = ink[max(0, y0 + inset) : max(1, y1 - inset), max(0, x0 - slack) : x1 + slack + 1]
    if not rows.size or not columns.size:
        return (np.nan, np.nan)
    across = sorted({round(side * scale + near[0]) - x0 for box in boxes for side in (box.left, box.right)})
    down = sorted({round(side * scale + near[1]) - y0 for box in boxes for side in (box.top, box.bottom)})
    dx = _shift(columns.mean(0), across, min(slack, max(0, x0)), round(reach * scale), p)
    dy = _shift(rows.mean(1), down, min(slack, max(0, y0)), round(reach * scale), p)
    return dx + near[0] + (x0 - left), dy + near[1] + (y0 - top)


def _shift(
    profile: NDArray[np.float32], sides: Sequence[int], origin: int, reach: int, p: FlatteningParameters
) -> float:
    """Return by how many pixels the sides lie beside their places on a profile of ink; NaN where no side is seen."""
    kernel = np.array([0.25, 0.5, 0.25])
    smooth = np.convolve(profile, kernel, mode="same")
    shifts = np.arange(-reach, reach + 1)
    places = origin + np.array(sides)[:, None] + shifts  # (sides, shifts)
    seen = (places >= 0) & (places < len(smooth))
    values = np.where(seen, smooth[np.clip(places, 0, len(smooth) - 1)], 0.0)
    score = values.mean(0)
    best = int(score.argmax())
    if score[best] - float(np.median(smooth)) < p.least_contrast:
        return float("nan")
    return float(shifts[best]) + _vertex(score, best)


def _vertex(score: NDArray[np.float64], best: int) -> float:
    """Return the place of the maximum of the parabola through three values, relative to the middle one."""
    if not 0 < best < len(score) - 1:
        return 0.0
    low, middle, high = score[best - 1 : best + 2]
    curvature = low - 2 * middle + high
    return float(0.5 * (low - high) / curvature) if curvature < 0 else 0.0


class _Polynomial:
    """The displacement as a function of the place on the page, fitted robustly."""

    def __init__(
        self, places: NDArray[np.float64], found: NDArray[np.float64], marks: NDArray[np.float64],
        page: PlacedPage, scale: float, p: FlatteningParameters,
    ) -> None:  # fmt: skip
        self._size = np.array([page.width, page.height])
        everywhere = np.concatenate([places.reshape(-1, 2), marks])
        targets = np.concatenate([found.reshape(-1, 2), np.zeros((len(marks), 2))])
        base = np.concatenate([np.ones(len(places)), np.full(len(marks), p.anchor)])
        self._columns = []
        for axis in range(2):
            known = np.isfinite(targets[:, axis])
            terms = p.terms[: max(3, min(len(p.terms), int(known[: len(places)].sum()) // p.points_for_term))]
            matrix = self._matrix(everywhere[known], terms)
            self._columns.append((terms, _robust_fit(matrix, targets[known, axis], base[known], p.outlier * scale)))

    def _matrix(self, places: NDArray[np.float64], terms: Sequence[tuple[int, int]]) -> NDArray[np.float64]:
        x, y = (2 * places / self._size - 1).T
        return np.stack([x**i * y**j for i, j in terms], 1)

    def __call__(self, places: NDArray[np.float64]) -> Displacements:
        """Return the displacements (N, 2) at places (N, 2) in millimetres."""
        return np.stack([self._matrix(places, terms) @ factors for terms, factors in self._columns], 1)


def _robust_fit(
    matrix: NDArray[np.float64], values: NDArray[np.float64], base: NDArray[np.float64], width: float, rounds: int = 8
) -> NDArray[np.float64]:
    """Return the factors of a least-squares fit in which outliers lose their weight (Cauchy's)."""
    ridge = 1e-3 * np.eye(matrix.shape[1])
    weights = base
    factors: NDArray[np.float64] = np.zeros(matrix.shape[1])
    for _ in range(rounds):
        factors = np.asarray(
            np.linalg.solve(matrix.T @ (weights[:, None] * matrix) + ridge, matrix.T @ (weights * values)), float
        )
        weights = base / (1 + ((values - matrix @ factors) / width) ** 2)
    return factors


@dataclass(frozen=True)
class PlacedBox:
    """A box of a page where it lies on the raster.

    Attributes
    ----------
    field, index
        Its field, and its place among the boxes of the field.
    box
        Its place on the flat page, mm.
    matrix
        Affine map (2, 3) from pixels of the flat page around the box to those of the raster.
    seen
        Whether its sides were found near its place.
    """

    field: PlacedField
    index: int
    box: Box
    matrix: NDArray[np.float64]
    seen: bool = True


def placed_boxes(page: PlacedPage, flattened: Flattened, scale: float) -> list[PlacedBox]:
    """Return the boxes of a page, in its order, where they lie on the raster."""
    rest = iter(zip(flattened.displacements, flattened.slopes, flattened.seen.tolist(), strict=True))
    out = []
    for field in page.fields:
        for index, box in enumerate(field.boxes):
            displacement, slope, seen = next(rest)
            middle = np.array(_middle((box,))) * scale
            matrix = np.concatenate([np.eye(2) + slope, (displacement - slope @ middle)[:, None]], 1)
            out.append(PlacedBox(field, index, box, matrix, seen))
    return out

"""Matches the rectangles of a blank with those of a picture: for forms that have boxes and little text.

Each pair of rectangles gives an affine map. Those under which most rectangles fall on one of the picture are refined to
a homography (M. Fischler and R. Bolles, "Random sample consensus", 1981, with rectangles in place of points).
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from inkdigits.imaging.rectangles import Corners

Homography = NDArray[np.float64]  # (3, 3)


@dataclass(frozen=True)
class RectangleMatchingParameters:
    """How rectangles are matched."""

    trials: int = 1500  # pairs that are tried, at most
    near: float = 0.35  # of the shorter side; two rectangles with centres so near fall on each other
    alike: float = 0.3  # difference of the logarithms of their sides, at most
    kept: int = 4  # homographies that are returned, at most: a row of equal boxes fits in several places
    rounds: int = 3  # of the refinement
    seed: int = 0  # of the choice of pairs


def match_rectangles(
    own: Corners, seen: Corners, parameters: RectangleMatchingParameters | None = None
) -> list[Homography]:
    """Return the likeliest homographies from rectangles (K, 4, 2) to others (M, 4, 2), the likeliest first."""
    p = parameters or RectangleMatchingParameters()
    if not len(own) or not len(seen):
        return []
    rng = np.random.default_rng(p.seed)
    pairs = [(i, j, turn) for i in range(len(own)) for j in range(len(seen)) for turn in range(4)]
    chosen = [pairs[k] for k in rng.permutation(len(pairs))[: p.trials]]
    found: list[tuple[int, Homography]] = []
    for i, j, turn in chosen:
        matrix = _affine(own[i], np.roll(seen[j], -turn, 0))
        count = len(_fallen(own, seen, matrix, p)[0])
        found.append((count, matrix))
    found.sort(key=lambda one: -one[0])
    refined: list[tuple[int, Homography]] = []
    for _, matrix in found[: 12 * p.kept]:
        better = _refined(own, seen, matrix, p)
        if better is None or any(_same(better, other, own) for _, other in refined):
            continue
        refined.append((len(_fallen(own, seen, better, p)[0]), better))
        if len(refined) == p.kept:
            break
    return [matrix for _, matrix in sorted(refined, key=lambda one: -one[0])]


def _affine(source: NDArray[np.float64], target: NDArray[np.float64]) -> Homography:
    """Return the affine map that takes four points to four others as nearly as it can."""
    padded = np.hstack([source, np.ones((4, 1))])
    solution = np.linalg.lstsq(padded, target, rcond=None)[0]
    return np.vstack([solution.T, [0.0, 0.0, 1.0]])


def _mapped(points: NDArray[np.float64], matrix: Homography) -> NDArray[np.float64]:
    return np.asarray(cv2.perspectiveTransform(points.reshape(-1, 1, 2), matrix).reshape(points.shape), float)


def _fallen(
    own: Corners, seen: Corners, matrix: Homography, p: RectangleMatchingParameters
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the indices of the rectangles that fall on one of the picture, and the indices of those."""
    mapped = _mapped(own, matrix)
    centres, others = mapped.mean(1), seen.mean(1)
    distance = np.linalg.norm(centres[:, None] - others[None], axis=2)  # (K, M)
    nearest = distance.argmin(1)
    sides, there = _sides(mapped), np.sort(_sides(seen)[nearest], 1)
    alike = (np.abs(np.log(np.maximum(np.sort(sides, 1), 1e-6) / there)) < p.alike).all(1)
    fallen = (distance.min(1) < p.near * there[:, 0]) & alike
    return np.flatnonzero(fallen), nearest[fallen]


def _sides(rectangles: Corners) -> NDArray[np.float64]:
    """Return the lengths of two sides of each rectangle, (K, 2)."""
    return np.stack(
        [
            np.linalg.norm(rectangles[:, 1] - rectangles[:, 0], axis=1),
            np.linalg.norm(rectangles[:, 3] - rectangles[:, 0], axis=1),
        ],
        1,
    )


def _refined(own: Corners, seen: Corners, matrix: Homography, p: RectangleMatchingParameters) -> Homography | None:
    """Return the homography that takes the corners of the rectangles to those of the ones on which they fall."""
    for _ in range(p.rounds):
        mine, theirs = _fallen(own, seen, matrix, p)
        if not len(mine):
            return None
        mapped = _mapped(own[mine], matrix)
        target = np.array([_turned_to(corners, to) for corners, to in zip(seen[theirs], mapped, strict=True)])
        if len(mine) == 1:
            return _affine(own[mine[0]], target[0])
        tolerance = 0.15 * float(np.median(_sides(seen[theirs])))
        better, _ = cv2.findHomography(own[mine].reshape(-1, 2), target.reshape(-1, 2), cv2.RANSAC, tolerance)
        if better is None:
            return None
        matrix = np.asarray(better, float)
    return matrix


def _turned_to(corners: NDArray[np.float64], to: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return corners in the order in which each is nearest to those of another rectangle."""
    turned = [np.roll(corners, -turn, 0) for turn in range(4)]
    return min(turned, key=lambda one: float(np.abs(one - to).sum()))


def _same(one: Homography, other: Homography, own: Corners) -> bool:
    """Return whether two homographies put the rectangles at about the same places."""
    shift = np.linalg.norm(_mapped(own, one) - _mapped(own, other), axis=2)
    return bool(np.median(shift) < 0.3 * np.median(_sides(_mapped(own, one))))

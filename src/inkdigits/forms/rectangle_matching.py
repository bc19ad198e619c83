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

    trials: int = 4000  # pairs that are tried, at most
    batch: int = 100  # pairs that are tried at once
    near: float = 0.35  # of the shorter side; two rectangles with centres so near fall on each other
    alike: float = 0.3  # difference of the logarithms of their sides, at most
    kept: int = 5  # homographies that are returned, at most: a row of equal boxes fits in several places
    rounds: int = 3  # of the refinement
    seed: int = 0  # of the choice of pairs


def match_rectangles(
    own: Corners, seen: Corners, parameters: RectangleMatchingParameters | None = None
) -> list[Homography]:
    """Return the likeliest homographies from rectangles (K, 4, 2) to others (M, 4, 2), the likeliest first."""
    p = parameters or RectangleMatchingParameters()
    if not len(own) or not len(seen):
        return []
    counts, maps = _trials(own, seen, p)
    refined: list[tuple[int, Homography]] = []
    for best in np.argsort(-counts, kind="stable")[: 40 * p.kept]:
        better = _refined(own, seen, np.vstack([maps[best].T, [0.0, 0.0, 1.0]]), p)
        if better is None or any(_same(better, other, own) for _, other in refined):
            continue
        refined.append((len(_fallen(own, seen, better, p)[0]), better))
        if len(refined) == p.kept:
            break
    return [matrix for _, matrix in sorted(refined, key=lambda one: -one[0])]


def _trials(
    own: Corners, seen: Corners, p: RectangleMatchingParameters
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return for pairs of rectangles how many fall on one of the picture, and the affine maps (B, 3, 2)."""
    rng = np.random.default_rng(p.seed)
    chosen = rng.permutation(4 * len(own) * len(seen))[: p.trials]
    mine, theirs, turn = chosen // (4 * len(seen)), chosen // 4 % len(seen), chosen % 4
    turned = np.stack([np.roll(seen, -quarters, 1) for quarters in range(4)])  # (4, M, 4, 2)
    corners = np.concatenate([own, np.ones((*own.shape[:2], 1))], 2)  # (K, 4, 3)
    maps = np.linalg.pinv(corners)[mine] @ turned[turn, theirs]  # (B, 3, 2)
    near = (p.near * float(np.median(_sides(seen).min(1)))) ** 2
    others, counts = seen.mean(1), []
    for part in np.array_split(maps, max(1, len(maps) // p.batch)):
        mapped = corners.mean(1) @ part  # (b, K, 2)
        distance = ((mapped[:, :, None] - others) ** 2).sum(3).min(2)  # (b, K)
        counts.append((distance < near).sum(1))
    return np.concatenate(counts), maps


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
            only = np.asarray(own[mine[0]], np.float32), np.asarray(target[0], np.float32)
            return np.asarray(cv2.getPerspectiveTransform(*only), float)
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

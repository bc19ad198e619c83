"""Finds a page of a form that exists already on a picture, without marks and codes.

Features of the blank and of the picture give a homography (RANSAC). Where a form has too few, as one of boxes alone,
the rectangles that its lines draw are matched, or the whole picture stands in. The homography is refined on the print
(G. Evangelidis and E. Psarakis, "Parametric image alignment using enhanced correlation coefficient maximization", 2008)
and accepted by how much of the blank's print is found in its place.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from inkdigits.forms.blanks import SCALE, Blank, Features, features_of, print_of, rectangles_of
from inkdigits.forms.flattening import FlatteningParameters
from inkdigits.forms.locating import Grey, Located, rectified
from inkdigits.forms.pages import PlacedPage, Placement
from inkdigits.forms.printed import Printed
from inkdigits.forms.rectangle_matching import match_rectangles
from inkdigits.forms.registration import BlankPageError, Homography, NoFormError, is_blank, is_plausible
from inkdigits.imaging.binarize import Ink, normalize_background
from inkdigits.imaging.pixels import shrunk
from inkdigits.imaging.rectangles import Corners

FEATURES, WHOLE, RECTANGLES, TURNED = range(4)  # what a homography comes from, in the order in which they are tried
ALIGNED = FlatteningParameters(reach=1.5, alike=1.0, near=0.7)  # the print of the whole page is aligned already


@dataclass(frozen=True)
class MatchingParameters:
    """How a page of a blank is found, and when it is accepted."""

    ratio: float = 0.85  # distance of the nearest descriptor over that of the second, at most (Lowe)
    tolerance: float = 1.5  # mm; a pair of features that the homography misses by more is no inlier
    pairs: int = 12  # of features, at least; else they show no homography
    outline: int = 1600  # pixels of the longer side, in which rectangles are looked for
    scales: tuple[float, ...] = (1.5, 3.0)  # pixels for a millimetre, at which the homography is refined in turn
    smooth: int = 5  # pixels; side of the filter before each refinement
    even: float = 0.5  # ink; handwriting is stronger than much print, and counts no more than this
    rounds: int = 60  # of each refinement, at most
    checked: float = 4.0  # pixels for a millimetre, at which the print is compared
    near: float = 0.4  # mm; print that is so near is in its place
    strong: float = 0.3  # of the strongest print of the blank; what is fainter may be lost in a scan
    least: float = (
        0.9  # agreement of the print, at least, that a sheet is accepted with; see benchmarks/existing_forms.py
    )
    hopeful: float = 0.3  # agreement from which a homography is refined
    sure: float = 0.97  # agreement with which no other homography is tried
    better: float = 0.05  # agreement that a sheet upside down needs more than one that lies as it is read


@dataclass(frozen=True, eq=False)
class Match:
    """A page of the blank on a picture.

    ``matrix`` is from its millimetres to pixels, ``agreement`` in [-1, 1] that of the print, ``gain`` how strong the
    print of the sheet is against that of the blank.
    """

    blank: Blank
    matrix: Homography
    agreement: float
    gain: float


class BlankSheets:
    """Finds pages of a form that exists already."""

    def __init__(
        self, placement: Placement, blanks: Sequence[Blank], parameters: MatchingParameters | None = None
    ) -> None:
        self._placement, self._blanks = placement, blanks
        self._parameters = parameters or MatchingParameters()

    def locate(self, grey: Grey) -> Located:
        """See :class:`inkdigits.forms.locating.Locator`."""
        p, name = self._parameters, self._placement.design.name
        if is_blank(grey):
            raise BlankPageError("the page is blank")
        best = self.match(grey)
        if best is None or best.agreement < p.least:
            share = 0 if best is None else max(0, round(100 * best.agreement))
            raise NoFormError(
                f"no page of the form {name}: its print agrees by {share} %, and {100 * p.least:.0f} % are needed; "
                "scan the whole sheet, or read it with the design of its own form"
            )
        page = best.blank.page
        advice = f"the boxes are not where the blank of {name} has them; is it another version of the form?"
        boxes = {(one.field.name, one.index): one for one in best.blank.boxes}
        printed = Printed(best.blank.ink, boxes, best.gain)
        return Located(self._placement.payload(page.number, 0), page, best.matrix, 0, printed, ALIGNED, advice)

    def match(self, grey: Grey) -> Match | None:
        """Return the page of the blank that agrees best with a picture (H, W); None where none can be tried."""
        p = self._parameters
        best: Match | None = None
        for stage, blank, matrix in self._candidates(grey):
            more = p.better if stage in (RECTANGLES, TURNED) else 0.0
            if best is not None and best.agreement >= p.sure:
                break
            if not is_plausible(matrix, blank.page):
                continue
            found = self._scored(grey, blank, matrix)
            if found.agreement >= p.hopeful:
                refined = self._scored(grey, blank, self._refined(grey, blank, matrix))
                found = refined if refined.agreement >= found.agreement else found
            if best is None or found.agreement > best.agreement + more:
                best = found
        return best

    def _candidates(self, grey: Grey) -> Iterator[tuple[int, Blank, Homography]]:
        """Yield homographies to try in stages, the likeliest first."""
        p = self._parameters
        features = features_of(grey)
        pairs = [(self._paired(blank, features), blank) for blank in self._blanks]
        for (count, matrix), blank in sorted(pairs, key=lambda one: -one[0][0]):
            if matrix is not None and count >= p.pairs:
                yield FEATURES, blank, matrix
        height, width = grey.shape
        whole = np.array([[0, 0], [width, 0], [width, height], [0, height]], float)
        for blank in self._blanks:
            yield WHOLE, blank, _from_corners(_corners(blank.page), whole)
        seen = self._rectangles(grey)
        for blank in self._blanks:
            for matrix in match_rectangles(blank.rectangles, seen):
                yield RECTANGLES, blank, matrix
        for quarters in (1, 2, 3):
            for blank in self._blanks:
                yield TURNED, blank, _from_corners(_corners(blank.page), np.roll(whole, -quarters, 0))

    def _paired(self, blank: Blank, features: Features) -> tuple[int, Homography | None]:
        """Return the number of inliers, and the homography from millimetres that they show."""
        p = self._parameters
        own = blank.features
        if min(len(own.points), len(features.points)) < p.pairs:
            return 0, None
        nearest = cv2.BFMatcher(cv2.NORM_L2).knnMatch(features.descriptors, own.descriptors, k=2)
        good = [one for one, other in nearest if one.distance < p.ratio * other.distance]
        if len(good) < p.pairs:
            return 0, None
        source = np.array([own.points[one.trainIdx] for one in good])
        target = np.array([features.points[one.queryIdx] for one in good])
        # RANSAC judges on the paper, as the scale of the picture is not known yet
        inverse, inliers = cv2.findHomography(target, source, cv2.USAC_MAGSAC, p.tolerance, maxIters=5000)
        if inverse is None or abs(np.linalg.det(inverse)) < 1e-12:
            return 0, None
        matrix = np.linalg.inv(inverse)
        return int(inliers.sum()), np.asarray(matrix / matrix[2, 2], float)

    def _rectangles(self, grey: Grey) -> Corners:
        """Return the rectangles that lines draw on a picture, pixels."""
        small = shrunk(grey, self._parameters.outline)
        found = rectangles_of(normalize_background(small), 10)
        return np.asarray(found * (grey.shape[1] / small.shape[1]), float)

    def _refined(self, grey: Grey, blank: Blank, matrix: Homography) -> Homography:
        """Return a homography that places the print of the blank on that of the picture more exactly."""
        p = self._parameters
        for scale in p.scales:
            own = np.minimum(_scaled(blank.ink, scale), np.float32(p.even))
            seen = np.minimum(_ink(grey, matrix, blank.page, scale), np.float32(p.even))
            start = np.eye(3, dtype=np.float32)
            stop = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, p.rounds, 1e-4)
            try:
                whole = np.full(own.shape, 255, np.uint8)
                _, warp = cv2.findTransformECC(own, seen, start, cv2.MOTION_HOMOGRAPHY, stop, whole, p.smooth)
            except cv2.error:  # it does not converge: the two have nothing in common
                return matrix
            factor = np.diag([scale, scale, 1.0])
            better = matrix @ np.linalg.inv(factor) @ warp @ factor
            if not is_plausible(better, blank.page):
                return matrix
            matrix = np.asarray(better / better[2, 2], float)
        return matrix

    def _scored(self, grey: Grey, blank: Blank, matrix: Homography) -> Match:
        """Return how well the print agrees: the share that is found in its place, corrected for chance.

        The correction is that of J. Cohen, "A coefficient of agreement for nominal scales", 1960.
        """
        p = self._parameters
        own = _scaled(blank.ink, p.checked)
        seen = _ink(grey, matrix, blank.page, p.checked)
        strong = own > p.strong * float(own.max())
        reach = 2 * round(p.near * p.checked) + 1
        near = cv2.dilate(print_of(seen), np.ones((reach, reach), np.uint8)) > 0
        chance = float(near.mean())
        agreement = (float(near[strong].mean()) - chance) / max(1e-6, 1 - chance) if strong.any() else 0.0
        strongest = cv2.dilate(seen, np.ones((3, 3), np.uint8))
        gain = float(np.median(strongest[strong] / own[strong])) if strong.any() else 1.0
        return Match(blank, matrix, agreement, gain)


def _ink(grey: Grey, matrix: Homography, page: PlacedPage, scale: float) -> Ink:
    """Return the ink of a page on a picture, ``scale`` pixels for a millimetre."""
    pixels = float(np.sqrt(abs(np.linalg.det(matrix[:2, :2])))) / scale  # of the picture for one of the page
    if pixels > 2:  # so that no line falls between the pixels
        grey = np.asarray(cv2.blur(grey, (round(pixels), round(pixels))), np.uint8)
    return normalize_background(rectified(grey, matrix, page, scale))


def _scaled(ink: Ink, scale: float) -> Ink:
    size = round(ink.shape[1] / SCALE * scale), round(ink.shape[0] / SCALE * scale)
    return np.asarray(cv2.resize(ink, size, interpolation=cv2.INTER_AREA), np.float32)


def _corners(page: PlacedPage) -> NDArray[np.float64]:
    return np.array([[0, 0], [page.width, 0], [page.width, page.height], [0, page.height]], float)


def _from_corners(source: NDArray[np.float64], target: NDArray[np.float64]) -> Homography:
    return np.asarray(
        cv2.getPerspectiveTransform(np.asarray(source, np.float32), np.asarray(target, np.float32)), float
    )

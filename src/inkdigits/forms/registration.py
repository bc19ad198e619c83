"""Registration: which page of a form is on a picture, and where its millimetres lie there.

The QR code names the page. The corner marks, ArUco markers (S. Garrido-Jurado et al., "Automatic generation and
detection of highly reliable fiducial markers under occlusion", Pattern Recognition 2014), give the homography. Where
marks are hidden, the corners of the code stand in for them.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from inkdigits.errors import DataError
from inkdigits.forms.pages import CODE_SIZE, MARK_DICTIONARY, MARK_IDS, PlacedPage
from inkdigits.forms.payload import Payload, decode
from inkdigits.imaging.pixels import shrunk

Grey = NDArray[np.uint8]  # (H, W)
Points = NDArray[np.float64]  # (N, 2): x, y
Homography = NDArray[np.float64]  # (3, 3): from millimetres of the page to pixels of the picture


@dataclass(frozen=True)
class RegistrationParameters:
    """How marks and codes are looked for."""

    sizes: tuple[int, ...] = (1000, 1600, 2400)  # pixels of the longer side, tried in turn; small ones are quick
    windows: tuple[tuple[int, int], ...] = ((23, 23), (3, 23), (3, 23))  # of the threshold that shows the marks, pixels
    enough: tuple[int, ...] = (4, 3, 3)  # marks; where so many are found beside a code, no larger size is tried
    corner_window: float = 0.25  # of a cell of a mark's side; how far its corner is refined
    tolerance: float = 1.0  # mm; a corner that the homography misses by more is left out
    code_scale: int = 12  # pixels for a millimetre of a code that is cut out; 9 for its smallest module
    blank: float = 0.002  # share of the pixels that are dark, at most, on a blank page
    dark: float = 0.75  # of the paper's brightness; less is dark


@dataclass(frozen=True)
class Found:
    """Marks and codes on a picture.

    Attributes
    ----------
    marks
        Corners (4, 2) of each mark by its identity: top left, top right, bottom right, bottom left.
    codes
        What the QR codes of forms say, with their corners in the same order.
    """

    marks: dict[int, Points]
    codes: tuple[tuple[Payload, Points], ...]


class NoFormError(DataError):
    """No form can be told on a picture; the message says why."""


class SeveralSheetsError(NoFormError):
    """A picture shows more than one sheet."""


class BlankPageError(NoFormError):
    """A picture shows an empty page."""


def find_codes(grey: Grey) -> list[tuple[Payload, Points]]:
    """Return the codes of forms on a picture (H, W) in any orientation, with their corners in pixels."""
    import zxingcpp

    found = zxingcpp.read_barcodes(
        np.ascontiguousarray(grey), formats=zxingcpp.barcode_formats_from_str("QRCode"), try_invert=False
    )
    out = []
    for code in found:
        payload = decode(code.text)
        if payload is not None:
            at = code.position
            corners = [(p.x, p.y) for p in (at.top_left, at.top_right, at.bottom_right, at.bottom_left)]
            out.append((payload, np.array(corners, float)))
    return out


def find_marks(grey: Grey, windows: tuple[int, int] = (3, 23)) -> list[tuple[int, Points]]:
    """Return identity and corners (4, 2) of the corner marks on a picture (H, W), in pixels.

    Parameters
    ----------
    windows
        Smallest and largest side of the windows of the adaptive threshold, pixels.
    """
    dictionary = cv2.aruco.getPredefinedDictionary(getattr(cv2.aruco, MARK_DICTIONARY))
    settings = cv2.aruco.DetectorParameters()
    settings.minMarkerPerimeterRate = 0.04  # of the longer side; a mark on a page that fills half of a photo has 0.06
    settings.adaptiveThreshWinSizeMin, settings.adaptiveThreshWinSizeMax = windows
    corners, ids, _ = cv2.aruco.ArucoDetector(dictionary, settings).detectMarkers(grey)
    if ids is None:
        return []
    found = zip(map(int, ids.ravel()), corners, strict=True)
    return [(number, np.array(points, np.float64).reshape(4, 2)) for number, points in found if number in MARK_IDS]


def find(grey: Grey, parameters: RegistrationParameters | None = None) -> Found:
    """Return the marks and codes on a picture (H, W), in its pixels.

    Raises
    ------
    SeveralSheetsError
        When it shows marks or codes of more than one sheet.
    """
    p = parameters or RegistrationParameters()
    marks: dict[int, Points] = {}
    codes: list[tuple[Payload, Points]] = []
    for size, windows, enough in zip(p.sizes, p.windows, p.enough, strict=True):
        small = shrunk(grey, size)
        scale = grey.shape[1] / small.shape[1]
        new = find_marks(small, windows)
        if not codes:
            codes = [(payload, np.asarray(corners * scale, float)) for payload, corners in find_codes(small)]
        _require_one_sheet(new, codes)
        marks |= {number: np.asarray(corners * scale) for number, corners in new if number not in marks}
        if len(marks) >= enough and codes:
            break
    return Found({number: _refined(grey, corners, p) for number, corners in marks.items()}, tuple(codes[:1]))


def _require_one_sheet(marks: list[tuple[int, Points]], codes: list[tuple[Payload, Points]]) -> None:
    """Raise SeveralSheetsError where a mark or a code stands twice."""
    numbers = [number for number, _ in marks]
    sheets = max([len(codes), *(numbers.count(number) for number in numbers)])
    if sheets > 1:
        raise SeveralSheetsError(f"{sheets} sheets lie on one picture; scan each sheet alone")


def _refined(grey: Grey, corners: Points, p: RegistrationParameters) -> Points:
    """Return the corners of a mark to a fraction of a pixel."""
    cell = float(np.linalg.norm(np.roll(corners, 1, 0) - corners, axis=1).min()) / 7
    reach = max(2, round(p.corner_window * cell * 2))
    points = np.asarray(corners, np.float32).reshape(-1, 1, 2).copy()
    stop = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 30, 0.01)
    better = cv2.cornerSubPix(grey, points, (reach, reach), (-1, -1), stop).reshape(4, 2)
    near = np.linalg.norm(better - corners, axis=1) <= 2 * reach
    return np.where(near[:, None], better, corners).astype(float)


def homography(found: Found, page: PlacedPage, parameters: RegistrationParameters | None = None) -> Homography | None:
    """Return the map from millimetres of a page to pixels; None where too few marks are seen."""
    p = parameters or RegistrationParameters()
    places = {mark.id: mark.box for mark in page.marks}
    paper = [np.array(places[number].corners, float) for number in found.marks]
    picture = list(found.marks.values())
    if len(found.marks) < 3:  # a code's corners are less exact than those of the marks
        paper += [np.array(page.code.corners, float) for _ in found.codes]
        picture += [corners for _, corners in found.codes]
    if not paper:
        return None
    source, target = np.concatenate(paper), np.concatenate(picture)
    if len(paper) == 1:  # a small square shows scale and direction, and no perspective
        affine, _ = cv2.estimateAffinePartial2D(source, target)
        matrix = None if affine is None else np.array([*affine, [0, 0, 1]])
    else:
        scale = np.sqrt(np.ptp(target, 0).prod() / np.ptp(source, 0).prod())  # pixels for a millimetre
        matrix, _ = cv2.findHomography(source, target, cv2.RANSAC, p.tolerance * float(scale))
    return None if matrix is None or not is_plausible(matrix, page) else np.asarray(matrix, float)


def is_plausible(matrix: NDArray[Any], page: PlacedPage) -> bool:
    """Return whether a homography keeps a page's orientation: a mirrored or folded one is a wrong match."""
    corners = np.array([[[0, 0], [page.width, 0], [page.width, page.height], [0, page.height]]], float)
    mapped = cv2.perspectiveTransform(corners, matrix)[0]
    edges = np.roll(mapped, -1, 0) - mapped
    turns = edges[:, 0] * np.roll(edges, -1, 0)[:, 1] - edges[:, 1] * np.roll(edges, -1, 0)[:, 0]
    return bool((turns > 0).all())


def payload_of(grey: Grey, found: Found, page: PlacedPage, parameters: RegistrationParameters | None = None) -> Payload:
    """Return what the code of a sheet says; where it was not found, it is cut out at the place that the marks tell.

    Raises
    ------
    BlankPageError, NoFormError
        When there is neither.
    """
    p = parameters or RegistrationParameters()
    if found.codes:
        return found.codes[0][0]
    matrix = homography(found, page, p)
    if matrix is None:
        if is_blank(grey, p):
            raise BlankPageError("the page is blank")
        raise NoFormError(
            "neither a QR code nor the corner marks of a form are seen; scan the whole sheet, sharp and flat"
        )
    for patch in _code_patches(grey, matrix, page, p):
        for payload, _ in find_codes(patch):
            return payload
    raise NoFormError("the corner marks of a form are seen, but its QR code cannot be read; scan the sheet anew")


def _code_patches(grey: Grey, matrix: Homography, page: PlacedPage, p: RegistrationParameters) -> list[Grey]:
    """Return pictures of the place of the code: as it is, sharpened, and in black and white."""
    rim = CODE_SIZE / 5
    scale, side = p.code_scale, round(p.code_scale * (CODE_SIZE + 2 * rim))
    to_paper = np.array([[1 / scale, 0, page.code.left - rim], [0, 1 / scale, page.code.top - rim], [0, 0, 1]])
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    patch = cv2.warpPerspective(grey, matrix @ to_paper, (side, side), flags=flags, borderValue=255)
    soft = cv2.GaussianBlur(patch, (0, 0), 0.4 * scale)
    sharp = cv2.addWeighted(patch, 2.5, soft, -1.5, 0)
    _, black = cv2.threshold(cv2.GaussianBlur(patch, (0, 0), 0.2 * scale), 0, 255, cv2.THRESH_OTSU)
    return [np.asarray(one, np.uint8) for one in (patch, sharp, black)]


def is_blank(grey: Grey, parameters: RegistrationParameters | None = None) -> bool:
    """Return whether a picture shows an empty page."""
    p = parameters or RegistrationParameters()
    small = shrunk(grey, 800)
    paper = cv2.medianBlur(small, 51)
    inner = tuple(slice(side // 20, side - side // 20) for side in small.shape)  # without the rim of a scanner's lid
    return float((small < p.dark * paper)[inner].mean()) <= p.blank

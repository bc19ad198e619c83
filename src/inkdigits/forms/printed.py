"""What is printed on a form that exists already, and its removal from the ink of a filled sheet."""

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np

from inkdigits.forms.flattening import PlacedBox
from inkdigits.imaging.binarize import Ink

Shift = tuple[int, int]  # pixels, across and down


@dataclass(frozen=True)
class PrintedParameters:
    """How print is told from writing on it. Lengths are in millimetres."""

    around: float = 0.2  # by which the print of a sheet is broader than that of the blank, or beside it
    reach: float = 0.7  # by which it lies beside that of the blank before it is aligned, at most
    uneven: float = 0.3  # share by which print may be stronger than on the blank
    even: float = 0.5  # ink; stronger ink counts no more where print is aligned
    bridge: float = 1.0  # gap in a stroke that crosses print, at most; it is closed
    faintest: float = 0.05  # share of the paper's brightness; less is paper


@dataclass(frozen=True, eq=False)
class Printed:
    """The print of a page.

    Attributes
    ----------
    ink
        float32 (H, W) in [0, 1], of the blank.
    boxes
        Where its boxes lie on this raster, by the name of the field and the place in it.
    gain
        How strong the print of the sheet is, against that of the blank.
    """

    ink: Ink
    boxes: Mapping[tuple[str, int], PlacedBox]
    gain: float = 1.0

    def box(self, one: PlacedBox) -> PlacedBox:
        """Return where a box lies on the blank."""
        return self.boxes[one.field.name, one.index]


def without_print(
    patch: Ink, printed: Ink, gain: float, scale: float, parameters: PrintedParameters | None = None
) -> Ink:
    """Return the ink of a part of a sheet without what is printed there.

    A stroke is stronger than light print below it, and stays. Where dark print takes a part of it, the gap is closed.

    Parameters
    ----------
    patch, printed
        float32 (h, w) in [0, 1], of the sheet and of the blank, ``scale`` pixels for a millimetre.
    """
    p = parameters or PrintedParameters()
    reach = 2 * round(p.around * scale) + 1
    near = gain * cv2.dilate(printed, np.ones((reach, reach), np.uint8))
    rest = np.where(patch > (1 + p.uneven) * near, patch, 0)
    size = 2 * round(p.bridge * scale / 2) + 1
    across, down = (
        cv2.morphologyEx(rest, cv2.MORPH_CLOSE, np.ones(shape, np.uint8)) for shape in ((1, size), (size, 1))
    )
    bridged = np.maximum(across, down)
    return np.asarray(np.where(near > p.faintest, np.minimum(patch, bridged), patch), np.float32)


def shift_of_print(patch: Ink, printed: Ink, scale: float, parameters: PrintedParameters | None = None) -> Shift:
    """Return by how many pixels, across and down, the print of a sheet lies beside that of the blank.

    Parameters
    ----------
    patch, printed
        As for :func:`without_print`.
    """
    p = parameters or PrintedParameters()
    reach = round(p.reach * scale)
    inner = printed[reach:-reach, reach:-reach]
    if min(inner.shape) < 4 * reach or float(inner.max()) < p.faintest:
        return 0, 0
    even = np.minimum(patch, p.even)  # strokes are stronger than most print
    found = cv2.matchTemplate(even, np.minimum(inner, p.even), cv2.TM_CCOEFF_NORMED)
    down, across = np.unravel_index(int(found.argmax()), found.shape)
    return int(across) - reach, int(down) - reach


def moved(printed: Ink, shift: Shift) -> Ink:
    """Return print that is moved by some pixels, across and down."""
    matrix = np.array([[1.0, 0, shift[0]], [0, 1.0, shift[1]]])
    return np.asarray(cv2.warpAffine(printed, matrix, printed.shape[::-1], borderMode=cv2.BORDER_REPLICATE), np.float32)

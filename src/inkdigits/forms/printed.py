"""What is printed on a form that exists already, and its removal from the ink of a filled sheet."""

from dataclasses import dataclass

import cv2
import numpy as np

from inkdigits.imaging.binarize import Ink


@dataclass(frozen=True)
class PrintedParameters:
    """How print is told from writing on it. Lengths are in millimetres."""

    around: float = 0.2  # by which the print of a sheet lies beside that of the blank, at most
    bridge: float = 1.0  # gap in a stroke that crosses print, at most; it is closed
    faintest: float = 0.05  # share of the paper's brightness; less is paper


@dataclass(frozen=True, eq=False)
class Printed:
    """The print of a page.

    Attributes
    ----------
    ink
        float32 (H, W) in [0, 1], of the blank.
    gain
        How strong the print of the sheet is, against that of the blank.
    """

    ink: Ink
    gain: float = 1.0


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
    near = cv2.dilate(printed, np.ones((reach, reach), np.uint8))
    rest = np.maximum(0, patch - gain * near)
    size = round(p.bridge * scale)
    bridged = cv2.morphologyEx(rest, cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)))
    return np.asarray(np.where(near > p.faintest, np.minimum(patch, bridged), patch), np.float32)

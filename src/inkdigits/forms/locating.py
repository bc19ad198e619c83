"""Locating: which page of a form is on a picture, and where it lies there."""

from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from inkdigits.forms.flattening import FlatteningParameters
from inkdigits.forms.pages import PlacedPage, Placement
from inkdigits.forms.payload import Payload
from inkdigits.forms.printed import Printed
from inkdigits.forms.registration import Homography, NoFormError, find, homography, payload_of

Grey = NDArray[np.uint8]


class WrongFormError(NoFormError):
    """A page belongs to another form, or to another version."""


class NotRegisteredError(NoFormError):
    """The page is known, but its boxes are not found."""


@dataclass(frozen=True)
class Located:
    """A page of a form on a picture.

    Attributes
    ----------
    payload
        Names the page.
    page
        Its boxes.
    matrix
        From its millimetres to pixels of the picture.
    marks
        How many corner marks were seen.
    printed
        What is printed on a form that exists already; None for one that inkdigits printed.
    flattening
        How its boxes are looked for; None for the defaults.
    advice
        What to say where the boxes are not found at their places.
    """

    payload: Payload
    page: PlacedPage
    matrix: Homography
    marks: int = 0
    printed: Printed | None = None
    flattening: FlatteningParameters | None = None
    advice: str = "the boxes are not where the corner marks say; scan the sheet flat and whole"


class Locator(Protocol):
    """Finds the page of a form on a picture."""

    def locate(self, grey: Grey) -> Located:
        """Return the page on a picture (H, W). Raises NoFormError, of a kind that tells why there is none."""
        ...


class MarkedSheets:
    """Finds pages that inkdigits printed, by their corner marks and codes."""

    def __init__(self, placement: Placement) -> None:
        self._placement = placement

    def locate(self, grey: Grey) -> Located:
        """See :class:`Locator`."""
        found = find(grey)
        payload = payload_of(grey, found, self._placement.pages[0])
        page = self._page(payload)
        matrix = homography(found, page)
        if matrix is None:
            raise NotRegisteredError("the corner marks are not seen; scan the whole sheet")
        return Located(payload, page, matrix, len(found.marks))

    def _page(self, payload: Payload) -> PlacedPage:
        """Return the page that a code names.

        Raises
        ------
        WrongFormError
            When it is not one of this form.
        """
        design, layout = self._placement.design, self._placement.layout
        if payload.form != design.name:
            raise WrongFormError(f"a page of the form {payload.form!r}, not of {design.name!r}; sort it out")
        if (payload.version, payload.layout) != (design.version, layout):
            raise WrongFormError(
                f"a page of version {payload.version}.{payload.layout} of {design.name}, "
                f"not of {design.version}.{layout}; read it with the design that it was printed from"
            )
        if not 1 <= payload.page <= len(self._placement.pages):
            raise WrongFormError(f"the form has no page {payload.page}")
        return self._placement.pages[payload.page - 1]


def rectified(grey: Grey, matrix: Homography, page: PlacedPage, scale: float) -> Grey:
    """Return the page without perspective, uint8, ``scale`` pixels for a millimetre."""
    size = round(page.width * scale), round(page.height * scale)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    to_picture = matrix @ np.diag([1 / scale, 1 / scale, 1.0])
    return np.asarray(
        cv2.warpPerspective(grey, to_picture, size, flags=flags, borderMode=cv2.BORDER_REPLICATE), np.uint8
    )

"""Notes: writing above a box. People cross a wrong digit out and write the right one there."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from inkdigits.forms.flattening import PlacedBox
from inkdigits.forms.pages import Box, PlacedPage
from inkdigits.forms.printed import Printed, without_print
from inkdigits.imaging.binarize import Ink


@dataclass(frozen=True)
class NoteParameters:
    """Where a note is looked for, and what it is. Lengths are in millimetres."""

    high: float = 4.2  # paper above a box that is looked at
    clear: float = 0.7  # paper right above it that is not: strokes reach out of the box
    least: float = 1.6  # paper that must be free of print and other boxes for a note to be there
    length: float = 1.6  # of a piece of ink; less is dust, or the dot of a letter
    share: float = 0.45  # of the usual ink in the boxes of the page that a note has


def written_above(
    ink: Ink,
    boxes: Sequence[PlacedBox],
    page: PlacedPage,
    scale: float,
    usual: float,
    parameters: NoteParameters | None = None,
    printed: Printed | None = None,
) -> list[bool]:
    """Return whether something is written above each box; False where print or another box stands there.

    Parameters
    ----------
    ink
        float32 (H, W) in [0, 1], of the page's raster, ``scale`` pixels for a millimetre.
    usual
        Strongest ink in the middle box of the page.
    printed
        What is printed on the page beside ``page.texts``, on a raster of the same scale; nothing if None.
    """
    p = parameters or NoteParameters()
    taken = [box for field in page.fields for box in field.boxes] + [text.box for text in page.texts]
    sides = np.array([(box.left, box.top, box.right, box.bottom) for box in taken]).reshape(-1, 4)
    return [_is_note(ink, one, _free_height(one.box, sides, p), scale, usual, p, printed) for one in boxes]


def _free_height(box: Box, sides: np.ndarray, p: NoteParameters) -> float:
    """Return how much paper above a box is free of print and of other boxes, mm."""
    across = (sides[:, 0] < box.right) & (box.left < sides[:, 2]) & (sides[:, 1] < box.top - 0.1)
    gaps = box.top - sides[across, 3]
    return float(min(p.high, gaps.min(initial=np.inf) - 0.3))


def _is_note(
    ink: Ink, one: PlacedBox, above: float, scale: float, usual: float, p: NoteParameters, printed: Printed | None
) -> bool:
    if above - p.clear < p.least:
        return False
    patch = _above(ink, one, above, scale, p)
    if printed is not None:
        patch = without_print(patch, _above(printed.ink, printed.box(one), above, scale, p), printed.gain, scale)
    mask = np.asarray((patch > p.share * usual) * np.uint8(255), np.uint8)
    _, _, stats, _ = cv2.connectedComponentsWithStats(mask)
    return any(max(width, height) >= p.length * scale and top > 0 for _, top, width, height, _ in stats[1:].tolist())


def _above(ink: Ink, one: PlacedBox, above: float, scale: float, p: NoteParameters) -> Ink:
    """Return the ink above a box."""
    high, wide = round((above - p.clear) * scale), round(one.box.width * scale)
    matrix = one.matrix.copy()
    matrix[:, 2] += matrix[:, :2] @ np.array([one.box.left * scale, (one.box.top - above) * scale])
    patch = cv2.warpAffine(ink, matrix, (wide, high), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    return np.asarray(patch, np.float32)

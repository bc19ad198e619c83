"""The page reader: from the picture of a page of a form to what its fields may hold."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from inkdigits.forms.box_recognizer import NOT_IN_PLACE, BoxReading, BoxRecognizer
from inkdigits.forms.cells import cut_cells
from inkdigits.forms.fields import Choice, DigitField, Number, TextField
from inkdigits.forms.flattening import PlacedBox, flatten, placed_boxes
from inkdigits.forms.locating import Grey, Located, Locator, MarkedSheets, NotRegisteredError, rectified
from inkdigits.forms.notes import written_above
from inkdigits.forms.number_fields import NUMBER_CELLS, NumberReader
from inkdigits.forms.pages import PlacedField, Placement
from inkdigits.forms.payload import Payload
from inkdigits.forms.registration import Homography
from inkdigits.forms.ticks import TICK_CELLS, choice_values, tick_probability
from inkdigits.forms.values import FieldValues, Rule, field_values, rule_for, unread_values
from inkdigits.imaging.binarize import Ink, normalize_background
from inkdigits.imaging.geometry import Box
from inkdigits.imaging.pixels import to_grey

Quad = tuple[tuple[float, float], ...]  # four corners, x and y


@dataclass(frozen=True)
class PageParameters:
    """How a page is flattened and kept."""

    scale: int = 8  # pixels of the raster for a millimetre: 200 dpi; the networks take digits of 20 pixels
    found: float = 0.5  # of the boxes whose printed sides are found, at least; else the page is not where it seems
    picture_scale: int = 4  # pixels for a millimetre of the picture that is kept
    quality: int = 80  # of that picture as JPEG


@dataclass(frozen=True)
class FieldRead:
    """What a field on a page may hold.

    Attributes
    ----------
    name
        As in the placement.
    values
        Its likeliest values; None for a field of text.
    box
        Left, top, width, height around all its boxes, pixels of the picture that was read.
    doubts
        Why single boxes are no digits, by their place in the field.
    picture
        A field of text as PNG.
    """

    name: str
    values: FieldValues | None
    box: Box
    doubts: dict[int, str] = field(default_factory=dict)
    picture: bytes = b""


@dataclass(frozen=True)
class PageRead:
    """One page of a form.

    Attributes
    ----------
    payload
        What its code says.
    fields
        In the order of the placement.
    marks
        How many corner marks were seen.
    picture
        The flat page as JPEG.
    quads
        The corners of each box of each field on that picture, in the order of the placement.
    model
        Names of the models that read it.
    """

    payload: Payload
    fields: tuple[FieldRead, ...]
    marks: int
    picture: bytes = b""
    quads: tuple[tuple[Quad, ...], ...] = ()
    model: str = ""


class PageReader:
    """Reads pages of one form.

    Parameters
    ----------
    roster
        The numbers that fields of the kind roster may have.
    locator
        Finds the page on a picture; by the corner marks and the code that inkdigits prints, if None.
    numbers
        Reads fields of the kind number, which only a form with a blank has.
    """

    def __init__(
        self,
        placement: Placement,
        boxes: BoxRecognizer,
        roster: Sequence[str] = (),
        parameters: PageParameters | None = None,
        locator: Locator | None = None,
        numbers: NumberReader | None = None,
    ) -> None:
        self._boxes, self._numbers = boxes, numbers
        self._locator = locator or MarkedSheets(placement)
        self._parameters = parameters or PageParameters()
        self._rules: dict[str, Rule] = {
            one.name: rule_for(one.field, roster) for one in placement.fields if isinstance(one.field, DigitField)
        }

    def read(self, picture: NDArray[Any]) -> PageRead:
        """Read the picture of one page, in any orientation.

        Raises
        ------
        NoFormError
            Of a kind that tells why: a blank page, several sheets, another form.
        """
        p = self._parameters
        grey = to_grey(picture)
        located = self._locator.locate(grey)
        page, matrix = located.page, located.matrix
        raster = rectified(grey, matrix, page, p.scale)
        ink = normalize_background(raster)
        flat = flatten(ink, page, p.scale, located.flattening)
        if flat.found < p.found:
            raise NotRegisteredError(located.advice)
        boxes = placed_boxes(page, flat, p.scale)
        fields = self._fields(ink, raster, boxes, located)
        small = cv2.resize(
            raster, None, fx=p.picture_scale / p.scale, fy=p.picture_scale / p.scale, interpolation=cv2.INTER_AREA
        )
        _, kept = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, p.quality])
        quads = _by_field(boxes, [_quad(one, p.scale, p.picture_scale / p.scale) for one in boxes])
        shown = kept.tobytes(), tuple(tuple(quad) for quad in quads)
        return PageRead(located.payload, tuple(fields), located.marks, *shown, self._boxes.name)

    def _fields(self, ink: Ink, raster: Grey, boxes: Sequence[PlacedBox], located: Located) -> list[FieldRead]:
        p, page, matrix = self._parameters, located.page, located.matrix
        printed = located.printed
        digits = [one for one in boxes if isinstance(one.field.field, DigitField)]
        ticks = [one for one in boxes if isinstance(one.field.field, Choice)]
        cells = cut_cells(ink, digits, p.scale, None, printed)
        usual = float(np.median([cell.ink.max() for cell in cells if not cell.is_blank] or [1.0]))
        notes = written_above(ink, digits, page, p.scale, usual, None, printed)
        read = {
            _key(one): found.with_note() if note else found
            for one, found, note in zip(digits, self._boxes.read(cells), notes, strict=True)
        }
        ticked = {
            _key(one): tick_probability(cell)
            for one, cell in zip(ticks, cut_cells(ink, ticks, p.scale, TICK_CELLS, printed), strict=True)
        }
        out = []
        for placed, own in _grouped(boxes):
            box = _box_on_picture(own, matrix, p.scale)
            if printed is not None and 2 * sum(one.seen for one in own) < len(own):
                out.append(FieldRead(placed.name, unread_values(), box, {0: NOT_IN_PLACE}))
            elif isinstance(placed.field, DigitField):
                out.append(self._digit_field(placed, [read[_key(one)] for one in own], box))
            elif isinstance(placed.field, Choice):
                out.append(FieldRead(placed.name, choice_values([ticked[_key(one)] for one in own], placed.field), box))
            elif isinstance(placed.field, Number):
                (cell,) = cut_cells(ink, own, p.scale, NUMBER_CELLS, printed)
                assert self._numbers is not None
                out.append(FieldRead(placed.name, self._numbers.read(cell, placed.field), box))
            else:
                assert isinstance(placed.field, TextField)
                out.append(FieldRead(placed.name, None, box, picture=_cut(raster, own[0], p.scale)))
        return out

    def _digit_field(self, placed: PlacedField, boxes: Sequence[BoxReading], box: Box) -> FieldRead:
        assert isinstance(placed.field, DigitField)
        values = field_values(np.stack([one.shares for one in boxes]), placed.field, self._rules[placed.name])
        doubts = {index: one.doubt for index, one in enumerate(boxes) if one.doubt is not None}
        return FieldRead(placed.name, values, box, doubts)


def _key(one: PlacedBox) -> tuple[str, int]:
    return one.field.name, one.index


def _grouped(boxes: Sequence[PlacedBox]) -> list[tuple[PlacedField, list[PlacedBox]]]:
    groups: dict[str, list[PlacedBox]] = defaultdict(list)
    for one in boxes:
        groups[one.field.name].append(one)
    return [(group[0].field, group) for group in groups.values()]


def _by_field(boxes: Sequence[PlacedBox], items: Sequence[Quad]) -> list[list[Quad]]:
    groups: dict[str, list[Quad]] = defaultdict(list)
    for one, item in zip(boxes, items, strict=True):
        groups[one.field.name].append(item)
    return list(groups.values())


def _quad(one: PlacedBox, scale: float, factor: float = 1.0) -> Quad:
    """Return the corners of a box on the raster, times ``factor``."""
    corners = np.array(one.box.corners) * scale
    moved = (corners @ one.matrix[:, :2].T + one.matrix[:, 2]) * factor
    return tuple((round(float(x), 1), round(float(y), 1)) for x, y in moved)


def _box_on_picture(boxes: Sequence[PlacedBox], matrix: Homography, scale: int) -> Box:
    """Return the rectangle around boxes on the picture that was read."""
    corners = np.array([corner for one in boxes for corner in _quad(one, scale)]).reshape(-1, 1, 2)
    mapped = cv2.perspectiveTransform(corners, matrix @ np.diag([1 / scale, 1 / scale, 1.0])).reshape(-1, 2)
    (left, top), (right, bottom) = mapped.min(0), mapped.max(0)
    return round(left), round(top), max(1, round(right - left)), max(1, round(bottom - top))


def _cut(raster: Grey, one: PlacedBox, scale: int) -> bytes:
    """Return the inside of a box as PNG."""
    wide, tall = round(one.box.width * scale), round(one.box.height * scale)
    matrix = one.matrix.copy()
    matrix[:, 2] += matrix[:, :2] @ np.array([one.box.left * scale, one.box.top * scale])
    patch = cv2.warpAffine(raster, matrix, (wide, tall), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderValue=255)
    return cv2.imencode(".png", patch)[1].tobytes()

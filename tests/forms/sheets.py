"""Printed and filled pages of a small form, for the tests of its reader."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pypdfium2
from numpy.typing import NDArray

from inkdigits.data import Dataset
from inkdigits.forms.design import parse_design
from inkdigits.forms.fields import Choice, DigitField
from inkdigits.forms.pages import Box, PlacedPage, Placement
from inkdigits.forms.placement import place
from inkdigits.forms.printing import Copy, print_form
from inkdigits.reader.recognizer import Recognizer

DPI = 150
SCALE = DPI / 25.4  # pixels for a millimetre
SURE = 0.9999  # probability of the digits that the sheets are filled with

Picture = NDArray[np.uint8]

DESIGN = """
name = "small"
title = "A small form"
fields = [
  {kind = "digits", name = "account", length = 6, check = "luhn"},
  {kind = "date", name = "day"},
  {kind = "choice", name = "group", options = ["A", "B"]},
  {kind = "integer", name = "first", maximum = 50},
  {kind = "integer", name = "second", maximum = 50},
  {kind = "integer", name = "total", maximum = 100},
  {kind = "rows", name = "marks", count = 3, fields = [
    {kind = "digits", name = "id", length = 4},
    {kind = "decimal", name = "points", before = 2, after = 1},
  ]},
  {kind = "text", name = "remark", optional = true},
]
sums = [{total = "total", parts = ["first", "second"]}]
"""
ANSWERS = {  # a character for each box
    "account": "123455",
    "day": "05112026",
    "group": " x",
    "first": "17",
    "second": " 8",
    "total": " 25",
    "marks.1.id": "0042",
    "marks.1.points": " 75",
    "marks.2.id": "3168",
    "marks.2.points": "120",
    "marks.3.id": "    ",
    "marks.3.points": "   ",
}
VALUES = {
    "account": "123455",
    "day": "2026-11-05",
    "group": "B",
    "first": "17",
    "second": "8",
    "total": "25",
    "marks.1.id": "0042",
    "marks.1.points": "7.5",
    "marks.2.id": "3168",
    "marks.2.points": "12.0",
    "marks.3.id": "",
    "marks.3.points": "",
}


def small_form(design: str = DESIGN) -> Placement:
    """The form of one page that the tests read."""
    return place(parse_design(design))


@dataclass(frozen=True)
class Pen:
    """One picture of each digit, well written: the network reads it without doubt."""

    digits: dict[str, Picture]

    @classmethod
    def of(cls, dataset: Dataset, recognizer: Recognizer) -> "Pen":
        """Choose the first sure digit of each class."""
        images, labels = dataset.test.images, dataset.test.labels
        shares = recognizer.run(images).probabilities
        sure = shares.max(1) > SURE
        return cls({str(d): images[np.flatnonzero(sure & (labels == d))[3]] for d in range(10)})

    def write(self, page: Picture, box: Box, digit: str, height: float = 0.62) -> None:
        """Write a digit into a box of a picture of ``SCALE``."""
        side = round(height * box.height * SCALE * 28 / 20)
        ink = cv2.resize(self.digits[digit], (side, side), interpolation=cv2.INTER_CUBIC).astype(float) / 255
        left = round((box.left + box.width / 2) * SCALE - side / 2)
        top = round((box.top + box.height / 2) * SCALE - side / 2)
        part = page[top : top + side, left : left + side]
        part[:] = np.minimum(part, 255 - 215 * ink).astype(np.uint8)


def cross(page: Picture, box: Box, times: int = 1) -> None:
    """Cross a box of a picture of ``SCALE``."""
    x0, y0, x1, y1 = (round(v * SCALE) for v in (box.left + 1, box.top + 1, box.right - 1, box.bottom - 1))
    for shift in range(times):
        cv2.line(page, (x0 + 4 * shift, y0), (x1, y1 - 4 * shift), 40, 2, cv2.LINE_AA)
        cv2.line(page, (x0, y1 - 4 * shift), (x1 - 4 * shift, y0), 40, 2, cv2.LINE_AA)


def printed_pages(placement: Placement, copies: list[Copy], folder: Path) -> list[Picture]:
    """Print copies as a PDF and return its pages as grey pictures."""
    path = folder / "blank.pdf"
    print_form(placement, copies, path)
    document = pypdfium2.PdfDocument(path)
    return [page.render(scale=DPI / 72, grayscale=True).to_numpy().squeeze().copy() for page in document]


def fill(page: Picture, placed: PlacedPage, answers: dict[str, str], pen: Pen) -> Picture:
    """Return a page with answers written into its boxes."""
    out = page.copy()
    for field in placed.fields:
        for box, text in zip(field.boxes, answers.get(field.name, ""), strict=False):
            if isinstance(field.field, Choice) and text != " ":
                cross(out, box)
            elif isinstance(field.field, DigitField) and text != " ":
                pen.write(out, box, text)
    return out


def box_of(placed: PlacedPage, name: str, index: int = 0) -> Box:
    """The box of a field."""
    return next(field for field in placed.fields if field.name == name).boxes[index]

"""The pages of a form: where every box, mark and text stands, in millimetres from the top left corner of the page.

A change of a length below moves what readers of printed forms look for.
"""

from dataclasses import dataclass

from inkdigits.forms.design import Design
from inkdigits.forms.fields import AnyField
from inkdigits.forms.payload import Payload

PAPERS = {"A4": (210.0, 297.0), "Letter": (215.9, 279.4)}  # width, height, mm

MARK_DICTIONARY = "DICT_5X5_50"  # of cv2.aruco; its marks differ in at least 8 bits
MARK_SIZE = 10.0  # mm, the black border included; 8 pixels for a cell at 150 dpi
MARK_INSET = 10.0  # mm from the edges of the page: printers leave up to 6 mm blank
MARK_IDS = (0, 1, 2, 3)  # top left, top right, bottom right, bottom left

CODE_SIZE = 22.0  # mm, without the blank rim; 0.76 mm for a module of a QR code of version 3
CODE_RIM = 4.0  # mm that stay blank around it


@dataclass(frozen=True)
class Box:
    """A rectangle on the page, mm."""

    left: float
    top: float
    width: float
    height: float

    @property
    def right(self) -> float:
        """The right edge."""
        return self.left + self.width

    @property
    def bottom(self) -> float:
        """The bottom edge."""
        return self.top + self.height

    @property
    def corners(self) -> tuple[tuple[float, float], ...]:
        """Top left, top right, bottom right, bottom left, each (x, y), as cv2.aruco orders them."""
        return (
            (self.left, self.top),
            (self.right, self.top),
            (self.right, self.bottom),
            (self.left, self.bottom),
        )

    def overlaps(self, other: "Box", clearance: float = 0.0) -> bool:
        """Whether the two are less than ``clearance`` apart."""
        return (
            self.left < other.right + clearance
            and other.left < self.right + clearance
            and self.top < other.bottom + clearance
            and other.top < self.bottom + clearance
        )


NOWHERE = Box(0.0, 0.0, 0.0, 0.0)  # of what a page has not


@dataclass(frozen=True)
class Mark:
    """A corner mark: an ArUco marker of MARK_DICTIONARY."""

    id: int
    box: Box


@dataclass(frozen=True)
class PrintedText:
    """A line of text in ``box``, in which its letters fill the height; too wide a line is narrowed."""

    text: str
    box: Box
    bold: bool = False
    align: str = "left"  # left, center or right


@dataclass(frozen=True)
class PlacedField:
    """A field on a page.

    Attributes
    ----------
    name
        ``total``, or ``marks.3.points`` for a field in a table.
    field
        Its design.
    boxes
        One for each digit from the left; one for each option of a choice; a single one for text.
    table, line
        Of a field in a table: the table's name and the number of the line, from 1.
    """

    name: str
    field: AnyField
    boxes: tuple[Box, ...]
    table: str | None = None
    line: int | None = None


@dataclass(frozen=True)
class PlacedPage:
    """One page; ``number`` counts from 1. ``guides`` are the boxes of the digits that show how to write.

    A page of a form that exists already has no marks and no texts, and its code, person and footer are NOWHERE.
    """

    number: int
    width: float
    height: float
    fields: tuple[PlacedField, ...]
    texts: tuple[PrintedText, ...]
    marks: tuple[Mark, ...]
    code: Box
    person: Box  # where the name on the roster is printed
    footer: Box  # where form, version, page and copy are printed
    guides: tuple[Box, ...] = ()


@dataclass(frozen=True)
class Placement:
    """All pages of a form. ``layout`` is a hash of the places and meanings of all boxes, six characters."""

    design: Design
    layout: str
    pages: tuple[PlacedPage, ...]

    @property
    def fields(self) -> tuple[PlacedField, ...]:
        """The fields of all pages."""
        return tuple(one for page in self.pages for one in page.fields)

    def payload(self, page: int, copy: int, person: str = "") -> "Payload":
        """Return what the QR code of a page says."""
        return Payload(self.design.name, self.design.version, self.layout, page, copy, person)

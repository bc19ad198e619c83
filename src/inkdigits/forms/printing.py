"""Prints a form as a PDF with reportlab, in black and grey.

What is the same on all copies is stored once for each page; a copy adds its QR code, name and footer.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inkdigits.errors import DataError, UsageError
from inkdigits.escape import printable
from inkdigits.files import atomic_path
from inkdigits.forms.fields import TextField
from inkdigits.forms.flow import GUIDE_DIGITS
from inkdigits.forms.guide_digits import STROKES, beziers
from inkdigits.forms.pages import MARK_DICTIONARY, Box, Mark, PlacedPage, Placement, PrintedText
from inkdigits.forms.people import Person

if TYPE_CHECKING:
    from reportlab.pdfgen.canvas import Canvas

POINTS = 72 / 25.4  # in a millimetre
LINE = 0.25  # mm, width of the lines of boxes: 1.5 pixels at 150 dpi
GUIDE_LINE = 0.45  # mm, width of the strokes of the digits that show how to write
GUIDE_GREY = 0.6  # 0 is black; a black and white printer dithers it
DESCENT = 0.21  # of a text's size: how far its letters reach below the baseline
NARROWEST = 40  # percent to which a text that is too wide is narrowed; what is then too wide is refused
CODE_LEVELS = "QML"  # error correction of the QR code, the strongest that leaves its modules large enough
CODE_VERSION = 4  # the largest with the stronger levels: 33 modules, 0.67 mm each
COPIES = 10_000  # at most in one file

REGULAR, BOLD = "form-regular", "form-bold"  # names of the fonts in the file


@dataclass(frozen=True)
class Copy:
    """One copy of a form: its number, from 1, or 0 for a print that is not numbered; and the person it is for."""

    number: int = 0
    person: Person | None = None


def numbered(count: int) -> list[Copy]:
    """Return ``count`` numbered copies.

    Raises
    ------
    UsageError
        When there are none or too many.
    """
    if not 1 <= count <= COPIES:
        raise UsageError(f"a file has 1 to {COPIES:,} copies, not {count:,}")
    return [Copy(number) for number in range(1, count + 1)]


def one_for_each(people: Sequence[Person]) -> list[Copy]:
    """Return a numbered copy for each person."""
    return [Copy(number, person) for number, person in enumerate(people, 1)]


def print_form(
    placement: Placement,
    copies: Iterable[Copy],
    path: Path,
    font: Path | None = None,
    progress: Callable[[], None] | None = None,
) -> None:
    """Write a form as a PDF.

    Parameters
    ----------
    copies
        Each gets all pages of the form.
    font
        A TrueType font for all texts; Roboto, which has Latin, Greek and Cyrillic letters, by default.
    progress
        Called after each copy.

    Raises
    ------
    ModuleNotFoundError
        When reportlab is not installed.
    UsageError
        When the font has not every letter, or a text is too wide.
    """
    from reportlab.pdfgen.canvas import Canvas

    _use_fonts(font)
    with atomic_path(path) as temporary:
        first = placement.pages[0]
        size = (first.width * POINTS, first.height * POINTS)
        canvas = Canvas(str(temporary), pagesize=size, pageCompression=1, invariant=1)
        canvas.setTitle(placement.design.title)
        canvas.setCreator("inkdigits")
        for page in placement.pages:
            canvas.beginForm(f"page{page.number}")
            _Printer(canvas, page).everything_but_the_copy()
            canvas.endForm()
        for copy in copies:
            for page in placement.pages:
                canvas.doForm(f"page{page.number}")
                _Printer(canvas, page).copy(placement, copy)
                canvas.showPage()
            if progress:
                progress()
        canvas.save()


@dataclass
class _Printer:
    """Draws one page; y counts upwards in a PDF."""

    canvas: "Canvas"
    page: PlacedPage

    def everything_but_the_copy(self) -> None:
        for mark in self.page.marks:
            self._mark(mark)
        for text in self.page.texts:
            self._text(text)
        self.canvas.setLineWidth(LINE * POINTS)
        for one in self.page.fields:
            for box in one.boxes:
                if isinstance(one.field, TextField):
                    self._line(box.left, box.bottom, box.right, box.bottom)
                else:
                    self._rectangle(box)
        for digit, box in zip(GUIDE_DIGITS, self.page.guides, strict=False):
            self._guide(digit, box)

    def copy(self, placement: Placement, copy: Copy) -> None:
        """Draw what differs from copy to copy."""
        design, person = placement.design, copy.person
        identity = person.id if person else ""
        self._code(placement.payload(self.page.number, copy.number, identity).encode())
        if person:
            name = f"{person.name}   {identity}" if person.name else identity
            self._text(PrintedText(name, self.page.person, bold=True))
        parts = [design.name, f"version {design.version} ({placement.layout})"]
        parts += [f"page {self.page.number} of {len(placement.pages)}"]
        parts += [f"copy {copy.number}"] if copy.number else []
        self._text(PrintedText("   ·   ".join(parts), self.page.footer, align="center"))

    def _rectangle(self, box: Box, fill: bool = False) -> None:
        bottom = (self.page.height - box.bottom) * POINTS
        size = (box.width * POINTS, box.height * POINTS)
        self.canvas.rect(box.left * POINTS, bottom, *size, stroke=int(not fill), fill=int(fill))

    def _line(self, left: float, top: float, right: float, bottom: float) -> None:
        height = self.page.height
        self.canvas.line(left * POINTS, (height - top) * POINTS, right * POINTS, (height - bottom) * POINTS)

    def _text(self, text: PrintedText) -> None:
        """Draw a line of text, narrowed where it is wider than its box."""
        shown, font, size = printable(text.text), BOLD if text.bold else REGULAR, text.box.height * POINTS
        _require_letters(shown, font)
        width = self.canvas.stringWidth(shown, font, size) / POINTS
        scale = min(100.0, 100 * text.box.width / width) if width else 100.0
        if scale < NARROWEST:
            raise UsageError(
                f"the text {shown[:40]!r} is too long for its place on page {self.page.number}; shorten it"
            )
        free = text.box.width - width * scale / 100
        left = text.box.left + {"left": 0.0, "center": free / 2, "right": free}[text.align]
        line = self.canvas.beginText(left * POINTS, (self.page.height - text.box.bottom) * POINTS + DESCENT * size)
        line.setFont(font, size)
        line.setHorizScale(scale)
        line.textOut(shown)
        self.canvas.drawText(line)

    def _mark(self, mark: Mark) -> None:
        """Draw a mark as its black cells."""
        cells = _mark_cells(mark.id)
        side = mark.box.width / len(cells)
        self._cells(cells, mark.box.left, mark.box.top, side)

    def _code(self, text: str) -> None:
        modules = code_modules(text)
        self._cells(modules, self.page.code.left, self.page.code.top, self.page.code.width / len(modules))

    def _cells(self, cells: Sequence[Sequence[bool]], left: float, top: float, side: float) -> None:
        """Fill the True cells of a square grid as one path, so that no hairlines separate them."""
        path = self.canvas.beginPath()
        for row, line in enumerate(cells):
            for column, dark in enumerate(line):
                if dark:
                    x, y = left + column * side, self.page.height - (top + (row + 1) * side)
                    path.rect(x * POINTS, y * POINTS, side * POINTS, side * POINTS)
        self.canvas.drawPath(path, stroke=0, fill=1)

    def _guide(self, digit: str, box: Box) -> None:
        """Draw a light digit in a box, with a rim of a fifth."""
        self.canvas.saveState()
        self.canvas.setStrokeGray(GUIDE_GREY)
        self._rectangle(box)
        self.canvas.setLineWidth(GUIDE_LINE * POINTS)
        self.canvas.setLineCap(1)

        def place(point: tuple[float, float]) -> tuple[float, float]:
            x = box.left + box.width * (0.22 + 0.56 * point[0])
            y = box.top + box.height * (0.17 + 0.66 * point[1])
            return x * POINTS, (self.page.height - y) * POINTS

        for stroke in STROKES[digit]:
            path = self.canvas.beginPath()
            path.moveTo(*place(stroke[0]))
            for first, second, end in beziers(stroke):
                path.curveTo(*place(first), *place(second), *place(end))
            self.canvas.drawPath(path)
        self.canvas.restoreState()


def _mark_cells(number: int) -> list[list[bool]]:
    """Return the cells of a mark, its border included; True is black."""
    import cv2

    dictionary = cv2.aruco.getPredefinedDictionary(getattr(cv2.aruco, MARK_DICTIONARY))
    cells = dictionary.markerSize + 2
    picture = cv2.aruco.generateImageMarker(dictionary, number, cells)
    return [[value == 0 for value in row] for row in picture.tolist()]


def code_modules(text: str) -> list[list[bool]]:
    """Return the modules of a QR code; True is black."""
    from reportlab.graphics.barcode.qrencoder import QRCode, QRErrorCorrectLevel

    for level in CODE_LEVELS:
        code = QRCode(None, getattr(QRErrorCorrectLevel, level))
        code.addData(text)
        code.make()
        if len(code.modules) <= 17 + 4 * CODE_VERSION:
            break
    return [[bool(dark) for dark in row] for row in code.modules]


def _use_fonts(font: Path | None) -> None:
    """Register the fonts of the next file."""
    from font_roboto import Roboto, RobotoBold
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFError, TTFont

    for name, file in ((REGULAR, font or Roboto), (BOLD, font or RobotoBold)):
        try:
            pdfmetrics.registerFont(TTFont(name, str(file)))
        except (TTFError, OSError) as error:
            raise DataError(f"cannot read the font {file} ({error}); name a TrueType file") from None
    _letters.cache_clear()


@cache
def _letters(font: str) -> Any:
    from reportlab.pdfbase import pdfmetrics

    return pdfmetrics.getFont(font).face.charToGlyph  # type: ignore[attr-defined]


def _require_letters(text: str, font: str) -> None:
    missing = next((letter for letter in text if ord(letter) not in _letters(font)), None)
    if missing:
        raise UsageError(
            f"the font has no letter {missing!r} (U+{ord(missing):04X}), which stands in {text[:40]!r}; "
            "name another font with --font"
        )

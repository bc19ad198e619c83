"""The template of a form that exists already: from a blank sheet to a design with proposed fields."""

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from inkdigits.errors import UsageError
from inkdigits.files import write_bytes, write_text
from inkdigits.forms.blank_boxes import boxes_of, innermost, outer_figures, propose
from inkdigits.forms.blanks import SCALE, Grey, blank_of, rectangles_of
from inkdigits.forms.design import parse_design
from inkdigits.forms.fields import AnyField, Choice, Digits
from inkdigits.forms.pages import NOWHERE, PAPERS, PlacedPage
from inkdigits.imaging.binarize import normalize_background
from inkdigits.imaging.files import page_images
from inkdigits.imaging.pixels import to_grey
from inkdigits.imaging.skew import estimate_skew

MM = 25.4  # in an inch
POINTS = 72.0  # in an inch
RESOLUTIONS = (72.0, 1200.0)  # dots per inch that a file may state; 72 is what programs write that know none
LIKE_PAPER = 0.02  # difference of the ratio of the sides to that of a paper, at most
BOX_HEIGHT = 8.0  # mm, of the boxes on a picture of unknown size
LONGEST = 4000  # pixels of the longer side of a blank that is read
LEVEL = 0.05  # degrees; a picture with less skew is not turned
FIELD_COLOURS = {"digits": (0, 125, 60), "number": (0, 80, 200), "choice": (200, 120, 0), "text": (120, 120, 120)}


@dataclass(frozen=True, eq=False)
class Sheet:
    """A page of a blank: its picture, SCALE pixels for a millimetre, and whether its size in millimetres is known."""

    picture: Grey
    known: bool

    @property
    def size(self) -> tuple[float, float]:
        """Width and height, mm."""
        height, width = self.picture.shape
        return width / SCALE, height / SCALE


@dataclass(frozen=True)
class Template:
    """What was written.

    ``labels`` is the number of boxes that were left out, since something is printed in them.
    """

    files: tuple[Path, ...]
    fields: tuple[AnyField, ...]
    labels: int
    known_size: bool


def read_sheets(path: Path, width: float | None = None) -> list[Sheet]:
    """Return the pages of a blank, upright.

    Parameters
    ----------
    path
        A PDF or a picture.
    width
        Of a page, mm; None for what the file says, or the paper that has the shape of the picture.

    Raises
    ------
    DataError
        When the file cannot be read.
    """
    sheets = []
    sizes = _pdf_widths(path)
    stated = None if sizes else _stated_resolution(path)
    for index, page in enumerate(page_images(path, longest=LONGEST)):
        grey = to_grey(page.pixels)
        own = width or (sizes[index] if sizes else None) or _width(grey, page.size[0], stated)
        if not sizes:
            grey = level(grey)
        sheets.append(Sheet(_scaled(grey, own or _guessed_width(grey)), own is not None))
    return sheets


def write_template(sheets: Sequence[Sheet], design: Path) -> Template:
    """Write the design with the fields that are proposed, and beside it the pictures of the blank and of the fields.

    Raises
    ------
    UsageError
        When no box is found.
    RunError
        When a file cannot be written.
    """
    counts: dict[str, int] = {}
    fields: list[AnyField] = []
    labels = 0
    pictures: list[tuple[Path, bytes]] = []
    blanks = []
    for number, sheet in enumerate(sheets, 1):
        page = PlacedPage(number, *sheet.size, (), (), (), NOWHERE, NOWHERE, NOWHERE)
        proposal = propose(blank_of(sheet.picture, page), counts)
        fields += proposal.fields
        labels += proposal.labels
        content = cv2.imencode(".png", sheet.picture)[1].tobytes()
        file = design.with_name(f"{design.stem}-blank-{number}.png")
        blanks.append((file.name, hashlib.sha256(content).hexdigest(), sheet.size))
        pictures.append((file, content))
        pictures.append((design.with_name(f"{design.stem}-fields-{number}.jpg"), _shown(sheet, proposal.fields)))
    if not fields:
        raise UsageError("no box is found on the blank; scan it at 150 dpi or more, or draw its boxes with dark lines")
    text = _toml(design.stem, blanks, fields)
    parse_design(text)  # what is written can be read
    for path, picture in pictures:
        write_bytes(path, picture)
    write_text(design, text)
    return Template((design, *(path for path, _ in pictures)), tuple(fields), labels, all(s.known for s in sheets))


def _pdf_widths(path: Path) -> list[float]:
    """Return the widths of the pages of a PDF, mm; an empty list for another file."""
    import pypdfium2

    if path.suffix.lower() != ".pdf" or not path.is_file():
        return []
    try:
        document = pypdfium2.PdfDocument(path)
    except pypdfium2.PdfiumError:
        return []  # page_images says why
    try:
        return [page.get_size()[0] * MM / POINTS for page in document]
    finally:
        document.close()


def _stated_resolution(path: Path) -> float | None:
    """Return the dots per inch that a picture states; None where it states none, or a wrong one."""
    try:
        with Image.open(path) as opened:
            stated: Any = opened.info.get("dpi")
        value = float(stated[0])
    except (OSError, TypeError, ValueError, IndexError, ZeroDivisionError):
        return None
    return value if RESOLUTIONS[0] < value <= RESOLUTIONS[1] else None


def _width(grey: Grey, pixels: int, stated: float | None) -> float | None:
    """Return the width of a page, mm: that of the paper with its shape, else by the resolution of the file."""
    height, width = grey.shape
    for short, long in PAPERS.values():
        for paper in ((short, long), (long, short)):
            if abs(width / height * paper[1] / paper[0] - 1) < LIKE_PAPER:
                return paper[0]
    return None if stated is None else pixels / stated * MM


def _guessed_width(grey: Grey) -> float:
    """Return the width of a part of a page, mm, with which its boxes are as high as boxes for digits are."""
    found = rectangles_of(normalize_background(grey), 10)
    heights = [box.height for box in innermost(outer_figures(boxes_of(found)))]
    return float(grey.shape[1] * BOX_HEIGHT / np.median(heights)) if heights else PAPERS["A4"][0]


def level(grey: Grey) -> Grey:
    """Return a picture turned so that its lines are level."""
    skew = estimate_skew(normalize_background(grey))
    if abs(skew) < LEVEL:
        return grey
    height, width = grey.shape
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), skew, 1.0)
    return np.asarray(
        cv2.warpAffine(grey, matrix, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE), np.uint8
    )


def _scaled(grey: Grey, width: float) -> Grey:
    size = round(width * SCALE), round(width * SCALE * grey.shape[0] / grey.shape[1])
    way = cv2.INTER_AREA if size[0] < grey.shape[1] else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(grey, size, interpolation=way), np.uint8)


def _shown(sheet: Sheet, fields: Sequence[AnyField]) -> bytes:
    """Return the picture of a page with its fields and their names, as JPEG."""
    picture = Image.fromarray(sheet.picture).convert("RGB")
    draw = ImageDraw.Draw(picture)
    font = ImageFont.load_default(3.0 * SCALE)
    for field in fields:
        colour = FIELD_COLOURS[field.kind]
        for left, top, width, height in field.boxes:
            draw.rectangle([SCALE * v for v in (left, top, left + width, top + height)], outline=colour, width=4)
        left, top = (SCALE * v for v in field.boxes[0][:2])
        draw.text((left, top), field.name, colour, font, anchor="lb", stroke_width=3, stroke_fill=(255, 255, 255))
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=85)
    return out.getvalue()


def _toml(name: str, blanks: Sequence[tuple[str, str, tuple[float, float]]], fields: Sequence[AnyField]) -> str:
    """Return a design as TOML, with comments for the person who corrects it."""
    safe = "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "-" for c in name.lower())[:20]
    lines = [
        "# A form that exists already. Its fields are proposals: rename them, change their kinds, remove what is none.",
        "# The names stand on the pictures ...-fields-1.jpg. Lengths are millimetres; boxes are left, top, width,",
        "# height. The kinds: digits, integer, decimal, date, roster, choice, number (one box), text (a picture).",
        f'name = "{safe if safe[:1].isalpha() else "form-" + safe}"',
        f'title = "{safe}"',
    ]
    for file, sha256, (width, height) in blanks:
        lines += ["", "[[blank]]", f'file = "{file}"', f'sha256 = "{sha256}"', f"size = [{width:g}, {height:g}]"]
    for field in fields:
        lines += ["", "[[fields]]", f'kind = "{field.kind}"', f'name = "{field.name}"']
        if isinstance(field, Digits):
            lines.append(f"length = {field.length}")
        if isinstance(field, Choice):
            lines.append("options = [" + ", ".join(f'"{option}"' for option in field.options) + "]")
        lines += ["optional = true"] * field.optional + [f"page = {field.page}"] * (len(blanks) > 1)
        lines.append("boxes = [")
        lines += [f"  [{', '.join(f'{value:g}' for value in box)}]," for box in field.boxes]
        lines.append("]")
    return "\n".join(lines) + "\n"

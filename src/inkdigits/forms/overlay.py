"""The overlay: a flat page of a form with what was read drawn on it: green where accepted, amber where doubtful."""

import io
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

from inkdigits.forms.decisions import Decision
from inkdigits.forms.page_reader import PageRead, Quad
from inkdigits.reader.annotate import AMBER, GREEN, GREY, RED

QUALITY = 80  # of the JPEG
TEXT = 16.0  # pixels, of the value above a field
SHADE = 60  # of 255, how much a doubtful box is coloured


def overlay(page: PageRead, decisions: Sequence[Decision]) -> bytes:
    """Return the picture of a page as JPEG.

    Blank fields that need no look are grey; boxes that hold no digit are red.
    """
    picture = Image.open(io.BytesIO(page.picture)).convert("RGB")
    draw = ImageDraw.Draw(picture, "RGBA")
    font = ImageFont.load_default(TEXT)
    for one in decisions:
        quads = page.quads[one.place]
        colour = AMBER if one.doubtful else GREEN if one.value else GREY
        for index, quad in enumerate(quads):
            box = RED if index in one.doubts and one.doubtful else colour
            draw.polygon(quad, fill=(*box, SHADE) if one.doubtful else None, outline=box, width=2)
        if one.value or one.doubtful:
            _write(draw, quads, one.value or "blank", colour, font)
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=QUALITY)
    return out.getvalue()


def _write(
    draw: ImageDraw.ImageDraw,
    quads: Sequence[Quad],
    text: str,
    colour: tuple[int, int, int],
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
) -> None:
    """Write a value behind the last box of a field."""
    right = max(x for quad in quads for x, _ in quad)
    middle = sum(y for _, y in quads[-1]) / 4
    left, top, end, bottom = draw.textbbox((right + 4, middle), text, font, anchor="lm")
    draw.rectangle((left - 1, top - 1, end + 1, bottom + 1), fill=(255, 255, 255, 200))
    draw.text((right + 4, middle), text, colour, font, anchor="lm")

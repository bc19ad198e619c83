"""Pages as the page reader returns them, made without pictures."""

import io

from PIL import Image

from inkdigits.forms.alternatives import Alternative
from inkdigits.forms.fields import TextField
from inkdigits.forms.page_reader import FieldRead, PageRead
from inkdigits.forms.pages import Placement
from inkdigits.forms.pile import Scanned
from inkdigits.forms.values import FieldValues

SURE = 0.9995


def values(text: str, probability: float = SURE, other: str | None = None, broken: float = 0.0) -> FieldValues:
    """A value of a probability, and another one with the rest."""
    rest = () if other is None else (Alternative(other, 1 - probability),)
    return FieldValues((Alternative(text, probability), *rest), broken, text)


def scanned(
    form: Placement,
    answers: dict[str, FieldValues],
    copy: int = 1,
    page: int = 1,
    source: str = "pile.pdf",
    number: int = 1,
    person: str = "",
) -> Scanned:
    """A page on which the fields have these values; the others are blank."""
    placed = form.pages[page - 1]
    fields = tuple(
        FieldRead(
            one.name,
            None if isinstance(one.field, TextField) else answers.get(one.name, values("")),
            (10, 20, 30, 40),
            picture=b"a picture" if isinstance(one.field, TextField) else b"",
        )
        for one in placed.fields
    )
    quads = tuple(tuple(tuple((4 * x, 4 * y) for x, y in box.corners) for box in one.boxes) for one in placed.fields)
    picture = io.BytesIO()
    Image.new("L", (840, 1188), 255).save(picture, "JPEG")
    return Scanned(source, number, PageRead(form.payload(page, copy, person), fields, 4, picture.getvalue(), quads))

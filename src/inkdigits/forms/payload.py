"""What the QR code of a page says: form, version, page, copy and person, as a short text."""

from dataclasses import dataclass
from urllib.parse import quote, unquote

CODE_PREFIX = "INK1"  # the format of the text


@dataclass(frozen=True)
class Payload:
    """What the QR code of a page says.

    Attributes
    ----------
    layout
        The hash of the layout, see :class:`inkdigits.forms.pages.Placement`.
    page
        From 1.
    copy
        From 1; 0 on a print that may be copied at will, so that it tells no sheets apart.
    person
        The identity on the roster that the copy is for, or empty.
    """

    form: str
    version: int
    layout: str
    page: int
    copy: int
    person: str = ""

    def encode(self) -> str:
        """Return the text of the code; without a person of lower case it is in QR's short alphanumeric mode."""
        form = self.form.upper().replace("_", "+")  # QR's short alphabet has no underscore
        person = quote(self.person, safe=" $*+-./")
        return f"{CODE_PREFIX}:{form}:{self.version}.{self.layout}:{self.page}:{self.copy}:{person}"


def decode(text: str) -> Payload | None:
    """Return the payload that the text of a QR code says; None if it is not the code of a form."""
    parts = text.split(":")
    if len(parts) != 6 or parts[0] != CODE_PREFIX:
        return None
    version, _, layout = parts[2].partition(".")
    numbers = (version, parts[3], parts[4])
    if not layout or not all(number.isascii() and number.isdigit() and len(number) < 10 for number in numbers):
        return None
    form = parts[1].lower().replace("+", "_")
    return Payload(form, int(version), layout, int(parts[3]), int(parts[4]), unquote(parts[5]))

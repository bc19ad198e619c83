"""The design of a form: a TOML file with the fields that people fill in.

msgspec checks the file against the structs here and in :mod:`inkdigits.forms.fields`, so an error names its place, such
as ``$.fields[2].kind``.
"""

from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from inkdigits.errors import DataError, UsageError
from inkdigits.files import read_bytes
from inkdigits.forms.fields import AnyField, BoxSize, Name, Rows, Side, Text, unique
from inkdigits.forms.sums import Sum, expanded_sum


class BlankSheet(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A page of a form that exists already: its picture without writing.

    Attributes
    ----------
    file
        Path of the picture, relative to the design.
    sha256
        Of the file.
    size
        Width and height of the page, mm.
    """

    file: Annotated[str, Meta(min_length=1)]
    sha256: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
    size: tuple[Side, Side]


class Design(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A form.

    Attributes
    ----------
    name
        Names the form in its QR code.
    version
        Of the form; the QR code also has a hash of the layout.
    guides
        Whether digits that show how to write are printed at the top.
    pages
        The number of pages that it may have.
    box
        Width and height of a box for one digit, mm.
    blank
        The pages of a form that exists already, on which all fields have boxes; empty for one that inkdigits prints.
    """

    name: Name
    title: Annotated[str, Meta(min_length=1, max_length=120)]
    version: Annotated[int, Meta(ge=1, le=9999)] = 1
    paper: Literal["A4", "Letter"] = "A4"
    instructions: Text = ""
    guides: bool = True
    pages: Annotated[int, Meta(ge=1, le=99)] = 20
    box: BoxSize = (7.0, 9.0)
    fields: Annotated[tuple[AnyField | Rows, ...], Meta(min_length=1)]
    sums: tuple[Sum, ...] = ()
    blank: tuple[BlankSheet, ...] = ()

    def __post_init__(self) -> None:
        unique([field.name for field in self.fields], "of the form")
        for field in self.fields:
            if field.beside and (field.heading or field.new_page or field.at):
                raise ValueError(f"{field.name} stands beside another field, so it has no heading, new_page or at")
            if bool(self.blank) != bool(field.boxes):
                why = (
                    "the form exists already, so it needs boxes" if self.blank else "only a form with a blank has boxes"
                )
                raise ValueError(f"{field.name}: {why}")
        for one in self.sums:
            expanded_sum(self, one)


def load_design(path: Path) -> Design:
    """Read a design.

    Raises
    ------
    UsageError
        When the file does not exist, or says what a form cannot be; one line that says where.
    DataError
        When the file cannot be read.
    """
    try:
        return parse_design(read_bytes(path).decode("utf-8-sig"))
    except FileNotFoundError:
        raise UsageError(f"the form {path} does not exist; inkdigits form new {path} writes an example") from None
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read the form {path}: {error}") from None
    except ValueError as error:
        raise UsageError(f"{path}: {error}") from None


def parse_design(text: str) -> Design:
    """Return the design that the TOML ``text`` describes.

    Raises
    ------
    ValueError
        When it is no TOML, or no form; one line that says where.
    """
    try:
        return msgspec.toml.decode(text, type=Design)
    except RecursionError:
        raise ValueError("its lists are nested too deeply") from None
    except msgspec.ValidationError as error:
        known = ", ".join(sorted(kind.__struct_config__.tag for kind in (*AnyField.__args__, Rows)))
        unknown = str(error).startswith("Invalid value") and str(error).endswith(".kind`")
        raise ValueError(f"{error}; the kinds are {known}" if unknown else str(error)) from None

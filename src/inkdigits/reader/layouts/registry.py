"""The layouts by name. A layout finds the numbers on a page; a new layout is a new file in this package."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Protocol, TypeVar

from inkdigits.errors import UsageError, unknown
from inkdigits.imaging.page import Page
from inkdigits.reader.glyphs import Glyph, GlyphReader

CONFIDENT = 0.9  # probability
AUTO = "auto"  # the first layout, in their order, that fits the page


@dataclass(frozen=True)
class Row:
    """A number on a page.

    Attributes
    ----------
    glyphs
        From the left.
    separators
        Each is the index of the glyph before which it stands, and the mark.
    readings
        Numbers that may stand there, with their probabilities, the likeliest first; None where the glyphs were
        recognised one by one.
    """

    glyphs: list[Glyph]
    separators: tuple[tuple[int, str], ...] = ()
    readings: tuple[tuple[str, float], ...] | None = None


@dataclass(frozen=True)
class LayoutReading:
    """What a layout found on a page, in one orientation.

    Attributes
    ----------
    layout
        Name of the layout.
    rows
        The numbers, from the top.
    score
        Mean log-probability, in nats, over the ink of the page: how well it reads.
    mostly_print
        Whether most of the ink is in long lines of print, which show that the page is not turned by a quarter.
    """

    layout: str
    rows: list[Row]
    score: float
    mostly_print: bool = False

    @property
    def confident(self) -> int:
        """Number of glyphs that are digits with a probability of at least CONFIDENT."""
        return sum(glyph.reject is None and glyph.probability >= CONFIDENT for row in self.rows for glyph in row.glyphs)


class Layout(Protocol):
    """Finds the numbers on a page.

    Attributes
    ----------
    name
        What ``--layout`` calls it.
    order
        Place among the layouts that ``auto`` tries, ascending; None if ``auto`` leaves it out.
    """

    name: ClassVar[str]
    order: ClassVar[int | None]

    def read(self, page: Page, glyphs: GlyphReader, length: int | None, required: bool) -> LayoutReading | None:
        """Return the numbers of a page; None if the page does not have this layout and it is not ``required``.

        Parameters
        ----------
        page
            The page in one orientation.
        glyphs
            Recognises pictures of single digits.
        length
            Digits that each number has, where that is known.
        required
            Whether the user has chosen this layout.
        """


_LAYOUTS: dict[str, Callable[[], Layout]] = {}
L = TypeVar("L", bound=Layout)


def register_layout(kind: type[L]) -> type[L]:
    """Put a layout class, which takes no required arguments, into the registry under its name; usable as a decorator.

    Raises
    ------
    UsageError
        When the name is taken.
    """
    if kind.name == AUTO or kind.name in _LAYOUTS:
        raise UsageError(f"there is already a layout {kind.name!r}; choose another name for {kind.__qualname__}")
    _LAYOUTS[kind.name] = kind
    return kind


def list_layouts() -> list[str]:
    """Return the names of all layouts."""
    return sorted(_LAYOUTS)


def create_layout(name: str) -> Layout:
    """Return a new layout of that name with its default parameters.

    Raises
    ------
    UsageError
        When there is no such layout.
    """
    if name not in _LAYOUTS:
        raise unknown("layout", name, _LAYOUTS)
    return _LAYOUTS[name]()

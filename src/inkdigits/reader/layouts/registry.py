"""The layouts by name. A layout finds the numbers on a page; a new layout is a new file in this package."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar, Protocol, TypeVar

from inkdigits.errors import InkdigitsError, PluginError, UsageError
from inkdigits.imaging.page import Page
from inkdigits.reader.glyphs import Glyph, GlyphReader
from inkdigits.registry import OWN, Registry, calling_module

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
    too_complex
        Whether a part of the page was left out, as it has too many pieces.
    """

    layout: str
    rows: list[Row]
    score: float
    mostly_print: bool = False
    too_complex: bool = False

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


LAYOUTS: Registry[Callable[[], Layout]] = Registry("layout")
L = TypeVar("L", bound=Layout)


def register_layout(kind: type[L]) -> type[L]:
    """Register a layout class under its name, as a decorator or as a function.

    Parameters
    ----------
    kind
        A class with the members of :class:`Layout`, made without arguments. Its name is the value of ``--layout``.

    Raises
    ------
    UsageError
        When the name is taken.

    Examples
    --------
    >>> import inkdigits, numpy as np
    >>> from inkdigits.reader.layouts import LayoutReading, create_layout
    >>> @inkdigits.register_layout
    ... class FirstLine:
    ...     name, order = "first-line", None
    ...
    ...     def read(self, page, glyphs, length, required):
    ...         found = create_layout("line").read(page, glyphs, length, required)
    ...         return LayoutReading(self.name, found.rows[:1], found.score)
    >>> inkdigits.Reader().read(np.full((60, 60), 255, np.uint8), layout="first-line").layout
    'first-line'
    """
    if kind.name == AUTO:
        raise UsageError(f"{AUTO!r} stands for all layouts; choose another name for {kind.__qualname__}")
    LAYOUTS.register(kind.name, kind, kind, calling_module())
    return kind


def list_layouts() -> list[str]:
    """Return the names of all layouts."""
    return sorted(LAYOUTS)


def create_layout(name: str) -> Layout:
    """Return a new layout of that name with its default parameters.

    Raises
    ------
    UsageError
        When there is no such layout.
    PluginError
        When the layout of a plug-in cannot be made.
    """
    kind = LAYOUTS.find(name)
    with _faults_named(name, LAYOUTS.modules[name]):
        return kind()


def read_layout(
    layout: Layout, page: Page, glyphs: GlyphReader, length: int | None, required: bool
) -> LayoutReading | None:
    """Return what :meth:`Layout.read` returns.

    Raises
    ------
    PluginError
        When the layout of a plug-in fails, or does not return a LayoutReading.
    """
    with _faults_named(layout.name, type(layout).__module__):
        found = layout.read(page, glyphs, length, required)
        if not isinstance(found, LayoutReading | None):
            raise TypeError(f"it returned {type(found).__name__}, not a LayoutReading")
        return found


@contextmanager
def _faults_named(name: str, module: str) -> Iterator[None]:
    """Turn the exceptions of a layout from a plug-in into a PluginError that names both."""
    try:
        yield
    except InkdigitsError:
        raise
    except Exception as error:
        if module.split(".")[0] == OWN:
            raise
        fault = f"{type(error).__name__}: {error}"
        raise PluginError(f"the layout {name!r} of the plug-in {module} fails: {fault}") from error

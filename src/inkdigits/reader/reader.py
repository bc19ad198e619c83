"""The reader: a picture of a page in, its numbers out."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inkdigits.errors import DataError
from inkdigits.imaging.page import Page, PageParameters, Source, open_pages
from inkdigits.reader.confidence import IDENTITY, Scaling, scalings
from inkdigits.reader.glyphs import GlyphReader
from inkdigits.reader.layouts import AUTO, Layout, LayoutReading, create_layout, list_layouts, read_layout
from inkdigits.reader.line_recognizer import LineRecognizer
from inkdigits.reader.numbers import number_of
from inkdigits.reader.orientation import OrientationParameters, best_orientation
from inkdigits.reader.recognizer import Prediction, Recognizer
from inkdigits.reader.results import Reading
from inkdigits.reader.settings import Settings

DOUBTFUL_SKEW = 1.0  # degrees; a page with a larger skew is also read as it lies


class Reader:
    """Reads digits: on pages, in form boxes, or one by one. Safe to share between threads.

    Parameters
    ----------
    model
        An .onnx file that ``inkdigits export`` wrote; None for the model that comes with the package.
    threads
        Cores that one call may use; 0 leaves it to ONNX Runtime.
    lines
        An .onnx file of a line reader that ``inkdigits export`` wrote; None for the one that comes with the package.
    layouts
        How numbers are found on a page; None for all registered layouts with their default parameters.
    page
        How a page is made ready and taken apart; None for the defaults.
    orientation
        When a page is read turned by quarters; None for the defaults.
    scaling
        By layout, of a number's probability to its confidence; None for that of the packaged models.

    Raises
    ------
    ModelError
        When the model is missing or of another kind.
    """

    def __init__(
        self,
        model: str | Path | None = None,
        threads: int = 0,
        *,
        lines: str | Path | None = None,
        layouts: Sequence[Layout] | None = None,
        page: PageParameters | None = None,
        orientation: OrientationParameters | None = None,
        scaling: Mapping[str, Scaling] | None = None,
    ) -> None:
        self.recognizer = Recognizer(model, threads)
        self.lines = LineRecognizer(lines, threads)
        self._glyphs = GlyphReader(self.recognizer, self.lines)
        self._layouts = list(layouts) if layouts is not None else [create_layout(name) for name in list_layouts()]
        self._page, self._orientation = page, orientation
        self._scaling = scalings(self.name) if scaling is None else scaling

    @property
    def name(self) -> str:
        """Names of the models for digits and for lines, each with eight digits of the hash of its weights."""
        return f"{self.recognizer.name}+{self.lines.name}"

    def read(self, source: Source, **settings: Any) -> Reading:
        """Read a page; of a file with several pages, the first.

        Parameters
        ----------
        source
            A path, the content of a file, an array (H, W), (H, W, 3) or (H, W, 4), or a PIL image.
        **settings
            Those of :class:`inkdigits.reader.Settings`.

        Raises
        ------
        DataError
            When it is no picture that can be read, or holds NaN; names it.
        UsageError
            When a setting has an impossible value.
        """
        return next(self.read_pages(source, **settings))

    def read_pages(self, source: Source, **settings: Any) -> Iterator[Reading]:
        """Yield the readings of all pages of a file; raises as :meth:`read` does."""
        chosen = Settings(**settings)
        name = str(source) if isinstance(source, str | Path) else ""
        for index, page in enumerate(open_pages(source, self._page)):
            yield self._read_page(page, name, index, chosen)

    def predict(self, images: NDArray[np.uint8]) -> list[Prediction]:
        """Read pictures of one digit each, uint8 (N, H, W) or (N, H, W, 3), ink dark or light; else DataError."""
        if images.ndim not in (3, 4):
            raise DataError(f"a batch of pictures has shape (N, H, W) or (N, H, W, 3), not {images.shape}")
        return self.recognizer.read_crops(list(images))

    def _read_page(self, page: Page, source: str, index: int, settings: Settings) -> Reading:
        def read(quarters: int) -> LayoutReading:
            turned[quarters], found = self._find_on_level_page(turned[quarters], settings)
            return found

        turned = [page, *(page.turned(quarters) for quarters in (1, 2, 3))]
        turn = settings.turn and not page.nearly_empty
        quarters, found = best_orientation(read, self._orientation) if turn else (0, read(0))
        scaling = self._scaling.get(found.layout, IDENTITY)
        numbers = [number_of(row, turned[quarters], settings, scaling) for row in found.rows]
        warnings = [
            *self.recognizer.policy.warnings,
            *(f"line {place}: {warning}" for place, (_, warning) in enumerate(numbers, 1) if warning),
            *["too complex: a part of the page was not read"] * found.too_complex,
            *["no digits were found"] * (not numbers),
            *[f"turned by {90 * quarters} degrees to the left to be read"] * (quarters > 0),
        ]
        facts = tuple(warnings), 90 * quarters, found.layout, page.size, page.pixels
        return Reading(source, index, self.name, tuple(line for line, _ in numbers), *facts)

    def _find_on_level_page(self, page: Page, settings: Settings) -> tuple[Page, LayoutReading]:
        """Return a page, deskewed or as it lies, whichever reads better, and its numbers."""
        found = self._find_numbers(page, settings)
        if abs(page.skew) < DOUBTFUL_SKEW:
            return page, found
        lying = self._find_numbers(page.as_it_lies(), settings)
        better = (lying.confident, lying.score) > (found.confident, found.score)
        return (page.as_it_lies(), lying) if better else (page, found)

    def _find_numbers(self, page: Page, settings: Settings) -> LayoutReading:
        """Return the numbers of the chosen layout, or of the first that fits the page."""
        for layout in self._layouts_for(settings.layout):
            found = read_layout(layout, page, self._glyphs, settings.length, required=settings.layout != AUTO)
            if found is not None:
                return found
        return LayoutReading(settings.layout, [], -np.inf)

    def _layouts_for(self, name: str) -> list[Layout]:
        if name == AUTO:
            tried = [(layout.order, layout) for layout in self._layouts if layout.order is not None]
            return [layout for _, layout in sorted(tried, key=lambda pair: pair[0])]
        return [layout for layout in self._layouts if layout.name == name] or [create_layout(name)]

"""A user's own lines with their text, cut out as the reader cuts them."""

from collections.abc import Sequence
from pathlib import Path

import cv2

from inkdigits.errors import DataError
from inkdigits.imaging.page import Page, open_pages
from inkdigits.imaging.strips import StripArea
from inkdigits.reader.ctc import edits
from inkdigits.reader.glyphs import GlyphReader
from inkdigits.reader.layouts.line import LineLayout
from inkdigits.reader.line_recognizer import LineRecognizer
from inkdigits.reader.page_labels import PageLabels
from inkdigits.reader.recognizer import Recognizer
from inkdigits.synthetic.line_text import CHARACTERS, DIGITS
from inkdigits.training.rehearsal import OwnLine

LEFT_OUT = " \t'\u2019"  # characters of a label that are not read, such as those between thousands
MOST_CHARACTERS = 40  # of a label


class OwnLines:
    """Reads pictures of one line each with the reader that is to be fine-tuned.

    Parameters
    ----------
    lines
        The line reader's file; None for the packaged one.
    """

    def __init__(self, lines: Path | None = None) -> None:
        self._glyphs = GlyphReader(Recognizer(), LineRecognizer(lines))
        self._layout = LineLayout()

    def read(self, path: Path, label: str, digits_only: bool) -> OwnLine:
        """Return the line on a picture, with the text of its label.

        Parameters
        ----------
        digits_only
            Whether the labels lack the separators that stand on the pictures. Then the reader's own are added, as the
            network would otherwise unlearn them.

        Raises
        ------
        DataError
            When the picture cannot be read, or the label has other characters than digits and separators.
        """
        text = "".join(c for c in label if c not in LEFT_OUT)
        odd = sorted(set(text) - set(CHARACTERS))
        if odd or not text or len(text) > MOST_CHARACTERS:
            raise DataError(f"{path} is labelled {label[:20]!r}; a label has digits and the separators . , - /")
        page = next(open_pages(path)).as_it_lies()
        found = self._layout.whole(page, self._glyphs, None)
        if found is None:
            return OwnLine(page.ink, _whole_picture(page), text)
        read = found.text.text
        return OwnLine(
            page.ink,
            found.area,
            with_separators(read, text) if digits_only else text,
            "".join(c for c in read if c in DIGITS),
            found.text.texts[0][1],
        )


def one_line_each(labels: PageLabels) -> dict[Path, str]:
    """Return the label of each picture.

    Raises
    ------
    DataError
        When a picture is labelled with several numbers.
    """
    for path, numbers in labels.numbers.items():
        if len(numbers) != 1:
            raise DataError(f"{path} is labelled with {len(numbers)} numbers; cut the lines out, one in each picture")
    return {path: numbers[0] for path, numbers in labels.numbers.items()}


def without_separators(labels: Sequence[str]) -> bool:
    """Return whether labels have digits alone."""
    return all(set(label) <= set(DIGITS + LEFT_OUT) for label in labels)


def with_separators(read: str, digits: str) -> str:
    """Return the digits of a label with the other characters that a reading has between them.

    >>> with_separators("1.234,5-", "12845")
    '1.284,5-'
    """
    out = []
    for kind, start, stop, first, last in edits(read, digits):
        old, new = read[start:stop], digits[first:last]
        if kind == "delete":
            out.append("" if old in DIGITS or old == "x" else old)
        else:
            out.append(new)
    return "".join(out)


def _whole_picture(page: Page) -> StripArea:
    """Return the strip of all ink on a picture on which no number was read."""
    x, y, width, height = cv2.boundingRect(page.faint)
    if not height:
        height, width = page.ink.shape
        return StripArea(0, width, height / 2, height)
    return StripArea(x - 0.1 * height, x + width + 0.1 * height, y + height / 2, height)

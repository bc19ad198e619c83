"""Files of a pile: their pages read one by one, also in a worker process, so that a broken scan costs only itself."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

from inkdigits.forms.blank_sheets import BlankSheets
from inkdigits.forms.blanks import load_blanks
from inkdigits.forms.box_recognizer import BoxRecognizer
from inkdigits.forms.fields import Number
from inkdigits.forms.locating import WrongFormError
from inkdigits.forms.number_fields import NumberReader
from inkdigits.forms.page_reader import PageRead, PageReader
from inkdigits.forms.pages import Placement
from inkdigits.forms.pile import BLANK, OTHER_FORM, UNREADABLE
from inkdigits.forms.registration import BlankPageError, NoFormError
from inkdigits.imaging.files import page_images
from inkdigits.reader.line_recognizer import LineRecognizer
from inkdigits.reader.reader import Reader
from inkdigits.reader.recognizer import Recognizer

LONGEST = 3600  # pixels that the longer side needs: A4 at 300 dpi


@dataclass(frozen=True)
class NotRead:
    """A page that was not read: the kind of the problem, and why."""

    kind: str
    message: str


def page_reader(
    placement: Placement,
    roster: Sequence[str],
    model: Path | None,
    lines: Path | None,
    folder: Path = Path(),
    threads: int = 1,
) -> PageReader:
    """Return a reader of the pages of a form; ``folder`` is that of its design, where its blank lies if it has one.

    Raises
    ------
    UsageError, DataError
        When the blank is not there, or is another one.
    """
    boxes = BoxRecognizer(Recognizer(model, threads), LineRecognizer(lines, threads))
    locator = BlankSheets(placement, load_blanks(placement, folder)) if placement.design.blank else None
    has_numbers = any(isinstance(one.field, Number) for one in placement.fields)
    numbers = NumberReader(Reader(model, threads, lines=lines)) if has_numbers else None
    return PageReader(placement, boxes, roster, None, locator, numbers)


def read_file(reader: PageReader, path: Path, share: int = 0, shares: int = 1) -> Iterator[PageRead | NotRead]:
    """Yield what was read on each page of a file, or of every ``shares``-th page from the place ``share`` on.

    Raises
    ------
    DataError
        When the file cannot be read; names it.
    """
    for page in islice(page_images(path, longest=LONGEST), share, None, shares):
        try:
            yield reader.read(page.pixels)
        except NoFormError as error:
            yield NotRead(_kind(error), str(error))


def _kind(error: NoFormError) -> str:
    if isinstance(error, BlankPageError):
        return BLANK
    return OTHER_FORM if isinstance(error, WrongFormError) else UNREADABLE


def file_reader(
    placement: Placement, roster: Sequence[str], model: Path | None, lines: Path | None, folder: Path = Path()
) -> Callable[..., Iterator[PageRead | NotRead]]:
    """Return :func:`read_file` for a worker process: of path, share and number of shares."""
    reader = page_reader(placement, roster, model, lines, folder)
    return partial(read_file, reader)

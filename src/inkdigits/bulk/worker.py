"""What a worker process does with an item: its bytes, their hash, and the rows of its pages."""

import hashlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2

from inkdigits.bulk.archives import Contents
from inkdigits.bulk.formats import Row, page_rows
from inkdigits.bulk.items import Item, page_id
from inkdigits.errors import DataError
from inkdigits.reader.reader import Reader
from inkdigits.reader.results import Reading


@dataclass(frozen=True)
class PageRecord:
    """A page that was read.

    Attributes
    ----------
    rows
        Its rows in the output.
    numbers, doubtful, digits
        How many it has; of the digits, those that were not refused.
    core_seconds
        Time of the processor that it took.
    """

    rows: list[Row]
    numbers: int
    doubtful: int
    digits: int
    core_seconds: float


class DocumentReader:
    """Reads items, each with one core: the other cores have workers of their own."""

    def __init__(
        self, model: Path | None, lines: Path | None, reading: dict[str, Any], form: str, column: str | None
    ) -> None:
        cv2.setNumThreads(1)
        self._reader = Reader(model, 1, lines=lines)
        self._settings, self._form = reading, form
        self._contents = Contents(column)

    def name(self) -> str:
        """Return the names of the models, with the start of the hash of their weights."""
        return self._reader.name

    def sha256(self, item: Item) -> str:
        """Return the SHA-256 of an item's bytes, as hex."""
        return hashlib.sha256(self._contents.read(item)).hexdigest()

    def read(self, item: Item) -> Iterator[PageRecord | None]:
        """Yield the pages from ``item.page`` on; None for each one before.

        Raises
        ------
        DataError, OSError
            When it is no picture that can be read; when the file cannot be read.
        """
        begin = time.process_time()
        content = self._contents.read(item)
        sha256 = hashlib.sha256(content).hexdigest()
        page = -1
        for page, reading in enumerate(self._reader.read_pages(content, **self._settings)):
            if page < item.page:
                yield None
                continue
            named = replace(reading, source=item.source, picture=None)
            rows = page_rows(self._form, named, page_id(sha256, item.member, page), sha256, item.member)
            seconds = time.process_time() - begin
            yield _record(named, rows, seconds)
            begin += seconds
        if page < 0:
            raise DataError("it has no pages")


def _record(reading: Reading, rows: list[Row], seconds: float) -> PageRecord:
    written = [line for line in reading.lines if not line.is_blank]
    digits = sum(digit.digit is not None for digit in reading.digits)
    return PageRecord(rows, len(written), sum(line.is_doubtful for line in written), digits, seconds)


def document_reader(prepare: Callable[[], None], *arguments: Any) -> Callable[..., Any]:
    """Return, for a worker process, the methods of a DocumentReader by name; ``prepare`` loads the plug-ins first."""
    prepare()
    reader = DocumentReader(*arguments)
    return lambda method, *items: getattr(reader, method)(*items)

"""What is to be read, listed one item after the other: folders, patterns, lists, archives and object stores."""

import glob
import os
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import IO

from inkdigits.bulk.archives import MEMBERS_SECONDS, is_archive, is_page, lister
from inkdigits.bulk.items import Item
from inkdigits.bulk.storage import files_at, is_address
from inkdigits.errors import DataError
from inkdigits.isolation import ReplacedWorker

STDIN = "-"
PIECE = 1 << 16  # bytes, of one read of the list on stdin
MEMORY = 3 << 30  # bytes that listing one archive may take
WILDCARDS = frozenset("*?[")


class Listing:
    """Lists the items of sources. It holds neither the names nor the items, but those of one folder of a store.

    Parameters
    ----------
    sources
        Absolute paths, patterns or addresses, and ``-`` for a list on stdin.
    null
        Whether NUL separates the names on stdin, and not a line feed.
    column
        Column of the pictures in Parquet files; None for the first of bytes.
    stdin
        Where ``-`` reads.

    Attributes
    ----------
    skipped
        Files in folders that have the suffix neither of a page nor of an archive, so far.
    """

    def __init__(
        self, sources: tuple[str, ...], null: bool = False, column: str | None = None, stdin: IO[bytes] | None = None
    ) -> None:
        self._sources, self._separator = sources, b"\0" if null else b"\n"
        self._stdin = stdin or sys.stdin.buffer
        self._lister = ReplacedWorker(partial(lister, column), MEMORY, MEMBERS_SECONDS)
        self.skipped = 0

    def items(self) -> Iterator[Item]:
        """Yield the items, in an order that may change from call to call.

        Raises
        ------
        DataError
            When a source does not exist, or holds nothing.
        """
        number = 0
        with self._lister:
            for source in self._sources:
                first = number
                for make in self._of_source(source):
                    yield make(number)
                    number += 1
                if number == first and source != STDIN:
                    raise DataError(f"{source} holds no pages")

    def _of_source(self, source: str) -> Iterator[Callable[[int], Item]]:
        if source == STDIN:
            for name in names(self._stdin, self._separator):
                yield from self._of_name(absolute(name))
        elif not is_address(source) and not os.path.lexists(source) and WILDCARDS & set(source):
            for name in glob.iglob(source, recursive=True):  # noqa: PTH207  Path.glob takes no absolute pattern
                yield from self._of_name(name)
        elif not is_address(source) and not os.path.lexists(source):
            raise DataError(f"{source} does not exist")
        else:
            yield from self._of_name(source)

    def _of_name(self, name: str) -> Iterator[Callable[[int], Item]]:
        """Yield the items of a file, a folder or an address."""
        folder = is_address(name) or Path(name).is_dir()
        for file in (files_at(name) if is_address(name) else files_below(name)) if folder else [name]:
            path = file.partition("?")[0] if is_address(file) else file
            if is_archive(path):
                yield from self._of_archive(file)
            elif file == name or is_page(path):
                yield partial(Item, source=file)
            else:
                self.skipped += 1

    def _of_archive(self, source: str) -> Iterator[Callable[[int], Item]]:
        try:
            for batch in self._lister.stream(source):
                for member, place in batch:
                    yield partial(Item, source=source, member=member, place=place)
        except (DataError, OSError) as error:
            reason = " ".join(str(error).split())
            yield partial(Item, source=source, error=f"not all members of the archive were listed: {reason}")


def absolute(source: str) -> str:
    """Return a path as an absolute one; addresses and ``-`` stay."""
    return source if source == STDIN or is_address(source) else str(Path(source).absolute())


def names(file: IO[bytes], separator: bytes) -> Iterator[str]:
    """Yield the names in a list, without empty ones; bytes that are not UTF-8 become lone surrogates."""
    rest = b""
    while piece := file.read(PIECE):
        *whole, rest = (rest + piece).split(separator)
        yield from (os.fsdecode(name) for name in whole if name)
    if rest:
        yield os.fsdecode(rest)


def files_below(folder: str) -> Iterator[str]:
    """Yield the files below a folder as the file system gives them, hidden ones left out; follows no linked folders.

    Raises
    ------
    DataError
        When a folder cannot be listed.
    """
    folders = [folder]
    while folders:
        try:
            with os.scandir(folders.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                    elif not entry.name.startswith(".") and entry.is_file():
                        yield entry.path
        except OSError as error:
            raise DataError(
                f"cannot list {error.filename}: {error.strerror}; make it readable, or remove it"
            ) from error

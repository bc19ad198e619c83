"""Members of tar, zip and Parquet files: listed one after the other, and read by their place.

A WebDataset shard is a tar. The functions run in worker processes, as an archive can be made to hang a reader.
"""

import bz2
import gzip
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import IO, Any

from inkdigits.bulk.items import Item
from inkdigits.bulk.storage import open_file, pyarrow
from inkdigits.errors import DataError
from inkdigits.imaging.files import PAGE_SUFFIXES

TAR = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
ZIP, PARQUET = (".zip",), (".parquet",)
COMPRESSED: dict[bytes, Callable[[IO[bytes]], Any]] = {  # by the first two bytes
    b"\x1f\x8b": lambda file: gzip.GzipFile(fileobj=file),
    b"BZ": bz2.BZ2File,
    b"\xfd7": lzma.LZMAFile,
}
BATCH = 1000  # members that are listed in one message
MEMBERS_SECONDS = 300.0  # for each batch; a member of a compressed tar may be preceded by gigabytes of others

Member = tuple[str, tuple[int, ...]]  # its name and its place


def is_archive(name: str) -> bool:
    """Whether a file's name is that of a tar, zip or Parquet file."""
    return name.lower().endswith((*TAR, *ZIP, *PARQUET))


def is_page(name: str) -> bool:
    """Whether a name has the suffix of a picture, PDF or TIFF, and is not hidden."""
    path = PurePosixPath(name.replace("\\", "/"))
    return path.suffix.lower() in PAGE_SUFFIXES and not path.name.startswith(".")


def lister(column: str | None) -> Callable[[str], Iterator[list[Member]]]:
    """Return, for a worker process, the function that yields the members of an archive in batches."""

    def batches(source: str) -> Iterator[list[Member]]:
        with explained(), open_file(source) as file:
            batch: list[Member] = []
            try:
                for member in open_archive(source, file, column).members():
                    batch.append(member)
                    if len(batch) == BATCH:
                        yield batch
                        batch = []
            except Exception:
                yield batch  # what lies before the damage can be read
                raise
            yield batch

    return batches


class Tar:
    """A tar, compressed or not."""

    def __init__(self, file: IO[bytes]) -> None:
        start = file.read(2)
        file.seek(0)
        self._file: IO[bytes] = COMPRESSED[start](file) if start in COMPRESSED else file

    def members(self) -> Iterator[Member]:
        """Yield the members that are pages."""
        with tarfile.open(fileobj=self._file, mode="r:") as tar:
            while (info := tar.next()) is not None:
                tar.members.clear()  # type: ignore[attr-defined]  # it would keep all of them
                if info.isreg() and not info.issparse() and is_page(info.name):
                    yield info.name, (info.offset_data, info.size)
            self._file.seek(tar.offset)
            if self._file.read(tarfile.BLOCKSIZE).strip(b"\0"):
                raise DataError("the tar is damaged; what follows the damage cannot be listed")

    def read(self, place: tuple[int, ...]) -> bytes:
        """Return the content of a member."""
        offset, size = place
        self._file.seek(offset)
        content = self._file.read(size)
        if len(content) < size:
            raise DataError("the tar ends within this member")
        return content


class Zip:
    """A zip."""

    def __init__(self, file: IO[bytes]) -> None:
        self._zip = zipfile.ZipFile(file)

    def members(self) -> Iterator[Member]:
        """Yield the members that are pages."""
        for index, info in enumerate(self._zip.infolist()):
            if not info.is_dir() and is_page(info.filename):
                yield info.filename, (index,)

    def read(self, place: tuple[int, ...]) -> bytes:
        """Return the content of a member."""
        return self._zip.read(self._zip.infolist()[place[0]])


class Parquet:
    """A Parquet file with a column of encoded pictures: of bytes, or of structures with the field ``bytes``."""

    def __init__(self, file: IO[bytes], column: str | None) -> None:
        self._parquet = pyarrow("pyarrow.parquet").ParquetFile(file)
        self._column = column or self._first_column()
        self._group: tuple[int, Any] = (-1, None)

    def members(self) -> Iterator[Member]:
        """Yield the rows, numbered from 0."""
        number = 0
        for group in range(self._parquet.num_row_groups):
            for row in range(self._parquet.metadata.row_group(group).num_rows):
                yield str(number), (group, row)
                number += 1

    def read(self, place: tuple[int, ...]) -> bytes:
        """Return the picture of a row."""
        group, row = place
        if self._group[0] != group:
            self._group = group, self._parquet.read_row_group(group, [self._column]).column(0)
        value = self._group[1][row].as_py()
        content = value.get("bytes") if isinstance(value, dict) else value
        if not isinstance(content, bytes):
            raise DataError(f"column {self._column!r} holds no picture in this row")
        return content

    def _first_column(self) -> str:
        types = pyarrow("pyarrow.types")
        for field in self._parquet.schema_arrow:
            parts = field.type if types.is_struct(field.type) else []
            kinds = [field.type, *(part.type for part in parts if part.name == "bytes")]
            if any(types.is_binary(kind) or types.is_large_binary(kind) for kind in kinds):
                return str(field.name)
        raise DataError("there is no column of bytes; name one with --column")


Archive = Tar | Zip | Parquet


def open_archive(source: str, file: IO[bytes], column: str | None) -> Archive:
    """Return the archive in an opened file, of the kind that its name says."""
    name = source.partition("?")[0].lower()
    if name.endswith(ZIP):
        return Zip(file)
    return Parquet(file, column) if name.endswith(PARQUET) else Tar(file)


class Contents:
    """Reads the content of items. The archive that was read last stays open, so that its members follow cheaply."""

    def __init__(self, column: str | None) -> None:
        self._column = column
        self._source = ""
        self._file: IO[bytes] | None = None
        self._archive: Archive | None = None

    def read(self, item: Item) -> bytes:
        """Return the bytes of a file or a member.

        Raises
        ------
        DataError, OSError
            When the archive is damaged; when the file cannot be read.
        """
        if not item.place:
            with open_file(item.source) as file:
                return file.read()
        with explained():
            return self._opened(item.source).read(item.place)

    def _opened(self, source: str) -> Archive:
        if self._archive is None or self._source != source:
            self.close()
            self._source, self._file = source, open_file(source)
            self._archive = open_archive(source, self._file, self._column)
        return self._archive

    def close(self) -> None:
        """Close the archive that is open."""
        self._archive = None
        if self._file is not None:
            self._file.close()


@contextmanager
def explained() -> Iterator[None]:
    """Turn the errors of a damaged archive into a DataError; those of the disk or the network pass."""
    try:
        yield
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError) as error:
        raise DataError(f"the archive is damaged ({error})") from error
    except (RuntimeError, ValueError, LookupError) as error:  # a password, a method of compression, Arrow's errors
        raise DataError(f"the archive cannot be read ({error})") from error
    except OSError as error:
        if error.errno is None:  # gzip and bz2
            raise DataError(f"the archive is damaged ({error})") from error
        raise

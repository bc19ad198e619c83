"""Files on this machine, and in object stores by pyarrow.fs."""

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

from inkdigits.errors import DataError, RunError
from inkdigits.files import require_regular

SCHEMES = ("s3://", "gs://", "file://")


def pyarrow(module: str) -> Any:
    """Return a module of pyarrow.

    Raises
    ------
    RunError
        When pyarrow is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError:
        raise RunError("Parquet, s3:// and gs:// need pyarrow: pip install 'inkdigits[bulk]'") from None


def is_address(source: str) -> bool:
    """Whether a source is an address in an object store, not a path."""
    return source.startswith(SCHEMES)


def open_file(source: str) -> IO[bytes]:
    """Open a path or an address for reading; it can seek.

    Raises
    ------
    OSError
        When it cannot be opened, or is no regular file.
    """
    if is_address(source):
        system, path = _file_system(source)
        opened: IO[bytes] = system.open_input_file(path)
        return opened
    require_regular(Path(source))
    return Path(source).open("rb")


def files_at(address: str) -> Iterator[str]:
    """Yield the address of a file, or of all files below a folder, one folder listed at a time.

    Raises
    ------
    DataError
        When there is nothing at the address, or the store refuses.
    """
    fs = pyarrow("pyarrow.fs")
    scheme, query = address.partition("://")[0], address.partition("?")[2]
    try:
        system, path = _file_system(address)
        kind = system.get_file_info(path).type
        if kind == fs.FileType.NotFound:
            raise DataError(f"{address} does not exist")
        if kind == fs.FileType.File:
            yield address
            return
        folders = [path]
        while folders:
            for info in system.get_file_info(fs.FileSelector(folders.pop())):
                if info.type == fs.FileType.Directory:
                    folders.append(info.path)
                else:
                    yield f"{scheme}://{quote(info.path)}{'?' * bool(query)}{query}"
    except (OSError, ValueError) as error:
        raise DataError(f"cannot list {address}: {' '.join(str(error).split())}") from error


def _file_system(address: str) -> tuple[Any, str]:
    system, path = pyarrow("pyarrow.fs").FileSystem.from_uri(address)
    return system, path

"""Atomic writing of files: temporary file, fsync, rename. JSON that is read back is checked against a type."""

import errno
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from inkdigits.errors import RunError
from inkdigits.escape import json_text

DEEPEST = 100  # nested lists and objects in JSON; deeper ones exhaust the stack of whatever walks through them

T = TypeVar("T")


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``, which is renamed to ``path`` when the block succeeds.

    On any error the temporary file is removed and ``path`` is unchanged. Folders are created as needed.

    Raises
    ------
    RunError
        When the disk is full, the folder is read-only, or ``path`` is a folder.
    """
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
        temporary = None
        _sync_folder(path.parent)
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Make a rename survive a power failure, on systems that can open a folder."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def cannot_write(path: Path, error: OSError) -> RunError:
    """Return the error for a failed write to ``path``."""
    reason = error.strerror or str(error)
    return RunError(f"cannot write {path}: {reason}; free space there or choose another folder with --out")


def write_bytes(path: Path, content: bytes) -> None:
    """Write ``content`` to ``path`` atomically."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path, content: str) -> None:
    """Write ``content`` to ``path`` atomically, as UTF-8."""
    write_bytes(path, content.encode())


def write_json(path: Path, content: Any) -> None:
    """Write ``content`` to ``path`` atomically, as indented JSON."""
    write_text(path, json_text(content) + "\n")


def require_regular(path: Path) -> None:
    """Raise OSError when ``path`` exists but is no regular file: opening a pipe or a device could block for ever."""
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "it is a folder, a pipe or a device, not a file", str(path))


def read_bytes(path: Path) -> bytes:
    """Return the content of a regular file.

    Raises
    ------
    OSError
        When it cannot be read, or is no regular file.
    """
    require_regular(path)
    return path.read_bytes()


def checked(content: Any, schema: type[T]) -> T:
    """Return decoded JSON as an instance of ``schema``; keys that it does not have are ignored.

    Parameters
    ----------
    schema
        A dataclass, or another type that msgspec converts to, such as ``dict[str, float]``.

    Raises
    ------
    ValueError
        When a key is missing, or a value has another type than its annotation; one line that says where.
    """
    import msgspec  # here, as the import takes 15 ms, and most commands read no JSON

    return msgspec.convert(content, schema)


def from_json(text: str | bytes, schema: type[T]) -> T:
    """Decode JSON and return it as an instance of ``schema``: see :func:`checked`.

    Raises
    ------
    ValueError
        Also when the text is no JSON, or is nested too deeply.
    """
    too_deep = f"lists and objects are nested more than {DEEPEST} deep"
    try:
        content = json.loads(text)
    except RecursionError:
        raise ValueError(too_deep) from None
    if _too_deep(content):
        raise ValueError(too_deep)
    return checked(content, schema)


def _too_deep(content: Any) -> bool:
    level = [content]
    for _ in range(DEEPEST):
        level = [item for value in level if isinstance(value, dict | list) for item in _items(value)]
        if not level:
            return False
    return True


def _items(value: dict[str, Any] | list[Any]) -> Iterator[Any]:
    return iter(value.values() if isinstance(value, dict) else value)


def read_json(path: Path, schema: type[T]) -> T:
    """Read a JSON file as an instance of ``schema``: see :func:`checked`.

    Raises
    ------
    RunError
        When the file is missing, is no JSON, or does not fit the schema.
    """
    try:
        content = read_bytes(path)
    except FileNotFoundError:
        raise RunError(f"{path} does not exist; name a folder that `inkdigits train` has written") from None
    except OSError as error:
        raise RunError(f"cannot read {path}: {error.strerror}") from error
    try:
        return from_json(content, schema)
    except ValueError as error:
        raise RunError(f"cannot read {path}: {error}; it was not written by this version of inkdigits") from error

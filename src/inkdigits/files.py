"""Files that are written atomically (temporary file, fsync, rename), locks of folders, and JSON checked by type."""

import errno
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from inkdigits.errors import BusyError, RunError
from inkdigits.escape import json_text

LOCK = ".lock"  # in a folder that a process writes; it holds the number of the process
LOCK_WAIT = 5.0  # seconds: the worker processes of a killed comparison need a moment to end
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


def remove_temporary_files(path: Path) -> None:
    """Remove the incomplete files that killed processes left of ``path``, whose name may be a pattern.

    Only the process that holds the lock under which ``path`` is written may call this.
    """
    for leftover in path.parent.glob(f".{path.name}.*.tmp"):
        leftover.unlink(missing_ok=True)


@contextmanager
def locked(folder: Path, name: str = LOCK, wait: float | None = None) -> Iterator[None]:
    """Hold the lock of a folder, which is created as needed, while the block runs. Blocks within it may lock it too.

    The operating system releases the lock when the process ends, even when it is killed.

    Parameters
    ----------
    name
        Name of the lock file in the folder.
    wait
        Seconds to wait for another process; LOCK_WAIT by default.

    Raises
    ------
    BusyError
        When another process holds the lock.
    RunError
        When the folder cannot be written.
    """
    from filelock import FileLock, Timeout  # its import takes 50 ms, which `inkdigits read` does not need

    path, made = folder / name, not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path, is_singleton=True, fallback_to_soft=False)  # a soft lock would outlive a killed process
        held = lock.is_locked  # by a block around this one
        lock.acquire(timeout=LOCK_WAIT if wait is None else wait)
    except Timeout:
        raise BusyError(
            f"{folder} is in use by {_owner(path)}; wait until it ends, or choose another folder with --out"
        ) from None
    except OSError as error:
        raise cannot_write(folder, error) from error
    try:
        if not held:
            with suppress(OSError):  # the disk is full, or the system lets nobody write to a locked file
                path.write_text(str(os.getpid()))
        yield
    finally:
        if not held:
            with suppress(OSError):  # Windows does not remove an open file
                path.unlink()  # before the release: afterwards it may be the lock of another process
                if made:
                    folder.rmdir()  # only if it is empty
        lock.release()


def _owner(lock: Path) -> str:
    """Return a description of the process that holds a lock."""
    try:
        return f"process {int(lock.read_text())}"
    except (OSError, ValueError):
        return "another process"


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

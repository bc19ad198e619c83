"""Atomic writing of files (temporary file, fsync, rename), and locks of folders that one process writes at a time."""

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from inkdigits.errors import BusyError, RunError

LOCK = ".lock"  # in a folder that a process writes; it holds the number of the process
LOCK_WAIT = 5.0  # seconds: the worker processes of a killed comparison need a moment to end


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
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises
    ------
    RunError
        When the file is missing, or does not contain a JSON object.
    """
    try:
        content = json.loads(path.read_text())
    except FileNotFoundError:
        raise RunError(f"{path} does not exist; name a folder that `inkdigits train` has written") from None
    except (OSError, ValueError) as error:
        raise RunError(f"cannot read {path}: {error}") from error
    if not isinstance(content, dict):
        raise RunError(f"{path} contains no JSON object; it was not written by inkdigits")
    return content

"""Download a file from the first mirror that serves it, resume an interrupted download, and check the checksum.

This is not pooch, for four reasons: pooch does not resume, does not try a second mirror, checks the compressed bytes,
which differ between mirrors, and lets two processes download the same file at once.
"""

import gzip
import hashlib
import os
import secrets
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable, Sequence
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from ssl import SSLError

from inkdigits.errors import BusyError, DataError, FetchError, NetworkError, RunError
from inkdigits.files import locked, remove_temporary_files, write_bytes

CHUNK = 1 << 16  # bytes per read, at most
TIMEOUT = 20.0  # seconds without an answer from a mirror
LOCK_WAIT = 600.0  # seconds to wait for another process that downloads the same file
ATTEMPTS = 2  # per mirror: the second resumes where the first was cut off


class _UnreachableError(Exception):
    """A mirror does not answer: there is no network."""


class _AnswerError(Exception):
    """A mirror answers, but not with the whole file."""


Progress = Callable[[int, int], None]  # bytes so far, bytes in all (0 if unknown)


def offline() -> bool:
    """Return whether ``INKDIGITS_OFFLINE`` forbids the network."""
    return os.environ.get("INKDIGITS_OFFLINE", "") not in ("", "0")


def decompressed(content: bytes) -> bytes:
    """Return ``content`` decompressed if it is gzip, else unchanged.

    Raises
    ------
    DataError
        When the gzip stream is cut off or broken.
    """
    if content[:2] != b"\x1f\x8b":
        return content
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"broken gzip stream ({error})") from error


def fetch(
    urls: Sequence[str], target: Path, sha256: str, progress: Progress | None = None, timeout: float = TIMEOUT
) -> str:
    """Download to ``target`` from the first of ``urls`` whose decompressed bytes have ``sha256``; return that URL.

    One process downloads at a time; another one waits, and returns an empty text when the file is there. An interrupted
    download is kept beside ``target``, and the next attempt resumes it. ``target`` is written whole, after the check.

    Raises
    ------
    NetworkError
        When the network is forbidden, or no mirror can be reached.
    FetchError
        When a mirror answers, but none serves the file. The message has the answer of each mirror.
    DataError
        When the folder cannot be written, or another process has been downloading the file for LOCK_WAIT seconds.
    """
    if offline():
        raise NetworkError(f"{target} does not exist, and INKDIGITS_OFFLINE forbids the download")
    try:
        with locked(target.parent, f".{target.name}.lock", LOCK_WAIT):
            if _is_whole(target, sha256):  # another process has downloaded it meanwhile
                return ""
            remove_temporary_files(target)
            return _from_mirrors(urls, target, sha256, progress, timeout)
    except BusyError as error:
        raise DataError(
            f"{target.name} is not there yet: another process has been downloading it to {target.parent} for "
            f"{LOCK_WAIT:.0f} s; end that process, or try again later"
        ) from error
    except (OSError, RunError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"cannot write {target.parent}: {reason}; name another folder with INKDIGITS_DATA") from error


def _is_whole(target: Path, sha256: str) -> bool:
    try:
        return target.is_file() and hashlib.sha256(decompressed(target.read_bytes())).hexdigest() == sha256
    except DataError:
        return False


def _from_mirrors(urls: Sequence[str], target: Path, sha256: str, progress: Progress | None, timeout: float) -> str:
    """Download to ``target`` while its lock is held."""
    failures: list[tuple[str, Exception]] = []
    for url in urls:
        failure = _from_mirror(url, target, sha256, progress, timeout)
        if failure is None:
            return url
        failures.append((url, failure))
    answers = "; ".join(f"{url}: {failure}" for url, failure in failures)
    absent = all(isinstance(failure, _UnreachableError) for _, failure in failures)
    raise (NetworkError if absent else FetchError)(
        f"could not fetch {target.name} ({answers}); check the network, or put it into {target.parent}"
    )


def _from_mirror(url: str, target: Path, sha256: str, progress: Progress | None, timeout: float) -> Exception | None:
    """Download to ``target`` from one mirror, in at most ATTEMPTS; return why it failed, or None."""
    part = _part(url, target)
    failure: Exception | None = None
    for _ in range(ATTEMPTS):
        before = _size(part)
        try:
            _receive(url, part, progress, timeout)
            content = part.read_bytes()
            if hashlib.sha256(decompressed(content)).hexdigest() != sha256:
                raise DataError("wrong sha256")
        except DataError as error:
            failure = error
            part.unlink(missing_ok=True)
            worth_another = before > 0  # the bytes of the earlier download may be the wrong ones
        except (_UnreachableError, _AnswerError) as error:
            if failure is None or isinstance(error, _AnswerError):  # a mirror that answered once is there
                failure = error
            worth_another = _size(part) > before
        else:
            write_bytes(target, content)
            for leftover in target.parent.glob(f".{target.name}.*.part"):
                leftover.unlink()
            return None
        if not worth_another:
            break
    return failure


def _part(url: str, target: Path) -> Path:
    """Return the file that an interrupted download from ``url`` left, else a name that no other process uses."""
    prefix = f".{target.name}.{hashlib.sha256(url.encode()).hexdigest()[:8]}"
    leftovers = sorted(target.parent.glob(f"{prefix}.*.part"), key=_size)
    return leftovers[-1] if leftovers else target.with_name(f"{prefix}.{secrets.token_hex(4)}.part")


def _size(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _receive(url: str, part: Path, progress: Progress | None, timeout: float) -> None:
    """Append to ``part`` the bytes of ``url`` that it lacks; an OSError comes from the disk only."""
    done = _size(part)
    response = _open(url, done, timeout)
    if response is None:
        return
    with response:
        if response.status != 206:
            done = 0  # the mirror does not resume: start again
        length = int(response.headers.get("Content-Length") or 0)
        total = done + length
        with part.open("ab" if done else "wb") as file:
            while chunk := _read(response):
                file.write(chunk)
                file.flush()  # what has come is kept when the process is killed
                done += len(chunk)
                if progress:
                    progress(done, total)
        if length and done < total:
            raise _AnswerError(f"cut off after {done} of {total} bytes")


def _open(url: str, done: int, timeout: float) -> HTTPResponse | None:
    """Return the response with the bytes of ``url`` from ``done`` on, or None when no bytes are missing."""
    headers = {"User-Agent": "inkdigits"} | ({"Range": f"bytes={done}-"} if done else {})
    try:
        response: HTTPResponse = urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=timeout)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416 and done:
            return None
        raise _AnswerError(f"HTTP {error.code}") from error
    except (OSError, HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        answered = isinstance(reason, SSLError) or not isinstance(error, OSError)
        raise (_AnswerError if answered else _UnreachableError)(str(reason)) from error
    return response


def _read(response: HTTPResponse) -> bytes:
    try:
        return response.read1(CHUNK)
    except (OSError, HTTPException) as error:
        raise _AnswerError(f"interrupted ({error})") from error

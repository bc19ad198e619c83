"""Download a file from the first mirror that serves it, resume an interrupted download, and check the checksum.

This is not pooch, for three reasons: pooch does not resume, does not try a second mirror, and checks the compressed
bytes, which differ between mirrors.
"""

import gzip
import hashlib
import os
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable, Sequence
from http.client import HTTPException
from pathlib import Path

from inkdigits.errors import DataError, FetchError, RunError
from inkdigits.files import write_bytes

CHUNK = 1 << 16  # bytes per read
TIMEOUT = 20.0  # seconds without an answer from a mirror
ATTEMPTS = 2  # per mirror: the second resumes where the first was cut off

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

    An interrupted download is kept beside ``target``, and the next attempt resumes it. ``target`` is written whole,
    after the check.

    Raises
    ------
    FetchError
        When the network is forbidden, the folder cannot be written, or no mirror serves the file. The message has the
        answer of each mirror.
    """
    if offline():
        raise FetchError(f"{target} does not exist, and INKDIGITS_OFFLINE forbids the download")
    failures = []
    for url in urls:
        part = target.with_name(f".{target.name}.{hashlib.sha256(url.encode()).hexdigest()[:8]}.part")
        failure: Exception | None = None
        for _ in range(ATTEMPTS):
            before = _size(part)
            try:
                _receive(url, part, progress, timeout)
                content = part.read_bytes()
                if hashlib.sha256(decompressed(content)).hexdigest() != sha256:
                    raise DataError("wrong sha256")
                write_bytes(target, content)
                part.unlink()
                return url
            except DataError as error:
                failure = error
                part.unlink(missing_ok=True)
                worth_another = before > 0  # the bytes of the earlier download may be the wrong ones
            except (urllib.error.URLError, HTTPException, TimeoutError, ConnectionError) as error:
                failure = error
                worth_another = _size(part) > before
            except (OSError, RunError) as error:
                reason = getattr(error, "strerror", None) or error
                raise FetchError(
                    f"cannot write {part.parent}: {reason}; name another folder with INKDIGITS_DATA"
                ) from error
            if not worth_another:
                break
        failures.append(f"{url}: {getattr(failure, 'reason', None) or failure}")
    raise FetchError(
        f"could not fetch {target.name} ({'; '.join(failures)}); check the network, or put it into {target.parent}"
    )


def _size(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _receive(url: str, part: Path, progress: Progress | None, timeout: float) -> None:
    """Append to ``part`` the bytes of ``url`` that it lacks."""
    part.parent.mkdir(parents=True, exist_ok=True)
    done = _size(part)
    headers = {"User-Agent": "inkdigits"}
    if done:
        headers["Range"] = f"bytes={done}-"
    try:
        response = urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=timeout)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416 and done:  # no bytes are missing
            return
        raise ConnectionError(f"HTTP {error.code}") from error
    with response:
        if response.status != 206:
            done = 0  # the mirror does not resume: start again
        length = int(response.headers.get("Content-Length") or 0)
        total = done + length
        with part.open("ab" if done else "wb") as file:
            while chunk := response.read(CHUNK):
                file.write(chunk)
                done += len(chunk)
                if progress:
                    progress(done, total)
        if length and done < total:
            raise ConnectionError(f"cut off after {done} of {total} bytes")

"""Corrections: images with the digit that was read and the true digit, stored in SQLite for training."""

import sqlite3
import tempfile
import threading
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from inkdigits.errors import DataError
from inkdigits.files import atomic_path, cannot_write
from inkdigits.imaging.normalize import MOST, normalize
from inkdigits.imaging.pixels import to_bytes
from inkdigits.server.inference import as_png

APPLICATION = 0x696E6B64  # "inkd": SQLite's application id, in the header of the file
TABLE = """CREATE TABLE IF NOT EXISTS corrections (
  id INTEGER PRIMARY KEY,
  at TEXT NOT NULL,
  model TEXT NOT NULL,
  image BLOB NOT NULL,
  guess INTEGER CHECK (guess BETWEEN 0 AND 9),
  truth INTEGER CHECK (truth BETWEEN 0 AND 9)
)"""
NONE = "none"  # folder of the images that are not digits


class Feedback:
    """The file of corrections, open for writing. Threads may share it.

    Raises
    ------
    DataError
        When the file cannot be written, or is of another kind.
    """

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        try:
            self._database = sqlite3.connect(path, check_same_thread=False)
            self._database.execute("PRAGMA journal_mode = WAL")
            if not _is_ours(self._database) and self._database.execute("SELECT 1 FROM sqlite_schema").fetchone():
                raise DataError(f"{path} is a database of another program; name another file with --feedback")
            with self._database:
                self._database.execute("BEGIN IMMEDIATE")
                self._database.execute(f"PRAGMA application_id = {APPLICATION}")
                self._database.execute(TABLE)
        except sqlite3.Error as error:
            raise DataError(
                f"cannot store corrections in {path} ({error}); name another file with --feedback"
            ) from error

    def add(self, model: str, image: bytes, guess: int | None, truth: int | None) -> int:
        """Store a correction and return its number.

        Parameters
        ----------
        model
            Name of the model that read the image.
        image
            Image of one digit as a PNG, reduced by :func:`reduced`.
        guess, truth
            The digit that was read, and the true one; None when it is not a digit.

        Raises
        ------
        sqlite3.Error
            When the disk is full, or the file is gone.
        """
        row = (datetime.now(UTC).isoformat(timespec="seconds"), model, image, guess, truth)
        with self._lock, self._database:
            sql = "INSERT INTO corrections (at, model, image, guess, truth) VALUES (?, ?, ?, ?, ?)"
            return int(self._database.execute(sql, row).lastrowid or 0)

    def close(self) -> None:
        """Close the file."""
        self._database.close()


def reduced(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """Return an image of one digit at the size to which the reader shrinks it; its 28x28 picture stays the same."""
    image = to_bytes(pixels)
    height, width = image.shape[:2]
    scale = MOST / max(height, width)
    if scale >= 1:
        return image
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def export_feedback(database: Path, out: Path) -> dict[str, int]:
    """Write corrections as a data set for ``inkdigits train --data``, in the format of MNIST.

    Parameters
    ----------
    database
        The file of ``inkdigits serve --feedback``.
    out
        Path of an .npz with the arrays ``images`` and ``labels``, or of a new folder with one sub-folder per digit. The
        folder also has a sub-folder ``none`` for images that are not digits, which training ignores.

    Returns
    -------
    Number of corrections for each digit and for ``none``; an .npz does not contain those of ``none``.

    Raises
    ------
    DataError
        When the file is missing, of another kind or without corrected digits, or the folder exists.
    RunError
        When the data set cannot be written.
    """
    rows = _corrections(database)
    if not any(truth is not None for _, truth, _ in rows):
        raise DataError(f"{database} holds no corrected digit yet; there is nothing to train on")
    if out.suffix.lower() == ".npz":
        digits = [(image, truth) for _, truth, image in rows if truth is not None]
        images, labels = zip(*digits, strict=True)
        with atomic_path(out) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, images=np.stack(images), labels=np.array(labels, np.int64))
    else:
        _write_folder(rows, out)
    names = [NONE if truth is None else str(truth) for _, truth, _ in rows]
    return {name: names.count(name) for name in sorted(set(names))}


def _corrections(database: Path) -> list[tuple[int, int | None, NDArray[np.uint8]]]:
    """Return the number, the true digit and the 28x28 picture of each correction."""
    if not database.is_file():
        raise DataError(f"{database} does not exist; inkdigits serve --feedback writes it")
    try:
        with closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)) as opened:
            if not _is_ours(opened):
                raise DataError(f"{database} is a database of another program; name the file of serve --feedback")
            rows = opened.execute("SELECT id, truth, image FROM corrections ORDER BY id").fetchall()
    except sqlite3.Error as error:
        raise DataError(f"cannot read corrections from {database} ({error})") from error
    return [(number, truth, normalize(_pixels(image)).digit) for number, truth, image in rows]


def _pixels(image: bytes) -> NDArray[Any]:
    read = cv2.imdecode(np.frombuffer(image, np.uint8), cv2.IMREAD_UNCHANGED)
    if read is None:
        raise DataError("a correction's image is broken")
    return np.asarray(read if read.ndim == 2 else cv2.cvtColor(read, cv2.COLOR_BGR2RGB))


def _write_folder(rows: list[tuple[int, int | None, NDArray[np.uint8]]], out: Path) -> None:
    if out.exists():
        raise DataError(f"{out} exists; name a new folder or an .npz with --out")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as temporary:
            whole = Path(temporary) / "whole"
            for number, truth, image in rows:
                path = whole / (NONE if truth is None else str(truth)) / f"{number:06}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(as_png(image))
            whole.rename(out)
    except OSError as error:
        raise cannot_write(out, error) from error


def _is_ours(database: sqlite3.Connection) -> bool:
    return bool(database.execute("PRAGMA application_id").fetchone()[0] == APPLICATION)

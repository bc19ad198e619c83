"""The user's own digits as an .npz archive. Types and sizes are read from the headers before anything is unpacked."""

import math
import zipfile
import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from inkdigits.errors import DataError
from inkdigits.files import require_regular

PAIRS = (  # names of the arrays: of Keras' mnist.npz, and of others
    ("x_train", "y_train", "x_test", "y_test"),
    ("images", "labels", "test_images", "test_labels"),
)
MAX_BYTES = 2_000_000_000  # of an archive's arrays: MNIST as float64 has 440 million, EMNIST as bytes 640 million
COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # those of np.savez and np.savez_compressed
NUMBERS = "buif"  # kinds of NumPy's types: booleans, integers without and with a sign, real numbers
HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
FAULTS = (OSError, ValueError, EOFError, RuntimeError, MemoryError, KeyError, zipfile.BadZipFile, zlib.error)

Pair = tuple[NDArray[Any], NDArray[Any]]


def read_npz(path: Path) -> tuple[Pair, Pair | None]:
    """Return images and labels of the training digits, and of the test digits or None, as they stand in an archive.

    Raises
    ------
    DataError
        When the file is no archive of plain arrays of numbers, lacks arrays of digits, or unpacks to more than 2 GB.
    """
    try:
        require_regular(path)
        with path.open("rb") as file:
            if file.read(6) == npy.MAGIC_PREFIX:
                raise DataError(f"{path} holds a single array; it needs two, named images and labels")
        with zipfile.ZipFile(path) as archive:
            return _read_pairs(archive, path)
    except FAULTS as error:
        raise DataError(f"cannot read {path} as an .npz of plain arrays ({error})") from error


def _read_pairs(archive: zipfile.ZipFile, path: Path) -> tuple[Pair, Pair | None]:
    members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
    for images, labels, test_images, test_labels in PAIRS:
        if images in members and labels in members:
            names = [images, labels]
            if test_images in members and test_labels in members:
                names += [test_images, test_labels]
            _require_plain(archive, {name: members[name] for name in names}, path)
            arrays = [_read_array(archive, members[name]) for name in names]
            return (arrays[0], arrays[1]), (arrays[2], arrays[3]) if len(arrays) > 2 else None
    raise DataError(f"{path} holds {', '.join(members) or 'nothing'}; it needs the arrays images and labels")


def _require_plain(archive: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo], path: Path) -> None:
    """Raise DataError when arrays hold other things than numbers, or too many of them; only headers are read."""
    size = 0
    for name, info in members.items():
        if info.compress_type not in COMPRESSIONS:
            raise DataError(f"{path} is compressed in another way than np.savez_compressed does; save it with that")
        with archive.open(info) as file:
            size += _plain_size(file, f"{path} has {name}")
    _require_size(size, path)


def _require_size(size: int, path: Path) -> None:
    if size > MAX_BYTES:
        raise DataError(
            f"{path} unpacks to {size / 1e9:,.1f} GB, more than {MAX_BYTES / 1e9:g} GB; save fewer digits, or bytes"
        )


def _plain_size(file: IO[bytes], title: str) -> int:
    """Return the bytes that the numbers of an .npy file have, by its header.

    Raises
    ------
    DataError
        When it holds other things than numbers; the message begins with ``title``.
    ValueError
        When the header is broken.
    """
    version = npy.read_magic(file)
    if version not in HEADERS:
        raise ValueError(f"an array has format {version}")
    shape, _, dtype = HEADERS[version](file)
    if any(length < 0 for length in shape):
        raise ValueError(f"an array has the shape {shape}")
    if dtype.kind not in NUMBERS:
        raise DataError(f"{title} of type {dtype}; plain arrays of real numbers are needed")
    return math.prod(shape) * dtype.itemsize


def read_npy(path: Path) -> NDArray[Any]:
    """Return the numbers of an .npy file.

    Raises
    ------
    DataError
        When the file is missing or broken, or holds other things than numbers, or more than 2 GB of them.
    """
    try:
        require_regular(path)
        with path.open("rb") as file:
            _require_size(_plain_size(file, f"{path} is an array"), path)
            file.seek(0)
            return np.asarray(npy.read_array(file, allow_pickle=False))
    except FAULTS as error:
        raise DataError(f"cannot read {path} as an .npy of plain numbers ({error})") from error


def _read_array(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> NDArray[Any]:
    with archive.open(info) as file:
        return np.asarray(npy.read_array(file, allow_pickle=False))

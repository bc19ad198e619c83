"""The IDX format of the MNIST files: a magic number, the sizes, then the bytes (Y. LeCun's page on MNIST)."""

import math
import struct

import numpy as np
from numpy.typing import NDArray

from inkdigits.errors import DataError

UNSIGNED_BYTE = 0x08


def read_idx(content: bytes, source: str, ndim: int) -> NDArray[np.uint8]:
    """Return the array of an IDX file of unsigned bytes.

    Parameters
    ----------
    content
        The decompressed bytes of the file.
    source
        The name of the file, for error messages.
    ndim
        The expected number of dimensions: 3 for images (N, H, W), 1 for labels (N,).

    Raises
    ------
    DataError
        When the header is not IDX or has another type or number of dimensions, or the size does not fit the header.
    """
    if len(content) < 4 or content[:2] != b"\0\0":
        raise DataError(f"{source} is not an IDX file, which starts with two zero bytes; download it again")
    kind, dimensions = content[2], content[3]
    if kind != UNSIGNED_BYTE or dimensions != ndim:
        raise DataError(
            f"{source} holds {dimensions}-dimensional data of type 0x{kind:02x}, but {ndim}-dimensional unsigned "
            "bytes (0x08) are expected; are images and labels mixed up?"
        )
    header = 4 + 4 * ndim
    if len(content) < header:
        raise DataError(f"{source} ends within its header; download it again")
    shape = struct.unpack(f">{ndim}I", content[4:header])
    expected, found = math.prod(shape), len(content) - header
    if expected != found:
        raise DataError(f"{source} has {found} bytes of data, but its header says {expected}; download it again")
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)


def write_idx(array: NDArray[np.uint8]) -> bytes:
    """Return ``array`` as the bytes of an IDX file; the inverse of :func:`read_idx`."""
    return bytes([0, 0, UNSIGNED_BYTE, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()

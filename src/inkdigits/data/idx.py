"""The IDX format of the MNIST files: a magic number, the sizes, then the bytes (LeCun's MNIST page)."""

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
        What to call the file in an error.
    ndim
        Number of dimensions expected: 3 for images (N, H, W), 1 for labels (N,).

    Raises
    ------
    DataError
        When the header is not IDX, announces another type or shape, or the bytes are too few or too many.
    """
    if len(content) < 4 or content[:2] != b"\0\0":
        raise DataError(f"{source} is not an IDX file (it must start with two zero bytes); fetch it anew")
    kind, dimensions = content[2], content[3]
    if kind != UNSIGNED_BYTE or dimensions != ndim:
        raise DataError(
            f"{source} holds {dimensions}-dimensional data of type 0x{kind:02x}, but {ndim}-dimensional unsigned "
            "bytes (0x08) are expected; are images and labels mixed up?"
        )
    header = 4 + 4 * ndim
    if len(content) < header:
        raise DataError(f"{source} is cut off within its header; fetch it anew")
    shape = struct.unpack(f">{ndim}I", content[4:header])
    expected, found = math.prod(shape), len(content) - header
    if expected != found:
        raise DataError(f"{source} announces {expected} bytes of data but holds {found}; fetch it anew")
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)


def write_idx(array: NDArray[np.uint8]) -> bytes:
    """Return ``array`` as the bytes of an IDX file; the inverse of :func:`read_idx`."""
    return bytes([0, 0, UNSIGNED_BYTE, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()

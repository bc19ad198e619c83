import numpy as np
import pytest

from inkdigits.data.idx import read_idx, write_idx
from inkdigits.errors import DataError

IMAGES = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)


def test_reads_what_it_writes() -> None:
    assert (read_idx(write_idx(IMAGES), "x", ndim=3) == IMAGES).all()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "not an IDX file"),
        (b"\x80\x02}q\x00.", "not an IDX file"),
        (write_idx(IMAGES)[:10], "ends within its header"),
        (write_idx(IMAGES)[:-1], "has 23 bytes of data, but its header says 24"),
        (write_idx(IMAGES) + b"\0", "has 25 bytes of data, but its header says 24"),
        (write_idx(IMAGES[0, 0]), "images and labels mixed up"),
        (bytes([0, 0, 0x0D, 3]) + bytes(12), "type 0x0d"),
    ],
)
def test_broken_files_are_named(content: bytes, says: str) -> None:
    with pytest.raises(DataError, match=says) as caught:
        read_idx(content, "the-file", ndim=3)
    assert "the-file" in str(caught.value)

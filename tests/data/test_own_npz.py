"""Archives of arrays: types and sizes are judged by their headers, before anything is unpacked."""

import resource
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from inkdigits.data import load
from inkdigits.errors import DataError

LABELS = np.arange(20) % 10


def npy(shape: str, dtype: str = "|u1", data: bytes = b"", version: bytes = b"\1\0") -> bytes:
    """An .npy file whose header promises what its data may not hold."""
    header = f"{{'descr': {dtype!r}, 'fortran_order': False, 'shape': {shape}}}\n".encode()
    length = struct.pack("<H" if version == b"\1\0" else "<I", len(header))
    return b"\x93NUMPY" + version + length + header + data


def archive(path: Path, compression: int = zipfile.ZIP_STORED, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w", compression) as file:
        for name, content in members.items():
            file.writestr(f"{name}.npy", content)
    return path


@pytest.mark.parametrize(
    "images",
    [
        np.full((20, 28, 28), "a"),
        np.full((20, 28, 28), b"a"),
        np.full((20, 28, 28), "2020-01-01", "datetime64[D]"),
        np.full((20, 28, 28), 3, "timedelta64[s]"),
        np.full((20, 28, 28), 1 + 1j),
        np.zeros((20, 28, 28), [("a", "u1")]),
        np.full((20, 28, 28), None, object),
    ],
    ids=lambda images: str(images.dtype),
)
def test_arrays_of_other_things_than_numbers_are_one_line(images: np.ndarray, tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", images=images, labels=LABELS)
    with pytest.raises(DataError, match=r"a\.npz has images of type .*; plain arrays of real numbers are needed"):
        load(str(tmp_path / "a.npz"))
    np.savez(tmp_path / "b.npz", images=np.zeros((20, 28, 28)), labels=images[:, 0, 0])
    with pytest.raises(DataError, match=r"b\.npz has labels of type .*; plain arrays of real numbers are needed"):
        load(str(tmp_path / "b.npz"))


@pytest.mark.parametrize("shape", ["(1099511627776, 28, 28)", "(7100000, 28, 28)", "(2, 1000000, 1000000)"])
def test_what_would_unpack_to_gigabytes_is_refused_before_it_is_unpacked(shape: str, tmp_path: Path) -> None:
    count = shape[1:].split(",")[0]
    images, labels = npy(shape, data=b"\0" * 50_000_000), npy(f"({count},)", "<i8")
    path = archive(tmp_path / "a.npz", zipfile.ZIP_DEFLATED, images=images, labels=labels)
    del images
    assert path.stat().st_size < 100_000
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(DataError, match=r"a\.npz unpacks to [\d,.]+ GB, more than 2 GB"):
        load(str(path))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000  # kB


def test_arrays_that_are_no_digits_are_not_unpacked(tmp_path: Path) -> None:
    huge = npy("(1099511627776,)")
    small = {"images": npy("(2, 28, 28)", data=b"\1" * 1568), "labels": npy("(2,)", data=b"\0\1")}
    assert len(load(str(archive(tmp_path / "a.npz", notes=huge, **small))).train) == 1


def encrypted(content: bytes) -> bytes:
    """An archive whose members are marked as encrypted."""
    changed = bytearray(content)
    for signature, flags in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        at = changed.find(signature)
        while at >= 0:
            changed[at + flags] |= 1
            at = changed.find(signature, at + 4)
    return bytes(changed)


@pytest.mark.parametrize(
    ("images", "says"),
    [
        (npy("(-1, 28, 28)"), "the shape"),
        (npy("(20, 28, 28)", data=b"\0" * 100), "cannot read"),
        (npy("(20, 28, 28)", "O", data=b"cos\nsystem\n"), "type object"),
        (npy("(" * 5000 + ")" * 5000), "cannot read"),
        (npy("(20, 28, 28)", version=b"\3\0"), "format"),
        (npy("(20, 0, 0)"), r"images \(20, 0, 0\)"),
        (b"\x93NUMPY", "cannot read"),
        (b"", "cannot read"),
    ],
    ids=["negative", "cut", "pickled", "nested", "version", "empty images", "cut header", "empty"],
)
def test_broken_arrays_are_one_line(images: bytes, says: str, tmp_path: Path) -> None:
    path = archive(tmp_path / "a.npz", images=images, labels=npy("(20,)", data=bytes(range(10)) * 2))
    with pytest.raises(DataError, match=rf"a\.npz.*{says}|{says}.*a\.npz") as caught:
        load(str(path))
    assert len(str(caught.value)) < 500


def test_encrypted_and_otherwise_compressed_archives_are_one_line(tmp_path: Path) -> None:
    members = {"images": npy("(2, 28, 28)", data=b"\1" * 1568), "labels": npy("(2,)", data=b"\0\1")}
    path = archive(tmp_path / "a.npz", **members)
    path.write_bytes(encrypted(path.read_bytes()))
    with pytest.raises(DataError, match="encrypted"):
        load(str(path))
    for compression in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        with pytest.raises(DataError, match=r"another way than np\.savez_compressed"):
            load(str(archive(tmp_path / "b.npz", compression, **members)))


def test_half_the_range_of_floats_is_scaled_alike_in_all_chunks(tmp_path: Path) -> None:
    images = np.zeros((2500, 28, 28), np.float32)
    images[:, 10, 10] = np.linspace(0.2, 1.0, 2500)
    np.savez(tmp_path / "a.npz", images=images, labels=np.arange(2500) % 10)
    own = load(str(tmp_path / "a.npz"))
    values = np.sort(np.concatenate([own.train.images, own.test.images])[:, 10, 10])
    assert (values == np.round(255 * images[:, 10, 10])).all()

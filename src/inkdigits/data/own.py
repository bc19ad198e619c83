"""The user's own digits: a folder of class sub-folders, a Kaggle CSV, or an .npz, with images of any size.

Images that are not 28x28 with ink bright on black are normalised as MNIST's are.
"""

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inkdigits.errors import DataError
from inkdigits.imaging.files import IMAGE_SUFFIXES, read_pixels
from inkdigits.imaging.normalize import to_mnist

PIXELS = 784

Arrays = tuple[NDArray[np.uint8], NDArray[np.int64]]
NPZ_NAMES = (("x_train", "y_train", "x_test", "y_test"), ("images", "labels", "test_images", "test_labels"))


def read(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.int64], Arrays | None]:
    """Return images uint8 (N, 28, 28), labels int64 (N,), and the test set's images and labels, or None.

    Raises
    ------
    DataError
        When the source is empty or broken, has another format, or has fewer than two classes.
    """
    if path.is_dir():
        images, labels, test = read_folder(path)
    elif path.suffix.lower() == ".csv":
        images, labels, test = *read_csv(path), None
    elif path.suffix.lower() == ".npz":
        images, labels, test = read_npz(path)
    else:
        raise DataError(f"{path} is neither a folder of class sub-folders, nor a .csv, nor an .npz file")
    found = np.unique(labels)
    if len(found) < 2:
        raise DataError(f"{path} holds the class {found[0]} only; at least two classes are needed")
    return images, labels, test


def read_folder(folder: Path) -> tuple[NDArray[np.uint8], NDArray[np.int64], Arrays | None]:
    """Read ``folder/7/anything.png``, or the same below ``folder/train`` and ``folder/test``."""
    train, test = folder / "train", folder / "test"
    if train.is_dir():
        images, labels = _read_classes(train)
        return images, labels, _read_classes(test) if test.is_dir() else None
    return *_read_classes(folder), None


def _read_classes(folder: Path) -> Arrays:
    images, labels = [], []
    for digit in range(10):
        for path in sorted((folder / str(digit)).glob("*")):
            if path.suffix.lower() in IMAGE_SUFFIXES:
                images.append(read_image(path))
                labels.append(digit)
    if not images:
        raise DataError(f"{folder} has no images in sub-folders named 0 to 9; put each digit's images in its own")
    return np.stack(images), np.array(labels, np.int64)


def read_image(path: Path) -> NDArray[np.uint8]:
    """Return the picture of one digit as uint8 (28, 28), normalised as MNIST's digits are.

    Raises
    ------
    DataError
        When the file is not a picture, or is broken; the message names the file.
    """
    return _as_mnist(read_pixels(path))


def _as_mnist(image: NDArray[Any]) -> NDArray[np.uint8]:
    """Return uint8 (28, 28): an image that looks like MNIST's unchanged, any other normalised."""
    if image.shape == (28, 28) and image.dtype == np.uint8:
        rim = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
        if np.median(rim) == 0:
            return image
    return to_mnist(image)


def read_csv(path: Path) -> Arrays:
    """Read Kaggle's format: a header ``label,pixel0,…,pixel783``, then a row of integers 0 to 255 per digit."""
    try:
        text = path.read_text(encoding="utf-8-sig")  # Excel writes a byte order mark first
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read {path}: {error}") from error
    header, _, body = text.partition("\n")
    names = [name.strip().strip('"') for name in header.split(",")]
    if not header.strip() or not body.strip():
        raise DataError(f"{path} holds no digits; it needs a header line and a row for each digit")
    expected = ["label", *(f"pixel{i}" for i in range(PIXELS))]
    if set(names) != set(expected) or len(names) != len(expected):
        missing = next((name for name in expected if name not in names), None)
        problem = f"has no column {missing!r}" if missing else f"has {len(names)} columns"
        raise DataError(f"{path} {problem}; the header must be label,pixel0,…,pixel783")
    rows = parse_csv_rows(body, str(path), first_line=2)
    if rows.shape[1] != len(names):
        raise DataError(f"{path} has rows of {rows.shape[1]} values under a header of {len(names)}")
    order = [names.index(name) for name in expected]
    rows = rows[:, order]
    labels, pixels = rows[:, 0], rows[:, 1:]
    _check_range(labels, 9, "label", path)
    _check_range(pixels, 255, "pixel", path)
    images = pixels.astype(np.uint8).reshape(-1, 28, 28)
    return np.stack([_as_mnist(image) for image in images]), labels.astype(np.int64)


def parse_csv_rows(text: str, source: str, first_line: int = 1) -> NDArray[np.int64]:
    """Return rows of comma-separated whole numbers as int64 (rows, columns).

    Raises
    ------
    DataError
        When a value is not a number, or rows differ in length; the message names the line.
    """
    lines = text.split()
    try:
        flat = np.array(",".join(lines).split(","), dtype=np.float64)
    except ValueError as error:
        for number, line in enumerate(lines, first_line):
            try:
                np.array(line.split(","), dtype=np.float64)
            except ValueError:
                raise DataError(f"{source}, line {number}: a value is missing or no number") from None
        raise DataError(f"{source} is not a table of numbers: {error}") from error
    columns = lines[0].count(",") + 1
    for number, line in enumerate(lines, first_line):
        if line.count(",") + 1 != columns:
            raise DataError(f"{source}, line {number} has {line.count(',') + 1} values, not {columns}")
    if not np.isfinite(flat).all() or (flat != np.round(flat)).any():
        raise DataError(f"{source} holds values that are not whole numbers")
    return flat.astype(np.int64).reshape(-1, columns)


def _check_range(values: NDArray[np.int64], highest: int, what: str, path: Path) -> None:
    bad = (values < 0) | (values > highest)
    if bad.any():
        row = int(np.argwhere(bad)[0][0])
        raise DataError(f"{path}, digit {row + 1}: {what} {values[bad].flat[0]} is not within 0 to {highest}")


def read_npz(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.int64], Arrays | None]:
    """Read arrays named as in Keras' mnist.npz (x_train, y_train, x_test, y_test), or named images and labels."""
    try:
        archive = np.load(path, allow_pickle=False)
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise DataError(f"{path} holds a single array; it needs two, named images and labels")
        with archive:
            arrays = {name: archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError, NotImplementedError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"cannot read {path} as an .npz of plain arrays ({error})") from error
    for images, labels, test_images, test_labels in NPZ_NAMES:
        if images in arrays and labels in arrays:
            test = None
            if test_images in arrays and test_labels in arrays:
                test = _npz_pair(arrays[test_images], arrays[test_labels], path)
            return *_npz_pair(arrays[images], arrays[labels], path), test
    raise DataError(f"{path} holds {', '.join(arrays) or 'nothing'}; it needs the arrays images and labels")


def _npz_pair(images: NDArray[Any], labels: NDArray[Any], path: Path) -> Arrays:
    if images.ndim == 2 and images.shape[1] == PIXELS:
        images = images.reshape(-1, 28, 28)
    if images.ndim not in (3, 4) or labels.shape != images.shape[:1] or not len(images):
        raise DataError(f"{path} has images {images.shape} and labels {labels.shape}; expected (N, H, W) and (N,)")
    if labels.dtype.kind not in "iu":
        raise DataError(f"{path} has labels of type {labels.dtype}; whole numbers 0 to 9 are needed")
    whole = labels.astype(np.int64)
    _check_range(whole, 9, "label", path)
    try:
        return np.stack([_as_mnist(image) for image in _as_bytes(images, path)]), whole
    except ValueError as error:
        raise DataError(f"{path}: {error}") from error


def _as_bytes(images: NDArray[Any], path: Path) -> NDArray[Any]:
    """Return pixels as uint8 or uint16, all with one scale: [0, 1] if they are floats in that range, else 0 to 255."""
    if images.dtype in (np.uint8, np.uint16):
        return images
    if not np.isfinite(images).all():
        raise DataError(f"{path} has NaN or infinite pixels")
    low, high = float(images.min()), float(images.max())
    if low < 0 or high > 255:
        raise DataError(f"{path} has pixels from {low:g} to {high:g}; [0, 1] or 0 to 255 are needed")
    unit = images.dtype.kind in "fb" and high <= 1
    return np.asarray((images * (255 if unit else 1)).round(), np.uint8)

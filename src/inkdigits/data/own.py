"""The user's own digits: a folder of class sub-folders, a CSV file, or an .npz, with images of any size.

Images that are not 28x28 with ink bright on black are normalised as MNIST's are.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inkdigits.data.own_csv import PIXELS, read_csv, require_range
from inkdigits.data.own_npz import read_npz
from inkdigits.errors import DataError
from inkdigits.imaging.files import IMAGE_SUFFIXES, read_pixels
from inkdigits.imaging.normalize import to_mnist

TRAINING = ("train", "training")  # names of sub-folders, in any case
VALIDATION = ("valid", "val", "validation", "dev")
TEST = ("test", "testing")
CHUNK = 1000  # images that are converted at once

Arrays = tuple[NDArray[np.uint8], NDArray[np.int64]]


def read(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.int64], Arrays | None]:
    """Return images uint8 (N, 28, 28), labels int64 (N,), and the test set's images and labels, or None.

    Raises
    ------
    DataError
        When the source is empty or broken, has another format, or has fewer than two classes.
    """
    test: Arrays | None = None
    if path.is_dir():
        try:
            images, labels, test = _read_folder(path)
        except OSError as error:
            raise DataError(f"cannot read {error.filename or path}: {error.strerror}") from error
    elif path.suffix.lower() == ".csv":
        images, labels = _read_labelled_csv(path)
    elif path.suffix.lower() == ".npz":
        train_pair, test_pair = read_npz(path)
        images, labels = _npz_pair(*train_pair, path)
        test = None if test_pair is None else _npz_pair(*test_pair, path)
    else:
        raise DataError(f"{path} is neither a folder of class sub-folders, nor a .csv, nor an .npz file")
    found = np.unique(labels)
    if len(found) < 2:
        raise DataError(f"{path} holds the class {found[0]} only; at least two classes are needed")
    return images, labels, test


def _read_folder(folder: Path) -> tuple[NDArray[np.uint8], NDArray[np.int64], Arrays | None]:
    """Read ``folder/7/anything.png``, or the same below sub-folders for training, validation and test digits.

    Validation digits join the training digits: each run holds out its own.
    """
    training, validation, test = (_part(folder, names) for names in (TRAINING, VALIDATION, TEST))
    if training is None:
        return *_read_classes(folder), None
    images, labels = _read_classes(training)
    if validation is not None:
        more_images, more_labels = _read_classes(validation)
        images, labels = np.concatenate([images, more_images]), np.concatenate([labels, more_labels])
    return images, labels, None if test is None else _read_classes(test)


def _part(folder: Path, names: tuple[str, ...]) -> Path | None:
    """Return the sub-folder with one of these names, or None."""
    found = [path for path in sorted(folder.iterdir()) if path.name.lower() in names and path.is_dir()]
    if len(found) > 1:
        raise DataError(f"{folder} has both {found[0].name} and {found[1].name}; join them, or remove one")
    return found[0] if found else None


def _read_classes(folder: Path) -> Arrays:
    images, labels = [], []
    for digit in range(10):
        for path in _pictures(folder / str(digit)):
            images.append(read_image(path))
            labels.append(digit)
    if not images:
        others = [path.name for path in sorted(folder.iterdir()) if path.is_dir()][:6]
        raise DataError(
            f"{folder} has no images in sub-folders named 0 to 9{f', only {others}' if others else ''}; put each "
            "digit's images in a folder of its own, in a folder train and a folder test if you have both"
        )
    return np.stack(images), np.array(labels, np.int64)


def _pictures(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.glob("*")) if path.suffix.lower() in IMAGE_SUFFIXES]


def picture_files(folder: Path) -> list[Path]:
    """Return the files of the training and validation digits of a folder, in the order of :func:`read`."""
    training, validation = (_part(folder, names) for names in (TRAINING, VALIDATION))
    parts = [training, validation] if training and validation else [training or folder]
    return [path for part in parts if part for digit in range(10) for path in _pictures(part / str(digit))]


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


def read_csv_images(path: Path) -> NDArray[np.uint8]:
    """Return the images of a CSV file as uint8 (N, 28, 28), whether it has labels or not.

    Raises
    ------
    DataError
        When the file cannot be read, or a row or a value is not what it should be.
    """
    return np.stack([_as_mnist(image) for image in read_csv(path).images])


def _read_labelled_csv(path: Path) -> Arrays:
    found = read_csv(path)
    if found.labels is None:
        raise DataError(f"{path} has no column 'label'; `inkdigits predict` reads digits without labels")
    return np.stack([_as_mnist(image) for image in found.images]), found.labels


def _npz_pair(images: NDArray[Any], labels: NDArray[Any], path: Path) -> Arrays:
    if images.ndim == 2 and images.shape[1] == PIXELS:
        images = images.reshape(-1, 28, 28)
    if images.ndim not in (3, 4) or labels.shape != images.shape[:1] or not images.size:
        raise DataError(f"{path} has images {images.shape} and labels {labels.shape}; expected (N, H, W) and (N,)")
    if labels.dtype.kind not in "iu":
        raise DataError(f"{path} has labels of type {labels.dtype}; whole numbers 0 to 9 are needed")
    whole = labels.astype(np.int64)
    require_range(whole, 9, "label", str(path))
    try:
        return np.stack([_as_mnist(image) for image in _as_bytes(images, path)]), whole
    except ValueError as error:
        raise DataError(f"{path}: {error}") from error


def _as_bytes(images: NDArray[Any], path: Path) -> NDArray[Any]:
    """Return pixels as uint8 or uint16, all with one scale: [0, 1] if they are floats in that range, else 0 to 255."""
    if images.dtype in (np.uint8, np.uint16):
        return images
    low, high = float(images.min()), float(images.max())  # NaN if one of the pixels is
    if not (np.isfinite(low) and np.isfinite(high)):
        raise DataError(f"{path} has NaN or infinite pixels")
    if low < 0 or high > 255:
        raise DataError(f"{path} has pixels from {low:g} to {high:g}; [0, 1] or 0 to 255 are needed")
    scale = 255 if images.dtype.kind in "fb" and high <= 1 else 1
    out = np.empty(images.shape, np.uint8)
    for start in range(0, len(images), CHUNK):
        out[start : start + CHUNK] = (images[start : start + CHUNK] * scale).round()
    return out

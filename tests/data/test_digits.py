import gzip
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inkdigits.data import CATALOG, Dataset, DatasetFacts, DigitSet, fetch, load, register_dataset
from inkdigits.data.idx import write_idx
from inkdigits.errors import DataError, PluginError, UsageError

FILES = [file.name for file in CATALOG["mnist"].files]


def test_mnist_has_its_counts(mnist_folder: Path) -> None:
    mnist = load("mnist")
    assert (len(mnist.train), len(mnist.test)) == (60_000, 10_000)
    assert mnist.train.counts.tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert mnist.test.labels[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    assert not mnist.notes


def test_mnist_is_read_unzipped_too(mnist_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mnist").mkdir()
    for name in FILES:
        (tmp_path / "mnist" / name).write_bytes(gzip.decompress((mnist_folder / f"{name}.gz").read_bytes()))
    monkeypatch.setenv("INKDIGITS_DATA", str(tmp_path))
    assert len(load("mnist").train) == 60_000


@pytest.mark.parametrize("damage", ["truncated", "flipped", "swapped", "not gzip"])
def test_a_broken_mnist_file_is_refused_by_name(
    damage: str, mnist_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "mnist"
    shutil.copytree(mnist_folder, target)
    broken = target / f"{FILES[3]}.gz"
    content = bytearray(gzip.decompress(broken.read_bytes()))
    content[1000] ^= 1
    broken.chmod(0o644)
    if damage == "truncated":
        broken.write_bytes(broken.read_bytes()[:2000])
    elif damage == "flipped":
        broken.write_bytes(gzip.compress(bytes(content)))
    elif damage == "swapped":
        broken.write_bytes((target / f"{FILES[1]}.gz").read_bytes())
    else:
        broken.write_bytes(b"<html>not found</html>")
    monkeypatch.setenv("INKDIGITS_DATA", str(tmp_path))
    monkeypatch.setenv("INKDIGITS_OFFLINE", "1")
    with pytest.raises(DataError, match=FILES[3]):
        load("mnist")


def test_without_files_and_network_mnist_becomes_mnist_5k_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INKDIGITS_DATA", str(tmp_path))
    monkeypatch.setenv("INKDIGITS_OFFLINE", "1")
    dataset = load("mnist")
    assert dataset.name == "mnist-5k"
    assert "5,000" in dataset.notes[0]
    assert str(tmp_path) in dataset.notes[0]


def test_mnist_5k_is_part_of_the_mnist_training_set(mnist_5k: Dataset, mnist_folder: Path) -> None:
    mnist = load("mnist").train
    known = {image.tobytes(): label for image, label in zip(mnist.images, mnist.labels, strict=True)}
    for part in (mnist_5k.train, mnist_5k.test):
        assert all(known[image.tobytes()] == label for image, label in zip(part.images, part.labels, strict=True))
    assert mnist_5k.test.counts.tolist() == [100] * 10


def test_uci_digits_look_like_mnist() -> None:
    uci = load("uci-digits")
    assert (len(uci.train), len(uci.test)) == (1437, 360)
    mass = uci.train.images.astype(float)
    centre = (mass.sum(1) @ np.arange(28) / mass.sum((1, 2))).mean()
    assert abs(centre - 14) < 0.6
    assert uci.train.images.max() == 255


def test_a_split_keeps_the_classes_in_proportion_and_is_seeded(mnist_5k: Dataset) -> None:
    rest, drawn = mnist_5k.train.split(501, seed=3)
    assert len(rest) + len(drawn) == len(mnist_5k.train)
    assert drawn.counts.min() >= 50
    assert drawn.counts.max() <= 51
    again = mnist_5k.train.split(501, seed=3)[1]
    other = mnist_5k.train.split(501, seed=4)[1]
    assert (again.images == drawn.images).all()
    assert (other.images != drawn.images).any()
    both = {image.tobytes() for image in rest.images} & {image.tobytes() for image in drawn.images}
    assert not both


@pytest.mark.parametrize("n", [0, 600, -1])
def test_a_split_leaves_digits_on_both_sides(small: Dataset, n: int) -> None:
    with pytest.raises(UsageError, match="cannot hold out"):
        small.train.split(n, seed=0)


def test_digit_sets_refuse_what_is_no_digit() -> None:
    images = np.zeros((2, 28, 28), np.uint8)
    with pytest.raises(DataError, match="uint8"):
        DigitSet(images.astype(float), np.zeros(2, np.int64))  # type: ignore[arg-type]
    with pytest.raises(DataError, match="0 to 9"):
        DigitSet(images, np.array([1, 10]))
    with pytest.raises(DataError, match="labels"):
        DigitSet(images, np.zeros(3, np.int64))


@pytest.fixture
def facts() -> Iterator[DatasetFacts]:
    """Facts of a data set that a test registers; it is taken out of the catalogue again."""
    yield DatasetFacts("elsewhere", "", 600, 200, "", "")
    CATALOG.remove("elsewhere")


def test_a_registered_data_set_is_loaded_under_its_name(small: Dataset, facts: DatasetFacts) -> None:
    register_dataset(facts, lambda progress: small)
    loaded = load("elsewhere")
    assert (loaded.name, loaded.source, loaded.sha256) == ("elsewhere", "elsewhere", small.sha256)
    assert fetch("elsewhere") == []
    with pytest.raises(UsageError, match="two data sets are called 'elsewhere'"):
        register_dataset(facts, lambda progress: small)


def test_a_registered_data_set_must_have_as_many_digits_as_it_says(small: Dataset, facts: DatasetFacts) -> None:
    register_dataset(replace(facts, n_test=300), lambda progress: small)
    with pytest.raises(DataError, match=r"elsewhere has 600 \+ 200 digits, not 600 \+ 300"):
        load("elsewhere")


@pytest.mark.parametrize(
    ("loader", "says"),
    [
        (lambda progress: {}["digits"], "cannot be loaded: KeyError: 'digits'"),
        (lambda progress: [1, 2], "is loaded as list, not as inkdigits.data.Dataset"),
    ],
)
def test_a_loader_with_a_fault_is_named(loader: Any, says: str, facts: DatasetFacts) -> None:
    register_dataset(facts, loader)
    with pytest.raises(PluginError, match=f"the data set 'elsewhere' of the plug-in {__name__} {says}"):
        load("elsewhere")


def test_an_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean 'mnist-5k'"):
        load("mnist5k")
    with pytest.raises(UsageError, match="no file or folder"):
        load("nowhere/digits.csv")


def test_a_broken_file_is_reported_and_not_replaced_by_mnist_5k(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in FILES:
        path = tmp_path / "mnist" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(write_idx(np.zeros(3, np.uint8)))
    monkeypatch.setenv("INKDIGITS_DATA", str(tmp_path))
    with pytest.raises(DataError, match=r"is not the .* of mnist"):
        load("mnist")

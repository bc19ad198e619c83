"""Robustness of classifiers whose accuracy is known, and of a real network."""

from pathlib import Path

import numpy as np
import pytest

from inkdigits.data import Dataset, DigitSet
from inkdigits.errors import DataError
from inkdigits.evaluation.robustness import Robustness, break_point, classifier_of, load_mnist_c, robustness
from inkdigits.models.gnn import GNN
from inkdigits.synthetic.corruptions import MNIST_C, corrupt
from inkdigits.synthetic.sweeps import SWEEPS


@pytest.fixture
def digits(small: Dataset) -> DigitSet:
    return small.test[:50]


def known(clean: float, corrupted: float) -> Robustness:
    return Robustness(clean, {name: np.full(5, corrupted) for name in MNIST_C}, {})


def test_accuracy_falls_with_noise_and_all_classify_the_same_images(gnn: GNN, digits: DigitSet) -> None:
    classify = classifier_of(gnn)
    found = robustness(
        {"gnn": classify, "again": classify, "label 3": lambda images: np.full(len(images), 3)},
        digits,
        ["impulse_noise", "stripe"],
        ["noise"],
    )
    assert found["gnn"].clean == (classify(digits.images) == digits.labels).mean()
    np.testing.assert_array_equal(found["gnn"].corrupted["impulse_noise"], found["again"].corrupted["impulse_noise"])
    assert found["gnn"].corrupted["impulse_noise"][4] < found["gnn"].clean
    np.testing.assert_allclose(found["label 3"].corrupted["stripe"], (digits.labels == 3).mean())
    assert len(found["gnn"].swept["noise"]) == len(SWEEPS["noise"].amounts)
    at = corrupt(digits.images, "stripe", 2)
    assert found["gnn"].corrupted["stripe"][1] == (classify(at) == digits.labels).mean()


def test_the_published_mean_takes_each_corruption_at_its_severity() -> None:
    rows = {name: np.arange(1, 6) / 10 for name in MNIST_C}
    expected = np.mean([c.published / 10 for c in MNIST_C.values()])
    assert Robustness(1.0, rows, {}).published_mean == pytest.approx(expected)


def test_corruption_errors_are_ratios_to_the_base() -> None:
    base, half = known(0.99, 0.8), known(0.99, 0.9)
    assert base.mean_corruption_error(base) == pytest.approx(1)
    assert half.mean_corruption_error(base) == pytest.approx(0.5)
    assert half.relative_corruption_error(base) == pytest.approx(0.09 / 0.19)
    assert known(0.95, 0.9).relative_corruption_error(base) == pytest.approx(0.05 / 0.19)
    assert half.mean_corruption_error(known(1.0, 1.0)) is None  # nothing to relate to
    assert half.relative_corruption_error(known(0.9, 0.95)) is None


def test_a_break_point_lies_between_the_amounts_that_were_tried() -> None:
    assert break_point([0, 1, 2], [1.0, 0.98, 0.9], 0.95) == pytest.approx(1 + 0.03 / 0.08)
    assert break_point([0, 1, 2], [1.0, 0.98, 0.9], 0.5) is None
    assert break_point([0, 1], [0.9, 0.8], 0.95) == 0
    assert break_point([1, 0.9, 0.8], [1.0, 0.96, 0.9], 0.95) == pytest.approx(0.9 - 0.1 / 6)


def test_official_files_are_read_and_a_bad_one_is_named(tmp_path: Path, digits: DigitSet) -> None:
    for name in MNIST_C:
        (tmp_path / name).mkdir()
        np.save(tmp_path / name / "test_images.npy", corrupt(digits.images, name)[..., None])
        np.save(tmp_path / name / "test_labels.npy", digits.labels)
    found = load_mnist_c(tmp_path)
    assert list(found) == list(MNIST_C)
    np.testing.assert_array_equal(found["fog"].images, corrupt(digits.images, "fog"))
    np.testing.assert_array_equal(found["fog"].labels, digits.labels)

    def refuses(file: str, content: np.ndarray | bytes | None, why: str) -> None:
        path = tmp_path / file
        before = path.read_bytes()
        path.unlink()
        if isinstance(content, np.ndarray):
            np.save(path, content)
        elif content is not None:
            path.write_bytes(content)
        with pytest.raises(DataError, match=why):
            load_mnist_c(tmp_path)
        path.write_bytes(before)

    refuses("fog/test_images.npy", digits.images.astype(float), "fog: images must be uint8")
    refuses("fog/test_labels.npy", digits.labels[:, None], "fog: labels must be int64")
    refuses("fog/test_labels.npy", np.zeros(0, int), "fog: labels are int64")
    refuses("scale/test_labels.npy", None, r"cannot read .*scale/test_labels\.npy")
    archive = tmp_path / "several.npz"
    np.savez(archive, a=digits.labels, b=digits.labels)
    for content in (archive.read_bytes(), (tmp_path / "fog" / "test_labels.npy").read_bytes()[:-1], b""):
        refuses("scale/test_labels.npy", content, r"cannot read .*scale/test_labels\.npy")

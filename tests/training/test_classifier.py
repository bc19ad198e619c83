from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import cross_val_score
from sklearn.utils.estimator_checks import check_estimator

from inkdigits import DigitClassifier
from inkdigits.data import Dataset
from inkdigits.errors import RunError
from inkdigits.training import classifier, train


class VectorClassifier(DigitClassifier):
    """Lays any numbers into an image, so that scikit-learn's checks, which know no images, can run."""

    def _images(self, features: NDArray[Any]) -> NDArray[np.uint8]:
        pixels = np.zeros((len(features), 784))
        pixels[:, : features.shape[1]] = 255 / (1 + np.exp(-features.astype(float)[:, :784]))
        return pixels.round().astype(np.uint8).reshape(-1, 28, 28)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
def test_it_passes_scikit_learns_checks_of_an_estimator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classifier, "_pixel_max", lambda features: 1.0)
    results = check_estimator(VectorClassifier(model="mlp", epochs=30, device="cpu"), on_fail=None)
    failed = [(result["check_name"], str(result["exception"])) for result in results if result["status"] == "failed"]
    assert failed == []
    assert sum(result["status"] == "passed" for result in results) > 45


@pytest.fixture(scope="module")
def fitted(small: Dataset) -> DigitClassifier:
    return DigitClassifier(model="lenet5", epochs=15).fit(small.train.images, small.train.labels)


def test_it_reads_digits(fitted: DigitClassifier, small: Dataset) -> None:
    assert fitted.score(small.test.images, small.test.labels) > 0.75
    probabilities = fitted.predict_proba(small.test.images)
    assert probabilities.shape == (200, 10)
    np.testing.assert_allclose(probabilities.sum(1), 1, atol=1e-5)
    assert (fitted.predict(small.test.images) == probabilities.argmax(1)).all()


def test_every_shape_and_range_of_pixels_means_the_same(fitted: DigitClassifier, small: Dataset) -> None:
    images = small.test.images[:40]
    expected = fitted.predict_proba(images)
    for same in (images.reshape(40, 784), images[:, None], images.astype(float), images.astype(np.int64)):
        np.testing.assert_allclose(fitted.predict_proba(same), expected, atol=1e-5)
    unit = DigitClassifier(model="lenet5", epochs=15).fit(small.train.images / 255, small.train.labels)
    np.testing.assert_allclose(unit.predict_proba(images / 255), expected, atol=1e-4)


def test_labels_of_any_type_and_fewer_classes_are_kept(small: Dataset) -> None:
    chosen = np.isin(small.train.labels, (3, 7))
    names = np.where(small.train.labels[chosen] == 3, "three", "seven")
    model = DigitClassifier(model="mlp", epochs=10).fit(small.train.images[chosen], names)
    assert model.classes_.tolist() == ["seven", "three"]
    assert model.predict_proba(small.test.images[:5]).shape == (5, 2)
    assert set(model.predict(small.test.images)) <= {"seven", "three"}


def test_it_can_be_cloned_and_cross_validated(small: Dataset) -> None:
    model = clone(DigitClassifier(model="mlp", epochs=8))
    assert cross_val_score(model, small.train.images.reshape(-1, 784), small.train.labels, cv=2).mean() > 0.6


def test_what_is_no_digit_is_refused(small: Dataset) -> None:
    model = DigitClassifier(model="mlp", epochs=1)
    with pytest.raises(ValueError, match="28x28 = 784"):
        model.fit(np.zeros((4, 64)), [0, 1, 0, 1])
    with pytest.raises(ValueError, match="pixels must be 0 to 255"):
        model.fit(np.full((4, 784), 300), [0, 1, 0, 1])
    with pytest.raises(ValueError, match="NaN"):
        model.fit(np.full((4, 784), np.nan), [0, 1, 0, 1])
    with pytest.raises(ValueError, match=r"1 class\(es\)"):
        model.fit(np.zeros((4, 784)), [1, 1, 1, 1])
    with pytest.raises(ValueError, match="did you mean 'cnn'"):
        DigitClassifier(model="cn").fit(small.train.images, small.train.labels)
    with pytest.raises(NotFittedError):
        model.predict(small.test.images)


def test_weights_that_are_no_longer_finite_are_refused_without_a_test_set_too(small: Dataset) -> None:
    empty = Dataset("fit", small.train, small.train[:0])
    settings = {"optimizer": "sgd", "schedule": "constant", "lr": 100.0, "epochs": 3, "batch_size": 600, "ema": 0.0}
    with pytest.raises(RunError, match="weights are no longer finite after epoch 3"):
        train("lenet5", empty, validation=0, device="cpu", **settings)

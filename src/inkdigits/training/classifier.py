"""The networks as a scikit-learn estimator: fit, predict, predict_proba, score."""

from typing import Any, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_array, check_is_fitted, check_random_state, validate_data

from inkdigits.data import Dataset, DigitSet
from inkdigits.errors import DataError, UsageError
from inkdigits.imaging.normalize import SIZE
from inkdigits.models.registry import CLASSES, require_digits
from inkdigits.training.inference import predict_logits
from inkdigits.training.loop import train


class DigitClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A network of this package with scikit-learn's interface.

    Parameters
    ----------
    model
        A name of :func:`inkdigits.list_models`.
    preset
        A key of ``inkdigits.models.model_spec(model).recipes``.
    epochs
        Passes over the training digits; None for the preset's.
    augment
        A key of ``inkdigits.data.augment.AUGMENTATIONS``; None for the preset's.
    device
        ``auto``, ``cpu``, ``cuda`` or ``mps``.
    random_state
        None, an int or a RandomState. The same int gives the same weights.

    Attributes
    ----------
    classes_
        The distinct labels given to fit, at most ten, of any type.
    n_features_in_
        Pixels per image: 784.
    run_
        The training run, with its history.

    Notes
    -----
    ``X`` is (n, 784), (n, 28, 28) or (n, 1, 28, 28), ink bright on black. Integers are 0 to 255. Floats are in [0, 1],
    or in [0, 255] if any of them is above 1.
    """

    def __init__(
        self,
        model: str = "cnn",
        preset: str = "fast",
        epochs: int | None = None,
        augment: str | None = None,
        device: str = "auto",
        random_state: Any = 0,
    ) -> None:
        self.model = model
        self.preset = preset
        self.epochs = epochs
        self.augment = augment
        self.device = device
        self.random_state = random_state

    def __sklearn_tags__(self) -> Any:
        """Tell scikit-learn that three-dimensional input is allowed."""
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:  # noqa: N803
        """Train on images and labels.

        Raises
        ------
        ValueError
            When shapes, values or labels are not those of digits, or the network reads lines.
        """
        features, labels = validate_data(self, _flat(X), y, dtype="numeric")
        check_classification_targets(labels)
        self.classes_, codes = np.unique(labels, return_inverse=True)
        if not 2 <= len(self.classes_) <= CLASSES:
            raise ValueError(f"y holds {len(self.classes_)} class(es); 2 to {CLASSES} are needed")
        self.pixel_max_ = _pixel_max(features)
        digits = DigitSet(self._images(features), codes.astype(np.int64))
        data = Dataset("fit", digits, digits[:0])
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        overrides: dict[str, Any] = {"epochs": self.epochs, "augment": self.augment}
        if len(digits) < 10 * 128:  # several steps per epoch
            overrides["batch_size"] = max(2, min(32, len(digits)))
        try:
            require_digits(self.model, "DigitClassifier trains")
            self.run_ = train(
                self.model, data, preset=self.preset, seed=seed, validation=0, device=self.device, **overrides
            )
        except (UsageError, DataError) as error:
            raise ValueError(str(error)) from error
        return self

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float32]:  # noqa: N803
        """Return the probability of each of ``classes_`` for each image, float32 (n, len(classes_)), rows sum to 1."""
        check_is_fitted(self, "run_")
        features = validate_data(self, _flat(X), dtype="numeric", reset=False)
        model = self.run_.model
        images = torch.tensor(self._images(features), device=next(model.parameters()).device)
        logits = predict_logits(model, images)[:, : len(self.classes_)]
        return logits.softmax(1).cpu().numpy()

    def predict(self, X: ArrayLike) -> NDArray[Any]:  # noqa: N803
        """Return the most probable of ``classes_`` for each image, (n,)."""
        probabilities = self.predict_proba(X)
        return np.asarray(self.classes_[probabilities.argmax(1)])

    def _images(self, features: NDArray[Any]) -> NDArray[np.uint8]:
        """Return rows of pixels as uint8 images (n, 28, 28)."""
        if features.shape[1] != SIZE * SIZE:
            raise ValueError(f"X has {features.shape[1]} features, but images of 28x28 = 784 pixels are needed")
        if _pixel_max(features) != self.pixel_max_ and features.max() > 0:
            raise ValueError(
                f"the images given to fit had pixels up to {self.pixel_max_:g}, these up to {features.max():g}"
            )
        scale = 255 / self.pixel_max_
        return np.asarray((features * scale).round().clip(0, 255), np.uint8).reshape(-1, SIZE, SIZE)


def _flat(X: ArrayLike) -> Any:  # noqa: N803
    """Return (n, 28, 28) and (n, 1, 28, 28) as (n, 784), other input unchanged for scikit-learn to check."""
    if getattr(X, "ndim", 0) in (3, 4):
        array = check_array(X, allow_nd=True, dtype="numeric")
        return array.reshape(len(array), -1)
    return X


def _pixel_max(features: NDArray[Any]) -> float:
    """Return the value of full ink: 1 for floats in [0, 1], else 255."""
    if features.min() < 0 or features.max() > 255:
        raise ValueError(f"pixels must be 0 to 255, or [0, 1], not {features.min()} to {features.max()}")
    return 1.0 if features.dtype.kind == "f" and features.max() <= 1 else 255.0

"""How a network is trained: frozen settings, checked, with a model's own defaults by preset."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from inkdigits.data.augment import AUGMENTATIONS
from inkdigits.errors import UsageError, unknown
from inkdigits.models import model_spec

OPTIMIZERS = ("adamw", "adam", "sgd")
SCHEDULES = ("one-cycle", "cosine", "constant")
LOSSES = ("cross-entropy", "mse")
PRECISIONS = ("float32", "bfloat16")


@dataclass(frozen=True)
class Recipe:
    """Settings of one training run; every field can be overridden from the command line."""

    epochs: int = 10  # passes over the training digits
    batch_size: int = 128  # digits per step; what is left over at the end of an epoch is left out of it
    optimizer: str = "adamw"
    lr: float = 3e-3  # the highest rate of the schedule
    momentum: float = 0.9  # of sgd, with Nesterov's look-ahead; of adam and adamw the first decay rate, beta1
    beta2: float = 0.999  # the second decay rate of adam and adamw
    weight_decay: float = 0.0  # on weights, never on biases and norms
    schedule: str = "one-cycle"
    warmup: float = 0.25  # share of a one-cycle's steps in which the rate rises
    loss: str = "cross-entropy"
    label_smoothing: float = 0.0  # of the cross-entropy
    augment: str = "none"
    distill: float = 0.0  # weight of a teacher's probabilities against the label, where there is a teacher
    outliers: float = 0.0  # pictures of what is no digit beside each batch, as a share of it
    writing_styles: float = 0.0  # share of the ones and sevens given a flag or a bar; half of it is drawn with one pen
    epsilon: float = 0.0  # how far, in the L-infinity norm, each pixel is moved against the network before it learns
    attack_steps: int = 10  # in which it is moved
    precision: str = "float32"  # of products and convolutions on the CPU; weights and their steps are always float32
    ema: float = 0.0  # decay per step of the averaged weights that are evaluated and kept; 0 keeps the last weights

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        for name, known, kind in (
            (self.optimizer, OPTIMIZERS, "optimizer"),
            (self.schedule, SCHEDULES, "schedule"),
            (self.loss, LOSSES, "loss"),
            (self.augment, AUGMENTATIONS, "augmentation"),
            (self.precision, PRECISIONS, "precision"),
        ):
            if name not in known:
                raise unknown(kind, name, known)
        for field, low, high, allowed in (
            ("epochs", 1, 100_000, "at least 1"),
            ("batch_size", 2, 1_000_000, "at least 2"),
            ("lr", 1e-12, 100.0, "above 0 and at most 100"),
            ("momentum", 0.0, 0.9999, "from 0 to below 1"),
            ("beta2", 0.0, 0.999999, "from 0 to below 1"),
            ("weight_decay", 0.0, 100.0, "from 0 to 100"),
            ("warmup", 0.0, 1.0, "from 0 to 1"),
            ("label_smoothing", 0.0, 0.9999, "from 0 to below 1"),
            ("distill", 0.0, 1.0, "from 0 to 1"),
            ("outliers", 0.0, 1.0, "from 0 to 1"),
            ("writing_styles", 0.0, 1.0, "from 0 to 1"),
            ("epsilon", 0.0, 1.0, "from 0 to 1"),
            ("attack_steps", 1, 1000, "from 1 to 1000"),
            ("ema", 0.0, 0.999999, "from 0 to below 1"),
        ):
            value = getattr(self, field)
            if not low <= value <= high:
                raise UsageError(f"{field.replace('_', '-')} must be {allowed}, not {value}")
        if self.loss == "mse" and (self.distill or self.outliers):
            raise UsageError("a teacher and non-digits go with loss cross-entropy, not mse")

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as a plain dictionary."""
        return asdict(self)

    @classmethod
    def from_dict(cls, settings: Mapping[str, Any]) -> "Recipe":
        """Return the recipe of a dictionary.

        Raises
        ------
        UsageError
            When it has a key that no recipe has, or a value that cannot be meant.
        """
        known = [field.name for field in fields(cls)]
        for key in settings:
            if key not in known:
                raise unknown("setting", key, known)
        return cls(**settings)


def recipe_for(
    model: str, preset: str = "standard", overrides: Mapping[str, Any] | None = None
) -> tuple[Recipe, dict[str, Any]]:
    """Return a model's recipe under ``preset``, and the model's options that the preset sets.

    Parameters
    ----------
    overrides
        Recipe fields that replace the preset's; None values are passed over.

    Raises
    ------
    UsageError
        When there is no such model, preset of it, or setting.
    """
    recipes = model_spec(model).recipes
    if preset not in recipes:
        raise unknown(f"preset of {model}", preset, recipes)
    settings = dict(recipes[preset])
    options = dict(settings.pop("options", {}))
    settings.update({key: value for key, value in (overrides or {}).items() if value is not None})
    return Recipe.from_dict(settings), options

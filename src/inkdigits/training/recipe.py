"""The settings of one training run, and each model's own values of them by preset.

This module does not import PyTorch, so that the command line can list the settings without it.
"""

import operator
from collections.abc import Callable, Collection, Mapping
from dataclasses import Field, asdict, dataclass, field, fields
from numbers import Integral, Real
from typing import Any, cast

from inkdigits.errors import UsageError, unknown

OPTIMIZERS = ("adamw", "adam", "sgd")
SCHEDULES = ("one-cycle", "cosine", "constant")
LOSSES = ("cross-entropy", "mse")
PRECISIONS = ("float32", "bfloat16")

COMPARISONS = {"at_least": operator.ge, "above": operator.gt, "at_most": operator.le, "below": operator.lt}

KINDS = {int: (Integral, "a whole number"), float: (Real, "a number"), str: (str, "a text")}  # NumPy's numbers too


def augmentations() -> Collection[str]:
    """Return the names of the registered augmentations."""
    from inkdigits.data.augment import AUGMENTATIONS  # imports PyTorch

    return AUGMENTATIONS


def setting(
    default: Any,
    help: str,
    *,
    choices: Collection[str] | Callable[[], Collection[str]] = (),
    kind: str = "",
    **limits: float,
) -> Any:
    """Return a dataclass field with a default, a help text, and the values that it allows.

    Parameters
    ----------
    help
        The text of the command line's option.
    choices
        The allowed values of a text, or a function that returns them.
    kind
        What a choice is called in an error; by default the name of the field.
    limits
        The allowed range of a number: ``at_least`` or ``above``, ``at_most`` or ``below``.
    """
    return field(default=default, metadata={"help": help, "choices": choices, "kind": kind, "limits": limits})


@dataclass(frozen=True)
class Recipe:
    """Settings of one training run. Each field is an option of ``inkdigits train``.

    References
    ----------
    - ``label_smoothing``: C. Szegedy et al., "Rethinking the Inception architecture for computer vision", CVPR 2016,
      arXiv:1512.00567.
    - ``distill``: G. Hinton, O. Vinyals, J. Dean, "Distilling the knowledge in a neural network", 2015,
      arXiv:1503.02531.
    - ``outliers``: D. Hendrycks et al., "Deep anomaly detection with outlier exposure", ICLR 2019, arXiv:1812.04606.
    - ``epsilon``: A. Madry et al., "Towards deep learning models resistant to adversarial attacks", ICLR 2018,
      arXiv:1706.06083.
    - ``ema``: B. Polyak, A. Juditsky, "Acceleration of stochastic approximation by averaging", SIAM Journal on Control
      and Optimization 30(4), 1992, doi:10.1137/0330046. Changed: the mean is exponential.
    """

    epochs: int = setting(10, "Passes over the training digits.", at_least=1, at_most=100_000)
    batch_size: int = setting(
        128, "Digits per step. An incomplete last batch is left out of an epoch.", at_least=2, at_most=1_000_000
    )
    lines: int = setting(20_480, "Lines made for each epoch of a line reader.", at_least=64, at_most=100_000_000)
    optimizer: str = setting("adamw", "adamw, adam or sgd.", choices=OPTIMIZERS)
    lr: float = setting(3e-3, "Highest learning rate of the schedule.", above=0, at_most=100)
    momentum: float = setting(0.9, "Nesterov momentum of sgd; beta1 of adam and adamw.", at_least=0, below=1)
    beta2: float = setting(0.999, "beta2 of adam and adamw.", at_least=0, below=1)
    weight_decay: float = setting(
        0.0, "Weight decay of matrices and kernels. Biases and norms do not decay.", at_least=0, at_most=100
    )
    schedule: str = setting("one-cycle", "Learning rate: one-cycle, cosine or constant.", choices=SCHEDULES)
    warmup: float = setting(0.25, "Share of one-cycle in which the learning rate rises.", at_least=0, at_most=1)
    loss: str = setting("cross-entropy", "cross-entropy or mse.", choices=LOSSES)
    label_smoothing: float = setting(0.0, "Label smoothing of the cross-entropy.", at_least=0, below=1)
    augment: str = setting(
        "none",
        "none, shift, geometric, elastic, robust, degraded, or an augmentation of a plug-in.",
        choices=augmentations,
        kind="augmentation",
    )
    distill: float = setting(
        0.0, "Weight of the teacher's soft targets against the labels, 0 to 1; see --teacher.", at_least=0, at_most=1
    )
    outliers: float = setting(
        0.0, "Outlier images (no digits) added to each batch, as a share of its digits.", at_least=0, at_most=1
    )
    writing_styles: float = setting(
        0.0,
        "Share of the ones and sevens drawn with a flag or a bar. Half this share of all digits is redrawn with one "
        "stroke width.",
        at_least=0,
        at_most=1,
    )
    epsilon: float = setting(
        0.0, "Adversarial training: largest change of a pixel by the PGD attack, 0 to 1.", at_least=0, at_most=1
    )
    attack_steps: int = setting(10, "Steps of the PGD attack.", at_least=1, at_most=1000)
    precision: str = setting(
        "float32", "float32 or bfloat16: of products on the CPU. Weights stay float32.", choices=PRECISIONS
    )
    ema: float = setting(
        0.0,
        "Decay per step of the exponential moving average of the weights, which is evaluated and saved; 0: none.",
        at_least=0,
        below=1,
    )

    def __post_init__(self) -> None:
        """Raise UsageError when a value is not allowed."""
        for spec in fields(self):
            check_setting(spec, getattr(self, spec.name))
        if self.loss == "mse" and (self.distill or self.outliers):
            raise UsageError("a teacher and outliers need loss cross-entropy, not mse")

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as a plain dictionary."""
        return asdict(self)

    @classmethod
    def from_dict(cls, settings: Mapping[str, Any]) -> "Recipe":
        """Return the recipe of a dictionary.

        Raises
        ------
        UsageError
            When a key is no field of a recipe, or a value is not allowed.
        """
        known = [spec.name for spec in fields(cls)]
        for key in settings:
            if key not in known:
                raise unknown("setting", key, known)
        return cls(**settings)


def check_setting(spec: Field[Any], value: Any) -> None:
    """Raise UsageError when ``value`` is not one that the field made by :func:`setting` allows."""
    choices, limits = spec.metadata["choices"], spec.metadata["limits"]
    kind, title = KINDS[cast("type", spec.type)]
    if not isinstance(value, kind) or isinstance(value, bool):
        raise UsageError(f"{spec.name.replace('_', '-')} must be {title}, not {value!r}")
    known = choices() if callable(choices) else choices
    if known and value not in known:
        raise unknown(spec.metadata["kind"] or spec.name, str(value), known)
    if not all(COMPARISONS[comparison](value, limit) for comparison, limit in limits.items()):
        allowed = " and ".join(f"{comparison.replace('_', ' ')} {limit:,}" for comparison, limit in limits.items())
        raise UsageError(f"{spec.name.replace('_', '-')} must be {allowed}, not {value}")


def recipe_for(
    model: str, preset: str = "standard", overrides: Mapping[str, Any] | None = None
) -> tuple[Recipe, dict[str, Any]]:
    """Return a model's recipe under ``preset``, and the model options that the preset sets.

    Parameters
    ----------
    model
        A name of :func:`inkdigits.list_models`.
    preset
        A key of ``inkdigits.models.model_spec(model).recipes``; ``inkdigits models`` lists them.
    overrides
        Recipe fields that replace the preset's. Fields that are None keep the preset's value.

    Raises
    ------
    UsageError
        When there is no such model, preset or setting, or a value is not allowed.
    """
    from inkdigits.models import model_spec  # imports PyTorch

    recipes = model_spec(model).recipes
    if preset not in recipes:
        raise unknown(f"preset of {model}", preset, recipes)
    settings = dict(recipes[preset])
    options = dict(settings.pop("options", {}))
    settings.update({key: value for key, value in (overrides or {}).items() if value is not None})
    return Recipe.from_dict(settings), options

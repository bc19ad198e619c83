"""The networks by name, each with its paper and the recipes it is trained by.

Every network takes float32 (B, 1, 28, 28) in [0, 1], ink bright on black, and returns logits float32 (B, 10). Mean
and standard deviation are buffers of its first layer, so no caller normalises.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from inkdigits.data.digits import CLASSES as CLASSES
from inkdigits.errors import ModelError, unknown

MEAN, STD = 0.1307, 0.3081  # of MNIST's training pixels in [0, 1]

Criterion = Callable[[Tensor, Tensor], Tensor]  # logits (B, 10), labels (B,) -> loss ()
Objective = Callable[[Any, Tensor, Tensor, Criterion], tuple[Tensor, Tensor]]  # -> loss (), logits (B, 10)


class Normalize(nn.Module):
    """Pixels in [0, 1] to zero mean and unit variance over MNIST's training set."""

    mean: Tensor
    std: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(MEAN))
        self.register_buffer("std", torch.tensor(STD))

    def forward(self, images: Tensor) -> Tensor:
        """Return (images - mean) / std, of the same shape."""
        return (images - self.mean) / self.std


def classification(model: nn.Module, images: Tensor, labels: Tensor, criterion: Criterion) -> tuple[Tensor, Tensor]:
    """Return the criterion on the logits, and the logits: the objective of every plain classifier."""
    logits = model(images).float()  # the loss is never of lower precision
    return criterion(logits, labels), logits


@dataclass(frozen=True)
class ModelSpec:
    """What the registry knows of a network.

    Attributes
    ----------
    recipes
        Settings by preset, over the defaults of :class:`inkdigits.training.recipe.Recipe`; ``standard`` is always
        there, but for what is made of trained networks and has none.
    objective
        (model, images, labels, criterion) -> (loss, logits), where a network learns from more than its logits.
    """

    name: str
    build: Callable[..., nn.Module]
    paper: str
    recipes: Mapping[str, Mapping[str, Any]] = field(repr=False)
    objective: Objective = field(repr=False, default=classification)


_REGISTRY: dict[str, ModelSpec] = {}


def register_model(
    name: str, *, paper: str, recipes: Mapping[str, Mapping[str, Any]], objective: Objective = classification
) -> Callable[[type[nn.Module]], type[nn.Module]]:
    """Return a decorator that puts a network into the registry under ``name``."""

    def register(build: type[nn.Module]) -> type[nn.Module]:
        if name in _REGISTRY:
            raise ModelError(f"two networks are called {name!r}: {_REGISTRY[name].build} and {build}")
        _REGISTRY[name] = ModelSpec(name, build, paper, recipes, objective)
        return build

    return register


def list_models() -> list[str]:
    """Return the names of all networks that can be trained, in the order in which the field built them."""
    return [name for name, spec in _REGISTRY.items() if spec.recipes]


def model_spec(name: str) -> ModelSpec:
    """Return the registry's entry for ``name``.

    Raises
    ------
    UsageError
        When there is no such network; suggests the nearest name.
    """
    if name not in _REGISTRY:
        raise unknown("model", name, _REGISTRY)
    return _REGISTRY[name]


def resolve_options(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return every option of a network by name: those given, and the defaults of the others.

    Raises
    ------
    UsageError
        When there is no such network.
    ModelError
        When it has no such option.
    """
    signature = inspect.signature(model_spec(name).build)
    try:
        bound = signature.bind(**options)
    except TypeError as error:
        known = ", ".join(signature.parameters) or "none"
        raise ModelError(f"{name}: {error}; its options are: {known}") from error
    bound.apply_defaults()
    return dict(bound.arguments)


def create_model(name: str, **options: Any) -> nn.Module:
    """Build a network with fresh random weights.

    Parameters
    ----------
    name
        One of :func:`list_models`.
    options
        The network's own settings, as its class documents them.

    Raises
    ------
    UsageError
        When there is no such network.
    ModelError
        When it has no such option, or not that value of it.
    """
    resolved = resolve_options(name, options)
    try:
        return model_spec(name).build(**resolved)
    except (TypeError, ValueError, RuntimeError, ZeroDivisionError) as error:
        raise ModelError(f"{name} cannot be built with {options}: {error}") from error

"""The networks by name, each with its task, its paper and the recipes that it is trained with.

A network for digits takes float32 (B, 1, 28, 28) in [0, 1], ink bright on black, and returns logits float32 (B, 10).
Mean and standard deviation are buffers of its first layer, so no caller normalises. A network for lines takes strips
float32 (B, 1, 40, W) in [0, 1] and returns logits (B, T, 17) and edges (B, T, 4); see
:class:`inkdigits.models.line_ctc.LineCTC`.
"""

import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar, overload

import torch
from torch import Tensor, nn

from inkdigits.data.digits import CLASSES as CLASSES
from inkdigits.errors import ModelError, PluginError, UsageError, unknown
from inkdigits.plugins import PluginRegistry

MEAN, STD = 0.1307, 0.3081  # of MNIST's training pixels in [0, 1]
DIGIT, LINE = "digit", "line"  # the tasks
TRIED = 2  # images on which a network of a plug-in is tried when it is built
RECIPE_KEYS = (  # the fields of training.recipe.Recipe, which a test compares, as models may not import training
    *(
        "epochs",
        "batch_size",
        "lines",
        "optimizer",
        "lr",
        "momentum",
        "beta2",
        "weight_decay",
        "schedule",
        "warmup",
        "loss",
    ),
    *("label_smoothing", "augment", "distill", "outliers", "writing_styles", "epsilon", "attack_steps", "precision"),
    *("ema", "options"),  # options: those of the network itself
)

Criterion = Callable[[Tensor, Tensor], Tensor]  # logits (B, 10), labels (B,) -> loss ()
Objective = Callable[[Any, Tensor, Tensor, Criterion], tuple[Tensor, Tensor]]  # -> loss (), logits (B, 10)
Build = TypeVar("Build", bound=Callable[..., nn.Module])


class Normalize(nn.Module):
    """Brings pixels in [0, 1] to zero mean and unit variance over MNIST's training set."""

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
    build
        The class, or a function, that makes the network from its options.
    recipes
        Settings by preset, over the defaults of :class:`inkdigits.training.recipe.Recipe`; ``options`` are those of
        the network. ``standard`` is always there; a network that is made of trained networks has no recipes.
    objective
        (model, images, labels, criterion) -> (loss, logits); differs where a network learns from more than its logits.
    task
        What it reads: ``digit`` or ``line``.
    """

    name: str
    build: Callable[..., nn.Module]
    paper: str
    recipes: Mapping[str, Mapping[str, Any]] = field(repr=False)
    objective: Objective = field(repr=False, default=classification)
    task: str = DIGIT


MODELS: PluginRegistry[ModelSpec] = PluginRegistry("model")


@overload
def register_model(
    name: str,
    build: None = None,
    *,
    paper: str,
    recipes: Mapping[str, Mapping[str, Any]],
    objective: Objective = classification,
    task: str = DIGIT,
) -> Callable[[Build], Build]: ...


@overload
def register_model(
    name: str,
    build: Build,
    *,
    paper: str,
    recipes: Mapping[str, Mapping[str, Any]],
    objective: Objective = classification,
    task: str = DIGIT,
) -> Build: ...


def register_model(
    name: str,
    build: Any = None,
    *,
    paper: str,
    recipes: Mapping[str, Mapping[str, Any]],
    objective: Objective = classification,
    task: str = DIGIT,
) -> Any:
    """Register a network under ``name``, as a decorator or as a function.

    Parameters
    ----------
    name
        The name in commands, runs and reports.
    build
        The class of the network, or a function that returns one. Its arguments are the network's options; they have
        defaults that JSON can write. Without ``build``, a decorator is returned.
    paper
        Authors and year of the source.
    recipes, objective, task
        As in :class:`ModelSpec`.

    Raises
    ------
    UsageError
        When the name is taken, there is no such task, no recipe ``standard``, or a recipe has a setting that does not
        exist.

    Examples
    --------
    >>> import torch, inkdigits
    >>> @inkdigits.register_model("linear", paper="LeCun et al. 1998", recipes={"standard": {"epochs": 5}})
    ... class Linear(torch.nn.Module):
    ...     def __init__(self, bias: bool = True) -> None:
    ...         super().__init__()
    ...         self.layer = torch.nn.Linear(28 * 28, 10, bias)
    ...
    ...     def forward(self, images: torch.Tensor) -> torch.Tensor:
    ...         return self.layer(images.flatten(1))  # (B, 10)
    >>> inkdigits.create_model("linear", bias=False)(torch.zeros(2, 1, 28, 28)).shape
    torch.Size([2, 10])
    """
    _check_recipes(name, recipes)
    if task not in (DIGIT, LINE):
        raise unknown("task", task, (DIGIT, LINE))
    return MODELS.decorator(name, build, lambda build: ModelSpec(name, build, paper, recipes, objective, task))


def _check_recipes(model: str, recipes: Mapping[str, Mapping[str, Any]]) -> None:
    if recipes and "standard" not in recipes:
        raise UsageError(f"the model {model!r} has the recipes {', '.join(recipes)}, but none called 'standard'")
    for preset, settings in recipes.items():
        for key in settings:
            if key not in RECIPE_KEYS:
                fault = unknown("setting", key, RECIPE_KEYS)
                raise UsageError(f"the recipe {preset!r} of the model {model!r}: {fault}")


def list_models(task: str = DIGIT) -> list[str]:
    """Return the names of all networks for a task, ``digit`` or ``line``, that can be trained.

    Those of inkdigits come first, in the comparison's order, then those of plug-ins, in the order in which they were
    registered.
    """
    return [name for name, spec in MODELS.items() if spec.recipes and spec.task == task]


def model_spec(name: str) -> ModelSpec:
    """Return the registry's entry for ``name``.

    Raises
    ------
    UsageError
        When there is no such network; suggests the nearest name.
    """
    return MODELS.find(name)


def require_digits(name: str, doing: str) -> None:
    """Raise UsageError when network ``name`` reads no digits but lines.

    Parameters
    ----------
    doing
        Who asks and what it does with networks, such as "`evaluate` measures".
    """
    if model_spec(name).task != DIGIT:
        raise UsageError(f"{name} reads lines; {doing} networks that read digits")


def resolve_options(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return every option of a network by name: those given, and the defaults of the others.

    Raises
    ------
    UsageError
        When there is no such network.
    ModelError
        When it has no such option, or JSON cannot write the value of one.
    """
    signature = inspect.signature(model_spec(name).build)
    try:
        bound = signature.bind(**options)
    except TypeError as error:
        known = ", ".join(signature.parameters) or "none"
        raise ModelError(f"{name}: {error}; its options are: {known}") from error
    bound.apply_defaults()
    resolved = dict(bound.arguments)
    for parameter in signature.parameters.values():
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            resolved |= resolved.pop(parameter.name)
    try:
        json.dumps(resolved)
    except (TypeError, ValueError) as error:
        raise ModelError(f"the options of {name} are written into model.json, but {error}") from error
    return resolved


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
        When it has no such option, or does not accept the value of one.
    PluginError
        When the network comes from a plug-in and returns something else than logits (B, 10).
    """
    resolved = resolve_options(name, options)
    try:
        model = model_spec(name).build(**resolved)
    except PluginError:  # of a member of an ensemble
        raise
    except Exception as error:
        raise ModelError(f"{name} cannot be built with {options}: {error}") from error
    if MODELS.origin(name) and model_spec(name).task == DIGIT:  # the networks of inkdigits are covered by its tests
        _require_logits(model, f"the model {name!r} of the plug-in {MODELS.origin(name)}")
    return model


def _require_logits(model: Any, title: str) -> None:
    """Raise PluginError unless a network turns two images into logits (2, 10); no random number is used up."""
    if not isinstance(model, nn.Module):
        raise PluginError(f"{title} is built as {type(model).__name__}, not as a torch.nn.Module")
    training = model.training
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            logits = model.eval()(torch.zeros(TRIED, 1, 28, 28))
    except Exception as error:
        raise PluginError(f"{title} fails on images ({TRIED}, 1, 28, 28): {type(error).__name__}: {error}") from error
    model.train(training)
    found = f"{logits.dtype} {tuple(logits.shape)}" if isinstance(logits, Tensor) else type(logits).__name__
    if found != f"torch.float32 {(TRIED, CLASSES)}":
        raise PluginError(f"{title} returns {found} for {TRIED} images, not logits torch.float32 {(TRIED, CLASSES)}")

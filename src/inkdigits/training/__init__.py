"""Training: recipe, loop, checkpoint.

The names below are imported when first used, so that the recipe's settings can be listed without PyTorch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from inkdigits.training.checkpoint import Run, load_run
    from inkdigits.training.loop import train, train_validation_split, validation_digits
    from inkdigits.training.recipe import Recipe, recipe_for
    from inkdigits.training.trainer import Progress

_MODULES = {
    "Progress": "trainer",
    "Recipe": "recipe",
    "Run": "checkpoint",
    "load_run": "checkpoint",
    "recipe_for": "recipe",
    "train": "loop",
    "train_validation_split": "loop",
    "validation_digits": "loop",
}

__all__ = [
    "Progress",
    "Recipe",
    "Run",
    "load_run",
    "recipe_for",
    "train",
    "train_validation_split",
    "validation_digits",
]


def __getattr__(name: str) -> Any:
    """Import a public name from its module when it is first used."""
    if name in _MODULES:
        return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

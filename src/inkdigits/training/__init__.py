"""Training: recipe, loop, checkpoint."""

from inkdigits.training.checkpoint import Run, load_run
from inkdigits.training.loop import Progress, train, train_validation_split, validation_digits
from inkdigits.training.recipe import Recipe, recipe_for

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

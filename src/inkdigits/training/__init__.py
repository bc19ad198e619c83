"""Training: recipe, loop, checkpoint."""

from inkdigits.training.checkpoint import Run, load_run
from inkdigits.training.loop import Progress, set_aside, split_of, train
from inkdigits.training.recipe import Recipe, recipe_for

__all__ = ["Progress", "Recipe", "Run", "load_run", "recipe_for", "set_aside", "split_of", "train"]

"""Fine-tuning: a trained network learns a user's own digits or lines, and keeps the weights that forget little.

The weights of the epoch with the lowest loss on held-out digits, new and old ones together, are kept. They are then
mixed with the weights at the start, in the share that has the lowest loss, as the mean of both forgets less
(M. Wortsman et al., "Robust fine-tuning of zero-shot models", CVPR 2022, arXiv:2109.01903).
"""

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from inkdigits.training.checkpoint import Run
from inkdigits.training.device import hardware, versions
from inkdigits.training.inference import Scores
from inkdigits.training.recipe import Recipe
from inkdigits.training.task import Task
from inkdigits.training.trainer import Progress, Trainer

SHARES = (1.0, 0.9, 0.8, 0.7, 0.6, 0.4, 0.0)  # of the new weights that are tried in their mean with the old ones
OLD_DIGITS, OLD_LINES = 4.0, 1.0  # weight of the loss on old ones against that on new ones, to choose weights by

Weights = dict[str, Tensor]

DIGITS = Recipe(
    epochs=12,
    batch_size=128,
    lr=1.5e-3,
    weight_decay=0.02,
    ema=0.99,
    augment="elastic",
    warmup=0.1,
)
LINES = Recipe(
    epochs=30,
    batch_size=32,
    lr=3e-4,
    weight_decay=0.02,
    ema=0.97,
    warmup=0.1,
    precision="bfloat16",
    writing_styles=0.3,
)


@dataclass(frozen=True)
class Tuned:
    """A network before and after fine-tuning.

    Attributes
    ----------
    run
        The network with the best weights, without a folder.
    best
        The epoch that they are of; 0 when none was completed.
    share
        Of the new weights in their mean with those at the start; 0 when no epoch was better than the start.
    epochs
        Epochs that were trained.
    interrupted
        Whether Ctrl-C ended the training.
    new, old
        Scores on held-out new digits and old ones, before and after.
    """

    run: Run
    best: int
    share: float
    epochs: int
    interrupted: bool
    new: tuple[Scores, Scores]
    old: tuple[Scores, Scores]


def tune(
    start: Run,
    task: Task,
    recipe: Recipe,
    measure: Callable[[nn.Module], tuple[Scores, Scores]],
    progress: Progress,
    device: torch.device,
    old_weight: float,
    seed: int = 0,
) -> Tuned:
    """Train ``start`` on a task; ``measure`` returns the scores of a network on held-out new digits and old ones.

    All epochs are trained, as the learning rate falls to 0 in the last one: before, the loss on old digits may be
    higher than at the end. ``old_weight`` is the weight of that loss when the best weights are chosen. Ctrl-C ends the
    training; the best weights so far are returned.

    Raises
    ------
    RunError
        When the loss is no longer finite.
    """
    settings: dict[str, Any] = {**start.settings, "recipe": recipe.to_dict(), "seed": seed}
    with torch.random.fork_rng([]):
        trainer = Trainer(settings, recipe, task, device)
        for network in (trainer.model, trainer.average.module):
            network.load_state_dict(start.model.state_dict())
        before = measure(trainer.average.module)
        best, lowest, epoch, interrupted = 0, math.inf, 0, False
        old = weights = copy.deepcopy(start.model.state_dict())
        try:
            for epoch in range(1, recipe.epochs + 1):
                trainer.train_epoch(epoch, progress)
                found = loss(measure(trainer.average.module), old_weight)
                if found < lowest:
                    best, lowest = epoch, found
                    weights = copy.deepcopy(trainer.average.module.state_dict())
        except KeyboardInterrupt:
            interrupted = True
    share, after = _best_share(trainer.model, old, weights, measure, old_weight) if best else (0.0, before)
    weights = mixed(old, weights, share)
    trainer.model.load_state_dict(weights)
    environment = {"versions": versions(), "hardware": hardware(device)}
    run = Run(trainer.model.cpu().eval(), settings, [], {}, environment, None)
    return Tuned(run, best, share, epoch, interrupted, (before[0], after[0]), (before[1], after[1]))


def _best_share(
    model: nn.Module,
    old: Weights,
    new: Weights,
    measure: Callable[[nn.Module], tuple[Scores, Scores]],
    old_weight: float,
) -> tuple[float, tuple[Scores, Scores]]:
    """Return the share of the new weights with the lowest loss, and its scores; the weights of ``model`` change."""
    found = []
    for share in SHARES:
        model.load_state_dict(mixed(old, new, share))
        found.append((share, measure(model)))
    return min(found, key=lambda pair: loss(pair[1], old_weight))


def mixed(old: Weights, new: Weights, share: float) -> Weights:
    """Return the mean of old and new weights, with this share of the new ones, in [0, 1]; counters are the new ones."""
    return {
        name: torch.lerp(old[name], value, share) if value.is_floating_point() else value for name, value in new.items()
    }


def loss(scores: tuple[Scores, Scores], old_weight: float) -> float:
    """Return the loss by which weights are chosen, of the scores on new and on old digits."""
    new, old = scores
    return new.cross_entropy + old_weight * old.cross_entropy


def with_epochs(recipe: Recipe, epochs: int | None) -> Recipe:
    """Return a recipe with this number of epochs at most; unchanged for None."""
    return recipe if epochs is None else replace(recipe, epochs=epochs)

"""Fine-tuning: a trained network learns a user's own digits or lines, and stops before it forgets.

The weights of the epoch with the lowest loss on held-out digits, new and old ones together, are kept; those that it
started with are among the candidates. They are then mixed with the weights at the start, in the share that has the
lowest loss, as the mean of both forgets less (M. Wortsman et al., "Robust fine-tuning of zero-shot models", CVPR 2022,
arXiv:2109.01903).
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from inkdigits.training.checkpoint import EpochRow, Run
from inkdigits.training.device import hardware, versions
from inkdigits.training.inference import Scores
from inkdigits.training.recipe import Recipe
from inkdigits.training.task import Task
from inkdigits.training.trainer import Progress, Trainer

PATIENCE = 6  # epochs without a lower loss after which training ends
MIXES = (1.0, 0.9, 0.8, 0.7, 0.6)  # shares of the new weights that are tried in the mean with the old ones
OLD_WEIGHT = 4.0  # of the loss on old digits against that on new ones, when the best epoch is chosen

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
    lr=6e-4,
    weight_decay=0.02,
    ema=0.98,
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
        The epoch that they are of; 0 when no epoch was better than the start.
    epochs
        Epochs that were trained.
    interrupted
        Whether Ctrl-C ended the training.
    new, old
        Scores on held-out new digits and old ones, before and after.
    """

    run: Run
    best: int
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
    seed: int = 0,
) -> Tuned:
    """Train ``start`` on a task; ``measure`` returns the scores of a network on held-out new digits and old ones.

    Ctrl-C ends the training; the best weights so far are returned.

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
        before = after = measure(trainer.average.module)
        best, epoch, interrupted = 0, 0, False
        weights = copy.deepcopy(start.model.state_dict())
        history: list[EpochRow] = []
        try:
            for epoch in range(1, recipe.epochs + 1):
                trainer.train_epoch(epoch, progress)
                scores = measure(trainer.average.module)
                if loss(scores) < loss(after):
                    best, after = epoch, scores
                    weights = copy.deepcopy(trainer.average.module.state_dict())
                if epoch - best >= PATIENCE:
                    break
        except KeyboardInterrupt:
            interrupted = True
    if best:
        weights, after = _best_mix(trainer.model, start.model.state_dict(), weights, measure)
    trainer.model.load_state_dict(weights)
    environment = {"versions": versions(), "hardware": hardware(device)}
    run = Run(trainer.model.cpu().eval(), settings, history, {}, environment, None)
    return Tuned(run, best, epoch, interrupted, (before[0], after[0]), (before[1], after[1]))


def _best_mix(
    model: nn.Module, old: Weights, new: Weights, measure: Callable[[nn.Module], tuple[Scores, Scores]]
) -> tuple[Weights, tuple[Scores, Scores]]:
    """Return the mean of old and new weights with the lowest loss, and its scores; ``model`` is changed."""
    found = []
    for share in MIXES:
        mixed = {
            name: torch.lerp(old[name], value, share) if value.is_floating_point() else value
            for name, value in new.items()
        }
        model.load_state_dict(mixed)
        found.append((mixed, measure(model)))
    return min(found, key=lambda pair: loss(pair[1]))


def loss(scores: tuple[Scores, Scores]) -> float:
    """Return the loss by which the best epoch is chosen, of the scores on new and on old digits."""
    new, old = scores
    return new.cross_entropy + OLD_WEIGHT * old.cross_entropy


def with_epochs(recipe: Recipe, epochs: int | None) -> Recipe:
    """Return a recipe with this number of epochs at most; unchanged for None."""
    return recipe if epochs is None else replace(recipe, epochs=epochs)

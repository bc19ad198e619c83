"""The task of digits: one image, one class."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from inkdigits.data import DigitSet
from inkdigits.data.augment import augmentation
from inkdigits.models.registry import ModelSpec
from inkdigits.training.adversarial import adversarial_images
from inkdigits.training.device import autocast
from inkdigits.training.inference import Scores, measure
from inkdigits.training.optimisation import make_criterion
from inkdigits.training.recipe import Recipe
from inkdigits.training.training_data import TrainingData


class DigitTask:
    """Learns the digits of ``data``, augmented and attacked as the recipe says."""

    def __init__(self, spec: ModelSpec, recipe: Recipe, data: TrainingData, device: torch.device) -> None:
        self.spec, self.recipe, self.data, self.device = spec, recipe, data, device
        self.criterion = make_criterion(recipe)
        self.augment = augmentation(recipe.augment)
        self.steps = len(data.labels) // recipe.batch_size

    def batches(self, epoch: int, generator: torch.Generator) -> Iterator[Tensor]:
        """Yield the indices (B,) of the digits in a random order; an incomplete last batch is left out."""
        size = self.recipe.batch_size
        order = torch.randperm(len(self.data.labels), generator=generator).to(self.device)  # (N,)
        yield from order[: self.steps * size].split(size)

    def loss(
        self, model: nn.Module, batch: Tensor, epoch: int, done: float, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Return the loss of the digits with the indices ``batch`` (B,), and how many are read right."""
        images, targets = self.data.batch(batch, epoch, generator)
        images = self.augment(images, generator)  # (B + S, 1, 28, 28), S outliers last
        with autocast(self.recipe.precision, self.device):
            images = adversarial_images(
                model, lambda x: self.objective(model, x, targets)[0], images, self.recipe, done, generator
            )
        with autocast(self.recipe.precision, self.device):
            loss, logits = self.objective(model, images, targets)
        labels = self.data.labels[batch]
        return loss, (logits.detach()[: len(labels)].argmax(1) == labels).sum()

    def objective(self, model: nn.Module, images: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Return the loss that the network trains on, and its logits (B, 10)."""
        return self.spec.objective(model, images, targets, self.criterion)

    def close(self) -> None:
        """Do nothing: no process makes batches."""

    def measure(self, model: nn.Module, digits: DigitSet) -> Scores:
        """Return the scores of a network on digits; NaN for an empty set."""
        return measure(model, digits, self.device)

"""The training step, repeated over the batches of an epoch. The recipe and the model's spec hold every choice."""

import math
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from inkdigits.data import DigitSet
from inkdigits.data.augment import augmentation
from inkdigits.errors import RunError
from inkdigits.models import create_model, model_spec
from inkdigits.training.adversarial import adversarial_images
from inkdigits.training.checkpoint import EpochRow, TrainingState
from inkdigits.training.device import autocast, channels_last
from inkdigits.training.inference import Scores, measure
from inkdigits.training.optimisation import learning_rate, make_average, make_criterion, make_optimizer
from inkdigits.training.recipe import Recipe
from inkdigits.training.training_data import TrainingData

REPORT_EVERY = 10  # steps between two progress reports


class Progress(Protocol):
    """Receives the progress of training."""

    def step(self, epoch: int, images: int, loss: float, accuracy: float) -> None:
        """Receive the mean loss and accuracy of an epoch so far, after ``images`` of its digits."""

    def epoch(self, row: EpochRow) -> None:
        """Receive the measurements after an epoch."""


class NoProgress:
    """A progress receiver that ignores every report."""

    def step(self, epoch: int, images: int, loss: float, accuracy: float) -> None:
        """Do nothing."""

    def epoch(self, row: EpochRow) -> None:
        """Do nothing."""


def epoch_seed(seed: int, epoch: int) -> int:
    """Return the seed of one epoch's order, augmentation and dropout; a resumed run needs no other random state."""
    return int(np.random.SeedSequence([seed, epoch]).generate_state(1)[0])


class EpochStatistics:
    """Sums over the steps of one epoch, kept on the device: reading them every step would stall a GPU."""

    def __init__(self, device: torch.device) -> None:
        self.loss_sum = torch.zeros((), device=device)
        self.correct = torch.zeros((), dtype=torch.int64, device=device)

    def add(self, loss: Tensor, logits: Tensor, labels: Tensor) -> None:
        """Count one step: its loss (), and its logits (B + S, 10), of which the first B belong to the labels (B,)."""
        self.loss_sum += loss
        self.correct += (logits[: len(labels)].argmax(1) == labels).sum()


class Trainer:
    """One run in progress: the model, its average, the optimizer, and the digits on the device."""

    def __init__(self, settings: Mapping[str, Any], recipe: Recipe, data: TrainingData, device: torch.device) -> None:
        self.recipe, self.data, self.device, self.seed = recipe, data, device, int(settings["seed"])
        self.spec = model_spec(settings["model"])
        torch.manual_seed(epoch_seed(self.seed, 0))
        self.model = channels_last(create_model(self.spec.name, **settings["options"]), device)
        self.average = make_average(self.model, recipe.ema)
        self.optimizer = make_optimizer(recipe, self.model)
        self.criterion = make_criterion(recipe)
        self.augment = augmentation(recipe.augment)
        self.steps = len(data.labels) // recipe.batch_size  # per epoch

    def train_epoch(self, epoch: int, progress: Progress) -> None:
        """Train for one epoch; ``epoch`` counts from 1."""
        seed = epoch_seed(self.seed, epoch)
        torch.manual_seed(seed)
        generator = torch.Generator().manual_seed(seed)
        order = torch.randperm(len(self.data.labels), generator=generator).to(self.device)  # (N,)
        size = self.recipe.batch_size
        sums = EpochStatistics(self.device)
        self.model.train()
        for step, batch in enumerate(order[: self.steps * size].split(size), start=1):
            loss, logits = self.train_step(batch, epoch, step, generator)
            sums.add(loss, logits, self.data.labels[batch])
            if step % REPORT_EVERY == 0 or step == self.steps:
                progress.step(epoch, step * size, sums.loss_sum.item() / step, sums.correct.item() / (step * size))
        if not self.recipe.ema:
            self.average.module.load_state_dict(self.model.state_dict())
        if not math.isfinite(sums.loss_sum.item()):
            raise RunError(
                f"the loss became {sums.loss_sum.item()} in epoch {epoch}; choose a lower --lr than {self.recipe.lr}"
            )

    def train_step(self, batch: Tensor, epoch: int, step: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Take step ``step`` of an epoch, on the digits with the indices ``batch`` (B,); both count from 1.

        Returns the loss () and the logits (B + S, 10), those of S outliers last.
        """
        done = ((epoch - 1) * self.steps + step - 1) / (self.recipe.epochs * self.steps)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.recipe, done)
        images, targets = self.data.batch(batch, epoch, generator)
        images = self.augment(images, generator)  # (B + S, 1, 28, 28)
        with autocast(self.recipe.precision, self.device):
            images = adversarial_images(
                self.model, lambda x: self.objective(x, targets)[0], images, self.recipe, done, generator
            )
        with autocast(self.recipe.precision, self.device):
            loss, logits = self.objective(images, targets)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        if self.recipe.ema:
            self.average.update_parameters(self.model)
        return loss.detach(), logits.detach()

    def objective(self, images: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Return the loss that the model trains on, and its logits (B, 10)."""
        return self.spec.objective(self.model, images, targets, self.criterion)

    def measure(self, digits: DigitSet) -> Scores:
        """Return the scores of the averaged model."""
        return measure(self.average.module, digits, self.device)

    def state(self, history: list[EpochRow]) -> TrainingState:
        """Return the state that training can be resumed from."""
        parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
        optimizer = {i: dict(self.optimizer.state[p]) for i, p in enumerate(parameters)}
        return TrainingState(self.model.state_dict(), self.average.state_dict(), optimizer, history)

    def restore(self, state: TrainingState) -> None:
        """Resume from ``state``; the optimizer's tensors take the memory format of their parameters."""
        self.model.load_state_dict(state.model)
        self.average.load_state_dict(state.average)
        parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
        for index, parameter in enumerate(parameters):
            self.optimizer.state[parameter] = {
                name: torch.empty_like(parameter).copy_(value)
                if value.shape == parameter.shape
                else value.to(self.device)
                for name, value in state.optimizer.get(index, {}).items()
            }

"""The training step, repeated over the batches of an epoch. The recipe and the task hold every choice."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from inkdigits.data import DigitSet
from inkdigits.errors import ModelError, RunError
from inkdigits.models import create_model
from inkdigits.training import checkpoint
from inkdigits.training.checkpoint import EpochRow, TrainingState, require_same_tensors
from inkdigits.training.device import channels_last
from inkdigits.training.inference import Scores
from inkdigits.training.optimisation import learning_rate, make_average, make_optimizer
from inkdigits.training.recipe import Recipe
from inkdigits.training.task import Task

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


class Trainer:
    """One run in progress: the model, its average, and the optimizer; the task makes batches and losses."""

    def __init__(self, settings: Mapping[str, Any], recipe: Recipe, task: Task, device: torch.device) -> None:
        self.recipe, self.task, self.device, self.seed = recipe, task, device, int(settings["seed"])
        torch.manual_seed(epoch_seed(self.seed, 0))
        self.model = channels_last(create_model(settings["model"], **settings["options"]), device)
        self.average = make_average(self.model, recipe.ema)
        self.optimizer = make_optimizer(recipe, self.model)

    def train_epoch(self, epoch: int, progress: Progress) -> None:
        """Train for one epoch; ``epoch`` counts from 1."""
        seed = epoch_seed(self.seed, epoch)
        torch.manual_seed(seed)
        generator = torch.Generator().manual_seed(seed)
        size, steps = self.recipe.batch_size, self.task.steps
        loss_sum = torch.zeros((), device=self.device)  # on the device: reading it every step would stall a GPU
        correct = torch.zeros((), dtype=torch.int64, device=self.device)
        self.model.train()
        for step, batch in enumerate(self.task.batches(epoch, generator), start=1):
            loss, right = self.train_step(batch, epoch, step, generator)
            loss_sum += loss
            correct += right
            if step % REPORT_EVERY == 0 or step == steps:
                progress.step(epoch, step * size, loss_sum.item() / step, correct.item() / (step * size))
        if not self.recipe.ema:
            self.average.module.load_state_dict(self.model.state_dict())
        if not math.isfinite(loss_sum.item()):
            raise RunError(
                f"the loss became {loss_sum.item()} in epoch {epoch}; choose a lower --lr than {self.recipe.lr}"
            )

    def train_step(self, batch: Any, epoch: int, step: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Take step ``step`` of an epoch on a batch of the task; both count from 1.

        Returns the loss () and how many images were read right, int64 ().
        """
        done = ((epoch - 1) * self.task.steps + step - 1) / (self.recipe.epochs * self.task.steps)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.recipe, done)
        loss, right = self.task.loss(self.model, batch, epoch, done, generator)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        if self.recipe.ema:
            self.average.update_parameters(self.model)
        return loss.detach(), right

    def measure(self, digits: DigitSet) -> Scores:
        """Return the scores of the averaged model."""
        return self.task.measure(self.average.module, digits)

    def state(self, history: list[EpochRow]) -> TrainingState:
        """Return the state that training can be resumed from."""
        parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
        optimizer = {i: dict(self.optimizer.state[p]) for i, p in enumerate(parameters)}
        return TrainingState(self.model.state_dict(), self.average.state_dict(), optimizer, history)

    def restore(self, state: TrainingState) -> None:
        """Resume from ``state``; the optimizer's tensors take the memory format of their parameters.

        Raises
        ------
        ModelError
            When a tensor is missing, or has another name or shape than those of this run.
        """
        parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
        require_same_tensors(checkpoint.STATE, "the model", state.model, self.model.state_dict())
        require_same_tensors(checkpoint.STATE, "the average", state.average, self.average.state_dict())
        self._require_optimizer_state(state.optimizer, [p.shape for p in parameters])
        self.model.load_state_dict(state.model)
        self.average.load_state_dict(state.average)
        for index, parameter in enumerate(parameters):
            self.optimizer.state[parameter] = {
                name: torch.empty_like(parameter).copy_(value)
                if value.shape == parameter.shape
                else value.to(self.device)
                for name, value in state.optimizer.get(index, {}).items()
            }

    def _require_optimizer_state(self, found: Mapping[int, Mapping[str, Tensor]], shapes: Sequence[torch.Size]) -> None:
        """Raise ModelError unless each parameter has all tensors that its optimizer keeps, in its shape, or none."""
        names = {"momentum_buffer"} if self.recipe.optimizer == "sgd" else {"step", "exp_avg", "exp_avg_sq"}
        for index, values in found.items():
            fits = index < len(shapes) and values.keys() == names
            if not fits or any(value.shape not in (shapes[index], torch.Size()) for value in values.values()):
                raise ModelError(
                    f"{checkpoint.STATE} does not fit the optimizer {self.recipe.optimizer}: its tensors of parameter "
                    f"{index} are others; remove the folder to start again"
                )

"""What a network learns: the part of training that differs between digits and lines."""

from collections.abc import Iterator
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from inkdigits.data import DigitSet
from inkdigits.training.inference import Scores


class Task(Protocol):
    """Makes the batches of an epoch, the loss of a batch, and the scores of a network.

    Attributes
    ----------
    steps
        Batches of one epoch.
    """

    steps: int

    def batches(self, epoch: int, generator: torch.Generator) -> Iterator[Any]:
        """Yield the batches of an epoch, which counts from 1."""

    def loss(
        self, model: nn.Module, batch: Any, epoch: int, done: float, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Return the loss () of a batch, and how many of its images are read right, int64 ().

        ``done`` is the share of the training that is done, in [0, 1].
        """

    def close(self) -> None:
        """End the processes that make batches."""

    def measure(self, model: nn.Module, digits: DigitSet) -> Scores:
        """Return the scores of a network on digits, or on lines made of them; NaN for an empty set."""

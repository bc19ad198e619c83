"""What a network classifies correctly, and what it costs in parameters, operations and time."""

import statistics
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from inkdigits.data import DigitSet
from inkdigits.errors import UsageError
from inkdigits.evaluation.statistics import wilson
from inkdigits.imaging.strips import HEIGHT
from inkdigits.models.autoencoder import Autoencoder
from inkdigits.models.registry import CLASSES, require_digits
from inkdigits.training import Run, load_run
from inkdigits.training.inference import BATCH, Scores, predict_logits, score, to_input

TIMING_BATCH, TIMING_REPEATS = 256, 5
STRIP = (1, 1, HEIGHT, 200)  # shape of the strip on which the operations of a line network are counted


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The classification of some digits by a network.

    Attributes
    ----------
    probabilities
        float32 (N, 10), softmax of the logits.
    labels
        int64 (N,).
    scores
        Cross-entropy in nats, MSE, and accuracy in [0, 1].
    """

    probabilities: NDArray[np.float32]
    labels: NDArray[np.int64]
    scores: Scores

    @property
    def accuracy(self) -> float:
        """Share of the digits that are classified correctly, in [0, 1]."""
        return self.scores.accuracy

    @property
    def cross_entropy(self) -> float:
        """Mean cross-entropy, nats."""
        return self.scores.cross_entropy

    @property
    def mse(self) -> float:
        """Mean squared error of the probabilities against the one-hot labels, over digits and classes."""
        return self.scores.mse

    @property
    def predicted(self) -> NDArray[np.int64]:
        """The most probable digit of each image, int64 (N,)."""
        return np.asarray(self.probabilities.argmax(1), np.int64)

    @property
    def correct(self) -> NDArray[np.bool_]:
        """Whether each image was classified correctly, bool (N,)."""
        return np.asarray(self.predicted == self.labels)

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson 95 % interval of the accuracy."""
        return wilson(int(self.correct.sum()), len(self.labels))

    def confusion(self) -> NDArray[np.int64]:
        """Return counts (10, 10), row the true digit, column the predicted one."""
        return confusion_matrix(self.labels, self.predicted)


def evaluate(run: Run | nn.Module | str | Path, digits: DigitSet) -> Evaluation:
    """Classify digits with a network, and score the result.

    Parameters
    ----------
    run
        A run, the folder of one, or any network of this package.
    digits
        At least one.

    Raises
    ------
    UsageError
        When there are no digits, or the run reads lines.
    RunError, ModelError
        When the folder is not that of a complete run.
    """
    if not len(digits):
        raise UsageError("there are no digits to evaluate on")
    if isinstance(run, str | Path):
        run = load_run(run)
    if isinstance(run, Run):
        require_digits(run.name, "`evaluate` measures")
    model = run.model if isinstance(run, Run) else run
    device = next(model.parameters()).device
    logits = predict_logits(model, torch.tensor(digits.images, device=device)).cpu()
    scores = score(logits, torch.tensor(digits.labels))
    return Evaluation(logits.softmax(1).numpy(), digits.labels, scores)


def confusion_matrix(labels: NDArray[np.int64], predicted: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return counts (10, 10), row the true digit, column the predicted one."""
    return np.bincount(labels * CLASSES + predicted, minlength=CLASSES**2).reshape(CLASSES, CLASSES).astype(np.int64)


@torch.inference_mode()
def reconstruct(model: Autoencoder, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return an autoencoder's reconstructions float32 (N, 28, 28) in [0, 1] of uint8 images (N, 28, 28)."""
    device = next(model.parameters()).device
    model.eval()
    copies = model.decode(model.encode(to_input(torch.tensor(images, device=device))))  # (N, 1, 28, 28)
    return np.asarray(copies.squeeze(1).cpu(), np.float32)


@torch.inference_mode()
def reconstruction_mse(model: nn.Module, digits: DigitSet) -> float | None:
    """Return the mean squared error of an autoencoder's pixels in [0, 1]; None for any other network."""
    if not isinstance(model, Autoencoder):
        return None
    device = next(model.parameters()).device
    model.eval()
    total = 0.0
    for batch in torch.tensor(digits.images, device=device).split(BATCH):
        images = to_input(batch)  # (B, 1, 28, 28)
        total += (model.decode(model.encode(images)) - images).square().mean((1, 2, 3)).sum().item()
    return total / len(digits)


def count_parameters(model: nn.Module) -> int:
    """Return the number of trainable parameters."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def count_macs(model: nn.Module, digits: DigitSet | None = None) -> int:
    """Return the multiply-accumulates of matrix products and convolutions for one digit.

    Parameters
    ----------
    digits
        The mean over the first hundred is taken, because the cost of a graph network depends on the ink. Without
        digits, the input is a square of 144 pixels of ink, as many as an average digit has.
    """
    images = torch.zeros(1, 1, 28, 28)
    images[..., 8:20, 8:20] = 1
    if digits is not None:
        images = to_input(torch.tensor(digits.images[:100]))
    return _macs(model, images)


def count_strip_macs(model: nn.Module) -> int:
    """Return the multiply-accumulates of a line network for one strip of 40x200 pixels."""
    return _macs(model, torch.zeros(STRIP))


def _macs(model: nn.Module, images: Tensor) -> int:
    """Return the multiply-accumulates for one of the images."""
    device = next(model.parameters()).device
    was_training = model.training
    model.eval()
    counter = FlopCounterMode(display=False)
    # the counter does not know oneDNN's fused LSTM; without oneDNN the LSTM is a sequence of matrix products
    was_enabled = torch.backends.mkldnn.set_flags(_enabled=False)[0]
    try:
        with counter, torch.no_grad():
            model(images.to(device))
    finally:
        torch.backends.mkldnn.set_flags(_enabled=was_enabled)
        model.train(was_training)
    return round(counter.get_total_flops() / 2 / len(images))


@torch.inference_mode()
def milliseconds_per_image(model: nn.Module, digits: DigitSet) -> float:
    """Return the median time per digit, in milliseconds, of a batch of the first 256 digits on the model's device."""
    device = next(model.parameters()).device
    model.eval()
    images = torch.tensor(digits.images[:TIMING_BATCH], device=device)
    times = []
    for _ in range(TIMING_REPEATS + 1):
        start = time.perf_counter()
        predict_logits(model, images, TIMING_BATCH).cpu()
        times.append(time.perf_counter() - start)
    return 1000 * statistics.median(times[1:]) / len(images)

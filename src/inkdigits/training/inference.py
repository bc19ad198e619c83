"""Logits and scores of many digits, in inference mode."""

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from inkdigits.data import DigitSet

BATCH = 500  # digits per forward pass: fits the caches of a CPU, fills a GPU well enough


@dataclass(frozen=True)
class Scores:
    """Cross-entropy in nats; MSE of softmax against one-hot, mean over images and classes; accuracy in [0, 1]."""

    cross_entropy: float
    mse: float
    accuracy: float


def to_input(images: Tensor) -> Tensor:
    """Return uint8 images (B, 28, 28) as model input: float32 (B, 1, 28, 28) in [0, 1]."""
    return images.unsqueeze(1).float().div_(255)  # (B, 1, 28, 28)


def softmax_mse(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the mean over images and classes of (softmax(logits) - one-hot label)^2, a value in [0, 0.2]."""
    return F.mse_loss(logits.softmax(1), F.one_hot(labels, logits.shape[1]).to(logits.dtype))


@torch.inference_mode()
def predict_logits(model: nn.Module, images: Tensor, batch_size: int = BATCH) -> Tensor:
    """Return logits float32 (N, 10) of uint8 images (N, 28, 28), in evaluation mode, on the images' device."""
    was_training = model.training
    model.eval()
    logits = [model(to_input(batch)).float() for batch in images.split(batch_size)]
    model.train(was_training)
    return torch.cat(logits)  # (N, 10)


def logits_of(model: nn.Module, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return logits float32 (N, 10) of uint8 images (N, 28, 28), as NumPy arrays."""
    device = next(model.parameters()).device
    return np.asarray(predict_logits(model, torch.tensor(images, device=device)).cpu(), np.float32)


@torch.inference_mode()
def score(logits: Tensor, labels: Tensor) -> Scores:
    """Return the scores of logits (N, 10) against labels (N,), N at least 1."""
    return Scores(
        F.cross_entropy(logits, labels).item(),
        softmax_mse(logits, labels).item(),
        (logits.argmax(1) == labels).sum().item() / len(labels),
    )


def measure(model: nn.Module, digits: DigitSet, device: torch.device) -> Scores:
    """Return a model's scores on digits; NaN for an empty set."""
    if not len(digits):
        return Scores(math.nan, math.nan, math.nan)
    logits = predict_logits(model, torch.tensor(digits.images, device=device))
    return score(logits, torch.tensor(digits.labels, device=device))

"""What a recipe optimises and how: learning rate, optimizer, loss, and the average of the weights."""

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from inkdigits.models.registry import Criterion
from inkdigits.training.inference import softmax_mse
from inkdigits.training.recipe import Recipe


def learning_rate(recipe: Recipe, progress: float) -> float:
    """Return the learning rate at ``progress``, the share of all steps that is done, in [0, 1].

    One-cycle rises from 1/25 of the peak and falls to 0, both along a cosine (L. Smith, N. Topin, 2017,
    arXiv:1708.07120). Cosine falls from the peak to 0 (I. Loshchilov, F. Hutter, 2016, arXiv:1608.03983).
    """
    if recipe.schedule == "constant":
        return recipe.lr
    warmup = recipe.warmup if recipe.schedule == "one-cycle" else 0.0
    if progress < warmup:
        low = recipe.lr / 25
        return low + (recipe.lr - low) * (1 - math.cos(math.pi * progress / warmup)) / 2
    return recipe.lr * (1 + math.cos(math.pi * (progress - warmup) / max(1 - warmup, 1e-9))) / 2


def make_optimizer(recipe: Recipe, model: nn.Module) -> torch.optim.Optimizer:
    """Return the recipe's optimizer. Weight decay applies to matrices and kernels, not to biases and norms."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": recipe.weight_decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
    if recipe.optimizer == "sgd":
        nesterov = recipe.momentum > 0
        return torch.optim.SGD(groups, recipe.lr, momentum=recipe.momentum, nesterov=nesterov, fused=True)
    kind = torch.optim.AdamW if recipe.optimizer == "adamw" else torch.optim.Adam
    return kind(groups, recipe.lr, betas=(recipe.momentum, recipe.beta2), fused=True)


def make_criterion(recipe: Recipe) -> Criterion:
    """Return the recipe's loss. It takes logits (B, 10), and labels (B,) or soft targets (B, 10 or 11).

    The eleventh class, "no digit", has the constant logit 0. The softmax over ten classes does not change, and the
    log-sum-exp of the ten logits (the negative energy) is the log-odds that the image is a digit (W. Liu et al.,
    "Energy-based out-of-distribution detection", NeurIPS 2020, arXiv:2010.03759).
    """
    if recipe.loss == "mse":
        return softmax_mse

    def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
        if recipe.outliers:
            logits = F.pad(logits, (0, 1))  # (B, 11)
        return F.cross_entropy(logits, labels, label_smoothing=recipe.label_smoothing)

    return cross_entropy


def make_average(model: nn.Module, decay: float) -> AveragedModel:
    """Return the exponential moving average of a model's weights and buffers (after Polyak & Juditsky, 1992).

    The decay grows with the number of steps t, as min(decay, (1 + t) / (10 + t)), so that the random initial weights
    soon lose their influence.
    """

    def update(averages: Any, currents: Any, step: Any) -> None:
        weight = 1 - min(decay, (1 + int(step)) / (10 + int(step)))
        if averages[0].is_floating_point():
            torch._foreach_lerp_(averages, currents, weight)
        else:
            torch._foreach_copy_(averages, currents)

    return AveragedModel(model, multi_avg_fn=update, use_buffers=True)

"""Training batches: digits with labels and, if the recipe says so, soft targets of a teacher and outliers.

Soft targets: G. Hinton, O. Vinyals, J. Dean, "Distilling the knowledge in a neural network", 2015, arXiv:1503.02531.
Changed: the temperature is 1, and the teacher's probabilities are computed once, for the digits and for copies of them.
Outliers: D. Hendrycks et al., "Deep anomaly detection with outlier exposure", ICLR 2019, arXiv:1812.04606. Changed:
their target is an eleventh class instead of the uniform distribution.
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inkdigits.data import DigitSet
from inkdigits.data.augment import elastic
from inkdigits.data.digits import CLASSES
from inkdigits.data.writing_styles import with_writing_styles
from inkdigits.synthetic.outliers import make_outliers
from inkdigits.training.device import autocast
from inkdigits.training.inference import BATCH, predict_logits, to_input
from inkdigits.training.recipe import Recipe

COPIES = 8  # copies of the training digits with soft targets, the first untransformed; the epochs use them in turn
MAX_OUTLIERS = 80_000  # most outlier images made for one run; every batch draws from them


@dataclass(frozen=True)
class TrainingData:
    """Digits, targets and outliers on the device.

    Attributes
    ----------
    images
        uint8 (K, N, 28, 28): K copies of the digits; all but the first are transformed.
    labels
        int64 (N,).
    targets
        Class probabilities float32 (K, N, 10 or 11), the eleventh class "no digit"; None where labels are enough.
    outliers
        uint8 (K, M, 28, 28), transformed as the digits of the same copy.
    outlier_share
        Number of outliers in a batch, per digit.
    """

    images: Tensor
    labels: Tensor
    targets: Tensor | None
    outliers: Tensor
    outlier_share: float

    def batch(self, index: Tensor, epoch: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return images float32 (B + S, 1, 28, 28), and labels (B,) or probabilities (B + S, 10 or 11).

        The digits of ``index`` (B,) come first, then S outliers drawn at random.
        """
        copy = (epoch - 1) % len(self.images)
        images = self.images[copy, index]
        if self.targets is None:
            return to_input(images), self.labels[index]
        targets = self.targets[copy, index]
        count = round(self.outlier_share * len(index))
        if count:
            drawn = torch.randint(self.outliers.shape[1], (count,), generator=generator).to(images.device)
            images = torch.cat([images, self.outliers[copy, drawn]])
            no_digit = F.one_hot(torch.tensor(CLASSES, device=images.device), CLASSES + 1).to(targets.dtype)
            targets = torch.cat([targets, no_digit.expand(count, -1)])
        return to_input(images), targets


def make_training_data(
    digits: DigitSet, recipe: Recipe, seed: int, device: torch.device, teacher: nn.Module | None
) -> TrainingData:
    """Return the training data that a recipe makes of ``digits``.

    A teacher's soft targets belong to the digits and to copies that are transformed as in the teacher's own training.
    The student sees the same copies, and may augment them further. Digits in other writing styles and outliers are
    transformed as the digits of the same copy. Otherwise the sharpness of an image would tell its class.
    """
    images, labels = torch.tensor(digits.images, device=device), torch.tensor(digits.labels, device=device)
    copies = min(COPIES, recipe.epochs) if teacher is not None else 1
    outliers = _outliers(digits, recipe, seed, copies).to(device)  # (K, M, 28, 28)
    rng = np.random.default_rng([seed, 2])
    transformed, soft_targets = [], []
    for copy in range(copies):
        shown = _transformed(images, copy, seed)
        if teacher is not None:
            with autocast(recipe.precision, device):
                soft_targets.append(predict_logits(teacher, shown).softmax(1))
        if recipe.writing_styles:
            styled = with_writing_styles(digits.images, digits.labels, recipe.writing_styles, rng)
            shown = _transformed(torch.tensor(styled, device=device), copy, seed)
        transformed.append(shown)
    return TrainingData(
        torch.stack(transformed),
        labels,
        _targets(labels, soft_targets, recipe),
        torch.stack([_transformed(part, copy, seed) for copy, part in enumerate(outliers)]),
        recipe.outliers,
    )


def _outliers(digits: DigitSet, recipe: Recipe, seed: int, copies: int) -> Tensor:
    """Return outlier images uint8 (copies, M, 28, 28), as many as the batches show, at most MAX_OUTLIERS."""
    shown = round(recipe.outliers * len(digits) * recipe.epochs)
    per_copy = -(-min(MAX_OUTLIERS, shown) // copies)
    outliers = torch.tensor(make_outliers(per_copy * copies, digits, seed))
    return outliers.view(copies, per_copy, *outliers.shape[1:])


def _targets(labels: Tensor, soft_targets: list[Tensor], recipe: Recipe) -> Tensor | None:
    """Return probabilities (K, N, 10 or 11) mixed of labels (N,) and soft targets, K times (N, 10), or None."""
    if not soft_targets and not recipe.outliers:
        return None
    targets = F.one_hot(labels, CLASSES).float()[None]  # (1, N, 10)
    if soft_targets:
        targets = torch.lerp(targets, torch.stack(soft_targets), recipe.distill)  # (K, N, 10)
    return F.pad(targets, (0, 1)) if recipe.outliers else targets  # (K, N, 11) or (K, N, 10)


def _transformed(images: Tensor, copy: int, seed: int) -> Tensor:
    """Return images uint8 (N, 28, 28) under the elastic distortion of a copy; copy 0 returns them unchanged."""
    if not copy or not len(images):
        return images
    generator = torch.Generator().manual_seed(seed * COPIES + copy)
    batches = [elastic(to_input(batch), generator).squeeze(1) for batch in images.split(BATCH)]
    return (torch.cat(batches).clamp(0, 1) * 255).round().to(torch.uint8)

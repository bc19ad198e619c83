"""What a network is shown: digits with their labels, and, as the recipe says, a teacher's soft targets and outliers."""

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
from inkdigits.training.device import lowered
from inkdigits.training.inference import BATCH, predict_logits, to_input
from inkdigits.training.recipe import Recipe

COPIES = 8  # of the training digits that a teacher soft_targets for, the first not moved; the epochs take them in turn
MAX_OUTLIERS = 80_000  # pictures of what is no digit, at most, drawn from in every batch


@dataclass(frozen=True)
class TrainingData:
    """Digits on the device, and what is to be learned of them.

    Attributes
    ----------
    images
        uint8 (K, N, 28, 28): the digits, and copies of them, moved; some written by other hands in each.
    labels
        int64 (N,).
    targets
        Where labels alone will not do, probabilities float32 (K, N, 10 or 11); the eleventh class is "no digit".
    outliers
        uint8 (K, M, 28, 28), what is no digit; what goes with a copy is moved as its digits are.
    share
        How many non-digits there are in a batch, for each digit.
    """

    images: Tensor
    labels: Tensor
    targets: Tensor | None
    outliers: Tensor
    share: float

    def batch(self, index: Tensor, epoch: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return images float32 (B + S, 1, 28, 28) and their labels (B,) or probabilities (B + S, 10 or 11).

        The digits of ``index`` (B,) come first, then S non-digits drawn at random.
        """
        copy = (epoch - 1) % len(self.images)
        images = self.images[copy, index]
        if self.targets is None:
            return to_input(images), self.labels[index]
        targets = self.targets[copy, index]
        count = round(self.share * len(index))
        if count:
            drawn = torch.randint(self.outliers.shape[1], (count,), generator=generator).to(images.device)
            images = torch.cat([images, self.outliers[copy, drawn]])
            refused = F.one_hot(torch.tensor(CLASSES, device=images.device), CLASSES + 1).to(targets.dtype)
            targets = torch.cat([targets, refused.expand(count, -1)])
        return to_input(images), targets


def make_training_data(
    digits: DigitSet, recipe: Recipe, seed: int, device: torch.device, teacher: nn.Module | None
) -> TrainingData:
    """Return what a recipe teaches from ``digits``.

    A teacher answers for the digits and for copies that are moved a little, as it has learned them; the network meets
    the same ones, and may move and degrade them further, which leaves the answer. What other hands write, and what is
    no digit, is moved as the digits of the copy are: else a sharp picture or a blurred one would tell what it is.
    """
    images, labels = torch.tensor(digits.images, device=device), torch.tensor(digits.labels, device=device)
    count = min(COPIES, recipe.epochs) if teacher is not None else 1
    met = round(recipe.outliers * len(digits) * recipe.epochs)
    each = -(-min(MAX_OUTLIERS, met) // count)
    drawn = torch.tensor(make_outliers(each * count, digits, seed), device=device).unflatten(0, (count, each))
    rng = np.random.default_rng([seed, 2])
    shown, outliers, soft_targets = [], [], []
    for copy in range(count):
        shown.append(_transformed(images, copy, seed))
        outliers.append(_transformed(drawn[copy], copy, seed))
        if teacher is not None:
            with lowered(recipe.precision, device):
                soft_targets.append(predict_logits(teacher, shown[copy]).softmax(1))
        if recipe.writing_styles:
            rewritten = torch.tensor(
                with_writing_styles(digits.images, digits.labels, recipe.writing_styles, rng), device=device
            )
            shown[copy] = _transformed(rewritten, copy, seed)
    targets = None
    if teacher is not None or recipe.outliers:
        targets = F.one_hot(labels, CLASSES).float()[None]  # (1, N, 10)
    if soft_targets and targets is not None:
        targets = torch.lerp(targets, torch.stack(soft_targets), recipe.distill)  # (K, N, 10)
    if targets is not None and recipe.outliers:
        targets = F.pad(targets, (0, 1))  # (K, N, 11)
    return TrainingData(torch.stack(shown), labels, targets, torch.stack(outliers), recipe.outliers)


def _transformed(images: Tensor, copy: int, seed: int) -> Tensor:
    """Return images uint8 (N, 28, 28) as a copy has them: the first as they are, each other moved its own way."""
    if not copy or not len(images):
        return images
    generator = torch.Generator().manual_seed(seed * COPIES + copy)
    moved = [elastic(to_input(batch), generator).squeeze(1) for batch in images.split(BATCH)]
    return (torch.cat(moved).clamp(0, 1) * 255).round().to(torch.uint8)

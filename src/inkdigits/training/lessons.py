"""What a network is shown: digits with their labels, and, as the recipe says, a teacher's answers and non-digits."""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inkdigits.data import DigitSet
from inkdigits.data.augment import elastic
from inkdigits.data.digits import CLASSES
from inkdigits.data.hands import other_hands
from inkdigits.data.nondigits import non_digits
from inkdigits.training.device import lowered
from inkdigits.training.measure import BATCH, predict_logits, to_input
from inkdigits.training.recipe import Recipe

COPIES = 8  # of the training digits that a teacher answers for, the first as they are; the epochs take them in turn
NON_DIGITS = 80_000  # pictures of what is no digit, at most, drawn from in every batch


@dataclass(frozen=True)
class Lessons:
    """Digits on the device, and what is to be learned of them.

    Attributes
    ----------
    images
        uint8 (K, N, 28, 28): the digits, and copies of them, moved.
    labels
        int64 (N,).
    targets
        Where labels alone will not do, probabilities float32 (K, N, 10 or 11); the eleventh class is "no digit".
    strange
        uint8 (K, M, 28, 28), what is no digit; what goes with a copy is moved as its digits are.
    share
        How many non-digits there are in a batch, for each digit.
    """

    images: Tensor
    labels: Tensor
    targets: Tensor | None
    strange: Tensor
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
            drawn = torch.randint(self.strange.shape[1], (count,), generator=generator).to(images.device)
            images = torch.cat([images, self.strange[copy, drawn]])
            refused = F.one_hot(torch.tensor(CLASSES, device=images.device), CLASSES + 1).to(targets.dtype)
            targets = torch.cat([targets, refused.expand(count, -1)])
        return to_input(images), targets


def lessons(digits: DigitSet, recipe: Recipe, seed: int, device: torch.device, teacher: nn.Module | None) -> Lessons:
    """Return what a recipe teaches from ``digits``.

    A teacher answers for the digits and for copies that are moved a little, as it has learned them; the network meets
    the same ones, and may move and degrade them further, which leaves the answer.
    """
    images, labels = torch.tensor(digits.images, device=device), torch.tensor(digits.labels, device=device)
    images, targets = images[None], None
    if teacher is not None or recipe.non_digits:
        targets = F.one_hot(labels, CLASSES).float()[None]  # (1, N, 10)
    if teacher is not None and targets is not None:
        generator = torch.Generator().manual_seed(seed)
        moved = [_moved(images[0], generator) for _ in range(min(COPIES, recipe.epochs) - 1)]
        images = torch.cat([images, *(copy[None] for copy in moved)])
        with lowered(recipe.precision, device):
            answers = torch.stack([predict_logits(teacher, copy).softmax(1) for copy in images])  # (K, N, 10)
        targets = torch.lerp(targets, answers, recipe.distill)
    if recipe.hands:
        rng = np.random.default_rng([seed, 2])
        rewritten = [other_hands(copy.cpu().numpy(), digits.labels, recipe.hands, rng) for copy in images]
        images = torch.tensor(np.stack(rewritten), device=device)
    if targets is not None and recipe.non_digits:
        targets = F.pad(targets, (0, 1))  # (K, N, 11)
    met = round(recipe.non_digits * len(digits) * recipe.epochs)
    each = -(-min(NON_DIGITS, met) // len(images))
    strange = torch.tensor(non_digits(each * len(images), digits, seed), device=device).unflatten(
        0, (len(images), each)
    )
    if len(images) > 1 and each:  # moved as the digits of the copy are: else a blur would tell them apart
        generator = torch.Generator().manual_seed(seed)
        strange = torch.stack([strange[0], *(_moved(copy, generator) for copy in strange[1:])])
    return Lessons(images, labels, targets, strange, recipe.non_digits)


def _moved(images: Tensor, generator: torch.Generator) -> Tensor:
    moved = [elastic(to_input(batch), generator).squeeze(1) for batch in images.split(BATCH)]
    return (torch.cat(moved).clamp(0, 1) * 255).round().to(torch.uint8)

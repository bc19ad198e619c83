"""Tasks that learn new digits or lines while old ones are rehearsed, so that these are not forgotten.

A. Robins, "Catastrophic forgetting, rehearsal and pseudorehearsal", Connection Science 7(2), 1995,
doi:10.1080/09540099550039318. Batch norm keeps the statistics of the first training: a few hundred pictures of one kind
would shift them for all others.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from inkdigits.data import DigitSet
from inkdigits.imaging.strips import StripArea, cut_strip
from inkdigits.models.registry import CLASSES, model_spec
from inkdigits.training.checkpoint import Run
from inkdigits.training.digit_task import DigitTask
from inkdigits.training.inference import Scores, predict_logits
from inkdigits.training.line_task import LineBatch, LineTask, collate_strips, ctc_loss, score_batches
from inkdigits.training.recipe import Recipe
from inkdigits.training.training_data import TrainingData, make_training_data

TEMPERATURES = (0.8, 0.9, 1.0, 1.1, 1.2, 1.35, 1.5)  # that are tried for a line reader
FEWEST_STEPS = 40  # of an epoch; a few new digits are repeated
NEW_SHARE = 0.5  # of each batch that is new; the others are rehearsed


def keep_statistics(model: nn.Module) -> None:
    """Let batch norm use the statistics that it has, and not change them."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()


class DigitRehearsal(DigitTask):
    """Learns new digits; the other half of each batch are old digits, drawn at random."""

    def __init__(
        self, start: Run, recipe: Recipe, new: DigitSet, old: DigitSet, seed: int, device: torch.device
    ) -> None:
        self._new = len(new)
        self._of_new = round(recipe.batch_size * NEW_SHARE)
        steps = max(FEWEST_STEPS, -(-self._new // self._of_new))
        shown = steps * recipe.batch_size * recipe.epochs  # outliers are made for as many digits
        passes = max(1, round(shown / (len(new) + len(old))))
        data = make_training_data(DigitSet.joined(new, old), replace(recipe, epochs=passes), seed, device, None)
        super().__init__(model_spec(start.name), recipe, with_soft_targets(data, self._new, start.model), device)
        self.steps = steps

    def batches(self, epoch: int, generator: torch.Generator) -> Iterator[Tensor]:
        """Yield the indices (B,) of new digits, all of which are in an epoch, and of old ones."""
        passes = -(-self.steps * self._of_new // self._new)  # the last one is not completed
        order = torch.cat([torch.randperm(self._new, generator=generator) for _ in range(passes)])
        old = len(self.data.labels) - self._new
        for step in range(self.steps):
            new = order[step * self._of_new : (step + 1) * self._of_new]
            drawn = self._new + torch.randint(old, (self.recipe.batch_size - len(new),), generator=generator)
            yield torch.cat([new, drawn]).to(self.device)

    def loss(
        self, model: nn.Module, batch: Tensor, epoch: int, done: float, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Return the loss of the digits of a batch, and how many are read right."""
        keep_statistics(model)
        return super().loss(model, batch, epoch, done, generator)


def with_soft_targets(data: TrainingData, new: int, teacher: nn.Module) -> TrainingData:
    """Return the data with the teacher's probabilities as targets of all digits after the first ``new``.

    Z. Li, D. Hoiem, "Learning without forgetting", ECCV 2016, arXiv:1606.09282. Changed: the targets are those of
    old digits, and their temperature is 1.
    """
    targets = data.targets
    if targets is None:
        targets = F.one_hot(data.labels, CLASSES).float()[None]  # (1, N, 10)
    targets = targets.clone()
    targets[0, new:, :CLASSES] = predict_logits(teacher, data.images[0, new:]).softmax(1)
    return replace(data, targets=targets)


@dataclass(frozen=True)
class OwnLine:
    """A picture of one line, and what is written in it.

    Attributes
    ----------
    ink
        The ink of the picture, float32 (H, W) in [0, 1].
    area
        Where the line lies.
    text
        Digits and separators, as :class:`inkdigits.synthetic.lines.MadeLine` has them.
    read, confidence
        The digits that the network read before it learned, and the probability of its reading, in [0, 1].
    """

    ink: NDArray[np.float32]
    area: StripArea
    text: str
    read: str = ""
    confidence: float = 0.0


@dataclass(frozen=True)
class Views:
    """How much the cut and the writing of a line change each time that it is shown."""

    size: float = 0.16  # standard deviation of the logarithm of the strip's height
    place: float = 0.05  # heights; standard deviation of the middle
    slope: float = 0.03  # standard deviation, pixels down for each pixel to the right
    slant: float = 0.15  # standard deviation, pixels to the right for each pixel up
    wide: float = 0.12  # standard deviation of the logarithm of the width
    ends: float = 0.4  # heights of paper that are added at each end at most
    cut: float = 0.05  # heights that are cut off at each end at most
    contrast: tuple[float, float] = (0.7, 1.25)  # factor of the ink
    noise: float = 12.0  # levels of 255; largest standard deviation, on ink alone
    pen: float = 0.3  # share of the strips whose strokes get thicker or thinner


def random_view(line: OwnLine, rng: np.random.Generator, views: Views) -> NDArray[np.uint8]:
    """Return a strip uint8 (40, W) of a line, cut out and written a little differently each time."""
    scale, slope = float(np.exp(rng.normal(0, views.size))), float(rng.normal(0, views.slope))
    area = line.area.changed(scale, slope)
    height = line.area.height
    left, right = rng.uniform(-views.cut, views.ends, 2) * height
    area = StripArea(
        area.left - left,
        area.right + right,
        area.middle + float(rng.normal(0, views.place)) * height,
        area.height,
        area.slope,
    )
    strip = cut_strip(line.ink, area)
    rows, columns = strip.shape
    slant, wide = float(rng.normal(0, views.slant)), float(np.exp(rng.normal(0, views.wide)))
    width = max(8, round(columns * wide))
    matrix = np.array([[wide, slant, -slant * rows / 2], [0, 1, 0]])
    strip = np.asarray(cv2.warpAffine(strip, matrix, (width, rows)), np.uint8)
    if rng.random() < views.pen:
        kernel = np.ones((2, 2), np.uint8)
        strip = np.asarray((cv2.dilate if rng.random() < 0.5 else cv2.erode)(strip, kernel), np.uint8)
    noise = rng.uniform(0, views.noise) * rng.standard_normal(strip.shape, np.float32) * (strip > 0)
    return np.asarray(np.clip(strip * rng.uniform(*views.contrast) + noise, 0, 255), np.uint8)


class LineRehearsal(LineTask):
    """Learns new lines; half of the batches are made lines."""

    def __init__(
        self,
        recipe: Recipe,
        new: Sequence[OwnLine],
        held_out: Sequence[OwnLine],
        old: DigitSet,
        seed: int,
        device: torch.device,
        views: Views | None = None,
    ) -> None:
        super().__init__(recipe, old, seed, device)
        self._new, self._views = list(new), views or Views()
        self._held_out = plain_batches(held_out, recipe.batch_size)
        self.steps = max(1, -(-len(new) // recipe.batch_size))

    def batches(  # type: ignore[override]
        self, epoch: int, generator: torch.Generator
    ) -> Iterator[tuple[LineBatch, LineBatch]]:
        """Yield pairs of a batch of new lines and one of made lines."""
        rng = np.random.default_rng([self.seed, 5, epoch])
        order = np.concatenate([rng.permutation(len(self._new)) for _ in range(2)])
        size = min(self.recipe.batch_size, len(self._new))
        for step, rehearsed in enumerate(super().batches(epoch, generator)):
            chosen = [self._new[index] for index in order[step * size : (step + 1) * size]]
            strips = [random_view(line, rng, self._views) for line in chosen]
            yield collate_strips(strips, [line.text for line in chosen]).to(self.device), rehearsed

    def loss(
        self,
        model: nn.Module,
        batch: tuple[LineBatch, LineBatch],  # type: ignore[override]
        epoch: int,
        done: float,
        generator: torch.Generator,
    ) -> tuple[Tensor, Tensor]:
        """Return the mean loss of both batches, and how many of the new numbers are read right."""
        keep_statistics(model)
        new, rehearsed = batch
        loss, right = super().loss(model, new, epoch, done, generator)
        old_loss, _ = super().loss(model, rehearsed, epoch, done, generator)
        return NEW_SHARE * loss + (1 - NEW_SHARE) * old_loss, right

    def measure_new(self, model: nn.Module) -> Scores:
        """Return the scores on the held-out lines."""
        return score_batches(model, self._held_out, self.device)

    @torch.inference_mode()
    def fit_temperature(self, model: nn.Module, digits: DigitSet) -> float:
        """Return the T of :data:`TEMPERATURES` with the least CTC loss on the held-out lines and on made ones."""
        batches = [batch.to(self.device) for batch in (*self._held_out, *self.measured_on(digits))]
        logits = [model(batch.strips.unsqueeze(1).to(torch.float32) / 255)[0] for batch in batches]

        def loss(temperature: float) -> float:
            pairs = zip(logits, batches, strict=True)
            return sum(ctc_loss(shares / temperature, batch, "sum").item() for shares, batch in pairs)

        return min(TEMPERATURES, key=loss)


def plain_batches(lines: Sequence[OwnLine], size: int) -> list[LineBatch]:
    """Return lines as batches, as the reader cuts them out."""
    strips = [(cut_strip(line.ink, line.area), line.text) for line in lines]
    strips.sort(key=lambda pair: pair[0].shape[1])
    parts = [strips[start : start + size] for start in range(0, len(strips), size)]
    return [collate_strips([strip for strip, _ in part], [text for _, text in part]) for part in parts]

"""The task of lines: a strip of writing, and the characters on it. The lines are made while the network trains."""

import math
import os
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, fields
from itertools import count, islice
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as MapDataset

from inkdigits.data import DigitSet
from inkdigits.data.fonts import PRINT_FONTS, fonts_or_reason
from inkdigits.data.writing_styles import with_writing_styles
from inkdigits.errors import UsageError
from inkdigits.imaging.strips import HEIGHT, Strip, make_strip
from inkdigits.models.line_ctc import BLANK, EDGES, PAD, STRIDE
from inkdigits.synthetic.line_text import CHARACTERS, CROSSED_OUT, DIGITS
from inkdigits.synthetic.lines import MadeLine, Writers, make_line
from inkdigits.training.device import autocast
from inkdigits.training.inference import Scores
from inkdigits.training.recipe import Recipe

WIDEST = 10.0  # heights of the strip; wider lines are left out, as one of them widens a whole batch
WRITTEN_WITH = 40_000  # digits that the lines are written with, at most
MEASURED = 800  # lines that a network is measured on, of each part of the data
SORTED = 16  # batches whose lines are sorted by width, so that a batch needs little padding
EDGE_WEIGHT = 1.0  # of the edges' loss against that of the characters
EDGE_BETA = 0.05  # heights; the edges' loss is quadratic below
MIDDLE = 0.25  # share of a character's width at each side whose steps do not learn its edges
UNUSED = ("loss", "label_smoothing", "augment", "distill", "outliers", "epsilon")  # fields of a recipe


@dataclass(frozen=True)
class LineBatch:
    """Lines as tensors.

    Attributes
    ----------
    strips
        uint8 (B, 40, W), padded with paper on the right.
    steps
        Steps of the network that each strip takes, int64 (B,).
    targets, lengths
        The classes of all characters of all lines, int64 (sum of lengths,), and how many each line has, int64 (B,).
    edges, known
        Edges float32 (B, T, 4) as :class:`inkdigits.models.line_ctc.LineCTC` returns them, and the steps (B, T) at
        which they are known.
    """

    strips: Tensor
    steps: Tensor
    targets: Tensor
    lengths: Tensor
    edges: Tensor
    known: Tensor

    def to(self, device: torch.device) -> "LineBatch":
        """Return the batch on a device."""
        return LineBatch(*(getattr(self, field.name).to(device) for field in fields(self)))


def line_fonts() -> tuple[tuple[Path, ...], tuple[Path, ...], list[str]]:
    """Return the files of the fonts of handwriting and of print, and notes on those that cannot be had."""
    (written, lacks_written), (printed, lacks_printed) = fonts_or_reason(), fonts_or_reason(PRINT_FONTS)
    return written, printed, [note for note in dict.fromkeys((lacks_written, lacks_printed)) if note]


def require_line_recipe(model: str, recipe: Recipe) -> None:
    """Raise UsageError when a recipe has what only digit networks learn with, or a batch larger than an epoch."""
    for field in fields(Recipe):
        if field.name in UNUSED and getattr(recipe, field.name) != field.default:
            name = field.name.replace("_", "-")
            raise UsageError(f"{model} reads lines; --{name} is for networks that read digits, leave it out")
    if recipe.batch_size > recipe.lines:
        raise UsageError(f"batch-size {recipe.batch_size} is larger than the {recipe.lines} lines of an epoch")


def collate(lines: Sequence[MadeLine]) -> LineBatch:
    """Return made lines as a batch."""
    strips = [make_strip(line.image) for line in lines]
    batch = collate_strips(strips, [line.text for line in lines])
    for line, strip, edges, known in zip(lines, strips, batch.edges.numpy(), batch.known.numpy(), strict=True):
        _place_edges(line, strip, edges, known)
    return batch


def collate_strips(strips: Sequence[Strip], texts: Sequence[str]) -> LineBatch:
    """Return strips uint8 (40, W) and their texts as a batch without edges."""
    width = -(-max(strip.shape[1] for strip in strips) // STRIDE) * STRIDE
    padded = np.zeros((len(strips), HEIGHT, width), np.uint8)
    for row, strip in zip(padded, strips, strict=True):
        row[:, : strip.shape[1]] = strip
    steps = (width + 2 * PAD) // STRIDE
    return LineBatch(
        torch.from_numpy(padded),
        torch.tensor([-(-(strip.shape[1] + 2 * PAD) // STRIDE) for strip in strips]),
        torch.tensor([1 + CHARACTERS.index(c) for text in texts for c in text], dtype=torch.int64),
        torch.tensor([len(text) for text in texts]),
        torch.zeros(len(strips), steps, EDGES),
        torch.zeros(len(strips), steps, dtype=torch.bool),
    )


def _place_edges(line: MadeLine, strip: Strip, edges: NDArray[np.float32], known: NDArray[np.bool_]) -> None:
    """Write the edges of a line's characters at the steps in their middle."""
    scale = HEIGHT / line.image.shape[0]
    pixels = STRIDE * np.arange(len(known)) - PAD + STRIDE / 2
    for x, y, width, height in line.boxes * scale:
        middle = np.abs(pixels - x - width / 2) <= max(STRIDE / 2, width * (0.5 - MIDDLE))
        edges[middle, 0] = pixels[middle] - x
        edges[middle, 1] = x + width - pixels[middle]
        edges[middle, 2], edges[middle, 3] = y, y + height
        known |= middle
    edges /= HEIGHT


class LineBatches(MapDataset[list[LineBatch]]):
    """Groups of SORTED batches by index; the same seed and index make the same lines."""

    def __init__(self, writers: Writers, batch_size: int, seed: int) -> None:
        self._writers, self._size, self._seed = writers, batch_size, seed

    def __getitem__(self, index: int) -> list[LineBatch]:
        rng = np.random.default_rng([self._seed, 3, index])
        made = (make_line(rng, self._writers) for _ in count())
        lines = list(islice((line for line in made if _width(line) <= WIDEST), SORTED * self._size))
        lines.sort(key=_width)
        groups = [lines[start : start + self._size] for start in range(0, len(lines), self._size)]
        return [collate(groups[place]) for place in rng.permutation(SORTED)]


def _width(line: MadeLine) -> float:
    """Return the width of a line in heights of its picture."""
    height, width = line.image.shape
    return float(width / height)


class LineTask:
    """Learns lines that are made of training digits, fonts and strokes."""

    def __init__(self, recipe: Recipe, digits: DigitSet, seed: int, device: torch.device) -> None:
        self.recipe, self.seed, self.device = recipe, seed, device
        self.steps = recipe.lines // recipe.batch_size
        self._written, self._printed, _ = line_fonts()
        self._data = LineBatches(self._writers(digits), recipe.batch_size, seed)
        self._stream: Generator[LineBatch, None, None] | None = None
        self._measured: list[tuple[DigitSet, list[LineBatch]]] = []

    def _writers(self, digits: DigitSet) -> Writers:
        rng, digits = np.random.default_rng([self.seed, 2]), digits[:WRITTEN_WITH]
        styled = with_writing_styles(digits.images, digits.labels, self.recipe.writing_styles, rng)
        return Writers(DigitSet(styled, digits.labels), self._written, prints=self._printed)

    def batches(self, epoch: int, generator: torch.Generator) -> Iterator[LineBatch]:
        """Yield the batches of an epoch; processes of their own make the lines ahead of time."""
        if self._stream is None:
            self._stream = self._batches_from((epoch - 1) * self.steps)
        for _ in range(self.steps):
            yield next(self._stream).to(self.device)

    def close(self) -> None:
        """End the processes that make lines; PyTorch raises in the main process when one of them ends later."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def _batches_from(self, first: int) -> Generator[LineBatch, None, None]:
        groups = range(first // SORTED, -(-self.recipe.epochs * self.steps // SORTED))
        workers = max(1, (os.cpu_count() or 1) // 2)
        loader = DataLoader(
            self._data,
            None,
            sampler=groups,
            num_workers=workers,
            worker_init_fn=_one_thread,
            generator=torch.Generator(),  # else it draws from PyTorch's, and the dropout after a resumption differs
            prefetch_factor=2,
        )
        skipped = first % SORTED
        for group in loader:
            yield from group[skipped:]
            skipped = 0

    def loss(
        self, model: nn.Module, batch: LineBatch, epoch: int, done: float, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Return the loss of characters and edges, and how many numbers are read right."""
        with autocast(self.recipe.precision, self.device):
            logits, edges = model(batch.strips.unsqueeze(1).to(torch.float32) / 255)
        characters = ctc_loss(logits.float(), batch, "mean")
        right = torch.tensor(count_right(logits.detach(), batch), device=self.device)
        return characters + EDGE_WEIGHT * edge_loss(edges.float(), batch), right

    def measured_on(self, digits: DigitSet) -> list[LineBatch]:
        """Return the lines of ``digits`` that a network is measured on, made when first asked for."""
        for known, batches in self._measured:
            if known is digits:
                return batches
        batches = LineBatches(self._writers(digits), MEASURED // SORTED, self.seed + 1_000_003)[0]
        self._measured.append((digits, batches))
        return batches

    def measure(self, model: nn.Module, digits: DigitSet) -> Scores:
        """Return :func:`score_batches` on 800 lines made of ``digits``, always the same; NaN without digits."""
        if not len(digits):
            return Scores(math.nan, math.nan, math.nan)
        return score_batches(model, self.measured_on(digits), self.device)


@torch.inference_mode()
def score_batches(model: nn.Module, batches: Sequence[LineBatch], device: torch.device) -> Scores:
    """Return a network's scores on lines.

    Cross-entropy is that of CTC, nats per character; MSE is that of the edges, in squared heights of the strip, NaN
    where none are known; accuracy is the share of the lines whose digits are all right.
    """
    was_training = model.training
    model.eval()
    sums, right, lines = np.zeros(4), 0, 0
    for kept in batches:
        batch = kept.to(device)
        logits, edges = model(batch.strips.unsqueeze(1).to(torch.float32) / 255)
        squared = ((edges - batch.edges)[batch.known] ** 2).double()
        sums += (
            ctc_loss(logits, batch, "sum").item(),
            batch.lengths.sum().item(),
            squared.sum().item(),
            squared.numel(),
        )
        right += count_right(logits, batch)
        lines += len(batch.lengths)
    model.train(was_training)
    mse = sums[2] / sums[3] if sums[3] else math.nan
    return Scores(sums[0] / sums[1], mse, right / lines)


def _one_thread(worker: int) -> None:
    cv2.setNumThreads(0)


def ctc_loss(logits: Tensor, batch: LineBatch, reduction: str) -> Tensor:
    """Return the CTC loss of logits (B, T, 17): ``mean`` is per character, then over lines; ``sum`` is of all lines."""
    shares = logits.log_softmax(2).transpose(0, 1)  # (T, B, 17)
    loss: Tensor = F.ctc_loss(
        shares, batch.targets, batch.steps, batch.lengths, BLANK, reduction=reduction, zero_infinity=True
    )
    return loss


def edge_loss(edges: Tensor, batch: LineBatch) -> Tensor:
    """Return the smooth L1 loss of edges (B, T, 4) where they are known, in heights of the strip."""
    known = batch.known
    return F.smooth_l1_loss(edges[known], batch.edges[known], beta=EDGE_BETA) if known.any() else edges.sum() * 0


def greedy(logits: Tensor, steps: Tensor) -> list[str]:
    """Return for each line the likeliest class of each step, repeated ones merged, without blanks."""
    out = []
    for classes, known in zip(logits.argmax(2).cpu().numpy(), steps.tolist(), strict=True):
        path = classes[:known]
        kept = path[(path != BLANK) & (np.diff(path, prepend=BLANK) != 0)]
        out.append("".join(CHARACTERS[c - 1] for c in kept))
    return out


def count_right(logits: Tensor, batch: LineBatch) -> int:
    """Return for how many lines the digits, crossed-out ones among them, are all right."""
    texts, kept, start = greedy(logits, batch.steps), DIGITS + CROSSED_OUT, 0
    targets, right = batch.targets.tolist(), 0
    for text, length in zip(texts, batch.lengths.tolist(), strict=True):
        truth = "".join(CHARACTERS[c - 1] for c in targets[start : start + length])
        start += length
        right += [c for c in text if c in kept] == [c for c in truth if c in kept]
    return right

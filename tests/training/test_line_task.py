"""What a line network learns from: made lines as batches, their loss, and how often it reads them."""

import math
import multiprocessing
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from inkdigits.data import Dataset
from inkdigits.data.fonts import FONTS, PRINT_FONTS, Font
from inkdigits.errors import UsageError
from inkdigits.imaging.strips import HEIGHT, make_strip
from inkdigits.models import create_model
from inkdigits.models.line_ctc import BLANK, PAD, STRIDE
from inkdigits.synthetic.line_text import CHARACTERS
from inkdigits.synthetic.lines import MadeLine, Writers, make_line
from inkdigits.synthetic.outliers import font_files
from inkdigits.training import line_task, recipe_for, train
from inkdigits.training.line_task import (
    LineBatch,
    LineBatches,
    LineTask,
    collate,
    count_right,
    ctc_loss,
    edge_loss,
    greedy,
    line_fonts,
    require_line_recipe,
)
from inkdigits.training.recipe import Recipe

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def no_fonts(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test fetches a font."""
    monkeypatch.setattr(line_task, "fonts_or_reason", lambda fonts=FONTS: ((), "no network"))


@pytest.fixture(scope="module")
def writers(small: Dataset) -> Writers:
    return Writers(small.train, font_files()[:1], prints=font_files()[1:2])


@pytest.fixture(scope="module")
def lines(writers: Writers) -> list[MadeLine]:
    rng = np.random.default_rng(0)
    return [make_line(rng, writers) for _ in range(12)]


@pytest.fixture(scope="module")
def batch(lines: list[MadeLine]) -> LineBatch:
    return collate(lines)


def said(texts: list[str]) -> LineBatch:
    """A batch without strips that only says what is written."""
    empty = torch.zeros(0)
    return LineBatch(
        empty,
        torch.tensor([2 * len(text) + 1 for text in texts]),
        torch.tensor([1 + CHARACTERS.index(c) for text in texts for c in text], dtype=torch.int64),
        torch.tensor([len(text) for text in texts]),
        empty,
        empty,
    )


def logits_of(paths: list[str]) -> Tensor:
    """Logits (B, T, 17) of networks that are sure of a path; ``_`` is the blank."""
    longest = max(map(len, paths))
    logits = torch.zeros(len(paths), longest, 1 + len(CHARACTERS))
    for row, path in enumerate(paths):
        for step, c in enumerate(path.ljust(longest, "_")):
            logits[row, step, BLANK if c == "_" else 1 + CHARACTERS.index(c)] = 20
    return logits


def same(one: LineBatch, other: LineBatch) -> bool:
    fields = ("strips", "steps", "targets", "lengths", "edges", "known")
    return all(torch.equal(getattr(one, name), getattr(other, name)) for name in fields)


def test_a_batch_holds_every_strip_and_text(lines: list[MadeLine], batch: LineBatch) -> None:
    widest = max(make_strip(line.image).shape[1] for line in lines)
    assert batch.strips.shape[:2] == (12, HEIGHT)
    assert widest <= batch.strips.shape[2] < widest + STRIDE
    assert batch.strips.shape[2] % STRIDE == 0
    start = 0
    for row, line in enumerate(lines):
        strip = make_strip(line.image)
        assert (batch.strips[row, :, : strip.shape[1]].numpy() == strip).all()
        assert not batch.strips[row, :, strip.shape[1] :].any()  # paper
        assert batch.steps[row] == math.ceil((strip.shape[1] + 2 * PAD) / STRIDE)
        assert batch.lengths[row] == len(line.text)
        targets = batch.targets[start : start + len(line.text)].tolist()
        assert "".join(CHARACTERS[c - 1] for c in targets) == line.text
        start += len(line.text)
    assert start == len(batch.targets)
    assert batch.targets.min() > BLANK


def test_a_batch_fits_the_network(batch: LineBatch) -> None:
    model = create_model("line-ctc", channels=[4, 4, 4], features=4, dilations=[1]).eval()
    logits, edges = model(batch.strips.unsqueeze(1).float() / 255)
    assert edges.shape == batch.edges.shape
    assert logits.shape[1] == batch.known.shape[1] >= batch.steps.max()


def test_edges_are_known_within_a_characters_box(lines: list[MadeLine], batch: LineBatch) -> None:
    for row, line in enumerate(lines):
        boxes = line.boxes * (HEIGHT / line.image.shape[0])
        steps = batch.known[row].nonzero()[:, 0].tolist()
        found = set()
        for step in steps:
            pixel = STRIDE * step - PAD + STRIDE / 2
            left, right, top, bottom = (HEIGHT * batch.edges[row, step]).tolist()
            box = (pixel - left, top, right + left, bottom - top)
            near = np.abs(boxes - box).max(1)
            assert near.min() < 1e-3  # it is the box of a character
            x, _, width, _ = boxes[near.argmin()]
            assert x - STRIDE / 2 <= pixel <= x + width + STRIDE / 2
            assert abs(pixel - x - width / 2) <= max(STRIDE / 2, width / 4) + 1e-3  # and its middle is here
            found.add(int(near.argmin()))
        assert len(found) >= 0.8 * len(boxes)  # where characters overlap, the right one is kept
        assert not batch.edges[row][~batch.known[row]].any()


def test_a_line_without_text_makes_a_batch() -> None:
    blank = MadeLine(np.full((50, 100), 200, np.uint8), "", np.zeros((0, 4), np.float32))
    made = collate([blank, blank])
    assert made.strips.shape == (2, HEIGHT, 80)
    assert made.targets.shape == (0,)
    assert made.targets.dtype == torch.int64
    assert not made.known.any()
    logits = torch.zeros(2, 24, 1 + len(CHARACTERS), requires_grad=True)
    loss = ctc_loss(logits, made, "mean") + edge_loss(torch.zeros(2, 24, 4, requires_grad=True), made)
    loss.backward()
    assert loss.isfinite()


def test_the_same_seed_and_index_make_the_same_batches(small: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line_task, "SORTED", 4)
    first, again, other_seed = (LineBatches(Writers(small.train), 3, seed) for seed in (1, 1, 2))
    group = first[5]
    assert [len(made.lengths) for made in group] == [3] * 4
    assert all(same(one, other) for one, other in zip(group, again[5], strict=True))
    assert not any(same(one, other) for one, other in zip(group, again[6], strict=True))
    assert not any(same(one, other) for one, other in zip(group, other_seed[5], strict=True))


def test_lines_of_a_batch_are_of_similar_width_and_none_is_too_wide(
    small: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line_task, "WIDEST", 4.0)
    group = LineBatches(Writers(small.train), 4, 0)[0]
    assert max(made.strips.shape[2] for made in group) <= 4 * HEIGHT
    steps = [made.steps for made in group]
    spreads = [(s.max() - s.min()).item() for s in steps]
    assert np.median(spreads) < 0.25 * np.ptp(torch.cat(steps).numpy())
    assert [s.min().item() for s in steps] != sorted(s.min().item() for s in steps)  # in a random order


def recipe(**settings: object) -> Recipe:
    return recipe_for("line-ctc", "fast", {"epochs": 3, "lines": 64, "batch_size": 8, **settings})[0]


def epochs_of(task: LineTask, epochs: range) -> Iterator[LineBatch]:
    for epoch in epochs:
        yield from task.batches(epoch, torch.Generator())


def test_a_resumed_stream_goes_on_with_the_batches_of_an_uninterrupted_one(
    small: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An epoch of 8 batches is no whole number of the groups of 6 in which lines are made."""
    monkeypatch.setattr(line_task, "SORTED", 6)
    whole = list(epochs_of(LineTask(recipe(), small.train, 4, CPU), range(1, 4)))
    assert len(whole) == 24
    assert not any(same(whole[0], other) for other in whole[1:])  # no line comes twice
    for epoch in (2, 3):
        resumed = list(epochs_of(LineTask(recipe(), small.train, 4, CPU), range(epoch, 4)))
        assert len(resumed) == 8 * (4 - epoch)
        assert all(same(one, other) for one, other in zip(resumed, whole[-len(resumed) :], strict=True))


def test_no_process_makes_lines_after_a_task_is_closed(small: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line_task, "SORTED", 2)
    before = set(multiprocessing.active_children())
    task = LineTask(recipe(), small.train, 4, CPU)
    next(task.batches(1, torch.Generator()))
    assert set(multiprocessing.active_children()) > before
    task.close()
    assert set(multiprocessing.active_children()) <= before


def test_perfect_edges_have_no_loss_and_others_have_some(batch: LineBatch) -> None:
    assert edge_loss(batch.edges, batch) == 0
    off = batch.edges + 0.3
    assert edge_loss(off, batch).item() == pytest.approx(0.3 - line_task.EDGE_BETA / 2, abs=1e-5)
    elsewhere = torch.where(batch.known.unsqueeze(2), batch.edges, torch.tensor(7.0))
    assert edge_loss(elsewhere, batch) == 0  # steps between the characters do not count
    unknown = replace(batch, known=torch.zeros_like(batch.known))
    assert edge_loss(off, unknown) == 0


def test_a_network_that_is_sure_of_the_text_has_no_loss_of_characters() -> None:
    sure, wrong = logits_of(["_1_2_", "_3_3_"]), logits_of(["_1_1_", "_3_4_"])
    truth = said(["12", "33"])
    assert ctc_loss(sure, truth, "mean").item() == pytest.approx(0, abs=1e-4)
    assert ctc_loss(wrong, truth, "mean").item() == pytest.approx(10, abs=0.1)  # 20 nats, one of two characters
    assert ctc_loss(wrong, truth, "sum").item() == pytest.approx(40, abs=0.1)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("__1__", "1"),
        ("1111", "1"),
        ("11_11", "11"),
        ("1_2233_", "123"),
        ("12_21", "1221"),
        ("_____", ""),
        ("?x.,-/", "?x.,-/"),
    ],
)
def test_the_likeliest_path_becomes_a_text(path: str, text: str) -> None:
    assert greedy(logits_of([path]), torch.tensor([len(path)])) == [text]


def test_steps_on_the_padding_are_not_read() -> None:
    assert greedy(logits_of(["1_2_3", "1_2_3"]), torch.tensor([5, 3])) == ["123", "12"]


@pytest.mark.parametrize(
    ("path", "truth", "right"),
    [
        ("1_2_3", "123", 1),
        ("1_2_3", "124", 0),
        ("1_2__", "123", 0),
        ("1_2_3", "1?23", 1),  # letters, signs and separators are not counted
        ("?1_2_?", "12", 1),
        ("1.2,3", "1-23", 1),
        ("1_x_3", "1x3", 1),  # crossed-out digits are
        ("1___3", "1x3", 0),
        ("1_2_3", "1x3", 0),
        ("_____", "", 1),
        ("?_?__", "??", 1),
    ],
)
def test_a_line_is_right_when_its_digits_are(path: str, truth: str, right: int) -> None:
    both = said([truth, "77"])
    logits = logits_of([path, "7_7"])
    batch = replace(both, steps=torch.tensor([logits.shape[1]] * 2))
    assert count_right(logits, batch) == right + 1


@pytest.mark.parametrize(
    ("settings", "option"),
    [
        ({"augment": "robust"}, "--augment"),
        ({"label_smoothing": 0.1}, "--label-smoothing"),
        ({"distill": 0.5}, "--distill"),
        ({"outliers": 0.1}, "--outliers"),
        ({"epsilon": 0.1}, "--epsilon"),
        ({"loss": "mse"}, "--loss"),
    ],
)
def test_what_only_digit_networks_learn_with_is_refused(
    settings: dict[str, object], option: str, small: Dataset
) -> None:
    says = f"^line-ctc reads lines; {option} is for networks that read digits, leave it out$"
    with pytest.raises(UsageError, match=says):
        require_line_recipe("line-ctc", recipe(**settings))
    with pytest.raises(UsageError, match=says):
        train("line-ctc", small, preset="fast", **settings)


def test_a_batch_has_at_most_the_lines_of_an_epoch(small: Dataset) -> None:
    with pytest.raises(UsageError, match=r"^batch-size 65 is larger than the 64 lines of an epoch$"):
        train("line-ctc", small, preset="fast", lines=64, batch_size=65)
    require_line_recipe("line-ctc", recipe(batch_size=64))
    with pytest.raises(UsageError, match=r"^mlp reads digits; --lines is for networks that read lines, leave it out$"):
        train("mlp", small, lines=64)


def test_fonts_that_cannot_be_had_are_noted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    assert line_fonts() == ((), (), ["no network"])

    def some(fonts: tuple[Font, ...] = FONTS) -> tuple[tuple[Path, ...], str]:
        return ((), "no print") if fonts is PRINT_FONTS else ((Path("a.woff2"),), "")

    monkeypatch.setattr(line_task, "fonts_or_reason", some)
    assert line_fonts() == ((Path("a.woff2"),), (), ["no print"])


class Perfect(nn.Module):
    """Says what is written, batch by batch."""

    def __init__(self, batches: list[LineBatch]) -> None:
        super().__init__()
        self.answers = iter(batches)

    def forward(self, strips: Tensor) -> tuple[Tensor, Tensor]:
        batch, start = next(self.answers), 0
        assert strips.shape[0] == len(batch.lengths)
        logits = torch.zeros(*batch.known.shape, 1 + len(CHARACTERS))
        logits[..., BLANK] = 10
        for row, length in enumerate(batch.lengths.tolist()):
            for step, target in enumerate(batch.targets[start : start + length].tolist()):
                logits[row, 2 * step, target] = 40
            start += length
        return logits, batch.edges


class Clueless(nn.Module):
    """Finds every character as likely as any other; counts the lines."""

    lines = 0

    def forward(self, strips: Tensor) -> tuple[Tensor, Tensor]:
        self.lines += len(strips)
        steps = (strips.shape[3] + 2 * PAD) // STRIDE
        return torch.zeros(len(strips), steps, 1 + len(CHARACTERS)), torch.zeros(len(strips), steps, 4)


def test_scores_are_those_of_800_lines() -> None:
    assert line_task.MEASURED == 800
    assert line_task.MEASURED % line_task.SORTED == 0


def test_a_perfect_network_has_perfect_scores(small: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line_task, "MEASURED", 32)
    task, clueless = LineTask(recipe(), small.train, 0, CPU), Clueless()
    poor = task.measure(clueless, small.test)
    assert clueless.lines == 32
    ((_, batches),) = task._measured
    good = task.measure(Perfect(batches), small.test)
    assert good.accuracy > 0.95  # two digits that touch may lack the blank between them
    assert good.cross_entropy < 0.1 < poor.cross_entropy
    squared = torch.cat([batch.edges[batch.known] for batch in batches]).double() ** 2
    assert poor.mse == pytest.approx(squared.mean().item())  # it says that every edge is at 0
    assert poor.cross_entropy < math.log(1 + len(CHARACTERS)) * max(batch.known.shape[1] for batch in batches)
    assert good.mse == 0
    assert poor.accuracy < 0.3
    nothing = task.measure(clueless, small.test[:0])
    assert all(math.isnan(value) for value in (nothing.cross_entropy, nothing.mse, nothing.accuracy))


def test_a_network_is_not_measured_on_the_lines_that_it_learned(
    small: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line_task, "MEASURED", 128)
    task = LineTask(recipe(batch_size=8), small.train, 0, CPU)
    learned = list(islice(task.batches(1, torch.Generator()), 8))
    task.measure(Clueless(), small.train)
    ((_, measured),) = task._measured
    assert [len(batch.lengths) for batch in measured] == [8] * 16
    assert not any(same(one, other) for one in measured for other in learned)

"""Fine-tuning from a user's own pictures to a calibrated ONNX file."""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from inkdigits.data import Dataset, DigitSet
from inkdigits.errors import DataError
from inkdigits.evaluation.label_errors import SUSPECT_FROM, LabelErrors, find_label_errors
from inkdigits.exporting.deployed import calibrate
from inkdigits.exporting.line_file import export_lines
from inkdigits.exporting.onnx_file import write_digits
from inkdigits.reader.ctc import edits
from inkdigits.training import Run
from inkdigits.training.finetuning import DIGITS, LINES, OLD_DIGITS, OLD_LINES, Tuned, tune
from inkdigits.training.inference import Scores, logits_of, measure
from inkdigits.training.loop import default_validation
from inkdigits.training.recipe import Recipe
from inkdigits.training.rehearsal import DigitRehearsal, LineRehearsal, OwnLine
from inkdigits.training.trainer import Progress

HELD_OUT = 0.15  # share of the new digits or lines that is held out
FEWEST_DIGITS, FEWEST_LINES = 20, 20  # fewer cannot be learned from and measured on
FEWEST_OF_A_CLASS = 2  # digits: one to learn from, one to measure on
MOST_OF_NEW = 40_000  # digits that are learned from; more are better trained on with `inkdigits train`
MOST_WRONG = 0.7  # edits for each digit; labels of other pictures with numbers of the same length need 0.75 and more
REHEARSED = 10_000  # old digits that are rehearsed
WATCHED = 1_000  # old validation digits that are measured after each epoch; the table has all of them
WRITTEN_WITH = 5_000  # old digits that made lines are written with
CALIBRATED_ON = 1_000  # old digits that join the held-out new ones for the calibration, at least


@dataclass(frozen=True)
class FineTuned:
    """A network that has learned a user's own digits or lines, and its file.

    Attributes
    ----------
    path
        The ONNX file.
    tuned
        The scores before and after.
    learned, held_out
        How many new digits or lines were learned from, and measured on.
    old_name
        What the old digits or lines are called.
    """

    path: Path
    tuned: Tuned
    learned: int
    held_out: int
    old_name: str
    card: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON object."""
        return {
            "path": str(self.path),
            "learned": self.learned,
            "held_out": self.held_out,
            "best_epoch": self.tuned.best,
            "share_of_new_weights": self.tuned.share,
            "epochs": self.tuned.epochs,
            "interrupted": self.tuned.interrupted,
            "own": _before_after(self.tuned.new),
            self.old_name: _before_after(self.tuned.old),
            "card": self.card,
        }


def _before_after(scores: tuple[Scores, Scores]) -> dict[str, Any]:
    return dict(zip(("before", "after"), map(asdict, scores), strict=True))


def check_labels(start: Run, digits: DigitSet) -> LabelErrors:
    """Return the labels that look wrong to the network that is to be fine-tuned.

    Raises
    ------
    DataError
        When there are too few digits, too many, or too few of a class.
    """
    if len(digits) > MOST_OF_NEW:
        raise DataError(
            f"{len(digits)} digits are more than {MOST_OF_NEW}; `inkdigits train --data` learns from so many"
        )
    if len(digits) < FEWEST_DIGITS:
        raise DataError(
            f"{len(digits)} digits are too few to learn from and to measure on; give {FEWEST_DIGITS} or more"
        )
    few = [str(label) for label, n in enumerate(digits.counts) if 0 < n < FEWEST_OF_A_CLASS]
    if few:
        raise DataError(f"there is one digit {few[0]} only; give {FEWEST_OF_A_CLASS} or more of each, or none")
    logits = torch.tensor(logits_of(start.model, digits.images))
    return find_label_errors(logits.softmax(1).numpy(), digits.labels)


def check_lines(lines: Sequence[OwnLine]) -> tuple[list[int], str]:
    """Return the indices of the lines whose label looks wrong, and why these labels cannot be learned from, or "".

    Raises
    ------
    DataError
        When there are too few lines.
    """
    if len(lines) < FEWEST_LINES:
        raise DataError(f"{len(lines)} lines are too few to learn from and to measure on; give {FEWEST_LINES} or more")
    truths = ["".join(c for c in line.text if c in "0123456789") for line in lines]
    pairs = list(zip(lines, truths, strict=True))
    suspects = [i for i, (line, truth) in enumerate(pairs) if line.read != truth and line.confidence >= SUSPECT_FROM]
    wrong = sum(sum(kind != "equal" for kind, *_ in edits(line.read, truth)) for line, truth in pairs)
    share = wrong / max(1, sum(map(len, truths)))
    if share <= MOST_WRONG:
        return suspects, ""
    return (
        suspects,
        f"the labels agree with the pictures no better than chance (edits: {100 * share:.0f} % of the digits)",
    )


def finetune_digits(
    start: Run, own: DigitSet, old: Dataset, out: Path, progress: Progress, recipe: Recipe = DIGITS, seed: int = 0
) -> FineTuned:
    """Fine-tune a network for digits, calibrate it anew, and write it as ONNX.

    Parameters
    ----------
    own
        The new digits; a part is held out for early stopping, the table and the calibration.
    old
        The data set that is rehearsed; its validation digits are measured on, its test digits are not.

    Raises
    ------
    DataError
        See :func:`check_labels`.
    """
    cpu = torch.device("cpu")
    learned, held = _split(own, seed)
    train, validation = old.train.split(default_validation(len(old.train)), seed=0)
    rehearsed = _at_most(REHEARSED, train, seed)
    exposed = start.settings["recipe"]["outliers"]
    task = DigitRehearsal(start, replace(recipe, outliers=exposed), learned, rehearsed, seed, cpu)

    watched = _at_most(WATCHED, validation, seed)

    def scores(model: nn.Module) -> tuple[Scores, Scores]:
        return measure(model, held, cpu), measure(model, watched, cpu)

    tuned = tune(start, task, task.recipe, scores, progress, cpu, OLD_DIGITS, seed)
    of_all = (measure(start.model, validation, cpu), measure(tuned.run.model, validation, cpu))
    tuned = replace(tuned, old=of_all)
    run = _finished(tuned.run, start, len(learned), len(held), Dataset("own", own, own[:0]).sha256)
    beside = min(len(validation) - 1, max(CALIBRATED_ON, len(held)))
    settings = calibrate(run, DigitSet.joined(held, validation.split(beside, seed)[1]))
    done = write_digits(run, settings, rehearsed, validation, out, int8=False)
    return FineTuned(out, replace(tuned, run=run), len(learned), len(held), "mnist", done.card)


def _at_most(count: int, digits: DigitSet, seed: int) -> DigitSet:
    """Return ``count`` digits drawn at random, or all if there are no more."""
    return digits if len(digits) <= count else digits.split(count, seed)[1]


def _split(own: DigitSet, seed: int) -> tuple[DigitSet, DigitSet]:
    """Return the new digits that are learned from, and those that are held out: at least one of each class."""
    chosen = np.zeros(len(own), bool)
    rng = np.random.default_rng([seed, 11])
    for label in np.unique(own.labels):
        members = rng.permutation(np.flatnonzero(own.labels == label))
        chosen[members[: max(1, round(HELD_OUT * len(members)))]] = True
    return own[np.flatnonzero(~chosen)], own[np.flatnonzero(chosen)]


def finetune_lines(
    start: Run,
    own: Sequence[OwnLine],
    old: Dataset,
    out: Path,
    progress: Progress,
    recipe: Recipe = LINES,
    seed: int = 0,
) -> FineTuned:
    """Fine-tune a line reader, calibrate it anew, and write it as ONNX; otherwise as :func:`finetune_digits`.

    Raises
    ------
    DataError
        When there are too few lines.
    """
    check_lines(own)
    cpu = torch.device("cpu")
    order = np.random.default_rng([seed, 11]).permutation(len(own))
    held_out = max(2, round(HELD_OUT * len(own)))
    held, learned = ([own[i] for i in part] for part in (order[:held_out], order[held_out:]))
    train, validation = old.train.split(default_validation(len(old.train)), seed=0)
    recipe = replace(recipe, batch_size=min(recipe.batch_size, len(learned)))
    task = LineRehearsal(recipe, learned, held, _at_most(WRITTEN_WITH, train, seed), seed, cpu)
    try:

        def scores(model: nn.Module) -> tuple[Scores, Scores]:
            return task.measure_new(model), task.measure(model, validation)

        tuned = tune(start, task, recipe, scores, progress, cpu, OLD_LINES, seed)
        temperature = task.fit_temperature(tuned.run.model, validation)
    finally:
        task.close()
    digest = hashlib.sha256(b"".join(line.text.encode() + line.ink.tobytes() for line in own)).hexdigest()
    run = _finished(tuned.run, start, len(learned), len(held), digest)
    done = export_lines(run, out, temperature)
    return FineTuned(out, replace(tuned, run=run), len(learned), len(held), "made_lines", done.card)


def _finished(run: Run, start: Run, learned: int, held_out: int, sha256: str) -> Run:
    """Return a run with the data that it learned from, and the hash of its weights."""
    data = {
        "name": "own",
        "sha256": sha256,
        "train": learned,
        "validation": held_out,
        "before": start.settings["data"],
    }
    weights = b"".join(value.numpy().tobytes() for value in run.model.state_dict().values())
    return replace(run, settings={**run.settings, "data": data}, weights_sha256=hashlib.sha256(weights).hexdigest())

"""Training: one straight step, repeated; everything that can be chosen is in the recipe or the model's spec."""

import json
import math
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from inkdigits.data import Dataset, DigitSet, load
from inkdigits.data.augment import augmentation
from inkdigits.errors import RunError, UsageError
from inkdigits.models import create_model, model_spec
from inkdigits.models.registry import Criterion, resolve_options
from inkdigits.training import checkpoint
from inkdigits.training.adversarial import pgd_attack
from inkdigits.training.checkpoint import EpochRow, Run, State
from inkdigits.training.device import channels_last, hardware, keep_freed_memory, lowered, select_device, versions
from inkdigits.training.inference import Scores, predict_logits, score, softmax_mse
from inkdigits.training.recipe import Recipe, recipe_for
from inkdigits.training.training_data import TrainingData, make_training_data

VALIDATION = 5_000  # digits of the training set that choices are made on; a tenth of smaller sets
CURVE_DIGITS = 5_000  # training digits that the curve of every epoch is measured on
METRICS = ("train_", "val_", "test_")
REPORT_EVERY = 10  # steps between two reports of progress


class Progress(Protocol):
    """Who wants to know how far training is."""

    def step(self, epoch: int, images: int, loss: float, accuracy: float) -> None:
        """Take the running mean loss and accuracy of an epoch, after ``images`` of its digits."""

    def epoch(self, row: EpochRow) -> None:
        """Take the measurements after an epoch."""


class Silent:
    """Nobody wants to know."""

    def step(self, epoch: int, images: int, loss: float, accuracy: float) -> None:
        """Do nothing."""

    def epoch(self, row: EpochRow) -> None:
        """Do nothing."""


def learning_rate(recipe: Recipe, progress: float) -> float:
    """Return the rate at ``progress`` in [0, 1] through all steps.

    One-cycle rises from 1/25 of the peak and falls to 0, both along a cosine (L. Smith, N. Topin, 2017,
    arXiv:1708.07120); cosine falls from the peak to 0 (I. Loshchilov, F. Hutter, 2016, arXiv:1608.03983).
    """
    if recipe.schedule == "constant":
        return recipe.lr
    warmup = recipe.warmup if recipe.schedule == "one-cycle" else 0.0
    if progress < warmup:
        low = recipe.lr / 25
        return low + (recipe.lr - low) * (1 - math.cos(math.pi * progress / warmup)) / 2
    return recipe.lr * (1 + math.cos(math.pi * (progress - warmup) / max(1 - warmup, 1e-9))) / 2


def make_optimizer(recipe: Recipe, model: nn.Module) -> torch.optim.Optimizer:
    """Return the recipe's optimizer; only matrices and kernels decay."""
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
    """Return the recipe's loss: logits (B, 10) and labels (B,), or probabilities (B, 10 or 11), -> ().

    An eleventh class, "no digit", has the logit 0, always: so the softmax over ten stays what it was, and the log of
    the sum of the exponentials of the ten logits, the negative energy, is the log-odds of being a digit at all
    (W. Liu et al., "Energy-based out-of-distribution detection", NeurIPS 2020, arXiv:2010.03759).
    """
    if recipe.loss == "mse":
        return softmax_mse

    def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
        if recipe.outliers:
            logits = F.pad(logits, (0, 1))  # (B, 11)
        return F.cross_entropy(logits, labels, label_smoothing=recipe.label_smoothing)

    return cross_entropy


def averaged(model: nn.Module, decay: float) -> AveragedModel:
    """Return the exponential moving average of a model's weights and buffers.

    The decay grows from 0.1 to ``decay`` with the steps taken, t: min(decay, (1 + t) / (10 + t)), so that the first
    random weights are soon forgotten. With decay 0 it is the model itself.
    """

    def update(averages: Any, currents: Any, step: Any) -> None:
        weight = 1 - min(decay, (1 + int(step)) / (10 + int(step)))
        if averages[0].is_floating_point():
            torch._foreach_lerp_(averages, currents, weight)
        else:
            torch._foreach_copy_(averages, currents)

    return AveragedModel(model, multi_avg_fn=update, use_buffers=True)


def epoch_seed(seed: int, epoch: int) -> int:
    """Return the seed that order, distortion and dropout of one epoch start from: all that a resumed run needs."""
    return int(np.random.SeedSequence([seed, epoch]).generate_state(1)[0])


class Trainer:
    """One run in progress: the model, its average and optimizer, and the digits on the device."""

    def __init__(self, settings: Mapping[str, Any], recipe: Recipe, data: TrainingData, device: torch.device) -> None:
        self.recipe, self.device, self.seed = recipe, device, int(settings["seed"])
        self.spec = model_spec(settings["model"])
        torch.manual_seed(epoch_seed(self.seed, 0))
        fresh = create_model(self.spec.name, **settings["options"])
        self.model = channels_last(fresh, device)
        self.average = averaged(self.model, recipe.ema)
        self.optimizer = make_optimizer(recipe, self.model)
        self.criterion = make_criterion(recipe)
        self.distort = augmentation(recipe.augment)
        self.data = data
        self.steps = len(data.labels) // recipe.batch_size  # per epoch

    def train_epoch(self, epoch: int, progress: Progress) -> None:
        """Take every step of one epoch, numbered from 1."""
        seed = epoch_seed(self.seed, epoch)
        torch.manual_seed(seed)
        generator = torch.Generator().manual_seed(seed)
        order = torch.randperm(len(self.data.labels), generator=generator).to(self.device)  # (N,)
        loss_sum = torch.zeros((), device=self.device)
        correct = torch.zeros((), dtype=torch.int64, device=self.device)
        self.model.train()
        for step, batch in enumerate(order[: self.steps * self.recipe.batch_size].split(self.recipe.batch_size)):
            done = ((epoch - 1) * self.steps + step) / (self.recipe.epochs * self.steps)
            rate = learning_rate(self.recipe, done)
            for group in self.optimizer.param_groups:
                group["lr"] = rate
            images, targets = self.data.batch(batch, epoch, generator)
            images = self.distort(images, generator)  # (B, 1, 28, 28)
            if self.recipe.epsilon:
                with lowered(self.recipe.precision, self.device):
                    images = pgd_attack(self.model, images, targets, self.criterion, self.recipe, done, generator)
            with lowered(self.recipe.precision, self.device):
                loss, logits = self.spec.objective(self.model, images, targets, self.criterion)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            if self.recipe.ema:
                self.average.update_parameters(self.model)
            loss_sum += loss.detach()
            correct += (logits[: len(batch)].argmax(1) == self.data.labels[batch]).sum()
            if step % REPORT_EVERY == REPORT_EVERY - 1 or step == self.steps - 1:
                seen = (step + 1) * self.recipe.batch_size
                progress.step(epoch, seen, loss_sum.item() / (step + 1), correct.item() / seen)
        if not self.recipe.ema:
            self.average.module.load_state_dict(self.model.state_dict())
        if not math.isfinite(loss_sum.item()):
            raise RunError(
                f"the loss became {loss_sum.item()} in epoch {epoch}; choose a lower --lr than {self.recipe.lr}"
            )

    def measure(self, digits: DigitSet) -> Scores:
        """Return the scores of the averaged model."""
        return measure(self.average.module, digits, self.device)

    def state(self, history: list[EpochRow]) -> State:
        """Return what is needed to go on from here."""
        parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
        optimizer = {i: dict(self.optimizer.state[p]) for i, p in enumerate(parameters)}
        return State(self.model.state_dict(), self.average.state_dict(), optimizer, history)

    def restore(self, state: State) -> None:
        """Go on from ``state``; tensors keep the memory layout of the parameters that they belong to."""
        self.model.load_state_dict(state.model)
        self.average.load_state_dict(state.average)
        parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
        for index, parameter in enumerate(parameters):
            self.optimizer.state[parameter] = {
                name: torch.empty_like(parameter).copy_(value)
                if value.shape == parameter.shape
                else value.to(self.device)
                for name, value in state.optimizer.get(index, {}).items()
            }


def measure(model: nn.Module, digits: DigitSet, device: torch.device) -> Scores:
    """Return a network's scores on digits; NaN where there are none."""
    if not len(digits):
        return Scores(math.nan, math.nan, math.nan)
    logits = predict_logits(model, torch.tensor(digits.images, device=device))
    return score(logits, torch.tensor(digits.labels, device=device))


def default_validation(n: int) -> int:
    """Return how many of ``n`` training digits are held out when nothing is said."""
    return min(VALIDATION, n // 10)


def train_validation_split(run: Run, data: Dataset) -> tuple[DigitSet, DigitSet]:
    """Return the training digits that a run learned from, and those that it did not and no result is reported on.

    Raises
    ------
    UsageError
        When it learned from all training digits, or from other data than these.
    """
    facts = run.settings["data"]
    if facts["sha256"] != data.sha256:
        raise UsageError(f"{run.folder} learned from other data than {data.name} holds; name its own with --data")
    if not facts["validation"]:
        raise UsageError(f"{run.folder} learned from every training digit, which leaves none to calibrate on")
    return data.train.split(facts["validation"], run.settings["seed"])


def validation_digits(run: Run, data: Dataset) -> DigitSet:
    """Return the second part of :func:`train_validation_split`."""
    return train_validation_split(run, data)[1]


def train(
    model: str,
    data: str | Dataset = "mnist",
    *,
    preset: str = "standard",
    options: Mapping[str, Any] | None = None,
    teacher: Run | str | Path | None = None,
    seed: int = 0,
    validation: int | None = None,
    device: str = "auto",
    out: str | Path | None = None,
    resume: bool = False,
    progress: Progress | None = None,
    measure_all: bool = False,
    **overrides: Any,
) -> Run:
    """Train one network.

    Parameters
    ----------
    model
        A name of :func:`inkdigits.list_models`.
    data
        A data set, or what :func:`inkdigits.load` takes.
    preset
        Which of the model's recipes: ``fast``, ``standard`` or, where it has one, ``best``.
    options
        The network's own settings, over the preset's.
    teacher
        A run, or its folder, whose probabilities the network learns beside the labels (recipe field ``distill``).
    seed
        Of weights, order, distortion, dropout and the validation split; the same one gives the same weights.
    validation
        Training validation digits (stratified) to make choices on, 0 for none; None for 5,000, or a tenth of a smaller
        training set.
    out
        Folder of the run; None keeps it in memory only.
    resume
        Go on where an interrupted run in ``out`` stopped; a finished one is loaded, and nothing there begins anew.
    measure_all
        Take the final training figures on all training digits, not on the 5,000 of the curve.
    overrides
        Fields of :class:`inkdigits.training.recipe.Recipe`.

    Returns
    -------
    Run
        The model in evaluation mode with its averaged weights, history and metrics of the last epoch. No choice reads
        the test set.

    Raises
    ------
    UsageError
        When a setting cannot be meant.
    RunError
        When ``out`` holds another run or cannot be written, or the loss is no longer finite.
    """
    recipe, preset_options = recipe_for(model, preset, overrides)
    dataset = load(data) if isinstance(data, str) else data
    target = select_device(device)
    validation_set = default_validation(len(dataset.train)) if validation is None else validation
    learn, held_out = (
        dataset.train.split(validation_set, seed) if validation_set else (dataset.train, dataset.train[:0])
    )
    if recipe.batch_size > len(learn):
        raise UsageError(f"batch-size {recipe.batch_size} is larger than the {len(learn)} digits to train on")
    if (teacher is not None) != (recipe.distill > 0):
        raise UsageError("a teacher and distill above 0 go together: --teacher RUN --distill 0.5")
    teacher_run = checkpoint.load_run(teacher, target) if isinstance(teacher, str | Path) else teacher
    settings: dict[str, Any] = {
        "model": model,
        "options": resolve_options(model, preset_options | dict(options or {})),
        "recipe": recipe.to_dict(),
        "seed": seed,
        "data": {
            "name": dataset.name,
            "sha256": dataset.sha256,
            "train": len(learn),
            "validation": len(held_out),
        },
    }
    if teacher_run:
        settings["teacher"] = {"model": teacher_run.name, "weights_sha256": teacher_run.weights_sha256}
    folder = None if out is None else Path(out)
    state = None
    if folder:
        if checkpoint.is_finished(folder):
            if not resume:
                checkpoint.refuse_finished(folder)
            done = checkpoint.load_run(folder, target)
            checkpoint.require_same_settings(folder, done.settings, settings)
            return done
        if (folder / checkpoint.STATE).exists() and not resume:
            raise RunError(f"{folder} holds an unfinished run; --resume goes on with it, or remove the folder")
        state = checkpoint.load_state(folder, settings)
        checkpoint.sweep(folder)
    keep_freed_memory()
    with torch.random.fork_rng(devices=[target] if target.type == "cuda" else []):
        return _train(
            settings,
            recipe,
            dataset,
            teacher_run,
            learn,
            held_out,
            target,
            folder,
            state,
            progress or Silent(),
            measure_all,
        )


def _notes_on(teacher: Run | None, settings: Mapping[str, Any]) -> list[str]:
    """Return what must be said where a teacher may have learned from digits that its student is judged by."""
    if teacher is None:
        return []
    known, own = teacher.settings["data"], settings["data"]
    if known["sha256"] != own["sha256"]:
        return [f"The teacher learned from {known['name']}; what of it is in {own['name']} is not known."]
    same = (known["validation"], teacher.settings["seed"]) == (own["validation"], settings["seed"])
    if own["validation"] and not same:
        return ["The teacher learned from validation digits here; what is fitted on them may be a little too sure."]
    return []


def _train(
    settings: dict[str, Any],
    recipe: Recipe,
    dataset: Dataset,
    teacher: Run | None,
    learn: DigitSet,
    held_out: DigitSet,
    device: torch.device,
    folder: Path | None,
    state: State | None,
    progress: Progress,
    measure_all: bool,
) -> Run:
    data = make_training_data(learn, recipe, int(settings["seed"]), device, teacher.model if teacher else None)
    trainer = Trainer(settings, recipe, data, device)
    if folder:
        checkpoint.log(folder, "resume" if state else "start", **json.loads(json.dumps(settings)))
    history: list[EpochRow] = []
    if state:
        trainer.restore(state)
        history = state.history
    curve = learn.split(CURVE_DIGITS, seed=0)[1] if len(learn) > CURVE_DIGITS else learn
    for epoch in range(len(history) + 1, recipe.epochs + 1):
        wall, cpu = time.perf_counter(), time.process_time()
        trainer.train_epoch(epoch, progress)
        seconds, cpu_seconds = time.perf_counter() - wall, time.process_time() - cpu
        of_train, of_validation, of_test = (trainer.measure(part) for part in (curve, held_out, dataset.test))
        row = EpochRow(
            epoch,
            train_ce=of_train.cross_entropy,
            val_ce=of_validation.cross_entropy,
            test_ce=of_test.cross_entropy,
            train_mse=of_train.mse,
            val_mse=of_validation.mse,
            test_mse=of_test.mse,
            train_acc=of_train.accuracy,
            val_acc=of_validation.accuracy,
            test_acc=of_test.accuracy,
            lr=learning_rate(recipe, (epoch - 1 / trainer.steps) / recipe.epochs),
            seconds=round(seconds, 3),
            cpu_seconds=round(cpu_seconds, 3),
        )
        if not math.isfinite(row.train_ce) or (len(dataset.test) and not math.isfinite(row.test_ce)):
            raise RunError(
                f"the weights are no longer finite after epoch {epoch}; choose a lower --lr than {recipe.lr}"
            )
        history.append(row)
        progress.epoch(row)
        if folder:
            checkpoint.save_state(folder, trainer.state(history), settings)
            checkpoint.log(folder, "epoch", **asdict(row))
    last = asdict(history[-1])
    metrics = {key: last[key] for key in last if key.startswith(METRICS) and math.isfinite(last[key])}
    if measure_all:
        whole = trainer.measure(learn)
        metrics |= {"train_ce": whole.cross_entropy, "train_mse": whole.mse, "train_acc": whole.accuracy}
    metrics |= {
        "train_s": round(sum(row.seconds for row in history), 2),
        "cpu_s": round(sum(row.cpu_seconds for row in history), 2),
    }
    environment = {
        "versions": versions(),
        "hardware": hardware(device),
        "data_source": dataset.source,
        "notes": [*dataset.notes, *_notes_on(teacher, settings)],
    }
    run = Run(trainer.average.module.eval(), settings, history, metrics, environment, folder)
    if folder:
        checkpoint.save_run(folder, run)
        checkpoint.log(folder, "finished", **metrics)
    return run

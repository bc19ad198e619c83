"""One training run from a model's name to a finished run: settings, epochs, measurements, files."""

import json
import math
import time
from collections.abc import Mapping
from contextlib import closing, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from inkdigits.data import Dataset, DigitSet, load
from inkdigits.errors import RunError, UsageError
from inkdigits.files import locked
from inkdigits.models.registry import LINE, model_spec, require_digits, resolve_options
from inkdigits.training import checkpoint
from inkdigits.training.checkpoint import EpochRow, Run, TrainingState
from inkdigits.training.device import hardware, keep_freed_memory, select_device, versions
from inkdigits.training.digit_task import DigitTask
from inkdigits.training.line_task import LineTask, line_fonts, require_line_recipe
from inkdigits.training.optimisation import learning_rate
from inkdigits.training.recipe import Recipe, recipe_for
from inkdigits.training.task import Task
from inkdigits.training.trainer import NoProgress, Progress, Trainer
from inkdigits.training.training_data import make_training_data

VALIDATION = 5_000  # default number of validation digits; a tenth of smaller training sets
CURVE_DIGITS = 5_000  # training digits that the learning curve is measured on after every epoch
METRICS = ("train_", "val_", "test_")


@dataclass(frozen=True)
class Plan:
    """All that decides a run's weights, checked and resolved."""

    settings: dict[str, Any]  # as written to model.json
    recipe: Recipe
    dataset: Dataset
    train_digits: DigitSet
    validation_digits: DigitSet
    teacher: Run | None
    device: torch.device


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
    """Train one network. Return the run, with the weights and figures of the last epoch; no choice reads the test set.

    Parameters
    ----------
    model, preset
        A name of :func:`inkdigits.list_models`, and a key of ``inkdigits.models.model_spec(model).recipes``.
    data
        A data set, or a name or path for :func:`inkdigits.load`.
    options, overrides
        The network's own options, and fields of :class:`inkdigits.training.recipe.Recipe`; both replace the preset's.
    teacher
        A run or its folder. The network learns its soft targets besides the labels (recipe field ``distill``).
    seed
        Of weights, order, augmentation, dropout and validation split. The same seed gives the same weights.
    validation
        Number of validation digits, stratified; 0 for none; None for 5,000, or a tenth of a smaller training set.
    device
        ``auto``, ``cpu``, ``cuda`` or ``mps``.
    out
        Folder of the run; None keeps it in memory.
    resume
        Continue an interrupted run in ``out``, or load a finished one.
    progress
        Receives running figures during each epoch, and the measurements after it.
    measure_all
        Take the final training figures from all training digits, not from the 5,000 of the learning curve.

    Raises
    ------
    UsageError
        When a setting is not allowed.
    RunError
        When ``out`` holds another run, is in use or cannot be written, or the loss is no longer finite.
    """
    plan = make_plan(model, data, preset, options or {}, teacher, seed, validation, device, overrides)
    folder = None if out is None else Path(out)
    with locked(folder) if folder and not checkpoint.is_closed(folder) else nullcontext():
        if folder and checkpoint.is_finished(folder):
            return _finished_run(folder, plan, resume)
        state = _resumed_state(folder, plan, resume) if folder else None
        keep_freed_memory()
        devices = [plan.device] if plan.device.type == "cuda" else []
        with torch.random.fork_rng(devices), closing(_task(plan)) as task:
            return _train(plan, task, folder, state, progress or NoProgress(), measure_all)


def make_plan(
    model: str,
    data: str | Dataset,
    preset: str,
    options: Mapping[str, Any],
    teacher: Run | str | Path | None,
    seed: int,
    validation: int | None,
    device: str,
    overrides: Mapping[str, Any],
) -> Plan:
    """Resolve and check the arguments of :func:`train`: recipe, data, split, teacher, device.

    Raises
    ------
    UsageError
        When a setting is not allowed.
    """
    recipe, preset_options = recipe_for(model, preset, overrides)
    dataset = load(data) if isinstance(data, str) else data
    target = select_device(device)
    train_digits, validation_part = split_training_set(dataset.train, validation, seed)
    _require_recipe(model, recipe, len(train_digits))
    if (teacher is not None) != (recipe.distill > 0):
        raise UsageError("a teacher and distill above 0 go together: --teacher RUN --distill 0.5")
    teacher_run = checkpoint.load_run(teacher, target) if isinstance(teacher, str | Path) else teacher
    if teacher_run:
        require_digits(teacher_run.name, "--teacher takes")
    settings: dict[str, Any] = {
        "model": model,
        "options": resolve_options(model, preset_options | dict(options)),
        "recipe": recipe.to_dict(),
        "seed": seed,
        "data": {
            "name": dataset.name,
            "sha256": dataset.sha256,
            "train": len(train_digits),
            "validation": len(validation_part),
        },
    }
    if model_spec(model).task == LINE:
        settings["fonts"] = sum(map(len, line_fonts()[:2]))
    if teacher_run:
        settings["teacher"] = {"model": teacher_run.name, "weights_sha256": teacher_run.weights_sha256}
    return Plan(settings, recipe, dataset, train_digits, validation_part, teacher_run, target)


def _require_recipe(model: str, recipe: Recipe, digits: int) -> None:
    """Raise UsageError when a recipe does not fit the model's task, or a batch is larger than an epoch."""
    if model_spec(model).task == LINE:
        require_line_recipe(model, recipe)
        return
    if recipe.lines != Recipe.lines:
        raise UsageError(f"{model} reads digits; --lines is for networks that read lines, leave it out")
    if recipe.batch_size > digits:
        raise UsageError(f"batch-size {recipe.batch_size} is larger than the {digits} digits to train on")


def default_validation(n: int) -> int:
    """Return the default number of validation digits for a training set of ``n`` digits."""
    return min(VALIDATION, n // 10)


def split_training_set(digits: DigitSet, validation: int | None, seed: int) -> tuple[DigitSet, DigitSet]:
    """Return training and validation digits; ``validation`` is their number, None the default, 0 none."""
    count = default_validation(len(digits)) if validation is None else validation
    return digits.split(count, seed) if count else (digits, digits[:0])


def train_validation_split(run: Run, data: Dataset) -> tuple[DigitSet, DigitSet]:
    """Return the training digits that a run learned from, and its validation digits.

    Raises
    ------
    UsageError
        When the run has no validation digits, or learned from other data.
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


def _finished_run(folder: Path, plan: Plan, resume: bool) -> Run:
    """Return the finished run in ``folder``, if it may be resumed and has the settings of the plan."""
    if not resume:
        checkpoint.require_unfinished(folder)
    run = checkpoint.load_run(folder, plan.device)
    checkpoint.require_same_settings(folder, run.settings, plan.settings)
    if not checkpoint.is_closed(folder):
        checkpoint.close_run(folder, run)
    return run


def _resumed_state(folder: Path, plan: Plan, resume: bool) -> TrainingState | None:
    """Return the state of the unfinished run in ``folder``, or None if it holds none."""
    if (folder / checkpoint.STATE).exists() and not resume:
        raise RunError(f"{folder} holds an unfinished run; --resume continues it, or remove the folder")
    state = checkpoint.load_state(folder, plan.settings)
    checkpoint.remove_incomplete(folder)
    checkpoint.repair_log(folder, state.history if state else [])
    return state


def _train(
    plan: Plan, task: Task, folder: Path | None, state: TrainingState | None, progress: Progress, measure_all: bool
) -> Run:
    """Train the epochs that are left; write the run's files after each of them and at the end."""
    trainer = Trainer(plan.settings, plan.recipe, task, plan.device)
    if folder:
        checkpoint.log(folder, "resume" if state else "start", **json.loads(json.dumps(plan.settings)))
    history: list[EpochRow] = []
    if state:
        trainer.restore(state)
        history = state.history
    curve = plan.train_digits
    if len(curve) > CURVE_DIGITS:
        curve = curve.split(CURVE_DIGITS, seed=0)[1]
    for epoch in range(len(history) + 1, plan.recipe.epochs + 1):
        row = _train_epoch(trainer, epoch, progress, (curve, plan.validation_digits, plan.dataset.test))
        history.append(row)
        progress.epoch(row)
        if folder:
            checkpoint.save_state(folder, trainer.state(history), plan.settings)
            checkpoint.log(folder, "epoch", **asdict(row))
    metrics = _final_metrics(history)
    if measure_all:
        of_all = trainer.measure(plan.train_digits)
        metrics |= {"train_ce": of_all.cross_entropy, "train_mse": of_all.mse, "train_acc": of_all.accuracy}
    run = Run(trainer.average.module.eval(), plan.settings, history, metrics, _environment(plan), folder)
    if folder:
        checkpoint.save_run(folder, run)
        checkpoint.close_run(folder, run)
    return run


def _task(plan: Plan) -> Task:
    """Return the task of the plan's model, with its data."""
    spec, seed = model_spec(plan.settings["model"]), int(plan.settings["seed"])
    if spec.task == LINE:
        return LineTask(plan.recipe, plan.train_digits, seed, plan.device)
    teacher = plan.teacher.model if plan.teacher else None
    data = make_training_data(plan.train_digits, plan.recipe, seed, plan.device, teacher)
    return DigitTask(spec, plan.recipe, data, plan.device)


def _train_epoch(
    trainer: Trainer, epoch: int, progress: Progress, parts: tuple[DigitSet, DigitSet, DigitSet]
) -> EpochRow:
    """Train for one epoch, then measure the training (curve), validation and test digits of ``parts``."""
    wall, cpu = time.perf_counter(), time.process_time()
    trainer.train_epoch(epoch, progress)
    seconds, cpu_seconds = time.perf_counter() - wall, time.process_time() - cpu
    of_train, of_validation, of_test = (trainer.measure(part) for part in parts)
    finite = math.isfinite(of_train.cross_entropy) and (not len(parts[2]) or math.isfinite(of_test.cross_entropy))
    if not finite:
        lr = trainer.recipe.lr
        raise RunError(f"the weights are no longer finite after epoch {epoch}; choose a lower --lr than {lr}")
    return EpochRow(
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
        lr=learning_rate(trainer.recipe, (epoch - 1 / trainer.task.steps) / trainer.recipe.epochs),
        seconds=round(seconds, 3),
        cpu_seconds=round(cpu_seconds, 3),
    )


def _final_metrics(history: list[EpochRow]) -> dict[str, float]:
    """Return the finite figures of the last epoch, and the seconds of all epochs."""
    last = asdict(history[-1])
    figures = {key: last[key] for key in last if key.startswith(METRICS) and math.isfinite(last[key])}
    return figures | {
        "train_s": round(sum(row.seconds for row in history), 2),
        "cpu_s": round(sum(row.cpu_seconds for row in history), 2),
    }


def _environment(plan: Plan) -> dict[str, Any]:
    return {
        "versions": versions(),
        "hardware": hardware(plan.device),
        "data_source": plan.dataset.source,
        "notes": [*plan.dataset.notes, *_notes_on(plan.teacher, plan.settings), *_notes_on_fonts(plan.settings)],
    }


def _notes_on_fonts(settings: Mapping[str, Any]) -> list[str]:
    return line_fonts()[2] if "fonts" in settings else []


def _notes_on(teacher: Run | None, settings: Mapping[str, Any]) -> list[str]:
    """Return a note if the teacher may have learned from digits that the student is measured or calibrated on."""
    if teacher is None:
        return []
    its, own = teacher.settings["data"], settings["data"]
    if its["sha256"] != own["sha256"]:
        return [f"The teacher learned from {its['name']}, which may contain digits of {own['name']}."]
    same_split = (its["validation"], teacher.settings["seed"]) == (own["validation"], settings["seed"])
    if own["validation"] and not same_split:
        return ["The teacher learned from some of the validation digits; a calibration on them may be overconfident."]
    return []

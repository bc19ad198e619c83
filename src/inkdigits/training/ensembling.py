"""Ensembling: several finished runs become one run, to be evaluated, exported or used as a teacher like any other."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from inkdigits.data import Dataset
from inkdigits.errors import RunError, UsageError
from inkdigits.files import locked
from inkdigits.models import create_model
from inkdigits.models.registry import require_digits
from inkdigits.training import checkpoint
from inkdigits.training.checkpoint import Run
from inkdigits.training.device import hardware, select_device, versions
from inkdigits.training.inference import measure
from inkdigits.training.recipe import Recipe


def ensemble(folders: Sequence[str | Path], data: Dataset, out: str | Path | None = None, device: str = "auto") -> Run:
    """Return the run of a network whose logits are the mean of those of several runs.

    Parameters
    ----------
    folders
        The members' folders, 2 to 5. Choose them before you look at their test figures.
    data
        The data that the members learned from. The metrics are those of its test digits.
    out
        Folder of the new run; None keeps it in memory.

    Raises
    ------
    UsageError
        When a member learned from other data, is named twice, or reads lines.
    RunError
        When a member cannot be read, ``out`` holds a run already, finished or not, or another process uses it.
    ModelError
        When there are too few members, or too many.
    """
    target = select_device(device)
    runs = [checkpoint.load_run(folder, target) for folder in folders]
    _require_members(runs, data)
    if out is None:
        return _joined(runs, data, None, target)
    with locked(Path(out)):
        _require_empty(Path(out))
        run = _joined(runs, data, Path(out), target)
        checkpoint.save_run(Path(out), run)
        return run


def _require_empty(folder: Path) -> None:
    """Raise RunError when a folder holds a run, finished or not."""
    checkpoint.require_unfinished(folder)
    if (folder / checkpoint.STATE).exists():
        raise RunError(f"{folder} holds an unfinished run; choose another --out, or remove it")


def _joined(runs: Sequence[Run], data: Dataset, folder: Path | None, target: torch.device) -> Run:
    """Return the ensemble of ``runs``, measured on the test digits."""
    members = [{"model": run.name, "options": run.settings["options"]} for run in runs]
    model = _ensemble_model(runs, members, target)
    scores = measure(model, data.test, target)
    settings = {
        "model": "ensemble",
        "options": {"members": members},
        "recipe": Recipe().to_dict(),
        "seed": runs[0].settings["seed"],
        "data": _shared_data(runs),
        "members": [{"weights_sha256": run.weights_sha256, "seed": run.settings["seed"]} for run in runs],
    }
    metrics = {"test_ce": scores.cross_entropy, "test_mse": scores.mse, "test_acc": scores.accuracy}
    environment = {"versions": versions(), "hardware": hardware(target), "data_source": data.source, "notes": []}
    return Run(model, settings, [], metrics, environment, folder)


def _require_members(runs: Sequence[Run], data: Dataset) -> None:
    """Raise UsageError when a run reads lines or learned from other data, or two runs have the same weights."""
    hashes = [run.weights_sha256 for run in runs]
    for run in runs:
        require_digits(run.name, "`ensemble` combines")
        if run.settings["data"]["sha256"] != data.sha256:
            raise UsageError(f"{run.folder} learned from other data than {data.name} holds; members share their data")
        if hashes.count(run.weights_sha256) > 1:
            raise UsageError(f"{run.folder} is named twice, or has the weights of another member")


def _ensemble_model(runs: Sequence[Run], members: Sequence[dict[str, Any]], device: torch.device) -> nn.Module:
    model = create_model("ensemble", members=members)
    for member, run in zip(model.members, runs, strict=True):  # type: ignore[arg-type]
        member.load_state_dict(run.model.state_dict())
    return model.to(device).eval()


def _shared_data(runs: Sequence[Run]) -> dict[str, Any]:
    """Return the facts on the members' data; validation digits count only if all members have the same ones."""
    facts = dict(runs[0].settings["data"])
    splits = {(run.settings["seed"], run.settings["data"]["validation"]) for run in runs}
    if len(splits) > 1:
        facts |= {"train": facts["train"] + facts["validation"], "validation": 0}
    return facts

"""An ensemble of finished runs, as a run of its own: it is evaluated, exported, and taught from like any other."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from inkdigits.data import Dataset
from inkdigits.errors import RunError, UsageError
from inkdigits.models import create_model
from inkdigits.training import checkpoint
from inkdigits.training.checkpoint import Run
from inkdigits.training.device import hardware, select_device, versions
from inkdigits.training.loop import measure
from inkdigits.training.recipe import Recipe


def ensemble(folders: Sequence[str | Path], data: Dataset, out: str | Path | None = None, device: str = "auto") -> Run:
    """Let several runs vote by the mean of their logits.

    Parameters
    ----------
    folders
        Of the members, 2 to 5, named before their test figures are looked at.
    data
        What they learned from; the metrics of the whole are taken on its test digits.
    out
        Folder of the run that it becomes; None keeps it in memory.

    Raises
    ------
    UsageError
        When a member learned from other data, or is named twice.
    RunError
        When a member cannot be read, or ``out`` holds a run already, finished or not.
    ModelError
        When there are too few members, or too many.
    """
    target = select_device(device)
    runs = [checkpoint.load_run(folder, target) for folder in folders]
    hashes = [run.weights_sha256 for run in runs]
    for run, sha256 in zip(runs, hashes, strict=True):
        if run.settings["data"]["sha256"] != data.sha256:
            raise UsageError(f"{run.folder} learned from other data than {data.name} holds; members share their data")
        if hashes.count(sha256) > 1:
            raise UsageError(f"{run.folder} is named twice, or has the weights of another member")
    folder = None if out is None else Path(out)
    if folder:
        checkpoint.refuse_finished(folder)
        if (folder / checkpoint.STATE).exists():
            raise RunError(f"{folder} holds an unfinished run; choose another --out, or remove it")
    members = [{"model": run.name, "options": run.settings["options"]} for run in runs]
    model = create_model("ensemble", members=members)
    for member, run in zip(model.members, runs, strict=True):  # type: ignore[arg-type]
        member.load_state_dict(run.model.state_dict())
    model = model.to(target).eval()
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
    whole = Run(model, settings, [], metrics, environment, folder)
    if folder:
        checkpoint.save_run(folder, whole)
    return whole


def _shared_data(runs: Sequence[Run]) -> dict[str, Any]:
    """Return what all members learned from; digits count as set aside only if every member set the same ones aside."""
    facts = dict(runs[0].settings["data"])
    splits = {(run.settings["seed"], run.settings["data"]["validation"]) for run in runs}
    if len(splits) > 1:
        facts |= {"train": facts["train"] + facts["validation"], "validation": 0}
    return facts

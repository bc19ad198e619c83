"""A run on disk: weights as safetensors, everything else as readable JSON and CSV. Nothing is unpickled.

::

    model.safetensors   the measured weights (the averaged ones, if the recipe averages)
    model.json          name, options, recipe, seed, data, versions, hardware, metrics: enough to rebuild the model
    history.csv         one row per epoch
    log.jsonl           events with their time
    state.safetensors   of an unfinished run: weights, average and optimizer after the last complete epoch
"""

import csv
import hashlib
import io
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from textwrap import shorten
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from inkdigits.errors import InkdigitsError, ModelError, PluginError, RunError
from inkdigits.files import (
    atomic_path,
    cannot_write,
    checked,
    from_json,
    read_bytes,
    read_json,
    remove_temporary_files,
    require_regular,
    write_json,
    write_text,
)
from inkdigits.models import create_model
from inkdigits.plugins import origins_of, require_origins
from inkdigits.training.device import channels_last
from inkdigits.training.recipe import Recipe
from inkdigits.training.run_card import RunCard

WEIGHTS, CARD, HISTORY, LOG, STATE = (
    "model.safetensors",
    "model.json",
    "history.csv",
    "log.jsonl",
    "state.safetensors",
)
CHECKSUM = "sha256"  # key of the metadata of state.safetensors


@dataclass(frozen=True)
class EpochRow:
    """Measurements after one epoch.

    Cross-entropy is in nats, MSE is that of softmax against one-hot, accuracy is in [0, 1]. ``train`` figures are
    those of a fixed part of the training digits, without augmentation. Validation figures are NaN if there are no
    validation digits. ``seconds`` is the time of the training steps, ``cpu_seconds`` the CPU time of all threads.
    """

    epoch: int
    train_ce: float
    val_ce: float
    test_ce: float
    train_mse: float
    val_mse: float
    test_mse: float
    train_acc: float
    val_acc: float
    test_acc: float
    lr: float
    seconds: float
    cpu_seconds: float


@dataclass(repr=False)
class Run:
    """A trained network with the settings and the figures of its training.

    Attributes
    ----------
    model
        The network, in evaluation mode, with the measured weights.
    settings
        All that decides the weights: model, options, recipe, seed, data set with its sha256, validation digits.
    metrics
        Final figures.
    environment
        Versions, hardware, the source of the data, and notes that a reader of the figures needs.
    """

    model: nn.Module
    settings: dict[str, Any]
    history: list[EpochRow]
    metrics: dict[str, float]
    environment: dict[str, Any] = field(default_factory=dict)
    folder: Path | None = None
    weights_sha256: str = ""  # of model.safetensors, once it is written

    @property
    def name(self) -> str:
        """The network's name in the registry."""
        return str(self.settings["model"])

    def __repr__(self) -> str:
        data, seed = self.settings["data"]["name"], self.settings["seed"]
        return f"Run({self.name!r}, data={data!r}, seed={seed}, folder={str(self.folder or '')!r})"

    def __str__(self) -> str:
        """Return five lines for a person: network, data, training, figures, folder."""
        data, options = self.settings["data"], self.settings["options"]
        network = f"{self.name}: {', '.join(f'{key}={value!r}' for key, value in options.items()) or 'no options'}"
        validation = f"{data['validation']:,}" if data["validation"] else "no"
        seconds = self.metrics.get("train_s", 0.0)
        parts = (("train", "train"), ("val", "validation"), ("test", "test"))
        figures = [
            f"{name} {100 * self.metrics[f'{key}_acc']:.2f} % ({self.metrics[f'{key}_ce']:.4f})"
            for key, name in parts
            if f"{key}_acc" in self.metrics
        ]
        lines = (
            shorten(network, 120, placeholder=" …"),
            f"data: {data['name']}, {data['train']:,} training and {validation} validation digits; "
            f"seed {self.settings['seed']}",
            f"epochs: {len(self.history)}, trained in {seconds:.1f} s" if self.history else "epochs: none of its own",
            f"accuracy (cross-entropy): {', '.join(figures)}",
            f"folder: {self.folder or 'none, in memory only'}",
        )
        return "\n".join(lines)


@dataclass
class TrainingState:
    """What a run needs to resume after its last complete epoch."""

    model: dict[str, Tensor]
    average: dict[str, Tensor]
    optimizer: dict[int, dict[str, Tensor]]  # by the parameter's index in the optimizer
    history: list[EpochRow]


def is_finished(folder: Path) -> bool:
    """Return whether ``folder`` holds a finished run."""
    return (folder / CARD).exists()


def is_closed(folder: Path) -> bool:
    """Return whether ``folder`` holds a finished run that nobody writes any more."""
    return is_finished(folder) and not (folder / STATE).exists()


def require_unfinished(folder: Path) -> None:
    """Raise RunError when ``folder`` holds a finished run."""
    if is_finished(folder):
        raise RunError(f"{folder} already holds a run; choose another --out, or remove it")


def remove_incomplete(folder: Path) -> None:
    """Remove the incomplete files that a killed process left; only for the process that holds the folder's lock."""
    for name in (WEIGHTS, CARD, HISTORY, STATE):
        remove_temporary_files(folder / name)


def log(folder: Path, event: str, **facts: Any) -> None:
    """Append one line to the run's log."""
    known = {key: None if value != value else value for key, value in facts.items()}  # JSON has no NaN
    line = json.dumps({"time": datetime.now(UTC).isoformat(timespec="seconds"), "event": event, **known})
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / LOG).open("a") as file:
            file.write(line + "\n")
    except OSError as error:
        raise cannot_write(folder / LOG, error) from error


def repair_log(folder: Path, history: list[EpochRow]) -> None:
    """Complete the log of a killed process: without the part of a last line, and with each epoch of ``history``."""
    path = folder / LOG
    if not path.exists():
        return
    whole, newline, _ = path.read_text().rpartition("\n")
    write_text(path, whole + newline)
    logged = {event.get("epoch") for event in _events(path)}
    for row in history:
        if row.epoch not in logged:
            log(folder, "epoch", **asdict(row))


def _events(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def write_history(folder: Path, history: list[EpochRow]) -> None:
    """Write history.csv, one row per epoch."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [f.name for f in fields(EpochRow)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(row) for row in history)
    write_text(folder / HISTORY, text.getvalue())


def read_history(folder: Path) -> list[EpochRow]:
    """Read history.csv.

    Raises
    ------
    RunError
        When the file is missing or is no history.
    """
    path = folder / HISTORY
    try:
        rows = csv.DictReader(read_bytes(path).decode().splitlines())
        if rows.fieldnames != [f.name for f in fields(EpochRow)]:
            raise ValueError("it has other columns than a history")
        return [
            EpochRow(int(row["epoch"]), **{key: float(value) for key, value in row.items() if key != "epoch"})
            for row in rows
        ]
    except (OSError, ValueError, TypeError, KeyError, csv.Error) as error:
        raise RunError(f"cannot read {path}: {error}; train the run again") from error


def _save_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: dict[str, str] | None = None) -> None:
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with atomic_path(path) as temporary:
        try:
            save_file(plain, temporary, metadata)
        except SafetensorError as error:  # the library wraps the system's errors, such as a full disk
            raise OSError(None, str(error)) from error


def _load_tensors(path: Path) -> dict[str, Tensor]:
    try:
        require_regular(path)
        return load_file(path)
    except FileNotFoundError:
        raise RunError(f"{path} does not exist; the run is incomplete, train it again") from None
    except (SafetensorError, OSError, ValueError, KeyError, AttributeError) as error:  # the last: an unknown dtype
        raise RunError(f"{path} is no safetensors file; no other format is opened ({error})") from error


def save_state(folder: Path, state: TrainingState, settings: dict[str, Any]) -> None:
    """Write the state that ``--resume`` needs, as one file and atomically; then history.csv for people."""
    tensors = {f"model.{name}": tensor for name, tensor in state.model.items()}
    tensors |= {f"average.{name}": tensor for name, tensor in state.average.items()}
    for index, values in state.optimizer.items():
        tensors |= {f"optimizer.{index}.{name}": tensor for name, tensor in values.items()}
    history = [asdict(row) for row in state.history]
    metadata = {"settings": json.dumps(settings), "history": json.dumps(history)}
    _save_tensors(folder / STATE, tensors, metadata | {CHECKSUM: _checksum(tensors, metadata)})
    write_history(folder, state.history)


def _checksum(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> str:
    """Return the SHA-256 of names, shapes, types and bytes of tensors, and of metadata."""
    digest = hashlib.sha256(json.dumps(sorted(metadata.items())).encode())
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def load_state(folder: Path, settings: dict[str, Any]) -> TrainingState | None:
    """Return the state of an unfinished run, or None if the folder has none.

    Raises
    ------
    RunError
        When the run was started with other settings, or its state cannot be read or is not as it was written. A state
        without a checksum, of an earlier version, is read.
    """
    path = folder / STATE
    if not path.exists():
        return None
    tensors = _load_tensors(path)
    with safe_open(path, "pt") as file:
        metadata = file.metadata() or {}
    try:
        expected = metadata.pop(CHECKSUM, None)
        if expected is not None and _checksum(tensors, metadata) != expected:
            raise ValueError("its checksum is another")
        started_with = from_json(metadata["settings"], dict[str, Any])
        history = from_json(metadata["history"], list[EpochRow])
        if [row.epoch for row in history] != list(range(1, len(history) + 1)):
            raise ValueError("its history lacks an epoch")
        parts = _parts(tensors)
    except (KeyError, ValueError) as error:
        raise RunError(f"{path} is no state of a run ({error}); remove it to start again") from error
    require_same_settings(folder, started_with, settings)
    optimizer: dict[int, dict[str, Tensor]] = {}
    for name, tensor in parts["optimizer"].items():
        index, _, key = name.partition(".")
        optimizer.setdefault(int(index), {})[key] = tensor
    return TrainingState(parts["model"], parts["average"], optimizer, history)


def _parts(tensors: Mapping[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    """Return the tensors of model, average and optimizer, each by the rest of its name.

    Raises
    ------
    ValueError
        When a tensor has another name.
    """
    parts: dict[str, dict[str, Tensor]] = {"model": {}, "average": {}, "optimizer": {}}
    for name, tensor in tensors.items():
        if not re.fullmatch(r"(model|average)\..+|optimizer\.[0-9]{1,9}\.[a-z_]+", name, re.ASCII):
            raise ValueError(f"a tensor is called {name!r}")
        kind, _, rest = name.partition(".")
        parts[kind][rest] = tensor
    return parts


def require_same_settings(folder: Path, started_with: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Raise RunError, naming the first difference, when a run was started with other settings than wanted."""
    flat_started, flat_wanted = (_flat(json.loads(json.dumps(settings))) for settings in (started_with, wanted))
    for key in flat_wanted | flat_started:
        old, new = flat_started.get(key), flat_wanted.get(key)
        if old != new:
            raise RunError(f"{folder} was started with {key} {old!r}, not {new!r}; use the same, or another --out")


def _flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat


def save_run(folder: Path, run: Run) -> None:
    """Write a finished run. model.json comes last, so that a folder that has it is complete."""
    _save_tensors(folder / WEIGHTS, run.model.state_dict(), {"model": run.name})
    write_history(folder, run.history)
    run.weights_sha256 = hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()
    run.environment |= _plugins_of(run.settings)
    card = {**run.settings, "metrics": run.metrics, "environment": run.environment}
    card["weights_sha256"] = run.weights_sha256
    write_json(folder / CARD, card)


def close_run(folder: Path, run: Run) -> None:
    """Log the end of a finished run and remove its state; a process that was killed in between left the state."""
    repair_log(folder, run.history)
    if "finished" not in [event["event"] for event in _events(folder / LOG)]:
        log(folder, "finished", **run.metrics)
    (folder / STATE).unlink(missing_ok=True)


def _plugins_of(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the plug-ins that registered a run's model, its members or its augmentation; nothing without plug-ins."""
    members = settings["options"].get("members", []) if settings["model"] == "ensemble" else []
    names = [("model", str(model["model"])) for model in (settings, *members)]
    origins = origins_of([*names, ("augmentation", settings["recipe"]["augment"])])
    return {"plugins": origins} if origins else {}


def load_run(folder: str | Path, device: torch.device | str = "cpu") -> Run:
    """Rebuild a run from its folder.

    Raises
    ------
    RunError
        When the folder holds no finished run, or its files do not belong together.
    ModelError
        When the weights are those of another network.
    PluginError
        When the run needs a plug-in that is not installed.
    """
    folder = Path(folder)
    if not is_finished(folder) and (folder / STATE).exists():
        raise RunError(f"{folder} is an unfinished run; `inkdigits train … --resume --out {folder}` finishes it")
    card = read_json(folder / CARD, dict[str, Any])
    try:
        checked(card, RunCard)
    except ValueError as error:
        raise RunError(f"{folder / CARD} is no card of a run ({error}); restore it, or train the run again") from error
    environment, metrics, weights_sha256 = (card.pop(key) for key in ("environment", "metrics", "weights_sha256"))
    name = card["model"]
    require_origins(environment.get("plugins", {}), str(folder))
    try:
        Recipe.from_dict(card["recipe"])
        model = create_model(name, **card["options"])
    except PluginError:
        raise
    except InkdigitsError as error:
        raise RunError(f"{folder / CARD}: {error}") from error
    tensors = _load_tensors(folder / WEIGHTS)
    require_same_tensors(folder / WEIGHTS, name, tensors, model.state_dict())
    if hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest() != weights_sha256:
        raise RunError(f"{folder / WEIGHTS} is not the file that {CARD} describes; restore it, or train the run again")
    model.load_state_dict(tensors)
    channels_last(model, device).eval()
    return Run(model, card, read_history(folder), metrics, environment, folder, weights_sha256)


def require_same_tensors(
    path: Path | str, name: str, found: Mapping[str, Tensor], expected: Mapping[str, Tensor]
) -> None:
    """Raise ModelError when the tensors of a file have other names or shapes than those of model ``name``."""
    missing, unexpected = sorted(expected.keys() - found.keys()), sorted(found.keys() - expected.keys())
    if missing or unexpected:
        problem = f"lacks {missing[0]}" if missing else f"holds {unexpected[0]}, which {name} does not have"
        raise ModelError(f"{path} does not fit {name}: it {problem}; it belongs to another model or version")
    for key, tensor in found.items():
        if tensor.shape != expected[key].shape:
            raise ModelError(
                f"{path} does not fit {name}: {key} is {tuple(tensor.shape)}, not {tuple(expected[key].shape)}"
            )

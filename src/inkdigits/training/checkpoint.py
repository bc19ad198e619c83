"""A run on disk: weights as safetensors, everything else as JSON and CSV that a person can read. Nothing is unpickled.

::

    model.safetensors   the weights that were measured (averaged ones, where the recipe averages)
    model.json          name, options, recipe, seed, data, versions, hardware, metrics: enough to rebuild the model
    history.csv         one row per epoch
    log.jsonl           what happened when
    state.safetensors   while unfinished: weights, averages and optimizer after the last whole epoch
"""

import csv
import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from inkdigits.errors import ModelError, RunError
from inkdigits.files import atomic_path, cannot_write, read_json, write_json, write_text
from inkdigits.models import create_model
from inkdigits.training.device import channels_last
from inkdigits.training.recipe import Recipe

WEIGHTS, CARD, HISTORY, LOG, STATE = (
    "model.safetensors",
    "model.json",
    "history.csv",
    "log.jsonl",
    "state.safetensors",
)


@dataclass(frozen=True)
class EpochRow:
    """Measurements after one epoch; ``train`` on a fixed part of the training digits, without their distortion.

    Cross-entropy in nats, MSE of softmax against one-hot, accuracy in [0, 1]; validation is NaN where none was set
    aside; ``seconds`` is the time spent on training alone, ``cpu_seconds`` that of all threads.
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


@dataclass
class Run:
    """A trained network and all that is known of its training.

    Attributes
    ----------
    model
        The network, in evaluation mode, with the weights that were measured.
    settings
        What makes the run what it is: model, options, recipe, seed, data set and its sha256, digits set aside.
    metrics
        Final figures; empty until the run is finished.
    """

    model: nn.Module = field(repr=False)
    settings: dict[str, Any]
    history: list[EpochRow] = field(repr=False)
    metrics: dict[str, float]
    environment: dict[str, Any] = field(repr=False, default_factory=dict)
    folder: Path | None = None
    weights_sha256: str = field(repr=False, default="")  # of model.safetensors, once it is written

    @property
    def name(self) -> str:
        """The network's name in the registry."""
        return str(self.settings["model"])


@dataclass
class State:
    """What a run needs to go on after its last whole epoch."""

    model: dict[str, Tensor]
    average: dict[str, Tensor]
    optimizer: dict[int, dict[str, Tensor]]  # by a parameter's place in the optimizer's order
    history: list[EpochRow]


def is_finished(folder: Path) -> bool:
    """Whether ``folder`` holds a run that was trained to its end."""
    return (folder / CARD).exists()


def refuse_finished(folder: Path) -> None:
    """Raise RunError when ``folder`` holds a finished run."""
    if is_finished(folder):
        raise RunError(f"{folder} already holds a run; choose another --out, or remove it")


def sweep(folder: Path) -> None:
    """Remove what a killed process left half-written."""
    for leftover in folder.glob(".*.tmp"):
        leftover.unlink(missing_ok=True)


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
        When it is missing or of another form.
    """
    path = folder / HISTORY
    try:
        with path.open() as file:
            return [
                EpochRow(int(row["epoch"]), **{key: float(value) for key, value in row.items() if key != "epoch"})
                for row in csv.DictReader(file)
            ]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise RunError(f"cannot read {path}: {error}; train the run anew") from error


def _save_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: dict[str, str] | None = None) -> None:
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with atomic_path(path) as temporary:
        try:
            save_file(plain, temporary, metadata)
        except SafetensorError as error:  # the library wraps the system's error, a full disk among them
            raise OSError(None, str(error)) from error


def _load_tensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except FileNotFoundError:
        raise RunError(f"{path} does not exist; the run is incomplete, train it anew") from None
    except (SafetensorError, OSError) as error:
        raise RunError(f"{path} is no safetensors file and is not opened as anything else ({error})") from error


def save_state(folder: Path, state: State, settings: dict[str, Any]) -> None:
    """Write all that ``--resume`` needs, in one file that is replaced whole; then history.csv for people."""
    tensors = {f"model.{name}": tensor for name, tensor in state.model.items()}
    tensors |= {f"average.{name}": tensor for name, tensor in state.average.items()}
    for index, values in state.optimizer.items():
        tensors |= {f"optimizer.{index}.{name}": tensor for name, tensor in values.items()}
    history = [asdict(row) for row in state.history]
    _save_tensors(folder / STATE, tensors, {"settings": json.dumps(settings), "history": json.dumps(history)})
    write_history(folder, state.history)


def load_state(folder: Path, settings: dict[str, Any]) -> State | None:
    """Return the state of an unfinished run, or None where there is none yet.

    Raises
    ------
    RunError
        When the run was begun with other settings, or its state cannot be read.
    """
    path = folder / STATE
    if not path.exists():
        return None
    tensors = _load_tensors(path)
    with safe_open(path, "pt") as file:
        metadata = file.metadata() or {}
    try:
        begun = json.loads(metadata["settings"])
        history = [EpochRow(**row) for row in json.loads(metadata["history"])]
    except (KeyError, ValueError, TypeError) as error:
        raise RunError(f"{path} is no state of a run; remove it to train anew") from error
    require_same_settings(folder, begun, settings)
    parts: dict[str, dict[str, Tensor]] = {"model": {}, "average": {}}
    optimizer: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        kind, _, rest = name.partition(".")
        if kind == "optimizer":
            index, _, key = rest.partition(".")
            optimizer.setdefault(int(index), {})[key] = tensor
        else:
            parts[kind][rest] = tensor
    return State(parts["model"], parts["average"], optimizer, history)


def require_same_settings(folder: Path, begun: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Raise RunError, naming the first difference, when a run was begun with other settings than wanted."""
    flat_begun, flat_wanted = _flat(json.loads(json.dumps(begun))), _flat(json.loads(json.dumps(wanted)))
    for key in flat_wanted | flat_begun:
        old, new = flat_begun.get(key), flat_wanted.get(key)
        if old != new:
            raise RunError(f"{folder} was begun with {key} {old!r}, not {new!r}; use the same, or another --out")


def _flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat


def save_run(folder: Path, run: Run) -> None:
    """Write a finished run; model.json comes last, so that a folder that has it is whole."""
    _save_tensors(folder / WEIGHTS, run.model.state_dict(), {"model": run.name})
    write_history(folder, run.history)
    run.weights_sha256 = hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()
    card = {**run.settings, "metrics": run.metrics, "environment": run.environment}
    card["weights_sha256"] = run.weights_sha256
    write_json(folder / CARD, card)
    (folder / STATE).unlink(missing_ok=True)


def load_run(folder: str | Path, device: torch.device | str = "cpu") -> Run:
    """Rebuild a run from its folder.

    Raises
    ------
    RunError
        When the folder is no finished run, or its files do not belong together.
    ModelError
        When the weights are those of another network.
    """
    folder = Path(folder)
    if not is_finished(folder) and (folder / STATE).exists():
        raise RunError(f"{folder} is an unfinished run; `inkdigits train … --resume --out {folder}` finishes it")
    card = read_json(folder / CARD)
    try:
        environment, metrics, weights_sha256 = (card.pop(key) for key in ("environment", "metrics", "weights_sha256"))
        name, options = card["model"], card["options"]
        Recipe.from_dict(card["recipe"])
    except KeyError as error:
        raise RunError(f"{folder / CARD} lacks {error}; it was not written by `inkdigits train`") from error
    path = folder / WEIGHTS
    tensors = _load_tensors(path)
    model = create_model(name, **options)
    wanted = model.state_dict()
    missing, unexpected = sorted(wanted.keys() - tensors.keys()), sorted(tensors.keys() - wanted.keys())
    if missing or unexpected:
        problem = f"lacks {missing[0]}" if missing else f"holds {unexpected[0]}, which {name} has not"
        raise ModelError(f"{path} does not fit {name}: it {problem}; it belongs to another model or version")
    for key, tensor in tensors.items():
        if tensor.shape != wanted[key].shape:
            raise ModelError(
                f"{path} does not fit {name}: {key} is {tuple(tensor.shape)}, not {tuple(wanted[key].shape)}"
            )
    if hashlib.sha256(path.read_bytes()).hexdigest() != weights_sha256:
        raise RunError(f"{path} is not the file that {CARD} describes; restore it, or train the run anew")
    model.load_state_dict(tensors)
    channels_last(model, device).eval()
    return Run(model, card, read_history(folder), metrics, environment, folder, weights_sha256)

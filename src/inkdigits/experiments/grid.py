"""The grid of a comparison: each network under a preset, each seed, and the settings of the run that they make."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inkdigits.data import Dataset
from inkdigits.errors import UsageError
from inkdigits.models import create_model, list_models
from inkdigits.models.registry import require_digits
from inkdigits.training import recipe_for
from inkdigits.training.loop import default_validation

RUNS = "runs"  # the folder of the runs inside the folder of a comparison
QUICK_DIGITS = 36_000  # digits that a network sees in a quick run: nine epochs of mnist-5k, one of MNIST
STEPS_PER_EPOCH = 8  # at least: a recipe's batch is cut for a small data set


@dataclass(frozen=True)
class Entry:
    """One network under one preset; ``mlp:best`` on the command line."""

    model: str
    preset: str = "standard"

    @classmethod
    def parse(cls, text: str) -> "Entry":
        """Read ``model`` or ``model:preset``.

        Raises
        ------
        UsageError
            When the model or the preset does not exist.
        """
        model, _, preset = text.strip().partition(":")
        entry = cls(model, preset or "standard")
        recipe_for(entry.model, entry.preset)
        return entry

    @property
    def label(self) -> str:
        """Its name in tables and figures."""
        return self.model if self.preset == "standard" else f"{self.model}:{self.preset}"

    def run_folder(self, seed: int) -> Path:
        """Return the folder of its run with that seed, relative to the folder of the comparison."""
        return Path(RUNS) / f"{self.label.replace(':', '-')}-s{seed}"


@dataclass(frozen=True)
class PlannedRun:
    """One run of the grid.

    Attributes
    ----------
    images
        Training digits per epoch.
    settings
        Keyword arguments of :func:`inkdigits.train`, without the data.
    """

    title: str
    images: int
    settings: dict[str, Any]

    @property
    def epochs(self) -> int:
        """Epochs of the run."""
        return int(self.settings["epochs"])


def parse_entries(models: Sequence[str] | None) -> list[Entry]:
    """Return the networks of a comparison; None stands for every network.

    Raises
    ------
    UsageError
        When there is none, one is named twice or reads lines, a model or preset does not exist, or a plug-in's model
        is broken.
    """
    entries = [Entry.parse(text) for text in (list_models() if models is None else models)]
    if not entries or len(set(entries)) < len(entries):
        raise UsageError("name at least one model, and each model once")
    for entry in entries:  # a plug-in's broken model is refused before anything is trained
        require_digits(entry.model, "`compare` trains")
        create_model(entry.model, **recipe_for(entry.model, entry.preset)[1])
    return entries


def plan_grid(
    entries: Sequence[Entry],
    dataset: Dataset,
    folder: Path,
    *,
    seeds: int,
    epochs: int | None,
    quick: bool,
    validation: int | None,
    device: str,
) -> list[PlannedRun]:
    """Return the runs of a comparison: every network with seed 0, then every network with seed 1, and so on."""
    held_out = default_validation(len(dataset.train)) if validation is None else validation
    images = len(dataset.train) - held_out
    planned = []
    for seed in range(seeds):
        for entry in entries:
            recipe, _ = recipe_for(entry.model, entry.preset, {"epochs": epochs})
            quick_epochs = max(1, round(QUICK_DIGITS / len(dataset.train)))
            settings: dict[str, Any] = {
                "model": entry.model,
                "preset": entry.preset,
                "seed": seed,
                "epochs": min(recipe.epochs, quick_epochs) if quick else recipe.epochs,
                "batch_size": min(recipe.batch_size, max(2, images // STEPS_PER_EPOCH)),
                "validation": validation,
                "device": device,
                "out": str(folder / entry.run_folder(seed)),
                "resume": True,
                "measure_all": True,
            }
            planned.append(PlannedRun(f"{entry.label} seed {seed}", images, settings))
    return planned

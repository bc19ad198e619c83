"""The networks whose robustness is measured: trained runs, and exported models without the run that they come from."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inkdigits.data import Dataset
from inkdigits.errors import UsageError
from inkdigits.evaluation.robustness import Classifier, classifier_of
from inkdigits.experiments.comparison_folder import SUMMARY, Plan
from inkdigits.experiments.grid import Entry
from inkdigits.files import read_json
from inkdigits.models.registry import require_digits
from inkdigits.reader.recognizer import Recognizer, bundled
from inkdigits.training import Run, load_run
from inkdigits.training.inference import logits_of

BUNDLED = "bundled"  # the name of the model that comes with the package

Subject = Run | Recognizer


def load_subjects(paths: Sequence[str | Path]) -> dict[str, Subject]:
    """Return runs by folder, exported models by .onnx file or as ``bundled``, each under a label of its own.

    Raises
    ------
    UsageError
        When there is none, or one is named twice or reads lines.
    RunError, ModelError
        When one cannot be read.
    """
    if not paths:
        raise UsageError("name at least one run")
    subjects = [_load(Path(path)) for path in paths]
    return dict(zip(labels_of(subjects), subjects, strict=True))


def _load(path: Path) -> Subject:
    if path.suffix == ".onnx":
        return Recognizer(path)
    if path == Path(BUNDLED) and not path.exists():
        return Recognizer()
    run = load_run(path)
    require_digits(run.name, "`robust` measures")
    return run


def labels_of(subjects: Sequence[Subject]) -> list[str]:
    """Return a label for each: the name of its folder or file, with as many parent folders as make it unique.

    Raises
    ------
    UsageError
        When one is named twice.
    """
    paths = [_path(subject).parts for subject in subjects]
    for path in paths:
        if paths.count(path) > 1:
            raise UsageError(f"{Path(*path)} is named twice")

    def label(path: tuple[str, ...]) -> str:
        others = [other for other in paths if other != path]
        unique = (d for d in range(1, len(path)) if all(other[-d:] != path[-d:] for other in others))
        depth = next(unique, len(path))
        return "/".join(path[-depth:])

    return [label(path) for path in paths]


def _path(subject: Subject) -> Path:
    if isinstance(subject, Run):
        return subject.folder.resolve() if subject.folder else Path(subject.name)
    return Path(BUNDLED) if subject.path == bundled() else subject.path.resolve()


def runs_of(folder: Path) -> list[Path]:
    """Return the first seed's runs of a comparison's folder; any other folder is returned as it is."""
    if not (folder / SUMMARY).exists():
        return [folder]
    return [folder / Entry.parse(label).run_folder(0) for label in read_json(folder / SUMMARY, Plan).models]


def subject_logits(subject: Subject, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return logits float32 (N, 10) of uint8 images (N, 28, 28)."""
    return logits_of(subject.model, images) if isinstance(subject, Run) else subject.run(images).logits


def subject_classifier(subject: Subject) -> Classifier:
    """Return the function that classifies images with a subject."""
    if isinstance(subject, Run):
        return classifier_of(subject.model)
    return lambda images: np.asarray(subject.run(images).logits.argmax(1), np.int64)


def data_note(label: str, subject: Subject, data: Dataset) -> str | None:
    """Return a warning when a subject learned from other data than it is measured on, else None."""
    learned = subject.settings["data"] if isinstance(subject, Run) else subject.card.get("data", {})
    if learned.get("sha256") == data.sha256:
        return None
    return f"{label} learned from {learned.get('name', 'other data')}; whether that overlaps {data.name} is unknown"


def facts_of(subject: Subject) -> dict[str, str]:
    """Return model, training and hash of the weights, as robustness.json states them."""
    if isinstance(subject, Run):
        return {"model": subject.name, "augment": _training(subject), "weights_sha256": subject.weights_sha256}
    card = subject.card
    return {"model": card.get("model", ""), "augment": "exported", "weights_sha256": card.get("run_sha256", "")}


def _training(run: Run) -> str:
    if "members" in run.settings:
        return f"ensemble of {len(run.settings['members'])}"
    recipe = run.settings["recipe"]
    return "adversarial" if recipe["epsilon"] else str(recipe["augment"])

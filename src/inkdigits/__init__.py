"""inkdigits: train, compare and use networks that read handwritten digits.

The names below are imported at their first use, so that ``import inkdigits`` is quick and needs no PyTorch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from inkdigits.data import load, register_dataset
    from inkdigits.data.augment import register_augmentation
    from inkdigits.errors import InkdigitsError
    from inkdigits.evaluation import evaluate
    from inkdigits.evaluation.connectivity import connectivity
    from inkdigits.experiments import compare
    from inkdigits.exporting.onnx_file import export
    from inkdigits.models import create_model, list_models, register_model
    from inkdigits.reader import BatchReader, Reader, Reading, Recognizer
    from inkdigits.reader.layouts import register_layout
    from inkdigits.synthetic.corruptions import register_corruption
    from inkdigits.training import load_run, train
    from inkdigits.training.classifier import DigitClassifier

_HOMES = {  # the module of each public name
    "BatchReader": "inkdigits.reader",
    "DigitClassifier": "inkdigits.training.classifier",
    "InkdigitsError": "inkdigits.errors",
    "Reader": "inkdigits.reader",
    "Reading": "inkdigits.reader",
    "Recognizer": "inkdigits.reader",
    "compare": "inkdigits.experiments",
    "connectivity": "inkdigits.evaluation.connectivity",
    "create_model": "inkdigits.models",
    "evaluate": "inkdigits.evaluation",
    "export": "inkdigits.exporting.onnx_file",
    "list_models": "inkdigits.models",
    "load": "inkdigits.data",
    "load_run": "inkdigits.training",
    "register_augmentation": "inkdigits.data.augment",
    "register_corruption": "inkdigits.synthetic.corruptions",
    "register_dataset": "inkdigits.data",
    "register_layout": "inkdigits.reader.layouts",
    "register_model": "inkdigits.models",
    "train": "inkdigits.training",
}

__all__ = [
    "BatchReader",
    "DigitClassifier",
    "InkdigitsError",
    "Reader",
    "Reading",
    "Recognizer",
    "compare",
    "connectivity",
    "create_model",
    "evaluate",
    "export",
    "list_models",
    "load",
    "load_run",
    "register_augmentation",
    "register_corruption",
    "register_dataset",
    "register_layout",
    "register_model",
    "train",
]


def __getattr__(name: str) -> Any:
    """Import a public name from its module at its first use."""
    if name == "__version__":
        from importlib.metadata import version

        return version("inkdigits")
    if name in _HOMES:
        try:
            return getattr(import_module(_HOMES[name]), name)
        except ModuleNotFoundError as error:
            if (error.name or "inkdigits").partition(".")[0] == "inkdigits":
                raise
            from inkdigits.errors import InkdigitsError

            raise InkdigitsError(f"inkdigits.{name} needs {error.name}: pip install 'inkdigits[lab]'") from error
    raise AttributeError(f"module 'inkdigits' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])

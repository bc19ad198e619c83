"""Export of a run as one ONNX file with its card inside, checked against PyTorch, and as an 8-bit version of it."""

import json
import logging
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnxruntime import quantization
from onnxruntime.quantization.shape_inference import quant_pre_process
from torch import Tensor, nn

from inkdigits.data import Dataset, DigitSet
from inkdigits.errors import ModelError, RunError
from inkdigits.exporting.deployed import Deployed, calibrate
from inkdigits.files import atomic_path
from inkdigits.models.registry import require_digits
from inkdigits.reader.recognizer import FORM, METADATA, OUTPUTS, Recognizer
from inkdigits.training import Run, train_validation_split

OPSET = 20
TOLERANCE = 1e-4  # largest difference of a logit between PyTorch and ONNX Runtime
PARITY_BATCHES = (1, 2, 7)  # batch sizes that are compared, besides all test digits
HALF_FROM = 1000  # numbers of a weight that is stored with 16 bits; smaller ones hardly count
CALIBRATION_DIGITS = 512  # training digits from which the ranges of the 8-bit integers are computed


@dataclass(frozen=True)
class Exported:
    """The files that were written, and their agreement with the network.

    Attributes
    ----------
    largest_difference
        Largest difference of a logit to PyTorch's, over the test digits.
    accuracy, int8_accuracy
        On the test digits, in [0, 1]; ``int8_accuracy`` is None when no 8-bit file was asked for.
    """

    path: Path
    card: dict[str, Any]
    largest_difference: float
    accuracy: float
    int8_path: Path | None
    int8_accuracy: float | None

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON object."""
        return {
            "path": str(self.path),
            "bytes": self.path.stat().st_size,
            "accuracy": self.accuracy,
            "largest_difference": self.largest_difference,
            "int8_path": str(self.int8_path) if self.int8_path else None,
            "int8_bytes": self.int8_path.stat().st_size if self.int8_path else None,
            "int8_accuracy": self.int8_accuracy,
            "card": self.card,
        }


def export(run: Run, data: Dataset, out: Path, int8: bool = True) -> Exported:
    """Write a run as ONNX; it takes uint8 (N, 28, 28) for any N and returns logits, probabilities and refusal scores.

    Parameters
    ----------
    run
        A finished run with validation digits, on which temperature and refusal threshold are fitted.
    data
        The data it learned from; the two runtimes are compared on its test digits.
    out
        The file; the 8-bit version is written beside it as NAME.int8.onnx.

    Raises
    ------
    UsageError
        When the run reads lines, has no validation digits, or learned from other data.
    RunError
        When a file cannot be written.
    ModelError
        When the file and the network disagree; then nothing is written.
    """
    require_digits(run.name, "this function writes")
    learned, validation_set = train_validation_split(run, data)
    settings = calibrate(run, validation_set)
    model = Deployed(run.model.cpu().eval(), settings.temperature)
    card: dict[str, Any] = {
        "form": FORM,
        "model": run.name,
        "labels": list("0123456789"),
        "input": "uint8 (N, 28, 28), ink bright on black, the digit in a box of 20x20, centred by mass, as MNIST's",
        "opset": OPSET,
        **settings.to_dict(),
        "run_sha256": run.weights_sha256,
        "data": run.settings["data"],
        "inkdigits": version("inkdigits"),
    }
    with tempfile.TemporaryDirectory() as scratch:
        plain = Path(scratch) / "plain.onnx"
        images = torch.zeros(2, 28, 28, dtype=torch.uint8)
        write_onnx(model, images, ("images", ({0: torch.export.Dim("N")},), OUTPUTS), plain, card)
        difference, accuracy = _check_parity(model, plain, data.test)
        small, small_accuracy = None, None
        if int8:
            small = Path(scratch) / "int8.onnx"
            few = learned.split(min(CALIBRATION_DIGITS, len(learned) // 2), seed=0)[1]
            _quantize(plain, small, few.images, card)
            answers = Recognizer(small).run(data.test.images)
            small_accuracy = float((answers.logits.argmax(1) == data.test.labels).mean())
        place(plain, out)
        small_path = out.with_suffix(".int8.onnx") if small else None
        if small and small_path:
            place(small, small_path)
    return Exported(out, card, difference, accuracy, small_path, small_accuracy)


def place(made: Path, out: Path) -> None:
    """Put a finished file at ``out``, atomically."""
    with atomic_path(out) as temporary:
        temporary.write_bytes(made.read_bytes())


def write_onnx(model: nn.Module, example: Tensor, names: tuple[str, Any, Sequence[str]], path: Path, card: Any) -> None:
    """Write a network with its card.

    Parameters
    ----------
    example
        An input of the network.
    names
        The name of the input, its dynamic shapes as ``torch.onnx.export`` takes them, and the names of the outputs.
    """
    given, shapes, outputs = names
    with _errors_only("torch.onnx"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's warnings concern its own internals
        program = torch.onnx.export(
            model,
            (example,),
            input_names=[given],
            output_names=list(outputs),
            dynamic_shapes=shapes,
            opset_version=OPSET,
            verbose=False,
        )
    if program is None:
        raise ModelError("PyTorch's exporter returned nothing")
    proto = program.model_proto
    _finish(proto, path, card)


@contextmanager
def _errors_only(logger: str | None) -> Iterator[None]:
    """Limit a logger to errors inside the block; None is the root logger."""
    found = logging.getLogger(logger)
    level = found.level
    found.setLevel(logging.ERROR)
    try:
        yield
    finally:
        found.setLevel(level)


def _finish(proto: onnx.ModelProto, path: Path, card: dict[str, Any]) -> None:
    """Add the card, check the model, and write it."""
    del proto.metadata_props[:]
    for node in proto.graph.node:
        del node.metadata_props[:]  # source positions in PyTorch, with paths of this machine
    onnx.helper.set_model_props(proto, {METADATA: json.dumps(card)})
    onnx.checker.check_model(proto, full_check=True)
    onnx.save(proto, path)


def store_half(path: Path) -> None:
    """Store the large weights of a file as float16; the runtime turns them into float32 when it loads the file."""
    proto = onnx.load(path)
    casts = []
    for weight in proto.graph.initializer:
        values = onnx.numpy_helper.to_array(weight)
        if values.dtype == np.float32 and values.size >= HALF_FROM:
            name = weight.name
            weight.CopyFrom(onnx.numpy_helper.from_array(values.astype(np.float16), f"{name}.half"))
            casts.append(onnx.helper.make_node("Cast", [weight.name], [name], to=onnx.TensorProto.FLOAT))
    nodes = [*casts, *proto.graph.node]
    del proto.graph.node[:]
    proto.graph.node.extend(nodes)
    onnx.checker.check_model(proto, full_check=True)
    onnx.save(proto, path)


def _check_parity(model: Deployed, path: Path, digits: DigitSet) -> tuple[float, float]:
    """Return the largest difference of a logit and the accuracy on all digits.

    Raises
    ------
    ModelError
        When the file and the network disagree on a digit, or a logit differs by more than the tolerance.
    """
    recognizer, worst, correct = Recognizer(path), 0.0, 0
    for size in (*PARITY_BATCHES, len(digits)):
        images = digits.images[:size]
        with torch.inference_mode():
            expected = np.concatenate([model(part)[0].numpy() for part in torch.tensor(images).split(500)])
        logits = recognizer.run(images).logits
        worst = max(worst, float(np.abs(logits - expected).max()))
        correct = int((logits.argmax(1) == digits.labels[:size]).sum())
        if worst > TOLERANCE or (logits.argmax(1) != expected.argmax(1)).any():
            raise ModelError(
                f"the ONNX file's logits differ by {worst:.2g} from PyTorch's in a batch of {size}; not written"
            )
    return worst, correct / len(digits)


class _Digits(quantization.CalibrationDataReader):  # type: ignore[misc]
    """Training digits in parts, in the interface of the quantizer."""

    def __init__(self, images: NDArray[np.uint8]) -> None:
        self.parts: Iterator[NDArray[np.uint8]] = iter(np.array_split(images, 8))

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        """Return the next part, or None at the end."""
        part = next(self.parts, None)
        return None if part is None else {"images": part}


def _quantize(plain: Path, out: Path, images: NDArray[np.uint8], card: dict[str, Any]) -> None:
    ready = out.with_name("ready.onnx")
    try:
        with _errors_only(None):  # the quantizer writes advice to the root logger
            quant_pre_process(plain, ready, skip_symbolic_shape=True)
            quantization.quantize_static(
                ready,
                out,
                _Digits(images),
                op_types_to_quantize=["Conv", "MatMul", "Gemm"],
                per_channel=True,
                calibrate_method=quantization.CalibrationMethod.MinMax,
            )
    except Exception as error:  # the quantizer's exceptions have no common base
        raise RunError(f"the 8-bit version could not be made: {error}; export with --no-int8") from error
    _finish(onnx.load(out), out, {**card, "precision": "int8"})

"""Export of a line reader as one ONNX file with its card inside, checked against PyTorch."""

import tempfile
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from inkdigits.errors import ModelError
from inkdigits.exporting.onnx_file import OPSET, TOLERANCE, place, store_half, write_onnx
from inkdigits.imaging.strips import HEIGHT
from inkdigits.models.line_ctc import PAD, STRIDE
from inkdigits.reader.line_recognizer import FORM, LineRecognizer
from inkdigits.synthetic.line_text import CHARACTERS
from inkdigits.training import Run

AMBIGUOUS_BELOW = 0.35  # lowest probability of an accepted digit on a line
WIDTHS = (8, 61, 400)  # of the strips on which the file and the network are compared
HALF_TOLERANCE = 0.02  # largest difference of a probability when weights are stored with 16 bits


class DeployedLines(nn.Module):
    """``model`` with conversion of its input before it, and a softmax with the temperature T after it."""

    def __init__(self, model: nn.Module, temperature: float) -> None:
        super().__init__()
        self.model, self.temperature = model, temperature

    def forward(self, strips: Tensor) -> tuple[Tensor, Tensor]:
        """Return softmax(logits / T) (N, T, 17) and edges (N, T, 4) of strips uint8 (N, 40, W)."""
        logits, edges = self.model(strips.unsqueeze(1).to(torch.float32) / 255)
        return (logits / self.temperature).softmax(2), edges


@dataclass(frozen=True)
class ExportedLines:
    """The file that was written, and the largest difference of a probability to the network's.

    The weights are stored with 16 bits, as half the size counts for more than that difference.
    """

    path: Path
    card: dict[str, Any]
    largest_difference: float

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON object."""
        size = self.path.stat().st_size
        return {
            "path": str(self.path),
            "bytes": size,
            "largest_difference": self.largest_difference,
            "card": self.card,
        }


def export_lines(run: Run, out: Path) -> ExportedLines:
    """Write a line reader as ONNX; it takes uint8 (N, 40, W) for any N and W.

    Raises
    ------
    RunError
        When the file cannot be written.
    ModelError
        When the file and the network disagree, before or after its weights are rounded; then nothing is written.
    """
    card: dict[str, Any] = {
        "form": FORM,
        "model": run.name,
        "characters": CHARACTERS,
        "stride": STRIDE,
        "pad": PAD,
        "input": f"uint8 (N, {HEIGHT}, W), ink bright on black",
        "opset": OPSET,
        "temperature": 1.0,
        "ambiguous_below": AMBIGUOUS_BELOW,
        "run_sha256": run.weights_sha256,
        "data": run.settings["data"],
        "metrics": {key: run.metrics[key] for key in ("test_acc", "test_ce") if key in run.metrics},
        "inkdigits": version("inkdigits"),
    }
    model = DeployedLines(run.model.cpu().eval(), card["temperature"])
    with tempfile.TemporaryDirectory() as scratch:
        made = Path(scratch) / "lines.onnx"
        strips = torch.zeros(2, HEIGHT, 64, dtype=torch.uint8)
        shapes = ({0: torch.export.Dim("N"), 2: torch.export.Dim("W", min=8)},)
        write_onnx(model, strips, ("strips", shapes, ("probabilities", "edges")), made, card)
        _require_agreement(model, made, TOLERANCE)
        store_half(made)
        difference = _require_agreement(model, made, HALF_TOLERANCE)
        place(made, out)
    return ExportedLines(out, card, difference)


def _require_agreement(model: DeployedLines, path: Path, tolerance: float) -> float:
    """Return the largest difference of a probability between a file and the network.

    Raises
    ------
    ModelError
        When it is larger than ``tolerance``.
    """
    difference = _difference(model, path)
    if difference > tolerance:
        raise ModelError(f"the ONNX file's probabilities differ by {difference:.2g} from PyTorch's; not written")
    return difference


def _difference(model: DeployedLines, path: Path) -> float:
    """Return the largest difference of a probability on strips of random strokes, several widths and batch sizes."""
    recognizer, rng, worst = LineRecognizer(path), np.random.default_rng(0), 0.0
    for count, width in enumerate(WIDTHS, start=1):
        strips = (rng.random((count, HEIGHT, width)) ** 4 * 255).astype(np.uint8)
        with torch.inference_mode():
            expected = model(torch.tensor(strips))[0].numpy()
        worst = max(worst, float(np.abs(recognizer.run(strips)[0] - expected).max()))
    return worst

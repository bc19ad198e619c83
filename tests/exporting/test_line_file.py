"""A line network as an ONNX file: it agrees with PyTorch, says what it is, and reads."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from inkdigits.errors import ModelError, RunError
from inkdigits.exporting import line_file
from inkdigits.exporting.line_file import HALF_TOLERANCE, ExportedLines, export_lines
from inkdigits.exporting.onnx_file import place
from inkdigits.models.line_ctc import PAD, STRIDE
from inkdigits.reader.ctc import BLANK
from inkdigits.reader.line_recognizer import LineRecognizer
from inkdigits.synthetic.line_text import CHARACTERS
from inkdigits.training import Run, load_run


@pytest.fixture(scope="module")
def run(line_run: Path) -> Run:
    """The run with a network that says more, so that a small difference in its input shows."""
    run = load_run(line_run)
    with torch.no_grad():
        run.model.classes.weight.mul_(30)
        run.model.edges.weight.mul_(30)
    return run


@pytest.fixture(scope="module")
def exported(run: Run, tmp_path_factory: pytest.TempPathFactory) -> ExportedLines:
    return export_lines(run, tmp_path_factory.mktemp("out") / "lines.onnx")


@pytest.mark.parametrize(("count", "width"), [(1, 8), (2, 13), (5, 100), (1, 1000), (16, 64)])
def test_it_agrees_with_the_network_for_any_number_and_width(
    count: int, width: int, run: Run, exported: ExportedLines
) -> None:
    strips = np.random.default_rng(width).integers(0, 256, (count, 40, width)).astype(np.uint8)
    probabilities, edges = LineRecognizer(exported.path).run(strips)
    with torch.inference_mode():
        logits, expected = run.model(torch.tensor(strips).unsqueeze(1) / 255)
    np.testing.assert_allclose(probabilities, logits.softmax(2).numpy(), atol=HALF_TOLERANCE)
    np.testing.assert_allclose(edges, expected.numpy(), atol=HALF_TOLERANCE)
    np.testing.assert_allclose(probabilities.sum(2), 1, atol=1e-5)


def test_the_file_says_what_it_is(run: Run, exported: ExportedLines) -> None:
    model = onnx.load(exported.path)
    card = json.loads({entry.key: entry.value for entry in model.metadata_props}["inkdigits"])
    assert card == exported.card
    assert card["characters"] == CHARACTERS
    assert (card["stride"], card["pad"], BLANK) == (STRIDE, PAD, 0)
    assert card["run_sha256"] == run.weights_sha256
    assert card["metrics"] == {key: run.metrics[key] for key in ("test_acc", "test_ce")}
    assert card["opset"] == model.opset_import[0].version
    assert exported.to_dict()["bytes"] == exported.path.stat().st_size
    assert exported.largest_difference < HALF_TOLERANCE


def test_large_weights_are_stored_with_16_bits(run: Run, exported: ExportedLines) -> None:
    weights = onnx.load(exported.path).graph.initializer
    assert all(weight.data_type == onnx.TensorProto.FLOAT16 for weight in weights if np.prod(weight.dims) >= 1000)
    parameters = sum(parameter.numel() for parameter in run.model.parameters())
    assert exported.path.stat().st_size < 2.5 * parameters + 30_000


def test_the_recogniser_reads_with_it(run: Run, exported: ExportedLines) -> None:
    recognizer = LineRecognizer(exported.path)
    assert recognizer.name == f"line-ctc-{run.weights_sha256[:8]}"
    line = recognizer.read([np.zeros((40, 60), np.uint8)])[0]
    assert set(line.text) <= set(CHARACTERS)


@pytest.mark.parametrize("tolerance", ["TOLERANCE", "HALF_TOLERANCE"])
def test_a_file_that_disagrees_is_not_written(
    tolerance: str, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line_file, tolerance, -1.0)
    with pytest.raises(ModelError, match=r"^the ONNX file's probabilities differ by .* from PyTorch's; not written$"):
        export_lines(run, tmp_path / "lines.onnx")
    assert not list(tmp_path.iterdir())


def test_a_place_that_cannot_be_written_is_named(exported: ExportedLines, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="file"):
        place(exported.path, tmp_path / "file" / "lines.onnx")

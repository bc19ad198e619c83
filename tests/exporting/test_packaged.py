"""An exported file comes back as the network that it was made of, whatever its size."""

from pathlib import Path

import numpy as np
import pytest
import torch

from inkdigits.errors import ModelError
from inkdigits.exporting.line_file import export_lines
from inkdigits.exporting.packaged import load_onnx
from inkdigits.reader.line_recognizer import LineRecognizer
from inkdigits.reader.recognizer import Recognizer, bundled
from inkdigits.training import load_run


def test_the_packaged_digit_network_gives_the_same_logits() -> None:
    run = load_onnx(bundled())
    images = (np.random.default_rng(0).random((20, 28, 28)) ** 4 * 255).astype(np.uint8)
    with torch.inference_mode():
        logits = run.model(torch.tensor(images).unsqueeze(1) / 255).numpy()
    np.testing.assert_allclose(logits, Recognizer().run(images).logits, atol=1e-4)
    assert run.settings["recipe"]["outliers"] > 0  # its card says that it has learned from outliers


def test_the_packaged_line_reader_gives_the_same_probabilities_and_edges() -> None:
    run = load_onnx(bundled("lines.onnx"))
    strips = (np.random.default_rng(0).random((2, 40, 120)) ** 4 * 255).astype(np.uint8)
    with torch.inference_mode():
        logits, edges = run.model(torch.tensor(strips).unsqueeze(1) / 255)
    expected, expected_edges = LineRecognizer(bundled("lines.onnx")).run(strips)
    np.testing.assert_allclose(logits.softmax(2).numpy(), expected, atol=1e-4)
    np.testing.assert_allclose(edges.numpy(), expected_edges, atol=1e-4)


def test_options_are_those_of_the_network_that_was_exported_with_weights_of_16_bits(
    line_run: Path, tmp_path: Path
) -> None:
    run = load_run(line_run)
    found = load_onnx(export_lines(run, tmp_path / "lines.onnx").path)
    options = found.settings["options"]
    assert [options[name] for name in ("channels", "features", "dilations")] == [[4, 4, 8], 16, [1]]
    strips = torch.rand(2, 1, 40, 60)
    with torch.inference_mode():
        torch.testing.assert_close(found.model(strips)[0], run.model(strips)[0], atol=0.01, rtol=0.01)


@pytest.mark.parametrize("content", [b"", b"no model", b"\x08\x07"])
def test_another_file_is_one_line(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "other.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"other\.onnx"):
        load_onnx(path)


def test_the_8_bit_file_is_refused() -> None:
    with pytest.raises(ModelError, match="fine-tuning takes a float file"):
        load_onnx(bundled("digits.int8.onnx"))

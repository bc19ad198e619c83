"""An exported file comes back as the network that it was made of, whatever its size."""

from pathlib import Path

import numpy as np
import pytest
import torch

from inkdigits.errors import ModelError
from inkdigits.exporting.packaged import load_onnx
from inkdigits.reader.line_recognizer import LineRecognizer
from inkdigits.reader.recognizer import Recognizer, bundled


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


@pytest.mark.parametrize("content", [b"", b"no model", b"\x08\x07"])
def test_another_file_is_one_line(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "other.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"other\.onnx"):
        load_onnx(path)


def test_the_8_bit_file_is_refused() -> None:
    with pytest.raises(ModelError, match="fine-tuning takes a float file"):
        load_onnx(bundled("digits.int8.onnx"))

"""Reading: an ONNX model in ONNX Runtime, from pixels to digits, confidence and refusals; no PyTorch."""

from inkdigits.reader.recognizer import Prediction, Recognizer

__all__ = ["Prediction", "Recognizer"]

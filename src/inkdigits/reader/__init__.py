"""Reading: from the picture of a digit or of a page to numbers, confidence and refusals; ONNX Runtime, no PyTorch."""

from inkdigits.reader.batch import BatchReader
from inkdigits.reader.reader import Reader
from inkdigits.reader.recognizer import Prediction, Recognizer
from inkdigits.reader.refusal import RefusalPolicy
from inkdigits.reader.results import Digit, Line, Reading
from inkdigits.reader.settings import Settings

__all__ = [
    "BatchReader",
    "Digit",
    "Line",
    "Prediction",
    "Reader",
    "Reading",
    "Recognizer",
    "RefusalPolicy",
    "Settings",
]

"""The recogniser: a model in ONNX Runtime that returns the digit of a crop with its probability, or a refusal."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from inkdigits.errors import DataError, ModelError
from inkdigits.files import checked, from_json, read_bytes
from inkdigits.imaging.normalize import SIZE, Crop, normalize
from inkdigits.reader.refusal import AMBIGUOUS, BLANK, TOO_SMALL, RefusalPolicy

METADATA = "inkdigits"  # key of the model file's metadata; its value is the model's card as JSON
FORM = 2  # version of the card
CLASSES = 10
INPUTS = [("images", "tensor(uint8)", [SIZE, SIZE])]
OUTPUTS = ("logits", "probabilities", "refusal")
SHAPES = [[CLASSES], [CLASSES], []]  # of the outputs, without the number of images
FAINT = 20.0  # of 255; a crop of less contrast has no ink
SMALLEST_INK = 5  # pixels; smaller ink cannot be read
LEAST_SHARE = 0.001  # probability; less likely alternatives are not reported
BATCH = 1024  # images in one forward pass


@dataclass(frozen=True)
class Prediction:
    """The answer for one crop.

    Attributes
    ----------
    digit
        0 to 9, or None where the crop was refused.
    confidence
        Calibrated probability of the likeliest digit, in [0, 1]; 0 for a crop without readable ink.
    alternatives
        The next likeliest digits with their probabilities, those of 0.001 and more.
    reject
        Why it was refused: ``blank``, ``not_a_digit``, ``ambiguous`` or ``too_small``; None where it was accepted.
    refusal
        Minus the score of the refusal policy: high for doubtful crops; None without readable ink.
    """

    digit: int | None
    confidence: float
    alternatives: tuple[tuple[int, float], ...]
    reject: str | None
    refusal: float | None

    def accepted_from(self, threshold: float) -> "Prediction":
        """Return this answer, refused as ambiguous where its confidence is below a threshold."""
        if self.digit is None or self.confidence >= threshold:
            return self
        return replace(
            self, digit=None, alternatives=((self.digit, self.confidence), *self.alternatives), reject=AMBIGUOUS
        )

    def to_dict(self) -> dict[str, Any]:
        """Return a dictionary for JSON, probabilities with four decimals."""
        return {
            "digit": self.digit,
            "confidence": round(self.confidence, 4),
            "alternatives": [[digit, round(share, 4)] for digit, share in self.alternatives],
            "reject": self.reject,
            "refusal": None if self.refusal is None else round(self.refusal, 3),
        }


@dataclass(frozen=True)
class LearnedData:
    """The data that a model learned from."""

    name: str = "other data"
    sha256: str = ""


@dataclass(frozen=True)
class DigitCard:
    """What is read of the card of a model."""

    temperature: float
    refusal: RefusalPolicy
    model: str = "model"
    run_sha256: str = ""
    data: LearnedData = field(default_factory=LearnedData)

    def __post_init__(self) -> None:
        """Raise ValueError when the temperature is not a positive number, or a number of the policy is infinite."""
        if not 0 < self.temperature < math.inf:
            raise ValueError("`temperature` must be a positive number")
        if not all(math.isfinite(value) for value in self.refusal.to_dict().values()):
            raise ValueError("the numbers of `refusal` must be finite")


def require_form(card: Mapping[str, Any], form: int, path: Path) -> None:
    """Raise ModelError when a model's card is of another version."""
    if card.get("form") != form:
        raise ModelError(f"the card of {path} has form {card.get('form')}, not {form}; export the run anew")


@dataclass(frozen=True)
class Outputs:
    """The outputs of the model for N images: float32 (N, 10), (N, 10) and (N,)."""

    logits: NDArray[np.float32]
    probabilities: NDArray[np.float32]
    refusal: NDArray[np.float32]


def open_session(path: Path, threads: int) -> onnxruntime.InferenceSession:
    """Return a model file ready to run on ``threads`` cores; 0 leaves their number to ONNX Runtime.

    Raises
    ------
    ModelError
        When the file cannot be read, or is no ONNX model.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    try:
        content = read_bytes(path)
    except OSError as error:
        raise ModelError(f"cannot read the model {path}: {error.strerror or error}") from error
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's own exceptions have no common base but this
        raise ModelError(f"{path} is no ONNX model that can be run here; write one with inkdigits export") from error


class Recognizer:
    """A model file that ``inkdigits export`` wrote, ready to read.

    Parameters
    ----------
    model
        Its path; None for the model that comes with the package.
    threads
        Cores that one call may use; 0 leaves it to ONNX Runtime.

    Raises
    ------
    ModelError
        When the file is missing, is no ONNX file, or was not written by ``inkdigits export``.
    """

    def __init__(self, model: str | Path | None = None, threads: int = 0) -> None:
        self.path = bundled() if model is None else Path(model)
        self._session = open_session(self.path, threads)
        self.card, self.policy = self._read_card()

    @property
    def name(self) -> str:
        """Name of the model with the first eight digits of the hash of its weights."""
        return f"{self.card.get('model', 'model')}-{str(self.card.get('run_sha256', ''))[:8]}"

    def _read_card(self) -> tuple[dict[str, Any], RefusalPolicy]:
        text = self._session.get_modelmeta().custom_metadata_map.get(METADATA)
        outputs = self._session.get_outputs()
        names, shapes = tuple(output.name for output in outputs), [output.shape[1:] for output in outputs]
        takes = [(given.name, given.type, given.shape[1:]) for given in self._session.get_inputs()]
        if text is None or (names, shapes) != (OUTPUTS, SHAPES) or takes != INPUTS:
            raise ModelError(
                f"{self.path} is an ONNX model, but not one that inkdigits export wrote: "
                + ("it lacks its card" if text is None else "its inputs or outputs are others")
            )
        try:
            card = from_json(text, dict[str, Any])
            require_form(card, FORM, self.path)
            return card, checked(card, DigitCard).refusal
        except ValueError as error:
            raise ModelError(f"the card of {self.path} is broken ({error}); export the run anew") from error

    def warm_up(self) -> None:
        """Run the model once; the first run is the slowest."""
        self.run(np.zeros((1, SIZE, SIZE), np.uint8))

    def run(self, images: NDArray[np.uint8]) -> Outputs:
        """Return the outputs of the model for images uint8 (N, 28, 28) in the form of MNIST, any N.

        Raises
        ------
        DataError
            When the images have another shape or dtype.
        """
        if images.dtype != np.uint8 or images.ndim != 3 or images.shape[1:] != (SIZE, SIZE):
            raise DataError(f"digits must be uint8 (N, {SIZE}, {SIZE}), not {images.dtype} {images.shape}")
        parts = [
            self._session.run(list(OUTPUTS), {"images": np.ascontiguousarray(images[start : start + BATCH])})
            for start in range(0, max(len(images), 1), BATCH)
        ]
        return Outputs(*(parts[0] if len(parts) == 1 else map(np.concatenate, zip(*parts, strict=True))))

    def predict(self, images: NDArray[np.uint8]) -> list[Prediction]:
        """Read images uint8 (N, 28, 28) in the form of MNIST."""
        return self.judge(self.run(images), np.asarray(images.any((1, 2)), np.bool_))

    def read_crops(self, crops: list[NDArray[Any]]) -> list[Prediction]:
        """Read crops of one digit each, of any size, grey or colour, ink dark or light.

        Raises
        ------
        DataError
            When a crop is no image, or holds NaN.
        """
        try:
            found = [normalize(crop) for crop in crops]
        except ValueError as error:
            raise DataError(f"{error}; give grey (H, W) or colour (H, W, 3 or 4) pixels") from error
        predictions = self.predict(
            np.stack([crop.digit for crop in found]) if found else np.empty((0, SIZE, SIZE), np.uint8)
        )
        return [
            refused(reason) if (reason := unreadable(crop)) else prediction
            for crop, prediction in zip(found, predictions, strict=True)
        ]

    def judge(self, outputs: Outputs, has_ink: NDArray[np.bool_] | None = None) -> list[Prediction]:
        """Return the predictions for the network's outputs, under the refusal policy of the model.

        Parameters
        ----------
        has_ink
            Whether each picture has any ink, (N,); None where all have.
        """
        reasons = self.policy.decide(outputs.probabilities, outputs.logits, has_ink)
        rows = zip(reasons, outputs.probabilities.tolist(), outputs.refusal.tolist(), strict=True)
        return [_prediction(reason, shares, refusal) for reason, shares, refusal in rows]


def _prediction(reject: str | None, shares: list[float], refusal: float) -> Prediction:
    if reject == BLANK:
        return refused(BLANK)
    order = sorted(range(len(shares)), key=shares.__getitem__, reverse=True)
    best, confidence = order[0], shares[order[0]]
    others = tuple((digit, shares[digit]) for digit in order[1:] if shares[digit] >= LEAST_SHARE)
    if reject:
        return Prediction(None, confidence, ((best, confidence), *others), reject, refusal)
    return Prediction(best, confidence, others, None, refusal)


def unreadable(crop: Crop) -> str | None:
    """Return ``blank`` or ``too_small`` for a crop without readable ink, else None."""
    if crop.contrast < FAINT:
        return BLANK
    return TOO_SMALL if max(crop.box[2:]) < SMALLEST_INK else None


def refused(reason: str) -> Prediction:
    """Return the prediction for a crop without readable ink: ``blank`` or ``too_small``."""
    return Prediction(None, 0.0, (), reject=reason, refusal=None)


def bundled(name: str = "digits.onnx") -> Path:
    """Return the path of the model that comes with the package.

    Raises
    ------
    ModelError
        When this copy of the package has none.
    """
    path = Path(str(files("inkdigits.reader") / "assets" / name))
    if not path.exists():
        raise ModelError(f"this copy of inkdigits has no {name}; name a model with --model, or reinstall the package")
    return path

"""The line recogniser: a model in ONNX Runtime that reads strips of writing without cutting them into digits."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inkdigits.errors import ModelError
from inkdigits.files import checked, from_json
from inkdigits.imaging.strips import HEIGHT, Strip
from inkdigits.reader.ctc import (
    BLANK,
    BeamParameters,
    Hypothesis,
    align,
    best_path,
    likeliest_texts,
    marginals,
    readings_of,
)
from inkdigits.reader.recognizer import METADATA, bundled, open_session, require_form

FORM = 1  # version of the card
INPUTS = [("strips", "tensor(uint8)")]
OUTPUTS = ["probabilities", "edges"]
EDGES = 4  # left, right, top and bottom
AREA = 16 * HEIGHT * 400  # pixels of one forward pass, at most
MULTIPLE = 8  # pixels; the narrowest step of padded widths


@dataclass(frozen=True)
class Character:
    """A character of a line.

    Attributes
    ----------
    character
        A digit, a separator of ``.,-/``, ``?`` for other writing, or ``x`` for a digit that is crossed out.
    edges
        Left, top, right, bottom in pixels of the strip.
    probabilities
        Of all the model's characters at this place, float64 (16,); what is missing to 1 is that there is none.
    """

    character: str
    edges: tuple[float, float, float, float]
    probabilities: NDArray[np.float64]

    @property
    def probability(self) -> float:
        """That this character stands here, in [0, 1]."""
        return float(self.probabilities.max(initial=0.0))


@dataclass(frozen=True)
class LineText:
    """What stands on a strip.

    Attributes
    ----------
    characters
        Those of the likeliest text, from the left.
    texts
        The likeliest texts with their probabilities, the likeliest first.
    """

    characters: tuple[Character, ...]
    texts: tuple[tuple[str, float], ...]

    @property
    def text(self) -> str:
        """The likeliest text."""
        return self.texts[0][0]

    def readings(self, start: int, stop: int) -> dict[str, float]:
        """Return what may stand in the place of characters ``start`` to ``stop``, exclusive, with probabilities."""
        hypotheses = [Hypothesis(tuple(map(ord, text)), probability) for text, probability in self.texts]
        found = readings_of(hypotheses, start, stop)
        return {"".join(map(chr, classes)): probability for classes, probability in found.items()}


@dataclass(frozen=True)
class LineCard:
    """What is read of the card of a line reader; ``stride`` and ``pad`` are in pixels of a strip."""

    characters: str
    stride: int
    pad: int
    model: str
    run_sha256: str
    ambiguous_below: float

    def __post_init__(self) -> None:
        """Raise ValueError when a value is out of its range, or a character stands twice."""
        if self.stride < 1 or self.pad < 0 or not 0 <= self.ambiguous_below <= 1:
            raise ValueError("`stride` must be at least 1, `pad` at least 0, `ambiguous_below` within 0 to 1")
        if len(set(self.characters)) != len(self.characters):
            raise ValueError("`characters` has one twice")


class LineRecognizer:
    """A model file of a line reader that ``inkdigits export`` wrote.

    Parameters
    ----------
    model
        Its path; None for the model that comes with the package.
    threads
        Cores that one call may use; 0 leaves it to ONNX Runtime.

    Raises
    ------
    ModelError
        When the file is missing, is no ONNX file, or is no line reader.
    """

    def __init__(self, model: str | Path | None = None, threads: int = 0, beam: BeamParameters | None = None) -> None:
        self.path = bundled("lines.onnx") if model is None else Path(model)
        self._session = open_session(self.path, threads)
        self.card = self._read_card()
        self.characters: str = self.card["characters"]
        self._beam = beam

    @property
    def name(self) -> str:
        """Name of the model with the first eight digits of the hash of its weights."""
        return f"{self.card['model']}-{str(self.card['run_sha256'])[:8]}"

    def _read_card(self) -> dict[str, Any]:
        text = self._session.get_modelmeta().custom_metadata_map.get(METADATA)
        takes = [(given.name, given.type) for given in self._session.get_inputs()]
        if text is None or takes != INPUTS or [output.name for output in self._session.get_outputs()] != OUTPUTS:
            raise ModelError(f"{self.path} is no line reader that inkdigits export wrote")
        try:
            card = from_json(text, dict[str, Any])
            require_form(card, FORM, self.path)
            characters = checked(card, LineCard).characters
            if [output.shape[2:] for output in self._session.get_outputs()] != [[len(characters) + 1], [EDGES]]:
                raise ValueError(f"the model has another number of outputs than its {len(characters)} characters need")
        except ValueError as error:
            raise ModelError(f"the card of {self.path} is broken ({error}); export the run anew") from error
        return card

    def run(self, strips: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return probabilities float32 (N, T, 17) and edges (N, T, 4) of strips uint8 (N, 40, W)."""
        probabilities, edges = self._session.run(OUTPUTS, {"strips": np.ascontiguousarray(strips)})
        return probabilities, edges

    def read(self, strips: Sequence[Strip], length: int | None = None) -> list[LineText]:
        """Read strips uint8 (40, W) of any widths; texts with ``length`` digits are preferred, if that is given."""
        out: list[LineText | None] = [None] * len(strips)
        for width, group in _groups([strip.shape[1] for strip in strips]):
            batch = np.zeros((len(group), HEIGHT, width), np.uint8)
            for row, index in enumerate(group):
                batch[row, :, : strips[index].shape[1]] = strips[index]
            for index, shares, edges in zip(group, *self.run(batch), strict=True):
                steps = -(-(strips[index].shape[1] + 2 * self.card["pad"]) // self.card["stride"])
                out[index] = self._decode(shares[:steps], edges[:steps], length)
        return [line for line in out if line is not None]

    def _decode(self, shares: NDArray[np.float32], edges: NDArray[np.float32], length: int | None) -> LineText:
        quick = best_path(shares)
        # print and patterns without a digit need no search for other texts
        has_digits = any(self.characters[c - 1].isdigit() for c in quick.classes)
        texts = likeliest_texts(shares, self._beam) if has_digits else [quick]
        if length is not None:
            texts.sort(key=lambda found: sum(c.isdigit() for c in self._text(found)) != length)
        best = texts[0].classes
        known = marginals(texts, shares.shape[1])
        steps = align(shares, best)
        for row, step, c in zip(known, steps, best, strict=True):
            row *= min(1.0, float(shares[step, c]) / max(row[c], 1e-12))  # the texts that were kept may all agree
        characters = tuple(
            Character(self.characters[c - 1], self._box(step, edges[step]), row[1:])
            for c, step, row in zip(best, steps, known, strict=True)
        )
        return LineText(characters, tuple((self._text(found), found.probability) for found in texts))

    def _text(self, hypothesis: Hypothesis) -> str:
        return "".join(self.characters[c - 1] for c in hypothesis.classes if c != BLANK)

    def _box(self, step: int, edges: NDArray[np.float32]) -> tuple[float, float, float, float]:
        """Return left, top, right, bottom in pixels of the strip from the edges at a step."""
        pixel = self.card["stride"] * (step + 0.5) - self.card["pad"]
        left, right, top, bottom = (float(edge) * HEIGHT for edge in edges)
        return pixel - left, top, pixel + right, bottom


def _padded_width(width: int) -> int:
    """Return the width that a strip is padded to: up to 8 pixels or an eighth more.

    It depends on the strip alone, as the paper that is added changes the probabilities a little: a line is read in the
    same way whatever else is read with it. There are few such widths, so ONNX Runtime plans for few shapes.
    """
    step = max(MULTIPLE, 1 << max(0, width.bit_length() - 4))
    return -(-width // step) * step


def _groups(widths: Sequence[int]) -> Iterator[tuple[int, list[int]]]:
    """Yield the padded width of each forward pass, and the indices of its strips."""
    same: dict[int, list[int]] = defaultdict(list)
    for index, width in enumerate(widths):
        same[_padded_width(width)].append(index)
    for width, indices in same.items():
        most = max(1, AREA // (width * HEIGHT))
        for start in range(0, len(indices), most):
            yield width, indices[start : start + most]

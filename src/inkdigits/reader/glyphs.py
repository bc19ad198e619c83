"""Glyphs: places on a page that may hold a digit, with the recogniser's answer for each."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inkdigits.imaging.geometry import Box
from inkdigits.imaging.strips import Strip
from inkdigits.reader.line_recognizer import LineRecognizer, LineText
from inkdigits.reader.recognizer import Recognizer
from inkdigits.reader.refusal import BLANK


@dataclass(frozen=True)
class Glyph:
    """One place on a page.

    Attributes
    ----------
    box
        Left, top, width, height on the page, pixels.
    probabilities
        Of the ten digits, given that it is a digit: float32 (10,).
    log_probability
        That it is a digit and the likeliest of the ten, nats.
    reject
        Why it is rejected; None where it is accepted.
    """

    box: Box
    probabilities: NDArray[np.float32]
    log_probability: float
    reject: str | None

    @property
    def probability(self) -> float:
        """That it is the likeliest digit, in [0, 1]."""
        return float(np.exp(min(0.0, self.log_probability)))


def blank_glyph(box: Box) -> Glyph:
    """Return the glyph of a blank form box."""
    return Glyph(box, np.zeros(10, np.float32), 0.0, BLANK)


class GlyphReader:
    """Recognises pictures of single digits under the refusal policy of the model, and strips of whole lines."""

    def __init__(self, recognizer: Recognizer, lines: LineRecognizer) -> None:
        self._recognizer, self._lines = recognizer, lines

    @property
    def ambiguous_below(self) -> float:
        """Lowest probability of an accepted digit on a line, as the card of the line reader states it."""
        return float(self._lines.card["ambiguous_below"])

    def opinions(self, pictures: Sequence[NDArray[np.uint8]]) -> list[NDArray[np.float32] | None]:
        """Return the probabilities (10,) of the digits for pictures uint8 (28, 28); None for one that is refused."""
        if not pictures:
            return []
        outputs = self._recognizer.run(np.stack(pictures))
        reasons = self._recognizer.policy.decide(outputs.probabilities, outputs.logits)
        return [None if reason else shares for reason, shares in zip(reasons, outputs.probabilities, strict=True)]

    def read_lines(self, strips: Sequence[Strip], length: int | None = None) -> list[LineText]:
        """Return what stands on strips uint8 (40, W); texts with ``length`` digits are preferred, if that is given."""
        return self._lines.read(strips, length)

    def read(self, boxes: Sequence[Box], pictures: Sequence[NDArray[np.uint8]], evidence: float) -> list[Glyph]:
        """Return the glyphs of pictures uint8 (28, 28) at boxes of the page; ``evidence`` is the layout's, in nats."""
        if not boxes:
            return []
        outputs = self._recognizer.run(np.stack(pictures))
        policy = self._recognizer.policy
        reasons = policy.decide(outputs.probabilities, outputs.logits, evidence=evidence)
        scores = policy.log_probability(outputs.logits).tolist()
        return [
            Glyph(box, shares, score, reason)
            for box, shares, score, reason in zip(boxes, outputs.probabilities, scores, reasons, strict=True)
        ]

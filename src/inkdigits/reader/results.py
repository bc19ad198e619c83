"""Results: the numbers of a page and their digits, as frozen dataclasses that become JSON."""

import math
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray
from PIL.Image import Image

from inkdigits.imaging.geometry import Box
from inkdigits.reader.annotate import annotate
from inkdigits.reader.cells import rows_and_columns, upright_box
from inkdigits.reader.refusal import BLANK

DOUBTFUL_BELOW = 0.9  # confidence; a number of less is doubtful, where nothing else is said


@dataclass(frozen=True)
class Digit:
    """One digit on a page, or a place where the digit was rejected.

    Attributes
    ----------
    digit
        0 to 9, or None where it was rejected.
    confidence
        Probability that this digit was written, in [0, 1].
    box
        Left, top, width, height in the picture's pixels.
    alternatives
        The next likeliest digits with their probabilities, those of 0.001 and more.
    reject
        Why it was rejected: ``blank``, ``not_a_digit``, ``ambiguous``, ``too_small`` or ``crossed_out``; None where it
        was accepted.
    """

    digit: int | None
    confidence: float
    box: Box
    alternatives: tuple[tuple[int, float], ...] = ()
    reject: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return a dictionary for JSON, probabilities with four decimals."""
        return {
            "digit": self.digit,
            "confidence": round(self.confidence, 4),
            "box": list(self.box),
            "alternatives": [[digit, round(share, 4)] for digit, share in self.alternatives],
            "reject": self.reject,
        }


@dataclass(frozen=True)
class Line:
    """A number: one line of writing, or one row of boxes.

    Attributes
    ----------
    digits
        From the left.
    box
        Left, top, width, height in the picture's pixels.
    separators
        Each is the index of the digit before which it stands, and the mark: ``.``, ``,``, ``-`` or ``/``.
    rule
        The checksum or roster that chose the number, such as ``luhn``; None without one.
    runner_up
        The second likeliest number that satisfies the rule, with its probability; None without a rule.
    probability
        Probability of the number: among those that satisfy the rule, or among all that may stand on a line that was
        read as a whole; None where the digits were recognised one by one.
    alternatives
        Other numbers that may stand there, with their probabilities, those of 0.001 and more.
    doubtful_below
        Numbers of less confidence are doubtful.
    """

    digits: tuple[Digit, ...]
    box: Box
    separators: tuple[tuple[int, str], ...] = ()
    rule: str | None = None
    runner_up: tuple[str, float] | None = None
    probability: float | None = None
    alternatives: tuple[tuple[str, float], ...] = ()
    doubtful_below: float = DOUBTFUL_BELOW

    @property
    def text(self) -> str:
        """What stands there: digits and separators, ``?`` in the place of a rejected digit, a space for a blank box."""
        out = [_shown(digit) for digit in self.digits]
        for place, mark in self.separators:
            out[place] = mark + out[place]
        return "".join(out)

    @property
    def number(self) -> str:
        """The digits alone, ``?`` in the place of a rejected one, a space for a blank box."""
        return "".join(map(_shown, self.digits))

    @property
    def confidence(self) -> float:
        """Probability that the number is correct; with a rule, among valid numbers; 0 if a digit is rejected.

        Blank boxes do not count.
        """
        written = [digit for digit in self.digits if digit.reject != BLANK]
        if not written or any(digit.digit is None for digit in written):
            return 0.0
        return self.probability if self.probability is not None else math.prod(d.confidence for d in written)

    @property
    def is_blank(self) -> bool:
        """Whether all boxes are blank."""
        return all(digit.reject == BLANK for digit in self.digits)

    @property
    def is_doubtful(self) -> bool:
        """Whether a digit was rejected, or the number has too little confidence; blank boxes do not count."""
        return not self.is_blank and (
            self.confidence < self.doubtful_below or any(d.digit is None and d.reject != BLANK for d in self.digits)
        )

    def to_dict(self) -> dict[str, Any]:
        """Return a dictionary for JSON."""
        out: dict[str, Any] = {
            "text": self.text,
            "number": self.number,
            "confidence": round(self.confidence, 4),
            "doubtful": self.is_doubtful,
            "box": list(self.box),
            "alternatives": [[number, round(share, 4)] for number, share in self.alternatives],
        }
        if self.rule is not None:
            out["rule"] = self.rule
            out["runner_up"] = None if self.runner_up is None else [self.runner_up[0], round(self.runner_up[1], 4)]
        return {**out, "digits": [digit.to_dict() for digit in self.digits]}


def _shown(digit: Digit) -> str:
    if digit.digit is None:
        return " " if digit.reject == BLANK else "?"
    return str(digit.digit)


@dataclass(frozen=True)
class Reading:
    """The numbers of one page.

    Attributes
    ----------
    source, page
        File, and index of the page in it, from 0.
    model
        Name of the model with the first eight digits of the hash of its weights.
    lines
        From the top.
    turned
        Degrees by which the picture was turned to the left to be upright: 0, 90, 180 or 270.
    layout
        Name of the layout, such as ``line`` or ``boxes``.
    size
        Width and height of the picture in pixels, to which the boxes refer.
    picture
        Its pixels, perhaps scaled down.
    """

    source: str
    page: int
    model: str
    lines: tuple[Line, ...]
    warnings: tuple[str, ...] = ()
    turned: int = 0
    layout: str = "line"
    size: tuple[int, int] = (0, 0)
    picture: NDArray[Any] | None = field(default=None, repr=False, compare=False)

    @property
    def text(self) -> str:
        """The texts of the lines, one below the other."""
        return "\n".join(line.text for line in self.lines)

    @property
    def digits(self) -> tuple[Digit, ...]:
        """All digits, in reading order."""
        return tuple(digit for line in self.lines for digit in line.digits)

    @property
    def places(self) -> tuple[tuple[int, int], ...]:
        """Row and column of each line on the upright page, from 0."""
        return tuple(rows_and_columns([upright_box(line.box, self.turned, self.size) for line in self.lines]))

    @property
    def cells(self) -> tuple[tuple[str, ...], ...]:
        """The texts of the lines as a table: rows from the top, with as many columns each, "" where nothing stands."""
        texts = {place: "" if line.is_blank else line.text for place, line in zip(self.places, self.lines, strict=True)}
        rows, columns = (1 + max((place[axis] for place in texts), default=-1) for axis in (0, 1))
        return tuple(tuple(texts.get((row, column), "") for column in range(columns)) for row in range(rows))

    def annotated(self) -> Image:
        """Return the picture with boxes, digits and confidence drawn on it: green, amber, red; blank boxes grey.

        Raises
        ------
        DataError
            When the reading has no picture.
        """
        return annotate(self.picture, self.size, self.digits)

    def to_dict(self) -> dict[str, Any]:
        """Return a dictionary for JSON."""
        return {
            "source": self.source,
            "page": self.page,
            "model": self.model,
            "layout": self.layout,
            "turned": self.turned,
            "size": list(self.size),
            "warnings": list(self.warnings),
            "lines": [line.to_dict() for line in self.lines],
            "cells": [list(row) for row in self.cells],
        }

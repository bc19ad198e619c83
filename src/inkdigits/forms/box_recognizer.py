"""The box recogniser: what stands in each box of a form, from the digit network and the line reader together.

The line reader sees a box as a line of one character. Summing over the alignments of that character to its steps, as
CTC does (A. Graves et al., 2006), gives the probability of each character, of a digit that is crossed out, and, as
the rest, of several characters. The geometric mean of the two networks is more often right than one of them. Whether
there is one clear digit at all is a logistic regression on the two networks' log-odds, fitted on made sheets that
MNIST's validation digits fill.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from inkdigits.forms.alternatives import BLANK, OTHER, OUTCOMES
from inkdigits.forms.cells import Cell
from inkdigits.imaging.strips import Strip, StripArea, cut_strip
from inkdigits.reader.line_recognizer import LineRecognizer
from inkdigits.reader.recognizer import Recognizer

DIGITS = 10
CROSSED, UNKNOWN = "x", "?"  # of the line reader's characters
CROSSED_OUT, NOT_A_DIGIT, SMALL_MARK, NOTE = "crossed_out", "not_a_digit", "small_mark", "written_above"
AT_SIDE = "along_the_side"
NOT_IN_PLACE = "box_not_found"
NOTE_IS_DIRT = 0.05  # probability that what stands above a box does not belong to it


@dataclass(frozen=True)
class BoxParameters:
    """How the networks' answers become one distribution over the outcomes of a box."""

    share: float = 0.66  # of a strip's height that a digit takes, as in the median line of training
    around: float = 0.6  # heights of the digit of paper on either side of it on its strip
    digit_weight: float = (
        0.5  # exponent of the digit network's probabilities in the mean; the rest is the line reader's
    )
    offset: float = -4.0  # of the log-odds that a box holds one clear digit; these four are fitted on made sheets
    of_digit: float = 0.20  # factor of the digit network's log-odds that it is a digit
    of_single: float = 0.31  # factor of the line reader's log-odds that it is one digit and nothing else
    of_crossed: float = -0.94  # factor of the line reader's log-odds that it is crossed out
    least_odds: float = 1e-6  # probability; log-odds are taken between it and its complement
    least: float = 1e-4  # probability; no network excludes a digit entirely
    floor: float = 5e-4  # probability that the answer is any outcome, however sure the networks are
    sure_blank: float = 0.9995  # probability that a box without ink is blank
    speck: float = 1.8  # mm; smaller ink may be a blot in a blank box
    speck_is_blank: float = 0.5  # probability that it is
    side_is_blank: float = 0.5  # probability that a box is blank in which only a stroke along a side is seen
    crossed: float = 0.3  # probability of other writing from which the line reader names it


@dataclass(frozen=True)
class BoxReading:
    """What stands in a box: probabilities of the outcomes (12,), and why it may be no digit, if so."""

    shares: NDArray[np.float64]
    doubt: str | None = None

    def with_note(self) -> "BoxReading":
        """Return this reading of a box above which something is written: what is in the box is likely withdrawn."""
        shares = NOTE_IS_DIRT * self.shares
        shares[OTHER] += 1 - NOTE_IS_DIRT
        return BoxReading(shares, NOTE)


class BoxRecognizer:
    """Reads the cells of a page in one batch."""

    def __init__(self, recognizer: Recognizer, lines: LineRecognizer, parameters: BoxParameters | None = None) -> None:
        self._recognizer, self._lines = recognizer, lines
        self._parameters = parameters or BoxParameters()

    @property
    def name(self) -> str:
        """Names of the two models."""
        return f"{self._recognizer.name}+{self._lines.name}"

    def read(self, cells: Sequence[Cell]) -> list[BoxReading]:
        """Return what stands in each cell."""
        written = [index for index, cell in enumerate(cells) if not cell.is_blank]
        out = [self._at_side() if cell.at_side else self._blank() for cell in cells]
        if not written:
            return out
        pictures = np.stack([cells[index].picture for index in written])
        outputs = self._recognizer.run(pictures)
        digits = outputs.probabilities.astype(float)
        is_digit = np.exp(self._recognizer.policy.log_probability(outputs.logits)) / digits.max(1)
        singles = self._singles([self._strip(cells[index]) for index in written])
        for place, index in enumerate(written):
            out[index] = self._joined(cells[index], digits[place], float(is_digit[place]), singles[place])
        return out

    def _blank(self) -> BoxReading:
        return BoxReading(_with_rest(BLANK, self._parameters.sure_blank))

    def _at_side(self) -> BoxReading:
        """Return the reading of a box with nothing but a stroke along a side: blank, a 1, or something else."""
        p = self._parameters
        shares = _with_rest(BLANK, p.side_is_blank)
        shares[1] += 0.5 * (1 - p.side_is_blank)
        return BoxReading(shares / shares.sum(), AT_SIDE)

    def _strip(self, cell: Cell) -> Strip:
        """Return the writing in a cell as a strip of one character."""
        p = self._parameters
        left, top, wide, tall = cv2.boundingRect(cell.mask)
        tall = max(tall, round(0.5 * wide))
        area = StripArea(left - p.around * tall, left + wide + p.around * tall, top + tall / 2, tall / p.share)
        return cut_strip(cell.ink, area)

    def _singles(self, strips: Sequence[Strip]) -> NDArray[np.float64]:
        """Return the probability that each strip holds one character and nothing else, (N, characters)."""
        order = sorted(range(len(strips)), key=lambda index: strips[index].shape[1])
        out = np.zeros((len(strips), len(self._lines.characters)))
        for start in range(0, len(order), 32):  # of like widths, so that little paper is added
            group = order[start : start + 32]
            width = -(-max(strips[index].shape[1] for index in group) // 8) * 8
            batch = np.zeros((len(group), strips[0].shape[0], width), np.uint8)
            for row, index in enumerate(group):
                batch[row, :, : strips[index].shape[1]] = strips[index]
            out[group] = single_characters(self._lines.run(batch)[0])
        return out

    def _joined(
        self, cell: Cell, digits: NDArray[np.float64], is_digit: float, singles: NDArray[np.float64]
    ) -> BoxReading:
        """Return the distribution over the outcomes of a written box."""
        p = self._parameters
        in_line = singles[:DIGITS]
        single = min(1.0, float(in_line.sum()))
        likely = in_line / max(single, p.least_odds)
        logs = p.digit_weight * np.log(digits + p.least) + (1 - p.digit_weight) * np.log(likely + p.least)
        mean = np.exp(logs - logs.max())
        mean /= mean.sum()
        crossed = float(singles[self._lines.characters.index(CROSSED)])
        odds = p.offset + p.of_digit * _log_odds(is_digit, p.least_odds) + p.of_single * _log_odds(single, p.least_odds)
        odds += p.of_crossed * _log_odds(crossed, p.least_odds)
        digit = 1 / (1 + math.exp(-odds))
        shares = np.zeros(len(OUTCOMES))
        shares[:DIGITS] = digit * mean
        shares[OTHER] = 1 - digit
        if cell.length < p.speck:
            shares = (1 - p.speck_is_blank) * shares
            shares[BLANK] = p.speck_is_blank
        shares = (1 - p.floor) * shares + p.floor / len(OUTCOMES)
        return BoxReading(shares, self._doubt(cell, shares, singles))

    def _doubt(self, cell: Cell, shares: NDArray[np.float64], singles: NDArray[np.float64]) -> str | None:
        p = self._parameters
        if cell.length < p.speck:
            return SMALL_MARK
        if shares[OTHER] < p.crossed:
            return None
        crossed, other = (singles[self._lines.characters.index(one)] for one in (CROSSED, UNKNOWN))
        return CROSSED_OUT if crossed > other else NOT_A_DIGIT


def single_characters(probabilities: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the probability that each line holds one given character alone, (N, C - 1).

    Parameters
    ----------
    probabilities
        float32 (N, T, C) of the classes at each step, class 0 for the blank.
    """
    steps = probabilities.astype(float)
    before = np.ones((len(steps), 1))
    within = np.zeros((len(steps), steps.shape[2]))
    after = np.zeros_like(within)
    for step in np.moveaxis(steps, 1, 0):  # (N, C)
        blank = step[:, :1]
        after = (after + within) * blank
        within = (within + before) * step
        before = before * blank
    return np.asarray((within + after)[:, 1:])


def _log_odds(probability: float, least: float) -> float:
    kept = min(max(probability, least), 1 - least)
    return math.log(kept / (1 - kept))


def _with_rest(outcome: int, probability: float) -> NDArray[np.float64]:
    shares = np.full(len(OUTCOMES), (1 - probability) / (len(OUTCOMES) - 1))
    shares[outcome] = probability
    return shares

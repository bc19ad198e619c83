"""Where numbers start and stop among the characters of a line, and how sure a character is."""

import numpy as np
import pytest
from numpy.typing import NDArray

from inkdigits.reader.ctc import BeamParameters
from inkdigits.reader.layouts.line import LineLayout
from inkdigits.reader.line_recognizer import Character, LineRecognizer

WIDE, TALL, GAP = 16.0, 24.0, 4.0  # pixels of a character, and between two


def characters(text: str) -> list[Character]:
    """Characters one beside the other; each space is a wide gap."""
    found, x = [], 0.0
    for one in text:
        if one != " ":
            found.append(Character(one, (x, 8.0, x + WIDE, 8.0 + TALL), np.full(16, 1 / 16)))
        x += WIDE + GAP if one != " " else 2 * TALL
    return found


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("1234", [(0, 4)]),
        ("12 34", [(0, 2), (2, 4)]),
        ("12?34", [(0, 5)]),  # a digit that could not be read
        ("12??34", [(0, 2), (4, 6)]),  # a word
        ("12 ? 34 ? 56", [(0, 2), (3, 5), (6, 8)]),
        ("?12", [(1, 3)]),  # a sign before the number, or one after it
        ("12?", [(0, 2)]),
        ("12?-34", [(0, 2), (4, 6)]),
        ("-12-", [(1, 3)]),  # separators at the ends belong to no number
        ("1-2", [(0, 3)]),
        ("??", []),
    ],
)
def test_numbers_end_at_other_writing_and_at_wide_gaps(text: str, parts: list[tuple[int, int]]) -> None:
    assert LineLayout()._parted(characters(text)) == parts


def steps(*classes: int, share: float = 0.6) -> NDArray[np.float32]:
    """Probabilities (T, 17) that give most to these classes, 0 for the blank, and the rest to the blank or class 1."""
    shares = np.zeros((len(classes), 17), np.float32)
    for step, chosen in zip(shares, classes, strict=True):
        step[1 if chosen == 0 else 0] = 1 - share
        step[chosen] += share
    return shares


def test_a_character_is_no_surer_than_the_step_where_it_stands() -> None:
    """All texts that a narrow search keeps have the digit; its own step gives it 0.6."""
    recognizer = LineRecognizer(beam=BeamParameters(texts=1))
    line = recognizer._decode(steps(0, 5, 0), np.zeros((3, 4), np.float32), None)
    assert line.text == recognizer.characters[4]
    assert line.characters[0].probabilities[4] == pytest.approx(0.6, abs=1e-6)

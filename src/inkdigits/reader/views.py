"""Several readings of one line, of pictures of it that differ a little, as one.

A mean over changed copies of a picture is more often right, and less often sure of what is wrong, than the reading of
one of them, as the mean of an ensemble of networks is (B. Lakshminarayanan et al., 2017, arXiv:1612.01474).
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from inkdigits.reader.ctc import edits
from inkdigits.reader.line_recognizer import LineText


def mean_reading(views: Sequence[LineText]) -> tuple[LineText, int]:
    """Return the mean of several readings of a line, and the index of the one whose characters it has.

    The probability of a text is its mean over the readings. The characters are those of the first reading whose
    likeliest text is the likeliest of all; their probabilities are means too. A reading in which a character is absent
    counts as 0 for it.
    """
    total: dict[str, float] = defaultdict(float)
    for view in views:
        for text, probability in view.texts:
            total[text] += probability / len(views)
    ranked = sorted(total.items(), key=lambda item: -item[1])
    place = next((i for i, view in enumerate(views) if view.text == ranked[0][0]), 0)
    chosen = views[place]
    rows = np.mean([_aligned(chosen, view) for view in views], axis=0) if chosen.characters else []
    characters = tuple(replace(c, probabilities=row) for c, row in zip(chosen.characters, rows, strict=True))
    return LineText(characters, tuple(ranked)), place


def _aligned(chosen: LineText, view: LineText) -> NDArray[np.float64]:
    """Return the probabilities (K, 16) of a reading at the characters of another one."""
    out = np.zeros((len(chosen.characters), len(chosen.characters[0].probabilities)))
    for tag, here, _, there, _ in edits(chosen.text, view.text):
        if tag in ("equal", "replace"):
            out[here] = view.characters[there].probabilities
    return out

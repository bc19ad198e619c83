"""From the glyphs of a row to its number: boxes in the picture, confidence, and the check or roster it satisfies."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from inkdigits.imaging.geometry import bounding_box, map_box
from inkdigits.imaging.page import Page
from inkdigits.reader.checksums import rule, satisfying
from inkdigits.reader.confidence import IDENTITY, Scaling
from inkdigits.reader.corrections import corrected
from inkdigits.reader.glyphs import Glyph
from inkdigits.reader.layouts.registry import Row
from inkdigits.reader.recognizer import LEAST_SHARE
from inkdigits.reader.refusal import AMBIGUOUS, BLANK
from inkdigits.reader.results import Digit, Line
from inkdigits.reader.roster import on_roster
from inkdigits.reader.settings import Settings


def number_of(row: Row, page: Page, settings: Settings, scaling: Scaling = IDENTITY) -> tuple[Line, str | None]:
    """Return the number of a row of glyphs with its scaled confidence, and a warning if it breaks a rule."""
    glyphs = row.glyphs
    digits = tuple(_digit(glyph, page, settings.min_confidence) for glyph in glyphs)
    box = bounding_box([digit.box for digit in digits])
    written = [index for index, glyph in enumerate(glyphs) if glyph.reject != BLANK]
    warning = None
    if settings.length is not None and len(written) != settings.length:
        warning = f"{len(written)} digits were found, not {settings.length}"
    line = Line(digits, box, row.separators, doubtful_below=settings.doubtful_below)
    if row.readings is not None:
        line = _with_readings(line, row.readings)
    line = scaling.scaled(line)
    if settings.check is None and not settings.roster:
        return line, warning
    shares = np.array([_smoothed(glyphs[index]) for index in written]).reshape(-1, 10)
    if settings.check is not None:
        decoded, name = satisfying(shares, rule(settings.check)), settings.check
    else:
        present = np.array([glyphs[index].probability for index in written])
        decoded, name = on_roster(shares, present, settings.roster, row.readings or ()), "roster"
    if decoded is None:
        none = replace(line, rule=name, probability=0.0)
        return none, warning or f"no number of about {len(written)} digits satisfies the {name}"
    if decoded.unlisted > decoded.probability:
        nearest = replace(line, rule=name, runner_up=(decoded.text, decoded.probability), probability=0.0)
        return nearest, warning or f"{line.number} is like no number of the {name}"
    return corrected(line, written, decoded, name), warning


def _with_readings(line: Line, readings: Sequence[tuple[str, float]]) -> Line:
    """Return a line with the probability of its number, and the other numbers that may stand there.

    A number that is not among the readings, as the digit network alone saw one of its digits, has no probability.
    """
    probability = dict(readings).get(line.number)
    others = tuple((number, share) for number, share in readings if number != line.number and share >= LEAST_SHARE)
    return replace(line, probability=probability, alternatives=others)


def _digit(glyph: Glyph, page: Page, min_confidence: float) -> Digit:
    shares = glyph.probabilities
    order = np.argsort(-shares, kind="stable")
    ranked = tuple((int(i), glyph.probability * float(shares[i])) for i in order if shares[i] >= LEAST_SHARE)
    box = map_box(glyph.box, page.to_picture, page.size)
    confidence = ranked[0][1] if ranked else 0.0
    reject = glyph.reject or (AMBIGUOUS if confidence < min_confidence else None)
    if reject:
        return Digit(None, confidence, box, ranked, reject)
    return Digit(ranked[0][0], confidence, box, ranked[1:])


def _smoothed(glyph: Glyph) -> NDArray[np.float64]:
    """Return the probabilities (10,) of the digits, mixed with equal ones as far as the glyph may be no digit."""
    sure = glyph.probability
    return np.asarray(sure * glyph.probabilities.astype(np.float64) + (1 - sure) / 10)

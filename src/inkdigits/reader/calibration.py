"""A calibration: the threshold that is proven on a user's own pages, and what it holds for; a JSON file."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inkdigits.errors import DataError, UsageError
from inkdigits.files import checked, from_json, read_bytes, write_json
from inkdigits.reader.results import Reading
from inkdigits.reader.risk_control import Observations, find_bound, numbers_needed, same_distribution_p_value
from inkdigits.reader.settings import Settings

FORM = 1  # version of the file
PAGES, CROPS = "pages", "crops"  # kinds of what was read
CERTAINTY = 0.95  # probability that a proven bound holds
QUANTILES = 200  # of the confidences that a calibration keeps
UNLIKE = 0.01  # p-value below which confidences are unlike those of the calibration
BOUND_TO = ("layout", "length", "check", "roster", "min_confidence", "turn")  # settings that a calibration holds for


@dataclass(frozen=True)
class Calibration:
    """A threshold for whole numbers, and what it was proven on.

    Attributes
    ----------
    kind
        ``pages`` or ``crops``.
    model
        Name of the reader, or of the recogniser for crops.
    settings
        Settings of the reader; empty for crops.
    max_error
        Largest share of the accepted numbers that is wrong, in (0, 1).
    certainty
        Probability, over pages like these, that ``max_error`` holds.
    threshold
        Numbers of at least this confidence are accepted.
    pages, numbers
        How many were read.
    accepted, wrong, lost
        Of the numbers: accepted ones, wrong ones among those, and written ones that were lost without a trace.
    quantiles
        Of the confidences of all numbers, to notice pages of another kind.
    """

    kind: str
    model: str
    settings: dict[str, Any]
    max_error: float
    certainty: float
    threshold: float
    pages: int
    numbers: int
    accepted: int
    wrong: int
    lost: int
    quantiles: tuple[float, ...]

    @property
    def coverage(self) -> float:
        """Share of the numbers that is accepted, in [0, 1]."""
        return self.accepted / max(1, self.numbers)

    def save(self, path: Path) -> None:
        """Write the calibration as JSON."""
        write_json(path, {"form": FORM, **asdict(self)})

    def require(self, kind: str, model: str, settings: Settings | None, source: Path) -> None:
        """Raise UsageError unless the calibration was made for this kind, model, and these settings."""
        if self.kind != kind:
            raise UsageError(f"{source} was made on {self.kind}, not on {kind}; calibrate anew")
        if self.model != model:
            raise UsageError(f"{source} was made for the model {self.model}, not for {model}; calibrate anew")
        for name, value in ({} if settings is None else bound_settings(settings)).items():
            if self.settings.get(name) != value:
                raise UsageError(
                    f"{source} was made with {name} {_shown(self.settings.get(name))}, not {_shown(value)}; "
                    "read with the same settings, or calibrate anew"
                )

    def unlike(self, confidences: Sequence[float]) -> float | None:
        """Return the p-value with which confidences differ from those of the calibration; None if they do not."""
        if not confidences:
            return None
        p = same_distribution_p_value(np.array(self.quantiles), np.array(confidences))
        return p if p < UNLIKE else None


def load_calibration(path: Path) -> Calibration:
    """Return the calibration of a file.

    Raises
    ------
    UsageError
        When the file does not exist.
    DataError
        When it is no calibration that ``inkdigits calibrate`` wrote.
    """
    try:
        facts = from_json(read_bytes(path), dict[str, Any])
        if facts.pop("form", None) != FORM or not facts.keys() <= {each.name for each in fields(Calibration)}:
            raise ValueError("it has another form")
        found = checked(facts, Calibration)
        numbers = found.threshold, found.max_error, found.certainty, *found.quantiles
        if not all(0 <= value <= 1 for value in numbers) or not found.quantiles:
            raise ValueError("a value is out of its range")
    except FileNotFoundError:
        raise UsageError(f"the calibration {path} does not exist; inkdigits calibrate writes one") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{path} is no calibration that inkdigits calibrate wrote ({reason})") from None
    return found


def bound_settings(settings: Settings) -> dict[str, Any]:
    """Return the settings that a calibration holds for, as in JSON."""
    return json.loads(json.dumps({name: getattr(settings, name) for name in BOUND_TO}))  # type: ignore[no-any-return]


def _shown(value: Any) -> str:
    return f"of {len(value)} numbers" if isinstance(value, list) else str(value)


def digits_of(text: str) -> str:
    """Return the digits of a text alone."""
    return "".join(c for c in text if c in "0123456789")


@dataclass(frozen=True)
class Judged:
    """What a page's numbers turned out to be: confidence and whether it is wrong, of each; and how many were lost."""

    numbers: tuple[tuple[float, bool], ...]
    lost: int = 0


def judge(reading: Reading, written: Sequence[str]) -> Judged:
    """Compare the numbers that were read on a page with those written, both in reading order, by their digits.

    A number that was read is right if the alignment of ``difflib`` pairs it with the same number. Where fewer numbers
    were read than written, the others are lost.
    """
    lines = [line for line in reading.lines if not line.is_blank]
    truth = [number for number in map(digits_of, written) if number]
    right, lost = [False] * len(lines), 0
    read = [line.number.replace(" ", "") for line in lines]  # without blank boxes
    matcher = SequenceMatcher(None, read, truth, autojunk=False)
    for tag, start, stop, first, last in matcher.get_opcodes():
        right[start:stop] = [tag == "equal"] * (stop - start)
        lost += max(0, (last - first) - (stop - start))
    return Judged(tuple((line.confidence, not good) for line, good in zip(lines, right, strict=True)), lost)


def calibrate(
    judged: Sequence[Judged],
    kind: str,
    model: str,
    settings: Settings | None,
    max_error: float,
    certainty: float = CERTAINTY,
) -> Calibration:
    """Return the calibration with the lowest threshold that pages with known numbers prove.

    Raises
    ------
    UsageError
        When they prove none; tells how many would.
    """
    seen = _observations(judged)
    bound = find_bound(seen, max_error, certainty)
    lost = sum(page.lost for page in judged)
    if bound is None:
        raise UsageError(_why_not(seen, len(judged), lost, kind, max_error, certainty))
    read = [confidence for page in judged for confidence, _ in page.numbers]
    quantiles = tuple(np.quantile(read, np.linspace(0, 1, min(QUANTILES, len(read)))).tolist())
    about = {} if settings is None else bound_settings(settings)
    numbers = sum(len(page.numbers) + page.lost for page in judged)
    counts = len(judged), numbers, bound.accepted - lost, bound.wrong - lost, lost
    return Calibration(kind, model, about, max_error, certainty, bound.threshold, *counts, quantiles)


def _observations(judged: Sequence[Judged]) -> Observations:
    rows = [
        (confidence, wrong, page)
        for page, found in enumerate(judged)
        for confidence, wrong in (*found.numbers, *[(math.inf, True)] * found.lost)
        if confidence > 0  # a number with a rejected digit is never accepted
    ]
    confidence: NDArray[np.float64] = np.array([row[0] for row in rows], float)
    return Observations(confidence, np.array([row[1] for row in rows], bool), np.array([row[2] for row in rows], int))


def _why_not(seen: Observations, pages: int, lost: int, kind: str, max_error: float, certainty: float) -> str:
    """Return why no threshold is proven, and how many pages would prove one."""
    wanted = f"{pages} {kind} cannot show {100 * max_error:g} %"
    numbers = len(seen.confidence)
    if not numbers:
        return f"{wanted}: no number was read on them"
    order = np.argsort(-seen.confidence, kind="stable")
    risk = np.cumsum(seen.wrong[order]) / np.arange(1, numbers + 1)
    least = numbers_needed(max_error, certainty)
    good = np.flatnonzero(risk <= max_error / 2)
    if numbers >= least and (not len(good) or good[-1] + 1 < least / 4):
        beside = f", {lost} of them lost without a trace" if lost else ""
        share = 100 * risk[max(0, numbers // 4 - 1)]
        return f"{wanted}: of the surest quarter of the {numbers} numbers, {share:.2g} % are wrong{beside}; allow more"
    accepted = good[-1] + 1 if len(good) else numbers
    wrong = round(float(risk[accepted - 1]) * accepted)
    scale = max(1.3, 3 * numbers_needed(max_error, certainty, wrong) / accepted) if wrong else 1.0
    more = max(pages + 1, math.ceil(pages * max(scale, 1.5 * least / accepted)))
    return f"{wanted} ({numbers} numbers; {least} sure ones without an error are the least); about {more} could"

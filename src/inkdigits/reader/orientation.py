"""Orientation: a page that does not read as it lies is read turned by quarters."""

from collections.abc import Callable
from dataclasses import dataclass

from inkdigits.reader.layouts.registry import LayoutReading


@dataclass(frozen=True)
class OrientationParameters:
    """When another orientation is better."""

    poor: float = -0.6  # nats; a page that reads worse, in the mean over its ink, may be turned
    better: float = 0.6  # nats by which another orientation has to read better
    readable: float = -0.75  # nats; how well it must read in itself, as text on its side has strokes like digits
    fewest: int = 4  # digits that are confident in it, at least
    fewest_share: float = 2.0  # times those that are confident in the page as it lies, at least


def best_orientation(
    read: Callable[[int], LayoutReading], parameters: OrientationParameters | None = None
) -> tuple[int, LayoutReading]:
    """Return by how many quarters a page is turned to the left to be read, 0 to 3, and the reading.

    Parameters
    ----------
    read
        Reads the page turned by so many quarters.
    """
    p = parameters or OrientationParameters()
    upright = read(0)
    if upright.score >= p.poor or upright.too_complex:
        return 0, upright
    turns = (2,) if upright.mostly_print else (1, 3, 2)
    quarters, other = max(((turn, read(turn)) for turn in turns), key=lambda found: found[1].score)
    better = other.score > max(upright.score + p.better, p.readable)
    if better and other.confident >= max(p.fewest, p.fewest_share * upright.confident):
        return quarters, other
    return 0, upright

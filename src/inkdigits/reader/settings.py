"""How a page is to be read."""

from dataclasses import dataclass

from inkdigits.errors import UsageError, unknown
from inkdigits.reader.checksums import rule
from inkdigits.reader.layouts.registry import AUTO, list_layouts
from inkdigits.reader.results import DOUBTFUL_BELOW


@dataclass(frozen=True)
class Settings:
    """How a page is to be read.

    Attributes
    ----------
    layout
        A name of :func:`inkdigits.reader.layouts.list_layouts`, or ``auto``.
    length
        Digits that each number has, where that is known.
    check
        ``luhn``, ``mod97`` or ``isbn``, where each number satisfies it.
    roster
        The possible numbers, where they are known.
    min_confidence
        Digits of less confidence are rejected as ambiguous, [0, 1].
    doubtful_below
        Numbers of less confidence are doubtful, [0, 1].
    turn
        Whether a page that cannot be read as it lies is also read turned by quarters.
    """

    layout: str = AUTO
    length: int | None = None
    check: str | None = None
    roster: tuple[str, ...] = ()
    min_confidence: float = 0.0
    turn: bool = True
    doubtful_below: float = DOUBTFUL_BELOW

    def __post_init__(self) -> None:
        """Refuse impossible values."""
        layouts = (AUTO, *list_layouts())
        if self.layout not in layouts:
            raise unknown("layout", self.layout, layouts)
        if self.length is not None and not 1 <= self.length <= 100:
            raise UsageError(f"length must be from 1 to 100, not {self.length}")
        if self.check is not None:
            rule(self.check)
        if self.check is not None and self.roster:
            raise UsageError("give a check or a roster, not both")
        if not 0 <= self.min_confidence <= 1:
            raise UsageError(f"min-confidence must be from 0 to 1, not {self.min_confidence}")
        if not 0 <= self.doubtful_below <= 1:
            raise UsageError(f"doubtful-below must be from 0 to 1, not {self.doubtful_below}")

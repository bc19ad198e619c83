"""What is known of a committed shard beside its pages: counts, files that failed, files left out as copies."""

from dataclasses import dataclass, field

from inkdigits.bulk.items import Item
from inkdigits.errors import DataError, TimeLimitError, WorkerError


@dataclass(frozen=True)
class DeadLetter:
    """An item that could not be read, from page ``item.page`` on.

    Attributes
    ----------
    code
        ``bad-file`` (no picture, or broken), ``missing``, ``unreadable`` (the disk or the network), ``time-limit``,
        ``crash`` (also too much memory) or ``unexpected`` (an error of inkdigits).
    reason
        One line.
    """

    item: Item
    code: str
    reason: str


@dataclass(frozen=True)
class Duplicate:
    """An item that was left out, and the number of the item with the same bytes."""

    item: Item
    first: int


@dataclass
class Counts:
    """Sums over pages; ``items`` are the files, or members of archives, that were dealt with."""

    items: int = 0
    pages: int = 0
    numbers: int = 0
    doubtful: int = 0
    digits: int = 0
    core_seconds: float = 0.0

    def add(self, other: "Counts") -> None:
        """Add the sums of other pages."""
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)


@dataclass
class ShardRecord:
    """The record of a shard, which is valid once the shard's file exists."""

    counts: Counts = field(default_factory=Counts)
    errors: list[DeadLetter] = field(default_factory=list)
    duplicates: list[Duplicate] = field(default_factory=list)


def dead_letter(item: Item, error: Exception) -> DeadLetter:
    """Return the dead letter about an error."""
    reason = " ".join(str(error).split()) or type(error).__name__
    return DeadLetter(item, _code(error), reason)


def may_pass(error: Exception) -> bool:
    """Whether another attempt may succeed: not for a broken or a missing file."""
    return _code(error) not in ("bad-file", "missing")


def _code(error: Exception) -> str:
    kinds = {
        TimeLimitError: "time-limit",
        WorkerError: "crash",
        DataError: "bad-file",
        FileNotFoundError: "missing",
        OSError: "unreadable",
    }
    return next((code for kind, code in kinds.items() if isinstance(error, kind)), "unexpected")

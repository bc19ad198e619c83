"""The settings of a bulk run: what makes its output, and how it is run."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from inkdigits.bulk.formats import FORMATS
from inkdigits.errors import UsageError, unknown
from inkdigits.reader.isolated import MEMORY, PAGE_SECONDS
from inkdigits.reader.settings import Settings

SHARD_SIZE = 256  # files; a killed driver loses a shard per worker, at .3 s a page some 80 s of work


@dataclass(frozen=True)
class Plan:
    """What makes the output. A run is continued only with the same plan.

    Attributes
    ----------
    sources
        Paths, patterns, addresses; ``-`` for a list on stdin.
    reading
        Those of :class:`inkdigits.reader.Settings`.
    model, lines
        Files of ``inkdigits export``; None for the packaged models.
    form
        One of ``FORMATS``.
    shard_size
        Files, or members of archives, in each shard.
    column
        Column of the pictures in Parquet files; None for the first of bytes.
    dedupe
        Whether a file with the same bytes as another one is left out.
    part, parts
        Which share of the items this driver reads, from 0, and how many drivers there are.

    Raises
    ------
    UsageError
        When a value is impossible.
    """

    sources: tuple[str, ...]
    reading: dict[str, Any] = field(default_factory=dict)
    model: Path | None = None
    lines: Path | None = None
    form: str = "parquet"
    shard_size: int = SHARD_SIZE
    column: str | None = None
    dedupe: bool = False
    part: int = 0
    parts: int = 1

    def __post_init__(self) -> None:
        """Refuse impossible values."""
        Settings(**self.reading)
        if self.form not in FORMATS:
            raise unknown("format", self.form, FORMATS)
        if self.shard_size < 1:
            raise UsageError(f"shard-size must be at least 1, not {self.shard_size}")
        if not 0 <= self.part < self.parts:
            raise UsageError(f"a share is I/N with I from 0 to N-1, not {self.part}/{self.parts}")


@dataclass(frozen=True)
class Execution:
    """How a run is executed; it may change from run to run of one plan.

    Attributes
    ----------
    jobs
        Worker processes; 0 for as many as this process may use cores.
    timeout
        Seconds for each page.
    memory
        Bytes that reading one file may take; None for no limit.
    retry_errors
        Whether files that could not be read are tried again.
    null
        Whether NUL separates the names on stdin, and not a line feed.
    interval
        Seconds between two writes of the progress.
    """

    jobs: int = 0
    timeout: float = PAGE_SECONDS
    memory: int | None = MEMORY
    retry_errors: bool = False
    null: bool = False
    interval: float = 5.0

    def __post_init__(self) -> None:
        """Refuse impossible values."""
        if self.jobs < 0:
            raise UsageError(f"jobs must be at least 1, not {self.jobs}")
        if not self.timeout > 0:
            raise UsageError(f"timeout must be above 0 seconds, not {self.timeout:g}")

    @property
    def workers(self) -> int:
        """Number of worker processes."""
        return self.jobs or len(os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else "1") or 1

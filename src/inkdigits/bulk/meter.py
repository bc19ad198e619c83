"""The progress of a run: counted by the driver, written as JSON and for Prometheus, read from another shell."""

import os
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from inkdigits.bulk.records import Counts
from inkdigits.errors import RunError
from inkdigits.files import read_json, write_json, write_text

PROGRESS, METRICS = "progress.json", "metrics.prom"
SILENT_SECONDS = 60.0  # a driver that has not written for so long has ended
HELP = {
    "items": "Files and members of archives that were dealt with.",
    "items_listed": "Files and members of archives that are to be read.",
    "pages": "Pages that were read.",
    "errors": "Files that could not be read.",
    "seconds": "Time that the runs have taken.",
    "running": "Whether the driver is at work.",
}


@dataclass(frozen=True)
class Progress:
    """How far a run is.

    Attributes
    ----------
    process, host
        Those of the driver.
    updated
        Seconds since 1970.
    running
        False in the last writing of a driver.
    items, listed
        Files and members of archives: dealt with, and to be read.
    pages, errors
        Pages read, files that could not be read.
    seconds
        Time that all runs on the folder have taken.
    pages_per_second
        Of the present run.
    seconds_left
        None until there is a rate.
    """

    process: int
    host: str
    updated: float
    running: bool
    items: int
    listed: int
    pages: int
    errors: int
    seconds: float
    pages_per_second: float
    seconds_left: float | None

    @property
    def alive(self) -> bool:
        """Whether the driver seems to be at work."""
        return self.running and abs(time.time() - self.updated) < SILENT_SECONDS


class Meter:
    """Counts pages and errors of a run. Threads share it.

    Parameters
    ----------
    folder
        Where the progress is written.
    interval
        Seconds between two writings.
    report
        Called with the progress at each tick.
    """

    def __init__(self, folder: Path, interval: float, report: Callable[[Progress], None]) -> None:
        self._folder, self._interval, self._report = folder, interval, report
        self._lock = threading.Lock()
        self._begin, self._written = time.monotonic(), float("-inf")
        previous = read_progress(folder)
        self._seconds_before = 0.0 if previous is None else previous.seconds
        self._listed, self._errors = 0, 0
        self._before, self._counts = Counts(), Counts()

    def begin(self, listed: int, before: Counts, errors: int) -> None:
        """Set the number of items, and what earlier runs have done of them."""
        self._listed, self._before, self._errors = listed, before, errors
        self._begin = time.monotonic()

    def add(self, counts: Counts) -> None:
        """Count pages or items."""
        with self._lock:
            self._counts.add(counts)

    def add_error(self) -> None:
        """Count a file that could not be read."""
        with self._lock:
            self._errors += 1

    def tick(self) -> None:
        """Report the progress, and write it when it is time."""
        progress = self.progress()
        self._report(progress)
        if time.monotonic() - self._written >= self._interval:
            self._write(progress)

    def finish(self) -> None:
        """Write that the driver has ended."""
        self._write(self.progress(running=False))

    def progress(self, running: bool = True) -> Progress:
        """Return how far the run is."""
        seconds = time.monotonic() - self._begin
        with self._lock:
            done, pages, errors = self._counts.items, self._counts.pages, self._errors
        items = self._before.items + done
        left = (self._listed - items) * seconds / done if done else None
        return Progress(
            process=os.getpid(),
            host=socket.gethostname(),
            updated=time.time(),
            running=running,
            items=items,
            listed=self._listed,
            pages=self._before.pages + pages,
            errors=errors,
            seconds=round(self._seconds_before + seconds, 3),
            pages_per_second=round(pages / max(seconds, 1e-9), 3),
            seconds_left=None if left is None else round(left, 1),
        )

    def _write(self, progress: Progress) -> None:
        self._written = time.monotonic()
        write_json(self._folder / PROGRESS, asdict(progress))
        write_text(self._folder / METRICS, prometheus(progress))


def read_progress(folder: Path) -> Progress | None:
    """Return the progress that was written last; None when there is none."""
    try:
        return read_json(folder / PROGRESS, Progress)
    except RunError:
        return None


def prometheus(progress: Progress) -> str:
    """Return the progress in the text format of Prometheus, for the textfile collector of its node exporter."""
    values = {**asdict(progress), "items_listed": progress.listed, "running": int(progress.running)}
    lines = []
    for name, text in HELP.items():
        full = f"inkdigits_bulk_{name}"
        lines += [f"# HELP {full} {text}", f"# TYPE {full} gauge", f"{full} {values[name]}"]
    return "\n".join(lines) + "\n"

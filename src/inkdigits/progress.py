"""Progress on stderr: bars on a terminal, a line per epoch elsewhere."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol, Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from inkdigits.escape import printable

if TYPE_CHECKING:
    from inkdigits.training.checkpoint import EpochRow

BULK_SECONDS = 30.0  # between two lines about a bulk run, where there is no terminal

console = Console(stderr=True, highlight=False)


def say(line: str) -> None:
    """Print one line of text to stderr, without markup; control characters, as in names of files, are escaped."""
    console.print(printable(line), markup=False, soft_wrap=True)


class DownloadBar:
    """A bar for each downloaded file, shown from its first byte."""

    def __init__(self) -> None:
        self._bar: Progress | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def __call__(self, done: int, total: int) -> None:
        """Show the number of bytes received, and the number expected (0 if unknown)."""
        if not console.is_terminal:
            return
        if self._bar is None:
            columns = (
                TextColumn("downloading"),
                BarColumn(),
                DownloadColumn(),
                TransferSpeedColumn(),
                TimeRemainingColumn(),
            )
            self._bar = Progress(*columns, console=console, transient=True)
            self._task = self._bar.add_task("", total=total or None)
            self._bar.start()
        self._bar.update(self._task, completed=done, total=total or None)
        if total and done >= total:
            self._bar.stop()
            self._bar = None


class FileBar:
    """A bar over several files, or other things of a number, on a terminal only."""

    def __init__(self, files: int, title: str = "reading") -> None:
        self._bar = Progress(console=console, transient=True) if console.is_terminal and files > 1 else None
        self._files, self._title = files, title

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
            self._task = self._bar.add_task(self._title, total=self._files)
        return self

    def __exit__(self, *error: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def step(self) -> None:
        """Count one more file."""
        if self._bar is not None:
            self._bar.advance(self._task)


class BulkProgress(Protocol):
    """How far a bulk run is; see :class:`inkdigits.bulk.Progress`."""

    @property
    def items(self) -> int:
        """Files that were dealt with."""

    @property
    def listed(self) -> int:
        """Files that are to be read."""

    @property
    def pages(self) -> int:
        """Pages that were read."""

    @property
    def errors(self) -> int:
        """Files that could not be read."""

    @property
    def pages_per_second(self) -> float:
        """Of the present run."""

    @property
    def seconds_left(self) -> float | None:
        """None until there is a rate."""


class BulkBar:
    """Files, pages, rate, time left and errors of a bulk run: a bar on a terminal, a line every 30 s elsewhere."""

    def __init__(self) -> None:
        self._bar: Progress | None = None
        self._said = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def update(self, progress: BulkProgress) -> None:
        """Show the progress."""
        left = "" if progress.seconds_left is None else f", {duration(progress.seconds_left)} left"
        text = f"{progress.pages:,} pages, {progress.pages_per_second:.2f} pages/s{left}, {progress.errors:,} errors"
        if not console.is_terminal:
            if time.monotonic() - self._said >= BULK_SECONDS:
                self._said = time.monotonic()
                say(f"{progress.items:,} of {progress.listed:,} files: {text}")
            return
        if self._bar is None:
            self._bar = Progress(BarColumn(), TextColumn("{task.description}"), console=console, transient=True)
            self._task = self._bar.add_task(text, total=progress.listed)
            self._bar.start()
        self._bar.update(self._task, completed=progress.items, description=text)


def duration(seconds: float) -> str:
    """Return a time as hours, minutes and seconds."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"


class TrainingBar:
    """Loss, accuracy, images per second and remaining time of one training run."""

    def __init__(self, title: str, epochs: int, images_per_epoch: int, every_epoch: bool = True) -> None:
        self._title, self._epochs, self._images, self._every_epoch = (
            title,
            epochs,
            images_per_epoch,
            every_epoch,
        )
        self._bar: Progress | None = None
        self._last = (time.perf_counter(), 0)
        if console.is_terminal:
            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                TextColumn(
                    "loss {task.fields[loss]:.4f}  acc {task.fields[accuracy]:6.2%}  {task.fields[rate]:,.0f} images/s"
                ),
                TimeRemainingColumn(compact=True),
            )
            self._bar = Progress(*columns, console=console, transient=True)
            self._task = self._bar.add_task(title, total=epochs * images_per_epoch, loss=0.0, accuracy=0.0, rate=0.0)

    def step(self, epoch: int, images: int, loss: float, accuracy: float) -> None:
        """Update the bar."""
        if self._bar is None:
            return
        self._bar.start()
        now, done = time.perf_counter(), (epoch - 1) * self._images + images
        if self._last[1] < (epoch - 1) * self._images:  # a resumed run starts in a later epoch
            self._last = (self._last[0], (epoch - 1) * self._images)
        rate = (done - self._last[1]) / max(now - self._last[0], 1e-9)
        if images < self._images:
            self._last = (now, done)
        self._bar.update(
            self._task,
            description=f"{self._title}  epoch {epoch}/{self._epochs}",
            completed=done,
            loss=loss,
            accuracy=accuracy,
            rate=rate,
        )

    def epoch(self, row: "EpochRow") -> None:
        """Print the measurements of an epoch."""
        if self._every_epoch:
            held_out = "" if row.val_acc != row.val_acc else f"  validation {row.val_acc:.2%}"
            say(
                f"{self._title}  epoch {row.epoch}/{self._epochs}  train {row.train_acc:.2%}{held_out}  "
                f"test {row.test_acc:.2%}  cross-entropy {row.train_ce:.4f} / {row.test_ce:.4f}  {row.seconds:.1f} s"
            )
        self._last = (time.perf_counter(), row.epoch * self._images)
        if row.epoch == self._epochs:
            self.close()

    def close(self) -> None:
        """Remove the bar from the terminal."""
        if self._bar is not None:
            self._bar.stop()


@contextmanager
def closing(bar: TrainingBar) -> Iterator[TrainingBar]:
    """Yield a bar, and remove it from the terminal when the block ends, with or without an error."""
    try:
        yield bar
    finally:
        bar.close()
        sys.stderr.flush()

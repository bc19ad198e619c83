"""What another shell can see of a run: what is committed, and how far the driver is."""

from dataclasses import dataclass
from pathlib import Path

from inkdigits.bulk.folder import BulkFolder
from inkdigits.bulk.meter import Progress, read_progress
from inkdigits.bulk.summary import MANIFEST, Summary, read_manifest, summarize


@dataclass(frozen=True)
class Status:
    """The state of a run, or of one of its parts; ``progress`` is None until its driver has written it."""

    folder: Path
    summary: Summary
    progress: Progress | None


def status(out: Path) -> list[Status]:
    """Return the state of a folder, or of each part in it.

    Raises
    ------
    RunError
        When there is no run in it.
    """
    parts = [path.parent for path in sorted(out.glob(f"part-*-of-*/{MANIFEST}"))]
    folders = [out] if (out / MANIFEST).exists() or not parts else parts
    return [_of(folder) for folder in folders]


def _of(folder: Path) -> Status:
    form = read_manifest(folder).form
    return Status(folder, summarize(BulkFolder(folder, form)), read_progress(folder))

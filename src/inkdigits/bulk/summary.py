"""The manifest of a run, and the summary of what is committed."""

import json
import reprlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from inkdigits.bulk.folder import BulkFolder
from inkdigits.bulk.meter import read_progress
from inkdigits.bulk.records import Counts, DeadLetter, ShardRecord
from inkdigits.bulk.settings import Plan
from inkdigits.errors import RunError
from inkdigits.files import atomic_path, read_json, write_json
from inkdigits.reader.settings import Settings

MANIFEST, SUMMARY, ERRORS, DUPLICATES = "manifest.json", "summary.json", "errors.jsonl", "duplicates.jsonl"


@dataclass(frozen=True)
class Manifest:
    """What makes the output of a folder: the plan, the models with the hash of their weights, and the version."""

    version: str
    model: str
    sources: list[str]
    reading: dict[str, Any]
    form: str
    shard_size: int
    column: str | None
    dedupe: bool
    part: str

    @classmethod
    def of(cls, plan: Plan, model: str) -> "Manifest":
        """Return the manifest of a plan."""
        return cls(
            version=version("inkdigits"),
            model=model,
            sources=list(plan.sources),
            reading=json.loads(json.dumps(asdict(Settings(**plan.reading)))),
            form=plan.form,
            shard_size=plan.shard_size,
            column=plan.column,
            dedupe=plan.dedupe,
            part=f"{plan.part}/{plan.parts}",
        )

    def require_equal(self, earlier: "Manifest", folder: Path) -> None:
        """Raise RunError when the folder was begun with another manifest."""
        before, now = ({**asdict(manifest), **manifest.reading, "reading": None} for manifest in (earlier, self))
        names = sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name))
        if names:
            changes = (f"{name} {reprlib.repr(before.get(name))}, now {reprlib.repr(now.get(name))}" for name in names)
            raise RunError(
                f"{folder} was begun with other settings ({'; '.join(changes)}); "
                "repeat the earlier ones, or choose another folder with --out"
            )


@dataclass(frozen=True)
class Summary:
    """What is committed of a run.

    Attributes
    ----------
    complete
        Whether all items are dealt with, be it as errors.
    listed, items
        Files and members of archives: to be read, and dealt with; of the last attempt.
    pages, numbers, doubtful, digits
        How many were read; doubtful are numbers, and digits are those that were not refused.
    duplicates
        Items left out as copies.
    errors
        Items that could not be read, by code.
    seconds, pages_per_second
        Time of all runs on the folder.
    core_seconds_per_page
        Time of a processor's core that a page took; without what crashed.
    manifest
        See :class:`Manifest`.
    """

    complete: bool
    listed: int
    items: int
    pages: int
    numbers: int
    doubtful: int
    digits: int
    duplicates: int
    errors: dict[str, int]
    seconds: float
    pages_per_second: float
    core_seconds_per_page: float
    manifest: Manifest


def read_manifest(folder: Path) -> Manifest:
    """Return the manifest of a folder.

    Raises
    ------
    RunError
        When there is none.
    """
    path = folder / MANIFEST
    if not path.exists():
        raise RunError(f"{folder} holds no bulk reading, or one that is still listing its files")
    return read_json(path, Manifest)


def summarize(folder: BulkFolder) -> Summary:
    """Return the summary of the committed shards.

    Raises
    ------
    RunError
        When the folder holds no run, or a file of it cannot be read.
    """
    manifest = read_manifest(folder.path)
    total, duplicates, last = Counts(), 0, folder.attempts() - 1
    errors: Counter[str] = Counter()
    items = 0
    for attempt in range(last + 1):
        for record in folder.committed_records(attempt):
            total.add(record.counts)
            duplicates += len(record.duplicates)
            if attempt == last:
                items += record.counts.items
                errors.update(letter.code for letter in record.errors)
    progress = read_progress(folder.path)
    seconds = 0.0 if progress is None else progress.seconds
    listed = folder.listed(last)
    return Summary(
        complete=items == listed,
        listed=listed,
        items=items,
        pages=total.pages,
        numbers=total.numbers,
        doubtful=total.doubtful,
        digits=total.digits,
        duplicates=duplicates,
        errors=dict(sorted(errors.items())),
        seconds=seconds,
        pages_per_second=round(total.pages / seconds, 3) if seconds else 0.0,
        core_seconds_per_page=round(total.core_seconds / total.pages, 4) if total.pages else 0.0,
        manifest=manifest,
    )


def dead_letters(folder: BulkFolder) -> Iterator[DeadLetter]:
    """Yield the dead letters of the last attempt."""
    for record in folder.committed_records(folder.attempts() - 1):
        yield from record.errors


def write_summary(folder: BulkFolder) -> Summary:
    """Write ``errors.jsonl``, ``duplicates.jsonl`` and ``summary.json``; return the summary."""
    summary = summarize(folder)
    _write_lines(folder.path / ERRORS, (_error_line(letter) for letter in dead_letters(folder)))
    if summary.manifest.dedupe:
        records = (record for attempt in range(folder.attempts()) for record in folder.committed_records(attempt))
        _write_lines(folder.path / DUPLICATES, _duplicate_lines(records))
    write_json(folder.path / SUMMARY, asdict(summary))
    return summary


def _error_line(letter: DeadLetter) -> dict[str, Any]:
    item = letter.item
    where = {"item": item.number, "source": item.source, "member": item.member, "page": item.page}
    return {**where, "code": letter.code, "reason": letter.reason}


def _duplicate_lines(records: Iterator[ShardRecord]) -> Iterator[dict[str, Any]]:
    for record in records:
        for copy in record.duplicates:
            item = copy.item
            yield {"item": item.number, "source": item.source, "member": item.member, "copy_of": copy.first}


def _write_lines(path: Path, rows: Iterator[dict[str, Any]]) -> None:
    with atomic_path(path) as temporary, temporary.open("w", encoding="ascii") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)

"""One run of bulk reading: the lock, the manifest, the listing, the shards, the summary."""

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, nullcontext, suppress
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import IO

from inkdigits.bulk.dedupe import Claims
from inkdigits.bulk.folder import BulkFolder, Shard
from inkdigits.bulk.local import read_shards
from inkdigits.bulk.meter import Meter, Progress
from inkdigits.bulk.records import Counts
from inkdigits.bulk.settings import Execution, Plan
from inkdigits.bulk.shard_reader import ShardReader
from inkdigits.bulk.sources import Listing, absolute
from inkdigits.bulk.storage import pyarrow
from inkdigits.bulk.summary import MANIFEST, Manifest, Summary, dead_letters, read_manifest, summarize, write_summary
from inkdigits.bulk.worker import document_reader
from inkdigits.errors import RunError
from inkdigits.files import locked, write_json
from inkdigits.isolation import ReplacedWorker, preload

CLAIMS = "claims.sqlite"
PART = re.compile(r"part-\d+-of-(\d+)")


def read_in_bulk(
    plan: Plan,
    out: Path,
    execution: Execution | None = None,
    *,
    prepare: Callable[[], None] | None = None,
    report: Callable[[Progress], None] | None = None,
    say: Callable[[str], None] | None = None,
    stdin: IO[bytes] | None = None,
) -> Summary:
    """Read all pages of the sources to a folder; what an earlier run with the same plan has committed stays.

    Parameters
    ----------
    out
        The folder. With several parts, each has a folder of its own in it.
    prepare
        Called first in each worker process; loads plug-ins. It is pickled.
    report, say
        Called with the progress, several times a second, and with a line about the listing.
    stdin
        Where the source ``-`` reads; the standard input by default.

    Raises
    ------
    RunError
        When the folder was begun with another plan, is in use (BusyError), or cannot be written.
    DataError
        When a source does not exist.
    """
    preload("inkdigits.bulk.worker")
    execution = execution or Execution()
    plan = replace(plan, sources=tuple(absolute(source) for source in plan.sources))
    if plan.form == "parquet":
        pyarrow("pyarrow.parquet")  # an error now, not in the first shard
    folder = BulkFolder(part_folder(out, plan.part, plan.parts), plan.form)
    setup = partial(document_reader, prepare or _nothing, plan.model, plan.lines, plan.reading, plan.form, plan.column)
    with ExitStack() as stack:
        stack.enter_context(locked(folder.path))
        workers = [ReplacedWorker(setup, execution.memory, execution.timeout) for _ in range(execution.workers)]
        for worker in workers:
            stack.enter_context(worker)
        manifest = Manifest.of(plan, workers[0].call("name"))
        folder.clean()
        meter = Meter(folder.path, execution.interval, report or _nothing)
        _begin(folder, plan, manifest, Listing(plan.sources, execution.null, plan.column, stdin), say or _nothing)
        if execution.retry_errors:
            _begin_retry(folder)
        try:
            _read(folder, plan, meter, workers)
        finally:
            with suppress(RunError):  # the disk is full, which an error says already
                meter.finish()
        return write_summary(folder)


def part_folder(out: Path, part: int, parts: int) -> Path:
    """Return the folder of a part; of the only one, ``out``.

    Raises
    ------
    RunError
        When ``out`` was begun with another number of parts.
    """
    whole = (out / MANIFEST).exists()
    counts = {int(found[1]) for path in out.glob("part-*-of-*") if (found := PART.fullmatch(path.name))}
    if (whole and parts > 1) or counts - ({parts} if parts > 1 else set()):
        before = 1 if whole else min(counts - {parts}, default=1)
        raise RunError(
            f"{out} was begun with {before} parts, not {parts}; repeat that --shard, or choose another --out"
        )
    return out if parts == 1 else out / f"part-{part}-of-{parts}"


def _nothing(*_: object) -> None:
    pass


def _begin(folder: BulkFolder, plan: Plan, manifest: Manifest, listing: Listing, say: Callable[[str], None]) -> None:
    """List the sources and write the manifest, or check that of an earlier run."""
    path = folder.path / MANIFEST
    if path.exists():
        manifest.require_equal(read_manifest(folder.path), folder.path)
        return
    mine = (item for item in listing.items() if plan.parts == 1 or item.part(plan.parts) == plan.part)
    folder.write_listing(0, mine)
    write_json(path, asdict(manifest))
    skipped = f", {listing.skipped:,} others skipped" if listing.skipped else ""
    say(f"{folder.listed(0):,} files listed{skipped}")


def _begin_retry(folder: BulkFolder) -> None:
    """Make the items that could not be read a new listing, once all others are dealt with."""
    summary = summarize(folder)
    if summary.complete and summary.errors:
        folder.write_listing(folder.attempts(), (letter.item for letter in dead_letters(folder)))


def _read(folder: BulkFolder, plan: Plan, meter: Meter, workers: list[ReplacedWorker]) -> None:
    """Read what is not committed of the last listing."""
    last = folder.attempts() - 1
    before, errors = Counts(), 0
    for record in folder.committed_records(last):
        before.add(record.counts)
        errors += len(record.errors)
    meter.begin(folder.listed(last), before, errors)
    stop = threading.Event()
    claims = Claims(folder.path / CLAIMS) if plan.dedupe else None
    with nullcontext() if claims is None else closing(claims):
        reader = ShardReader(folder, claims, meter, stop)
        read_shards(_uncommitted(folder, last, plan.shard_size), reader.read, workers, stop, meter.tick)


def _uncommitted(folder: BulkFolder, attempt: int, size: int) -> Iterator[Shard]:
    done = set(folder.committed(attempt))
    return (shard for shard in folder.cut(attempt, size) if shard.name not in done)

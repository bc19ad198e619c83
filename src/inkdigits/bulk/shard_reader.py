"""Reading one shard: its items one after the other, its record, and the commit."""

import threading
from collections.abc import Generator
from contextlib import closing
from dataclasses import replace

from inkdigits.bulk.dedupe import Claims
from inkdigits.bulk.folder import BulkFolder, Shard
from inkdigits.bulk.formats import open_writer
from inkdigits.bulk.items import Item
from inkdigits.bulk.meter import Meter
from inkdigits.bulk.records import Counts, DeadLetter, Duplicate, ShardRecord, dead_letter, may_pass
from inkdigits.bulk.worker import PageRecord
from inkdigits.errors import RunError
from inkdigits.files import atomic_path
from inkdigits.isolation import ReplacedWorker

Outcome = PageRecord | DeadLetter | Duplicate


class Stopped(Exception):  # noqa: N818  no fault, the run ends
    """The run ends: what is in work is not committed."""


class ShardReader:
    """Reads shards to a folder. Threads share it.

    Parameters
    ----------
    folder
        Where the shards go.
    claims
        Which bytes were read already; None to read copies too.
    meter
        Counts what is done.
    stop
        Set when the run is to end.
    """

    def __init__(self, folder: BulkFolder, claims: Claims | None, meter: Meter, stop: threading.Event) -> None:
        self._folder, self._claims, self._meter, self._stop = folder, claims, meter, stop

    def read(self, shard: Shard, worker: ReplacedWorker) -> None:
        """Read and commit a shard: the rename of its file is the commit, its record is written before.

        Raises
        ------
        RunError
            When a file cannot be written, or no worker starts.
        Stopped
            When the run is to end.
        """
        record = ShardRecord()
        path = self._folder.shard_path(shard)
        with atomic_path(path) as temporary:
            with open_writer(self._folder.form, temporary) as writer:
                for item in shard.items:
                    with closing(self._outcomes(item, worker)) as outcomes:
                        for outcome in outcomes:
                            if isinstance(outcome, PageRecord):
                                writer.add(outcome.rows)
                            self._count(outcome, record)
                    record.counts.items += 1
                    self._meter.add(Counts(items=1))
            if self._claims is not None:
                self._claims.commit()
            self._folder.write_record(shard, record)

    def _count(self, outcome: Outcome, record: ShardRecord) -> None:
        match outcome:
            case PageRecord():
                page = Counts(0, 1, outcome.numbers, outcome.doubtful, outcome.digits, outcome.core_seconds)
                record.counts.add(page)
                self._meter.add(page)
            case DeadLetter():
                record.errors.append(outcome)
                self._meter.add_error()
            case Duplicate():
                record.duplicates.append(outcome)

    def _outcomes(self, item: Item, worker: ReplacedWorker) -> Generator[Outcome, None, None]:
        """Yield the pages of an item. What fails is tried once more in a new worker, then there is a dead letter."""
        if item.error:
            yield DeadLetter(item, "bad-file", item.error)
            return
        failed_at = -1
        while True:
            if self._stop.is_set():
                raise Stopped
            _start(worker)
            try:
                first = item.number if self._claims is None else self._first(item, worker)
                if first != item.number:
                    yield Duplicate(item, first)
                    return
                for record in worker.stream("read", item):
                    if record is not None:
                        item = replace(item, page=item.page + 1)
                        yield record
                return
            except Exception as error:
                if self._stop.is_set():
                    raise Stopped from None
                if not may_pass(error) or item.page == failed_at:
                    yield dead_letter(item, error)
                    return
                failed_at = item.page
                worker.kill()

    def _first(self, item: Item, worker: ReplacedWorker) -> int:
        assert self._claims is not None
        return self._claims.claim(worker.call("sha256", item), item.number)


def _start(worker: ReplacedWorker) -> None:
    """Start a worker; that this fails is no fault of a file."""
    try:
        worker.start()
    except OSError as error:
        raise RunError(f"cannot start a worker process: {error.strerror or error}; use fewer --jobs") from error

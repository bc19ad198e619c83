"""The output folder: its files, which shards are committed, and the listings of the first reading and of retries."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import count, islice
from pathlib import Path

from inkdigits.bulk.items import Item
from inkdigits.bulk.records import ShardRecord
from inkdigits.files import atomic_path, read_json, remove_temporary_files, write_json


@dataclass(frozen=True)
class Shard:
    """Some items of a listing; ``attempt`` is 0 for the first reading, 1 for the first retry, and so on."""

    attempt: int
    number: int
    items: tuple[Item, ...]

    @property
    def name(self) -> str:
        """Name of its files, without suffix."""
        return f"{self.attempt}-{self.number:06d}"


class BulkFolder:
    """A folder of bulk reading.

    Parameters
    ----------
    path
        The folder.
    form
        The format of the shards, which is their suffix.
    """

    def __init__(self, path: Path, form: str) -> None:
        self.path, self.form = path, form
        self.shards, self.records = path / "shards", path / "records"

    def clean(self) -> None:
        """Remove what a killed driver left incomplete. Only the holder of the folder's lock may call this."""
        for folder in (self.path, self.shards, self.records):
            remove_temporary_files(folder / "*")

    def shard_path(self, shard: Shard) -> Path:
        """Return the file of a shard: its existence is the commit."""
        return self.shards / f"{shard.name}.{self.form}"

    def listing_path(self, attempt: int) -> Path:
        """Return the listing of the first reading, or of a retry."""
        return self.path / f"listing-{attempt}.jsonl"

    def write_listing(self, attempt: int, items: Iterable[Item]) -> None:
        """Write a listing, completely or not at all."""
        with atomic_path(self.listing_path(attempt)) as temporary, temporary.open("w", encoding="ascii") as file:
            file.writelines(item.to_line() for item in items)

    def attempts(self) -> int:
        """Return how many listings there are."""
        return next(attempt for attempt in count() if not self.listing_path(attempt).exists())

    def listed(self, attempt: int) -> int:
        """Return the number of items of a listing."""
        with self.listing_path(attempt).open("rb") as file:
            return sum(1 for _ in file)

    def cut(self, attempt: int, size: int) -> Iterator[Shard]:
        """Yield the shards of a listing, ``size`` items each, always the same."""
        with self.listing_path(attempt).open(encoding="ascii") as file:
            for number in count():
                items = tuple(Item.from_line(line) for line in islice(file, size))
                if not items:
                    return
                yield Shard(attempt, number, items)

    def committed(self, attempt: int) -> list[str]:
        """Return the names of the committed shards of a listing, sorted."""
        return sorted(path.stem for path in self.shards.glob(f"{attempt}-*.{self.form}"))

    def write_record(self, shard: Shard, record: ShardRecord) -> None:
        """Write the record of a shard, before the shard is committed."""
        write_json(self.records / f"{shard.name}.json", asdict(record))

    def committed_records(self, attempt: int) -> Iterator[ShardRecord]:
        """Yield the records of the committed shards of a listing."""
        for name in self.committed(attempt):
            yield read_json(self.records / f"{name}.json", ShardRecord)

"""A driver that prints a line and waits at a point of its work, to be killed there: OUT FOLDER POINT."""

import sys
import time
from pathlib import Path

from inkdigits.bulk import Execution, Plan, read_in_bulk
from inkdigits.bulk.folder import BulkFolder
from inkdigits.bulk.meter import Meter
from inkdigits.bulk.shard_reader import ShardReader

POINTS = {
    "within a shard": (Meter, "add", 4),
    "between data and commit": (BulkFolder, "write_record", 1),
    "after a commit": (ShardReader, "read", 1),
}


def pause_after(owner: type, name: str, calls: int) -> None:
    """Wait for ever after so many calls of a method."""
    method, count = getattr(owner, name), 0

    def paused(*arguments: object) -> object:
        nonlocal count
        result, count = method(*arguments), count + 1
        if count >= calls:
            print("paused", flush=True)  # noqa: T201
            time.sleep(1000)
        return result

    setattr(owner, name, paused)


if __name__ == "__main__":
    out, folder, point = sys.argv[1:]
    pause_after(*POINTS[point])
    plan = Plan((folder,), {"layout": "line", "turn": False}, form="jsonl", shard_size=2)
    read_in_bulk(plan, Path(out), Execution(jobs=1))

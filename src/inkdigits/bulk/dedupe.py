"""Which item was the first with its bytes: a table on disk, so that the memory of the driver does not grow."""

import sqlite3
import threading
from pathlib import Path


class Claims:
    """The SHA-256 of each read item, and the number of the item that claimed it. Threads share it.

    A claim belongs to the item's number, so that a killed run, which reads the item anew, does not take it for a copy
    of itself. :meth:`commit` comes before the commit of a shard: no claim of a committed shard is ever lost.
    """

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._database = sqlite3.connect(path, check_same_thread=False)
        self._database.execute(
            "CREATE TABLE IF NOT EXISTS claims (sha256 BLOB PRIMARY KEY, item INTEGER) WITHOUT ROWID"
        )

    def claim(self, sha256: str, number: int) -> int:
        """Return the number of the item that has these bytes first; the item ``number``, if there is none yet."""
        key = bytes.fromhex(sha256)
        with self._lock:
            self._database.execute("INSERT OR IGNORE INTO claims VALUES (?, ?)", (key, number))
            ((first,),) = self._database.execute("SELECT item FROM claims WHERE sha256 = ?", (key,))
        return int(first)

    def commit(self) -> None:
        """Make all claims so far durable."""
        with self._lock:
            self._database.commit()

    def close(self) -> None:
        """Close the table."""
        self._database.close()

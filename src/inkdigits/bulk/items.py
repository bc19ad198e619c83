"""One entry of a listing: a file, or a member of an archive, as a line of JSON."""

import hashlib
import json
from dataclasses import dataclass


@dataclass(frozen=True)
class Item:
    """A file, or a member of an archive, whose pages are to be read.

    Attributes
    ----------
    number
        Place in the listing of the run, from 0.
    source
        Absolute path of the file, or its address such as ``s3://bucket/name``.
    member
        Name in the archive; "" for a file that is no archive.
    page
        Index of the first page to read, from 0.
    place
        Where the member lies: (offset, bytes) in a tar, (index,) in a zip, (row group, row) in a Parquet file.
    error
        Why not all members of the archive could be listed; "" for an item that can be read.
    """

    number: int
    source: str
    member: str = ""
    page: int = 0
    place: tuple[int, ...] = ()
    error: str = ""

    def to_line(self) -> str:
        """Return a line of ASCII; bytes of a name that are not UTF-8 survive as lone surrogates."""
        return json.dumps([self.number, self.source, self.member, self.page, self.place, self.error]) + "\n"

    @classmethod
    def from_line(cls, line: str) -> "Item":
        """Return the item of :meth:`to_line`."""
        number, source, member, page, place, error = json.loads(line)
        return cls(number, source, member, page, tuple(place), error)

    def part(self, parts: int) -> int:
        """Return which of ``parts`` drivers reads this item, from 0; it depends on nothing but the name."""
        name = f"{self.source}\0{self.member}".encode(errors="surrogateescape")
        return int.from_bytes(hashlib.sha256(name).digest()[:8]) % parts


def page_id(sha256: str, member: str, page: int) -> str:
    """Return the identity of a page: the SHA-256 of its file's SHA-256 (hex), its member and its index, as hex."""
    return hashlib.sha256(f"{sha256}\0{member}\0{page}".encode(errors="surrogateescape")).hexdigest()

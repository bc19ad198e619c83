"""What is listed, and the bytes that an item stands for."""

import io
import os
import tarfile
import zipfile
from contextlib import closing
from pathlib import Path
from typing import IO

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from inkdigits.bulk.archives import BATCH, Contents
from inkdigits.bulk.items import Item, page_id
from inkdigits.bulk.sources import Listing, names
from inkdigits.errors import DataError

FILES = {
    "a, b.png": b"1",
    "deep/new\nline.tif": b"22",
    "deep/\udcff.jpg": b"333",
    "notes.txt": b"no page",
    "._a.png": b"x",
}
PAGES = {name: content for name, content in FILES.items() if name not in ("notes.txt", "._a.png")}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, content in FILES.items():
        path = tmp_path / "scans" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return tmp_path / "scans"


def listed(
    *sources: object, column: str | None = None, null: bool = False, stdin: IO[bytes] | None = None
) -> list[Item]:
    """The items of sources, after a way through the file of the listing."""
    listing = Listing(tuple(map(str, sources)), null, column, stdin or io.BytesIO())
    items = [Item.from_line(item.to_line()) for item in listing.items()]
    assert [item.number for item in items] == list(range(len(items)))
    return items


def contents(items: list[Item], base: object = "", column: str | None = None) -> dict[str, bytes]:
    """The bytes of items by their member or their path below a folder."""
    with closing(Contents(column)) as reader:
        return {item.member or os.path.relpath(item.source, str(base)): reader.read(item) for item in items}


def test_a_folder_gives_the_pages_below_it(folder: Path) -> None:
    assert contents(listed(folder), folder) == PAGES


def test_what_is_skipped_is_counted(folder: Path) -> None:
    listing = Listing((str(folder),))
    assert len(list(listing.items())) == 3
    assert listing.skipped == 1  # hidden files do not count


def test_a_pattern_gives_what_it_matches(folder: Path) -> None:
    assert contents(listed(folder / "**" / "*.???"), folder) == {**PAGES, "notes.txt": b"no page"}


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(folder: Path) -> None:
    (folder / "[1].png").write_bytes(b"one")
    assert contents(listed(folder / "[1].png"), folder) == {"[1].png": b"one"}


def test_a_list_on_stdin_may_be_separated_by_nul(folder: Path) -> None:
    paths = b"\0".join(os.fsencode(folder / name) for name in PAGES)
    assert contents(listed("-", null=True, stdin=io.BytesIO(paths)), folder) == PAGES
    lines = io.BytesIO(os.fsencode(folder / "a, b.png") + b"\n\n" + os.fsencode(folder / "deep") + b"\n")
    assert contents(listed("-", stdin=lines), folder) == PAGES


def test_names_longer_than_a_read_stay_whole() -> None:
    long = "x" * 100_000
    assert list(names(io.BytesIO(f"{long}\na\n{long}".encode()), b"\n")) == [long, "a", long]


@pytest.mark.parametrize("suffix", ["tar", "tar.gz", "tar.bz2", "tar.xz"])
def test_the_members_of_a_tar_are_read_by_their_place(suffix: str, folder: Path, tmp_path: Path) -> None:
    path = tmp_path / f"shard.{suffix}"
    mode = "w" if suffix == "tar" else f"w:{suffix[4:]}"
    with tarfile.open(path, mode) as tar:  # type: ignore[call-overload]
        tar.add(folder, "")
        link = tarfile.TarInfo("link.png")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    items = listed(path)
    assert contents(items) == PAGES
    assert contents(items[::-1]) == PAGES


def test_the_members_of_a_zip_are_read_by_their_place(tmp_path: Path) -> None:
    path = tmp_path / "scans.ZIP"
    with zipfile.ZipFile(path, "w") as file:
        for number in range(BATCH + 1):
            file.writestr(f"{number}.png", str(number))
        file.writestr("notes.txt", "no page")
    assert contents(listed(path)) == {f"{number}.png": str(number).encode() for number in range(BATCH + 1)}


def test_the_rows_of_a_parquet_file_are_read_by_their_place(tmp_path: Path) -> None:
    pictures = [f"picture {row}".encode() for row in range(5)]
    table = pa.table({"name": list("abcde"), "image": [{"bytes": x, "path": "x"} for x in pictures], "raw": pictures})
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=2)
    items = listed(tmp_path / "a.parquet")
    expected = {str(row): content for row, content in enumerate(pictures)}
    assert contents(items) == contents(items, column="raw") == expected
    for column, says in (("name", "column 'name' holds no picture in this row"), ("no", "the archive cannot be read")):
        with pytest.raises(DataError, match=says):
            contents(items, column=column)


@pytest.mark.parametrize("damage", ["the end is missing", "a header is broken"])
def test_a_damaged_tar_is_an_error_beside_the_members_before(damage: str, folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as tar:
        for number in range(3):
            info = tarfile.TarInfo(f"{number}.png")
            info.size = 600
            tar.addfile(info, io.BytesIO(bytes(600)))
    whole = path.read_bytes()
    start = 2 * (512 + 1024)  # of the third member
    path.write_bytes(whole[: start + 512] if "end" in damage else whole[:start] + b"?" * 512 + whole[start + 512 :])
    *items, last = listed(path)
    assert [item.member for item in items][:2] == ["0.png", "1.png"]
    assert last.member == ""
    assert last.error.startswith("not all members of the archive were listed: the ")


def test_a_file_that_is_no_archive_is_one_error(tmp_path: Path) -> None:
    for name in ("a.zip", "a.tar", "a.parquet"):
        (tmp_path / name).write_bytes(b"no archive, but long enough to be taken for the start of one " * 20)
    items = listed(tmp_path)
    assert len(items) == 3
    assert all(item.error for item in items)


def test_files_at_an_address_are_listed_and_read(folder: Path, tmp_path: Path) -> None:
    (folder / "deep" / "\udcff.jpg").unlink()  # addresses are UTF-8
    with tarfile.open(folder / "a.tar", "w") as tar:
        tar.add(folder / "a, b.png", "inside.png")
    items = listed(f"file://{folder}")
    assert sorted(contents(items).values()) == [b"1", b"1", b"22"]
    assert len(listed(next(item.source for item in items if "line" in item.source))) == 1
    with pytest.raises(DataError, match="does not exist"):
        listed(f"file://{tmp_path}/nowhere")


def test_an_empty_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no pages"):
        listed(tmp_path)


def test_parts_depend_on_the_name_alone() -> None:
    items = [Item(0, f"/scans/{number}.png") for number in range(1000)]
    sizes = [sum(item.part(4) == part for item in items) for part in range(4)]
    assert min(sizes) > 200
    assert [Item(7, item.source).part(4) for item in items] == [item.part(4) for item in items]


def test_a_page_has_the_identity_of_its_file_member_and_place() -> None:
    ids = {page_id(sha256, member, page) for sha256 in ("aa", "bb") for member in ("", "m") for page in (0, 1)}
    assert len(ids) == 8

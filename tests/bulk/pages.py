"""Small pages, files that harm the worker which reads them, and what a folder of results holds."""

import functools
import io
import json
import os
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from inkdigits.bulk.archives import Contents
from inkdigits.bulk.items import Item
from inkdigits.data import load
from inkdigits.imaging.page import Page
from inkdigits.reader import Reader, Reading, Settings

HANG, CRASH, EAT, FLAKY = b"hang", b"crash", b"eat", b"flaky"


@functools.cache
def digits() -> NDArray[np.uint8]:
    return load("mnist-5k").test.images


def picture(first: int) -> Image.Image:
    """A page with one number of three real digits, from the test digit ``first`` on."""
    row = np.hstack([255 - digit for digit in digits()[first : first + 3]])
    return Image.fromarray(np.pad(row, 20, constant_values=255))


def encoded(first: int, form: str = "PNG", pages: int = 1) -> bytes:
    """A file of one or several pages."""
    file = io.BytesIO()
    more = {"save_all": True, "append_images": [picture(first + page) for page in range(1, pages)]} if pages > 1 else {}
    picture(first).save(file, form, **more)
    return file.getvalue()


def poisoned() -> None:
    """Make a worker process suffer from the files above: called in it before it reads."""
    read = Contents.read

    def harmful(self: Contents, item: Item) -> bytes:
        content = read(self, item)
        if content == HANG:
            time.sleep(1000)
        if content == CRASH:
            os.kill(os.getpid(), signal.SIGKILL)
        if content == EAT:
            bytearray(1 << 40)
        if content.startswith(FLAKY):
            Path(item.source).write_bytes(content[len(FLAKY) :])
            os.kill(os.getpid(), signal.SIGKILL)
        return content

    Contents.read = harmful  # type: ignore[method-assign]


def crashing_at_the_second_page() -> None:
    """Make a worker process end at the second page of each file."""
    read = Reader._read_page

    def harmful(self: Reader, page: Page, source: str, index: int, settings: Settings) -> Reading:
        if index == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return read(self, page, source, index, settings)

    Reader._read_page = harmful  # type: ignore[method-assign]


def rows(path: Path) -> list[dict[str, Any]]:
    """The lines of a file of JSON Lines."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def pages_in(out: Path) -> Counter[tuple[str, str, int]]:
    """How often each page (source, member, index) is in the JSON Lines of a folder."""
    lines = [line for path in out.glob("**/shards/*.jsonl") for line in rows(path)]
    return Counter((line["source"], line["member"], line["page"]) for line in lines)


def errors_in(out: Path) -> dict[str, str]:
    """The code of each file that could not be read, by its name."""
    errors = [error for path in out.glob("**/errors.jsonl") for error in rows(path)]
    return {Path(error["source"]).name: error["code"] for error in errors}

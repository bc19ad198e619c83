"""Reads the files of a pile in worker processes, several pages at a time."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from inkdigits.cli.reading import say_unread
from inkdigits.errors import DataError
from inkdigits.isolation import ReplacedWorker
from inkdigits.progress import FileBar, say

if TYPE_CHECKING:
    from inkdigits.forms.pile import Problem, Scanned

SEVERAL_PAGES = {".pdf", ".tif", ".tiff"}  # suffixes of files whose pages are shared out among the workers


@dataclass
class ReadPages:
    """The pages that were read, and a problem for each page or file that was not."""

    pages: list["Scanned"] = field(default_factory=list)
    problems: list["Problem"] = field(default_factory=list)


def read_files(
    setup: Callable[[], Callable[..., Any]], files: list[Path], memory: int, seconds: float, jobs: int
) -> ReadPages:
    """Read files in ``jobs`` worker processes; the order is that of the files and of their pages.

    Parameters
    ----------
    setup
        Makes in a worker the function that yields what was read of each page of a file, of which it is given the
        path, the number of its share, and the number of shares.
    memory, seconds
        Limits of a worker, and of a page.
    """
    tasks = list(_tasks(files, jobs))
    idle: SimpleQueue[ReplacedWorker] = SimpleQueue()
    found: dict[Path, ReadPages] = {path: ReadPages() for path in files}
    with ExitStack() as stack, FileBar(len(tasks)) as bar:
        for _ in range(min(jobs, len(tasks))):
            idle.put(stack.enter_context(ReplacedWorker(setup, memory, seconds)))

        def read(task: tuple[Path, int, int]) -> tuple[Path, ReadPages]:
            worker = idle.get()
            try:
                return task[0], _read_share(worker, *task)
            finally:
                idle.put(worker)
                bar.step()

        with ThreadPoolExecutor(max(1, jobs)) as pool:
            for path, part in pool.map(read, tasks):
                found[path].pages += part.pages
                found[path].problems += part.problems
    for part in found.values():
        part.pages.sort(key=lambda page: page.number)
        part.problems.sort(key=lambda problem: problem.page)
    return ReadPages(
        [page for part in found.values() for page in part.pages],
        list(dict.fromkeys(problem for part in found.values() for problem in part.problems)),
    )


def _tasks(files: list[Path], jobs: int) -> Iterator[tuple[Path, int, int]]:
    """Yield path, number of the share, and number of shares."""
    for path in files:
        shares = jobs if path.suffix.lower() in SEVERAL_PAGES else 1
        yield from ((path, share, shares) for share in range(shares))


def _read_share(worker: ReplacedWorker, path: Path, share: int, shares: int) -> ReadPages:
    """Read the pages of a file whose place, from 0, leaves ``share`` when it is divided by ``shares``."""
    from inkdigits.forms.files import NotRead
    from inkdigits.forms.pile import UNREADABLE, Problem, Scanned

    out = ReadPages()
    number = share + 1
    try:
        for read in worker.stream(path, share, shares):
            if isinstance(read, NotRead):
                out.problems.append(Problem(read.kind, read.message, str(path), number))
                say(f"{path} page {number}: {read.message}")
            else:
                out.pages.append(Scanned(str(path), number, read))
            number += shares
    except DataError as error:
        if not share or number > share + 1:  # a file that cannot be opened is named once
            say_unread(path, error)
        out.problems.append(Problem(UNREADABLE, str(error), str(path), number if number > share + 1 else 1))
    return out

"""Runs pytest in child processes and in copies of the repository."""

import contextlib
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from sampling import Mutant, digest
from settings import MEMORY, PATIENCE, ROOT, SOURCE, TESTS, WORK


def fork(work: Callable[[], int], log: Path) -> int:
    """Start ``work()``, which returns an exit code, in a child with a process group of its own; return its id."""
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        return pid
    code = 99
    try:
        os.setsid()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        os.dup2(output, 1)
        os.dup2(output, 2)
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        code = work()
    finally:
        os._exit(code)


def run_pytest(tree: Path, arguments: Iterable[str], *plugins: object) -> int:
    """Run pytest in a copy of the repository and return its exit code; for a child process, which then ends."""
    os.chdir(tree)
    os.environ |= {"PYTHONPATH": str(tree / "src"), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    sys.path.insert(0, str(tree / "src"))
    options = ["-q", "-o", "addopts=--import-mode=importlib", "-p", "no:cacheprovider", f"--basetemp={tree / 'tmp'}"]
    return int(pytest.main([*options, *arguments], plugins=plugins))


def copy_of_repository(name: str) -> Path:
    """Return a fresh copy of the files that git knows or would add, with the bytecode of sources and tests."""
    tree = WORK / name
    shutil.rmtree(tree, ignore_errors=True)
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for file in listed.split("\0"):
        if (ROOT / file).is_file():
            (tree / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / file, tree / file)
    tests = sorted({path for paths in TESTS.values() for path in paths})
    os.waitpid(fork(lambda: run_pytest(tree, ["--collect-only", *tests]), WORK / "collect.log"), 0)
    return tree


def digest_of_files(*paths: Path) -> str:
    """Return a short hash of files, and of the Python files in folders."""
    files = sorted(file for path in paths for file in (path.rglob("*.py") if path.is_dir() else [path]))
    return digest(*(file.read_bytes() for file in files))


def digest_of_tests(tree: Path, package: str) -> str:
    """Return a short hash of a package's tests."""
    return digest_of_files(tree / "tests" / "conftest.py", *(tree / path for path in TESTS[package]))


class Watch:
    """A plug-in of pytest that keeps only chosen tests, ends one that takes too long, and names one that fails."""

    def __init__(self, seconds: dict[str, float], note: Path) -> None:
        self.seconds, self.note = seconds, note

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Keep the chosen tests, in their order."""
        place = {test: index for index, test in enumerate(self.seconds)}
        items[:] = sorted((item for item in items if item.nodeid in place), key=lambda item: place[item.nodeid])

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Give a test its time; the system ends the process when it is over."""
        signal.setitimer(signal.ITIMER_REAL, PATIENCE[0] + PATIENCE[1] * self.seconds[nodeid])

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Name the test that fails."""
        if report.failed:
            self.note.write_text(report.nodeid)


class Trial:
    """A mutant that is being tested in a child process."""

    def __init__(self, tree: Path, mutant: Mutant, tests: dict[str, float]) -> None:
        self.tree, self.start = tree, time.perf_counter()
        self.path, self.note = tree / SOURCE / mutant.module, tree / "failed"
        self.source, self.stat = self.path.read_bytes(), self.path.stat()
        self.note.unlink(missing_ok=True)
        self.path.write_text(mutant.code, encoding="utf-8")

        def work() -> int:
            sys.dont_write_bytecode = True
            os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
            signal.setitimer(signal.ITIMER_REAL, 2 * PATIENCE[0])  # for imports and collection
            files = sorted({test.split("::")[0] for test in tests})
            return run_pytest(tree, ["-x", *files], Watch(tests, self.note))

        self.pid = fork(work, tree / "trial.log")

    def end(self, status: int) -> dict[str, Any]:
        """Return the result, given the child's wait status; put the source back."""
        self.kill()  # what a test has started
        self.path.write_bytes(self.source)
        os.utime(self.path, ns=(self.stat.st_atime_ns, self.stat.st_mtime_ns))  # so that its bytecode is valid again
        code = os.waitstatus_to_exitcode(status)
        verdict = "survived" if code in (0, 5) else "timed out" if code == -signal.SIGALRM else "killed"  # 5: no tests
        by = self.note.read_text() if self.note.exists() else ""
        return {"verdict": verdict, "seconds": round(time.perf_counter() - self.start, 2), "by": by}

    def kill(self) -> None:
        """End the child and all that it has started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)

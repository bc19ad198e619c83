"""Processes that are killed at a time limit or a memory limit."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from inkdigits.errors import DataError, TimeLimitError, WorkerError
from inkdigits.isolation import ReplacedWorker, Worker

MIB = 1 << 20


def setup() -> Callable[..., Any]:
    """Return the function of a process: the name of what it does, and a number."""

    def hang() -> Iterator[int]:
        yield 1
        time.sleep(60)

    def handle(name: str, number: int = 0) -> Any:
        if name == "fail":
            raise DataError("a file is broken")
        if name == "die":
            os._exit(3)
        jobs: dict[str, Callable[[], Any]] = {
            "double": lambda: 2 * number,
            "count": lambda: iter(range(number)),
            "take": lambda: len(bytearray(number)),
            "sleep": lambda: time.sleep(number),
            "hang": hang,
            "where": lambda: (os.getpid(), Path.cwd(), os.environ.get("INKDIGITS_TEST")),
        }
        return jobs[name]()

    return handle


def broken_setup() -> Callable[..., Any]:
    raise DataError("there is no model")


@pytest.fixture
def worker() -> Iterator[Worker]:
    made = Worker(setup, 200 * MIB)
    yield made
    made.kill()


@pytest.fixture(scope="module")
def replaced() -> Iterator[ReplacedWorker]:
    with ReplacedWorker(setup, 200 * MIB, 5.0) as made:
        yield made


def test_a_worker_calls_the_function_in_another_process(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    assert [worker.call("double", n, timeout=30) for n in range(3)] == [0, 2, 4]
    assert list(worker.stream("count", 4, timeout=30)) == [0, 1, 2, 3]
    assert worker.call("where", timeout=30)[0] != os.getpid()


def test_a_worker_has_the_folder_and_the_environment_of_its_parent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("INKDIGITS_TEST", "7")
    made = Worker(setup)
    assert made.call("where", timeout=30)[1:] == (tmp_path, "7")
    made.kill()


def test_an_error_of_the_function_is_passed_on_with_its_traceback(worker: Worker) -> None:
    with pytest.raises(DataError, match=r"^a file is broken$") as raised:
        worker.call("fail", timeout=30)
    assert "in handle" in str(raised.value.__cause__)
    assert worker.call("double", 2, timeout=30) == 4


def test_an_error_of_the_setup_is_passed_on() -> None:
    with pytest.raises(DataError, match=r"^there is no model$"):
        Worker(broken_setup)


def test_a_worker_is_killed_at_the_time_limit(worker: Worker) -> None:
    process = psutil.Process(worker.call("where", timeout=30)[0])
    start = time.monotonic()
    with pytest.raises(TimeLimitError, match=r"takes more than 0\.3 seconds"):
        worker.call("sleep", 60, timeout=0.3)
    assert time.monotonic() - start < 5
    assert worker.ended
    assert not process.is_running()


def test_a_worker_that_takes_too_much_memory_says_so(worker: Worker) -> None:
    assert worker.call("take", 100 * MIB, timeout=30) == 100 * MIB
    with pytest.raises(WorkerError, match="too much memory"):
        worker.call("take", 300 * MIB, timeout=30)


def test_a_worker_that_crashed_is_replaced(replaced: ReplacedWorker) -> None:
    with pytest.raises(WorkerError, match="crashes"):
        replaced.call("die")
    assert replaced.call("double", 4) == 8


def test_a_worker_that_hangs_between_items_is_replaced(replaced: ReplacedWorker) -> None:
    replaced.timeout = 0.3
    items = replaced.stream("hang")
    assert next(items) == 1
    with pytest.raises(TimeLimitError):
        next(items)
    replaced.timeout = 30.0
    assert replaced.call("double", 4) == 8


def test_a_worker_whose_items_are_not_all_taken_is_replaced(replaced: ReplacedWorker) -> None:
    items = replaced.stream("count", 10)
    assert next(items) == 0
    items.close()
    assert replaced.call("double", 4) == 8


def test_a_worker_ends_itself_when_its_parent_is_killed() -> None:
    code = (
        "import os, signal, sys; from tests.test_isolation import Worker, setup; worker = Worker(setup); "
        "print(worker.call('where', timeout=30)[0], flush=True); os.kill(os.getpid(), signal.SIGKILL)"
    )
    path = os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": path},
    )
    process = int(done.stdout)
    deadline = time.monotonic() + 10
    while psutil.pid_exists(process) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not psutil.pid_exists(process)

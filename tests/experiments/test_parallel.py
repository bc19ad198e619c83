"""Runs side by side: an error ends the worker processes of the grid, and no process that the caller started itself."""

import multiprocessing
import threading
import time
from collections.abc import Iterator
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from inkdigits.data import Dataset
from inkdigits.errors import RunError, UsageError
from inkdigits.experiments import compare
from inkdigits.experiments.execution import train_in_processes
from inkdigits.experiments.grid import PlannedRun


@pytest.fixture
def child() -> Iterator[BaseProcess]:
    """A process of the caller that has nothing to do with the comparison."""
    process = multiprocessing.get_context("spawn").Process(target=time.sleep, args=(600,), daemon=True)
    process.start()
    yield process
    process.kill()
    process.join()


def test_an_error_ends_the_own_workers_and_no_other_child(child: BaseProcess, small_npz: Path, tmp_path: Path) -> None:
    settings = {"data": str(small_npz), "device": "cpu", "out": tmp_path}
    compare(["mlp"], epochs=1, **settings)  # type: ignore[arg-type]
    start = time.monotonic()
    with pytest.raises(RunError, match=r"started with recipe.epochs 1, not 2000"):
        compare(["mlp", "cnn"], epochs=2000, jobs=2, **settings)  # type: ignore[arg-type]
    assert time.monotonic() - start < 100  # the run of cnn takes longer
    assert multiprocessing.active_children() == [child]
    child.join(timeout=1)  # a signal needs a moment to arrive
    assert child.is_alive()


def test_a_killed_worker_is_an_error_that_ends_the_others(child: BaseProcess, small_npz: Path, tmp_path: Path) -> None:
    def kill_one_worker() -> None:
        while not list(tmp_path.glob("runs/*/history.csv")):
            time.sleep(0.05)
        next(process for process in multiprocessing.active_children() if process.pid != child.pid).kill()

    killer = threading.Thread(target=kill_one_worker)
    killer.start()
    with pytest.raises(RunError, match=r"(lenet5|cnn) seed 0 was killed"):
        compare(["lenet5", "cnn"], str(small_npz), epochs=2000, jobs=2, device="cpu", out=tmp_path)
    killer.join()
    assert multiprocessing.active_children() == [child]


def test_several_jobs_need_data_that_can_be_loaded_again(small: Dataset, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="name or path"):
        compare(["mlp"], small, jobs=2, device="cpu", out=tmp_path)


def test_a_bug_in_a_run_is_an_error_that_names_it(small_npz: Path) -> None:
    broken = PlannedRun("broken", 1, {"epochs": 1})
    with pytest.raises(
        RunError, match=r"a run failed with TypeError: .*missing 1 required positional argument: 'model'"
    ):
        train_in_processes([broken], str(small_npz), 2, print)
    assert multiprocessing.active_children() == []

"""Training of planned runs: one after another, or side by side in worker processes."""

import multiprocessing
import os
import signal
import threading
import traceback
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait

import torch

from inkdigits.data import Dataset
from inkdigits.errors import InkdigitsError, RunError, UsageError
from inkdigits.experiments.grid import PlannedRun
from inkdigits.training import Progress, train

Notify = Callable[[str], None]  # takes a line of text for people
ProgressFor = Callable[[str, int, int], Progress]  # from a run's title, its epochs and its digits per epoch


def train_grid(
    planned: Sequence[PlannedRun], dataset: Dataset, jobs: int, progress_for: ProgressFor | None, notify: Notify
) -> None:
    """Train all planned runs, ``jobs`` of them at a time; finished runs in their folders are kept.

    Raises
    ------
    UsageError
        When several jobs are asked for and the data set has no name or path to load it from.
    RunError
        When a worker process was killed, or a run fails.
    """
    if jobs > 1:
        if not dataset.source:
            raise UsageError("each of several jobs loads the data itself; give a data set's name or path, or jobs=1")
        train_in_processes(planned, dataset.source, jobs, notify)
        return
    for run in planned:
        progress = progress_for(run.title, run.epochs, run.images) if progress_for else None
        notify(_finished(run, train(data=dataset, progress=progress, **run.settings).metrics))


def train_in_processes(planned: Sequence[PlannedRun], data: str, jobs: int, notify: Notify) -> None:
    """Train planned runs in ``jobs`` worker processes that share the cores; ``data`` is a data set's name or path.

    On any error, Ctrl-C included, these workers end immediately: at most one epoch of each run is lost, because the
    state of a run is replaced as a whole. Other child processes of the caller are left alone.
    """
    threads = max(1, (os.cpu_count() or 1) // jobs)
    waiting, workers = deque(planned), list[Worker]()
    try:
        while waiting and len(workers) < jobs:
            workers.append(Worker(data, threads))
            workers[-1].start(waiting.popleft())
        busy = list(workers)
        while busy:
            ready = wait([handle for worker in busy for handle in worker.handles])
            for worker in [worker for worker in busy if not set(worker.handles).isdisjoint(ready)]:
                notify(_finished(*worker.result()))
                if waiting:
                    worker.start(waiting.popleft())
                else:
                    busy.remove(worker)
    finally:
        for worker in workers:
            worker.end()


class Worker:
    """A process that trains one run after another."""

    def __init__(self, data: str, threads: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, other = context.Pipe()
        self._process = context.Process(target=_work, args=(other, data, threads), daemon=True)
        self._process.start()
        other.close()
        self._run: PlannedRun | None = None

    @property
    def handles(self) -> tuple[Connection, int]:
        """What becomes ready with a result, or with the death of the process."""
        return self._connection, self._process.sentinel

    def start(self, run: PlannedRun) -> None:
        """Start a run."""
        self._run = run
        with suppress(ConnectionError):  # the process is dead, which result() reports
            self._connection.send(run.settings)

    def result(self) -> tuple[PlannedRun, dict[str, float]]:
        """Return the run that ended, and its metrics.

        Raises
        ------
        RunError
            When the process was killed. An exception of the run itself is raised as it is.
        """
        assert self._run is not None
        try:
            outcome = self._connection.recv() if self._connection.poll() else None
        except (EOFError, ConnectionError):
            outcome = None
        if outcome is None:
            raise RunError(f"{self._run.title} was killed, perhaps for lack of memory; try again with fewer --jobs")
        if isinstance(outcome, Exception):
            raise outcome
        return self._run, outcome

    def end(self) -> None:
        """End the process."""
        self._connection.close()
        self._process.terminate()
        self._process.join()


def _work(connection: Connection, data: str, threads: int) -> None:
    """Train the runs whose settings arrive, and send back their metrics, or the exception that ended them."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles Ctrl-C
    threading.Thread(target=_exit_with_parent, daemon=True).start()
    torch.set_num_threads(threads)
    while True:
        settings = connection.recv()
        try:
            connection.send(train(data=data, **settings).metrics)
        except InkdigitsError as error:
            connection.send(error)
        except Exception:  # perhaps an exception that cannot be sent
            connection.send(RuntimeError(traceback.format_exc()))


def _exit_with_parent() -> None:
    """End this process when its parent has ended, even if that was killed: nobody would use the run."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _finished(run: PlannedRun, metrics: Mapping[str, float]) -> str:
    return f"{run.title}: test accuracy {100 * metrics['test_acc']:.2f} %, trained in {metrics['train_s']:.0f} s"

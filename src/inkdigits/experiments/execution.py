"""Training of planned runs: one after another, or side by side in a pool of worker processes."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import Connection, wait
from typing import Any

import torch

from inkdigits.data import Dataset
from inkdigits.errors import RunError, UsageError
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

    On any error, Ctrl-C included, the workers of this pool end at once: at most one epoch of each run is lost, because
    the state of a run is replaced as a whole. Other child processes of the caller are left alone.
    """
    threads = max(1, (os.cpu_count() or 1) // jobs)
    context = multiprocessing.get_context("spawn")
    stop_receiver, stop_sender = context.Pipe(duplex=False)
    with (
        stop_receiver,
        stop_sender,
        ProcessPoolExecutor(jobs, context, initializer=start_worker, initargs=(threads, stop_receiver)) as pool,
    ):
        try:
            waiting = {pool.submit(_train_planned, data, run.settings): run for run in planned}
            for done in as_completed(waiting):
                notify(_finished(waiting[done], done.result()))
        except BaseException as error:
            stop_sender.send(None)
            pool.shutdown(cancel_futures=True)
            if isinstance(error, BrokenProcessPool):
                raise RunError("a run was killed, perhaps for lack of memory; try again with fewer --jobs") from error
            raise


def start_worker(threads: int, stop: Connection) -> None:
    """Prepare a worker process: it ignores Ctrl-C, which its parent handles, and ends on ``stop``."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_exit_on_stop, args=(stop,), daemon=True).start()
    torch.set_num_threads(threads)


def _exit_on_stop(stop: Connection) -> None:
    """End this process when ``stop`` holds a message, or when the parent process ends, even if that was killed.

    The message is never received, only waited for, so that one message reaches every worker.
    """
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([stop, parent.sentinel])
    os._exit(1)


def _train_planned(data: str, settings: Mapping[str, Any]) -> dict[str, float]:
    return train(data=data, **settings).metrics


def _finished(run: PlannedRun, metrics: Mapping[str, float]) -> str:
    return f"{run.title}: test accuracy {100 * metrics['test_acc']:.2f} %, trained in {metrics['train_s']:.0f} s"

"""Training of planned runs: one after another, or side by side in processes."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

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
    """Train each planned run in a process of its own, ``jobs`` at a time; ``data`` is a data set's name or path.

    Processes share no queue and no lock, so a killed one cannot block the others. On any error, Ctrl-C included, the
    processes of this grid end at once: at most one epoch of each run is lost, because the state of a run is replaced as
    a whole. Other child processes of the caller are left alone.
    """
    threads = max(1, (os.cpu_count() or 1) // jobs)
    waiting = list(planned)
    running: dict[Any, tuple[PlannedRun, Connection, BaseProcess]] = {}
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                run = waiting.pop(0)
                receiver, process = _start(data, run, threads)
                running[receiver] = run, receiver, process
            for ready in wait(list(running)):
                run, receiver, process = running.pop(ready)
                notify(_finished(run, _metrics_of(run, receiver, process)))
    finally:
        for _, _, process in running.values():
            process.terminate()
        for _, _, process in running.values():
            process.join()


def _start(data: str, run: PlannedRun, threads: int) -> tuple[Connection, BaseProcess]:
    """Start a process that trains ``run``; return the connection on which it sends its metrics or its error."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_train_planned, args=(data, run.settings, threads, sender))
    process.start()
    sender.close()  # the process has its own end: when it dies, the receiver ends
    return receiver, process


def _metrics_of(run: PlannedRun, receiver: Connection, process: BaseProcess) -> Mapping[str, float]:
    """Return what a process sent; raise its error, or RunError if it ended without a word."""
    try:
        sent = receiver.recv()
    except EOFError:
        raise RunError(f"{run.title} was killed, perhaps for lack of memory; try again with fewer --jobs") from None
    finally:
        receiver.close()
        process.join()
    if isinstance(sent, BaseException):
        raise sent
    metrics: Mapping[str, float] = sent
    return metrics


def _train_planned(data: str, settings: Mapping[str, Any], threads: int, sender: Connection) -> None:
    """Train one run in this process, which ignores Ctrl-C (its parent handles it) and ends with its parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_exit_with_parent, daemon=True).start()
    torch.set_num_threads(threads)
    try:
        sender.send(train(data=data, **settings).metrics)
    except InkdigitsError as error:
        sender.send(error)
    except Exception as error:
        sender.send(RunError(f"a run failed with {type(error).__name__}: {error}"))
        raise


def _exit_with_parent() -> None:
    """End this process when the parent process ends, even if that was killed."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _finished(run: PlannedRun, metrics: Mapping[str, float]) -> str:
    return f"{run.title}: test accuracy {100 * metrics['test_acc']:.2f} %, trained in {metrics['train_s']:.0f} s"

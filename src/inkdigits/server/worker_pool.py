"""Threads that do the work of requests, with a bounded queue before them and a deadline for each."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, TypeVar

from inkdigits.server.problems import ProblemError

T = TypeVar("T")
Job = tuple[Callable[[], Any], "asyncio.Future[Any]", asyncio.AbstractEventLoop]


class WorkerPool:
    """Threads that take jobs in the order in which they come.

    Parameters
    ----------
    name
        Of its threads, and in the metrics.
    workers
        How many threads.
    queue
        How many jobs may wait for one.
    """

    def __init__(self, name: str, workers: int, queue: int) -> None:
        self.name = name
        self.open = 0  # jobs that wait or run; only the event loop changes it
        self._room = workers + queue
        self._seconds = 0.05  # that a job takes, a moving average
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._threads = [threading.Thread(target=self._work, name=f"{name}-{i}", daemon=True) for i in range(workers)]
        for thread in self._threads:
            thread.start()

    def check(self) -> None:
        """Refuse a job that would find the queue full.

        Raises
        ------
        ProblemError
            429, with the seconds that the queue will take.
        """
        if self.open >= self._room:
            wait = self.open * self._seconds / len(self._threads)
            raise ProblemError(429, "too many requests are waiting; try again later", retry_after=wait)

    async def run(self, job: Callable[[], T], within: float) -> T:
        """Return what ``job`` returns.

        Raises
        ------
        ProblemError
            429 where the queue is full, 503 where there is no answer within so many seconds; and what the job raises.
        """
        self.check()
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self.open += 1
        self._jobs.put((job, future, loop))
        try:
            async with asyncio.timeout(within):
                return await future
        except TimeoutError:
            detail = f"there was no answer within {within:g} seconds; try again later"
            raise ProblemError(503, detail, retry_after=1) from None

    def count(self) -> float:
        """Return how many jobs wait or run."""
        return self.open

    def shut(self) -> None:
        """Stop the threads after what they are doing."""
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        while (taken := self._jobs.get()) is not None:
            job, future, loop = taken
            result, error = None, None
            start = time.perf_counter()
            if not future.done():  # nobody waits any more for one that was cancelled
                try:
                    result = job()
                except BaseException as raised:
                    error = raised
            with contextlib.suppress(RuntimeError):  # the loop has been closed
                loop.call_soon_threadsafe(self._settle, future, result, error, time.perf_counter() - start)
            del taken, job, future, result, error  # a picture must not outlive its request

    def _settle(self, future: asyncio.Future[Any], result: Any, error: BaseException | None, seconds: float) -> None:
        self.open -= 1
        self._seconds += 0.05 * (seconds - self._seconds)
        if future.done():
            return
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)

"""A worker pool: threads that run the jobs of requests, a bounded queue before them, and a time limit for each job."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

from inkdigits.server.problems import ProblemError

T = TypeVar("T")
FIRST_ESTIMATE = 0.05  # seconds that a job takes, before any has run
WEIGHT = 0.05  # of the newest job in the moving average of the seconds


class WorkerPool:
    """Threads that take jobs in the order in which they arrive.

    Parameters
    ----------
    name
        Name of the threads, and label in the metrics.
    workers
        Number of threads.
    queue
        Number of jobs that may wait for a thread.
    """

    def __init__(self, name: str, workers: int, queue: int) -> None:
        self.name = name
        self.open = 0  # jobs that wait or run; only the event loop changes it
        self._capacity = workers + queue
        self._seconds = FIRST_ESTIMATE
        self._jobs: SimpleQueue[_Job[Any] | None] = SimpleQueue()
        self._threads = [threading.Thread(target=self._work, name=f"{name}-{i}", daemon=True) for i in range(workers)]
        for thread in self._threads:
            thread.start()

    def check(self) -> None:
        """Refuse a job when the queue is full.

        Raises
        ------
        ProblemError
            429, with the seconds that the queue is expected to take.
        """
        if self.open >= self._capacity:
            wait = self.open * self._seconds / len(self._threads)
            raise ProblemError(429, "too many requests are waiting; try again later", retry_after=wait)

    async def run(self, function: Callable[[], T], timeout: float, on_done: Callable[[], None] = lambda: None) -> T:
        """Return the result of ``function``, which runs in a thread.

        Parameters
        ----------
        function
            The job. It is dropped without a call when the request ends before the job begins.
        timeout
            Seconds until the answer must be there.
        on_done
            Called exactly once, in the event loop, when no thread holds ``function`` any more. When the job runs over
            the time limit, this is later than the return from ``run``.

        Raises
        ------
        ProblemError
            429 when the queue is full, 503 when the time is over. Errors of ``function`` are passed on.
        """
        job = _Job(function, on_done)
        try:
            self.check()
            self.open += 1
            self._jobs.put(job)
            async with asyncio.timeout(timeout):
                return await job.future
        except TimeoutError:
            detail = f"there was no answer within {timeout:g} seconds; try again later"
            raise ProblemError(503, detail, retry_after=1) from None
        finally:
            if job.take() is not None:
                on_done()
            del job  # as in _run: its future refers to the error, whose traceback refers to this frame

    def count(self) -> float:
        """Return how many jobs wait or run."""
        return self.open

    def shut(self) -> None:
        """Stop each thread after its current job."""
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            self._run(job)
            del job  # get() waits: what belongs to a request must not outlive it here

    def _run(self, job: "_Job[Any]") -> None:
        function = job.take()
        if function is None:
            job.call_in_loop(self._skip)
            return
        result, error = None, None
        start = time.perf_counter()
        try:
            result = function()
        except BaseException as raised:
            error = raised
        del function
        job.call_in_loop(self._settle, job, result, error, time.perf_counter() - start)
        del job, error  # the error's traceback refers to this frame: without this, a cycle keeps the body alive

    def _skip(self) -> None:
        """Count out a job that never ran; it says nothing about how long jobs take."""
        self.open -= 1

    def _settle(self, job: "_Job[Any]", result: Any, error: BaseException | None, seconds: float) -> None:
        """Count out a job that ran, and answer the request if it still waits."""
        self.open -= 1
        self._seconds += WEIGHT * (seconds - self._seconds)
        job.on_done()
        if job.future.done():
            return
        if error is None:
            job.future.set_result(result)
        else:
            job.future.set_exception(error)


class _Job(Generic[T]):
    """A function that is called at most once, and the future of its result."""

    def __init__(self, function: Callable[[], T], on_done: Callable[[], None]) -> None:
        self.on_done = on_done
        self._loop = asyncio.get_running_loop()
        self.future: asyncio.Future[T] = self._loop.create_future()
        self._function = [function]

    def take(self) -> Callable[[], T] | None:
        """Return the function to the first caller, a thread or the event loop, and None to every later one."""
        try:
            return self._function.pop()  # atomic
        except IndexError:
            return None

    def call_in_loop(self, callback: Callable[..., None], *arguments: Any) -> None:
        """Call ``callback`` in the event loop of the request."""
        with contextlib.suppress(RuntimeError):  # the loop has been closed
            self._loop.call_soon_threadsafe(callback, *arguments)

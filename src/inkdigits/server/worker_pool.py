"""A worker pool: processes that run the jobs of requests, a bounded queue before them, a time limit for each job."""

import asyncio
import contextlib
import logging
import math
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any

from inkdigits.errors import InkdigitsError, WorkerError
from inkdigits.isolation import CRASHED, PIECE, Handler, Messages, Worker, encode, outcome, result_of
from inkdigits.server.problems import ProblemError

FIRST_ESTIMATE = 0.05  # seconds that a job takes, before any has run
WEIGHT = 0.05  # of the newest job in the moving average of the seconds
TOGETHER_SECONDS = 2.0  # for several small jobs in one message; then each of them is done alone
RETRY_SECONDS = 1.0  # after a process could not be started

log = logging.getLogger("inkdigits.server")


class WorkerPool:
    """Processes that take jobs in the order in which they arrive. A killed process is replaced at once.

    Parameters
    ----------
    name
        Label in the metrics.
    workers
        Number of processes.
    queue
        Number of jobs that may wait for a process.
    setup, memory
        See :class:`inkdigits.isolation.Worker`.
    together
        Small jobs that may go to a process in one message, which saves time for waiting and waking up.

    The processes start in the background; :meth:`wait` waits for them.
    """

    def __init__(
        self, name: str, workers: int, queue: int, setup: Callable[[], Handler], memory: int, together: int = 1
    ) -> None:
        self.name = name
        self.open = 0  # jobs that wait or run; only the event loop changes it
        self.alive = 0  # processes that wait for a job or run one
        self._workers, self._capacity, self._together = workers, workers + queue, together
        self._setup, self._memory = partial(_several, setup), memory
        self._seconds = FIRST_ESTIMATE
        self._idle: deque[Worker] = deque()
        self._jobs: deque[_Job] = deque()  # that wait
        self._tasks: set[asyncio.Task[None]] = set()
        self._shut = False
        self._starters = ThreadPoolExecutor(workers, f"start-{name}")
        self._first = [self._starters.submit(Worker, self._setup, memory) for _ in range(workers)]

    def wait(self) -> None:
        """Wait until all processes are ready, and pass on the error of one that does not start."""
        try:
            for started in self._first:
                self._idle.append(started.result())
                self.alive += 1
        finally:
            self._first = []

    @property
    def ready(self) -> bool:
        """Whether there is a process for jobs. Those that ended without a job are replaced."""
        for worker in [worker for worker in self._idle if worker.ended]:
            self._idle.remove(worker)
            self._replace(worker)
        return self.alive > 0

    def check(self) -> None:
        """Refuse a job when the queue is full.

        Raises
        ------
        ProblemError
            429, with the seconds that the queue is expected to take.
        """
        if self.open >= self._capacity:
            wait = self.open * self._seconds / self._workers
            raise ProblemError(429, "too many requests are waiting; try again later", retry_after=wait)

    async def run(self, *arguments: Any, timeout: float, small: bool = False) -> Any:
        """Return the result of the function of a process.

        Parameters
        ----------
        arguments
            Those of the function.
        timeout
            Seconds until the answer must be there. Then the process is killed.
        small
            Whether the job is so short that it may share a message with others.

        Raises
        ------
        ProblemError
            429 when the queue is full, 503 when the time is over.
        WorkerError
            When the process crashes. Errors of the function are passed on.
        """
        self.check()
        self.open += 1
        job = _Job(arguments, timeout, small)
        self._jobs.append(job)
        try:
            self._dispatch()
            async with asyncio.timeout(timeout):
                message = await job.future
        except TimeoutError:
            detail = f"there was no answer within {timeout:g} seconds; try again later"
            raise ProblemError(503, detail, retry_after=1) from None
        finally:
            self.open -= 1
            if job.alone is not None:
                job.alone.cancel()  # kills the process, unless it is done
        return result_of(*message)

    def count(self) -> float:
        """Return how many jobs wait or run."""
        return self.open

    def shut(self) -> None:
        """Kill the processes."""
        self._shut = True
        for started in self._first:
            with contextlib.suppress(Exception):
                started.result().kill()
        while self._idle:
            self._idle.pop().kill()
        self._starters.shutdown()

    def _dispatch(self) -> None:
        """Give the jobs that wait to the processes that are idle."""
        while self._idle and (jobs := self._next_jobs()):
            worker = self._idle.pop()
            if worker.ended:
                self._jobs.extendleft(reversed(jobs))
                self._replace(worker)
                continue
            task = asyncio.create_task(self._serve(worker, jobs))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            if len(jobs) == 1:
                jobs[0].alone = task

    def _next_jobs(self) -> "list[_Job]":
        """Remove and return the first job that waits, and small ones behind it if it is small: an equal share."""
        jobs: list[_Job] = []
        share = min(self._together, math.ceil(len(self._jobs) / len(self._idle)))
        while self._jobs and len(jobs) < share:
            if jobs and not self._jobs[0].small:
                break
            job = self._jobs.popleft()
            if not job.future.done():
                jobs.append(job)
                if not job.small:
                    break
        return jobs

    async def _serve(self, worker: Worker, jobs: "list[_Job]") -> None:
        """Let a process do jobs. If it is killed or crashes with several jobs, each of them is done alone."""
        seconds = jobs[0].timeout if len(jobs) == 1 else TOGETHER_SECONDS
        start = time.perf_counter()
        try:
            async with asyncio.timeout(seconds):
                answers = result_of(*await _ask(worker, encode(([job.arguments for job in jobs],), seconds)))
        except BaseException as error:
            self._replace(worker)
            if not isinstance(error, EOFError | ConnectionError | TimeoutError):
                raise
            if len(jobs) > 1:
                for job in jobs:
                    job.small = False
                self._jobs.extendleft(reversed(jobs))
                self._dispatch()
            elif not jobs[0].future.done() and not isinstance(error, TimeoutError):
                jobs[0].future.set_exception(WorkerError(CRASHED))
        else:
            for job, answer in zip(jobs, answers, strict=True):
                if not job.future.done():
                    job.future.set_result(answer)
            self._idle.append(worker)
            self._dispatch()
        finally:
            self._seconds += WEIGHT * ((time.perf_counter() - start) / len(jobs) - self._seconds)

    def _replace(self, worker: Worker) -> None:
        """Kill a process, and start another one, in the background."""
        self.alive -= 1
        started = self._starters.submit(self._restart, worker)
        loop = asyncio.get_running_loop()

        def add(done: Future[Worker | None]) -> None:
            with contextlib.suppress(RuntimeError):  # the loop has been closed
                loop.call_soon_threadsafe(self._add, done.result())

        started.add_done_callback(add)

    def _restart(self, worker: Worker) -> Worker | None:
        worker.kill()
        while not self._shut:
            try:
                return Worker(self._setup, self._memory)
            except (OSError, InkdigitsError) as error:
                log.error("a worker process for %s does not start: %s", self.name, error)
                time.sleep(RETRY_SECONDS)
        return None

    def _add(self, worker: Worker | None) -> None:
        if worker is not None:
            self.alive += 1
            self._idle.append(worker)
            self._dispatch()


class _Job:
    """A job that waits or runs."""

    def __init__(self, arguments: tuple[Any, ...], timeout: float, small: bool) -> None:
        self.arguments, self.timeout, self.small = arguments, timeout, small
        self.future: asyncio.Future[tuple[int, Any]] = asyncio.get_running_loop().create_future()
        self.alone: asyncio.Task[None] | None = None  # that serves this job and no other


async def _ask(worker: Worker, message: bytes) -> tuple[int, Any]:
    """Return the answer of a process to a message."""
    loop = asyncio.get_running_loop()
    messages = Messages()
    await loop.sock_sendall(worker.channel, message)
    while (answer := messages.take()) is None:
        messages.feed(await loop.sock_recv(worker.channel, PIECE))
    return answer


def _several(setup: Callable[[], Handler]) -> Handler:
    """Return a function that calls that of ``setup`` for each of several jobs, and returns their messages."""
    handler = setup()
    return lambda jobs: [outcome(handler, arguments) for arguments in jobs]

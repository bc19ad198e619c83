"""A worker pool: processes that run the jobs of requests, a bounded queue before them, a time limit for each job."""

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from inkdigits.errors import InkdigitsError, WorkerError
from inkdigits.isolation import CRASHED, PIECE, Handler, Messages, Worker, encode, result_of
from inkdigits.server.problems import ProblemError

FIRST_ESTIMATE = 0.05  # seconds that a job takes, before any has run
WEIGHT = 0.05  # of the newest job in the moving average of the seconds
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
        See :class:`inkdigits.isolation.Worker`. The processes start in the background, and :meth:`wait` waits for them.
    """

    def __init__(self, name: str, workers: int, queue: int, setup: Callable[[], Handler], memory: int) -> None:
        self.name = name
        self.open = 0  # jobs that wait or run; only the event loop changes it
        self.alive = 0  # processes that wait for a job or run one
        self._workers, self._capacity = workers, workers + queue
        self._setup, self._memory = setup, memory
        self._seconds = FIRST_ESTIMATE
        self._idle: deque[Worker] = deque()
        self._waiting: deque[asyncio.Future[Worker]] = deque()  # jobs
        self._shut = False
        self._starters = ThreadPoolExecutor(workers, f"start-{name}")
        self._first = [self._starters.submit(Worker, setup, memory) for _ in range(workers)]

    def wait(self) -> None:
        """Wait until all processes are ready, and pass on the error of one that does not start."""
        try:
            for started in self._first:
                self._put(started.result())
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

    async def run(self, *arguments: Any, timeout: float) -> Any:
        """Return the result of the function of a process.

        Parameters
        ----------
        arguments
            Those of the function.
        timeout
            Seconds until the answer must be there. Then the process is killed.

        Raises
        ------
        ProblemError
            429 when the queue is full, 503 when the time is over.
        WorkerError
            When the process crashes. Errors of the function are passed on.
        """
        self.check()
        self.open += 1
        deadline = time.monotonic() + timeout
        try:
            async with asyncio.timeout(timeout):
                worker = await self._take()
                message = await self._ask(worker, encode(arguments, max(deadline - time.monotonic(), 0.0)))
        except TimeoutError:
            detail = f"there was no answer within {timeout:g} seconds; try again later"
            raise ProblemError(503, detail, retry_after=1) from None
        finally:
            self.open -= 1
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

    async def _take(self) -> Worker:
        """Return a process that is idle, or the first that becomes idle."""
        while self._idle:
            worker = self._idle.pop()
            if not worker.ended:
                return worker
            self._replace(worker)
        waiting: asyncio.Future[Worker] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiting)
        try:
            return await waiting
        except asyncio.CancelledError:
            if waiting.done() and not waiting.cancelled():
                self._put(waiting.result())
            raise

    def _put(self, worker: Worker) -> None:
        """Give a process to the first job that waits, or keep it as idle."""
        while self._waiting:
            waiting = self._waiting.popleft()
            if not waiting.done():
                waiting.set_result(worker)
                return
        self._idle.append(worker)

    async def _ask(self, worker: Worker, job: bytes) -> tuple[int, Any]:
        """Return the message of a process about a job. The process is replaced if that fails or is cancelled."""
        loop = asyncio.get_running_loop()
        start = time.perf_counter()
        messages = Messages()
        try:
            await loop.sock_sendall(worker.channel, job)
            while (message := messages.take()) is None:
                messages.feed(await loop.sock_recv(worker.channel, PIECE))
        except BaseException as error:
            self._replace(worker)
            if isinstance(error, EOFError | ConnectionError):
                raise WorkerError(CRASHED) from None
            raise
        else:
            self._put(worker)
            return message
        finally:
            self._seconds += WEIGHT * (time.perf_counter() - start - self._seconds)

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
            self._put(worker)

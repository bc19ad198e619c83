"""One service: its reader, the threads that work, the corrections it keeps, and how it is."""

import time
from collections.abc import Callable
from typing import TypeVar

import numpy as np
from starlette.requests import Request

from inkdigits.reader import Reader
from inkdigits.server import v2
from inkdigits.server.feedback import Feedback
from inkdigits.server.metrics import Metrics
from inkdigits.server.settings import ServerSettings
from inkdigits.server.uploads import BodyReader
from inkdigits.server.worker_pool import WorkerPool

T = TypeVar("T")


class Service:
    """All that requests share.

    Crops, batches and pages have threads of their own, so that those that are soon done need not wait for the others.
    Crops go through the network one by one: eight at once would take 0.15 ms each instead of 0.18, of the 0.65 that
    a request takes, and an answer could depend on its neighbours.

    Raises
    ------
    ModelError, DataError
        When the model cannot be read, or corrections cannot be kept.
    """

    def __init__(self, settings: ServerSettings) -> None:
        self.settings = settings
        self.reader = Reader(settings.model, threads=1)
        self.reader.recognizer.run(np.zeros((1, 28, 28), np.uint8))  # the first run takes longest
        self.version = v2.version_of(self.reader)
        self.feedback = None if settings.feedback is None else Feedback(settings.feedback)
        few = max(1, settings.queue // 8)  # each of these holds more, and takes longer
        self.crops = WorkerPool("crops", settings.workers, settings.queue)
        self.batches = WorkerPool("batches", settings.workers, few)
        self.pages = WorkerPool("pages", max(1, settings.workers // 2), few)
        self.metrics = Metrics([self.crops, self.batches, self.pages], self.reader.name, self.version)
        self.bodies = BodyReader()
        self.draining = False

    async def work(self, request: Request, most: int, pool: WorkerPool, job: Callable[[bytes], T]) -> T:
        """Return what ``job`` makes of a request's body, of at most so many bytes, in a thread of ``pool``.

        Raises
        ------
        ProblemError
            Where the body, the queue or the time are not as they must be; and what ``job`` raises.
        """
        pool.check()
        body = await self.bodies.receive(request, most, self.settings.timeout)
        try:
            return await pool.run(lambda: job(body), self.settings.timeout)
        finally:
            self.bodies.release(body)

    @property
    def until(self) -> float:
        """The :func:`time.monotonic` at which a job that begins now is waited for no more."""
        return time.monotonic() + self.settings.timeout

    def close(self) -> None:
        """Stop the threads, and close the file of corrections."""
        for pool in (self.crops, self.batches, self.pages):
            pool.shut()
        if self.feedback is not None:
            self.feedback.close()

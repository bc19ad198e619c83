"""The service: the reader, the worker pools, the stored corrections, and the state that all requests share."""

from functools import partial
from typing import Any

from starlette.requests import Request

from inkdigits.reader import Reader
from inkdigits.server import v2, workers
from inkdigits.server.body_reader import BodyReader
from inkdigits.server.feedback import Feedback
from inkdigits.server.metrics import Metrics
from inkdigits.server.settings import CROP_MEMORY, PAGE_MEMORY, SMALL_BODY, SMALL_TOGETHER, ServerSettings
from inkdigits.server.worker_pool import WorkerPool


class Service:
    """Everything that requests share.

    Everything that parses a body or decodes an image runs in worker processes. Crops, batches and pages have separate
    pools, so that short jobs do not wait behind long ones. Crops go through the network one at a time: a batch of eight
    would take 0.15 ms per crop instead of 0.18 ms, but a result could depend on the other crops of the batch.

    Raises
    ------
    ModelError, DataError
        When the model cannot be loaded, or corrections cannot be stored.
    """

    def __init__(self, settings: ServerSettings) -> None:
        self.settings = settings
        self.reader = Reader(settings.model, threads=1)
        self.version = v2.version_of(self.reader)
        self.feedback = None if settings.feedback is None else Feedback(settings.feedback)
        short_queue = max(1, settings.queue // 8)  # batches and pages need more memory and time
        crops = partial(workers.crop_worker, settings.model, settings.prepare)
        pages = partial(workers.page_worker, settings.model, settings.prepare)
        self.crops = WorkerPool("crops", settings.workers, settings.queue, crops, CROP_MEMORY, SMALL_TOGETHER)
        self.batches = WorkerPool("batches", settings.workers, short_queue, crops, CROP_MEMORY)
        self.pages = WorkerPool("pages", max(1, settings.workers // 2), short_queue, pages, PAGE_MEMORY)
        self.pools = [self.crops, self.batches, self.pages]
        self.metrics = Metrics(self.pools, self.reader.name, self.version)
        self.bodies = BodyReader()
        self.draining = False  # True from the signal to stop until the process ends

    def wait(self) -> None:
        """Wait until the worker processes are ready, and pass on the error of one that does not start."""
        for pool in self.pools:
            pool.wait()

    async def work(self, request: Request, max_bytes: int, pool: WorkerPool, *job: Any) -> Any:
        """Return the result of a job of :mod:`inkdigits.server.jobs` for the body of a request, the last argument.

        Raises
        ------
        ProblemError
            See :meth:`BodyReader.receive` and :meth:`WorkerPool.run`. Errors of the job are passed on.
        """
        pool.check()
        timeout = self.settings.timeout
        body = await self.bodies.receive(request, max_bytes, timeout)
        try:
            return await pool.run(*job, body, timeout=timeout, small=len(body) <= SMALL_BODY)
        finally:
            self.bodies.release(len(body))

    @property
    def ready(self) -> bool:
        """Whether every pool has a process for jobs."""
        return min(pool.ready for pool in self.pools)  # asks all of them

    def close(self) -> None:
        """Kill the worker processes and close the file of corrections."""
        for pool in self.pools:
            pool.shut()
        if self.feedback is not None:
            self.feedback.close()

"""Worker pool and body reader in-process: the Retry-After of refused clients, and when memory counts as free."""

import asyncio
import contextlib
import gc
import threading
import weakref
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from starlette.requests import Request

from inkdigits.server import worker_pool
from inkdigits.server.problems import ProblemError
from inkdigits.server.service import Service
from inkdigits.server.settings import ServerSettings
from inkdigits.server.worker_pool import WorkerPool

BODY = bytes(1000)


@pytest.fixture
def service() -> Iterator[Service]:
    """A service with one thread and a short time limit."""
    made = Service(ServerSettings(workers=1, timeout=0.2))
    yield made
    made.close()


def upload(*messages: dict[str, Any]) -> Request:
    """A request whose ASGI messages are these; by default one whole body."""
    waiting = iter(messages or ({"type": "http.request", "body": BODY},))

    async def receive() -> Any:
        return next(waiting)

    return Request({"type": "http", "method": "POST", "headers": []}, receive)


class Blocker:
    """A job that runs until ``may_end`` is set."""

    def __init__(self) -> None:
        self.begun, self.may_end = threading.Event(), threading.Event()

    def __call__(self, body: bytes = b"") -> None:
        self.begun.set()
        self.may_end.wait(10)


async def until(condition: Callable[[], bool]) -> None:
    """Wait for the threads; fails after 5 seconds."""
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.005)


def test_jobs_that_never_ran_do_not_shorten_retry_after() -> None:
    pool, slow = WorkerPool("test", workers=1, queue=100), Blocker()

    async def retry_after() -> int:
        """Fill the pool behind a job of 0.3 s or more; return the Retry-After of the next client."""
        slow.begun.clear()
        slow.may_end.clear()
        first = asyncio.create_task(pool.run(slow, 5))
        await until(slow.begun.is_set)
        late = [asyncio.create_task(pool.run(bool, 0.01)) for _ in range(100)]
        await asyncio.sleep(0)
        with pytest.raises(ProblemError) as refused:
            pool.check()
        assert [type(error) for error in await asyncio.gather(*late, return_exceptions=True)] == [ProblemError] * 100
        await asyncio.sleep(0.3)
        slow.may_end.set()
        await first
        await until(lambda: pool.open == 0)
        return int(refused.value.headers["retry-after"])

    first, second, third = (asyncio.run(retry_after()) for _ in range(3))
    pool.shut()
    assert first == 6  # 101 jobs of 0.05 s, the first estimate
    assert first < second < third


def test_a_body_counts_as_held_until_its_thread_is_done(service: Service) -> None:
    async def scenario() -> None:
        slow = Blocker()
        with pytest.raises(ProblemError, match=r"within 0\.2 seconds"):
            await service.work(upload(), 2000, service.crops, slow)
        assert slow.begun.is_set()
        assert service.bodies.held == len(BODY)  # the client has its 503, the thread still has the body
        slow.may_end.set()
        await until(lambda: service.crops.open == 0)
        assert service.bodies.held == 0

    asyncio.run(scenario())


def test_a_body_whose_job_never_began_is_released_at_the_timeout(service: Service) -> None:
    async def scenario() -> None:
        slow = Blocker()
        first = asyncio.create_task(service.crops.run(slow, 5))
        await until(slow.begun.is_set)
        with pytest.raises(ProblemError, match=r"within 0\.2 seconds"):
            await service.work(upload(), 2000, service.crops, len)
        assert service.bodies.held == 0
        slow.may_end.set()
        await first

    asyncio.run(scenario())


@pytest.mark.parametrize("begun", [True, False])
def test_a_cancelled_request_releases_its_body_once(service: Service, begun: bool) -> None:
    async def scenario() -> None:
        slow = Blocker()
        first = asyncio.create_task(service.work(upload(), 2000, service.crops, slow))
        await until(slow.begun.is_set)
        second = asyncio.create_task(service.work(upload(), 2000, service.crops, len))
        await until(lambda: service.crops.open == 2)
        (first if begun else second).cancel()
        await asyncio.wait([first if begun else second])
        assert service.bodies.held == (2 if begun else 1) * len(BODY)
        slow.may_end.set()
        await asyncio.wait([first, second])
        await until(lambda: service.crops.open == 0)
        assert service.bodies.held == 0

    asyncio.run(scenario())


def test_a_body_is_released_when_the_queue_is_full(service: Service) -> None:
    async def receive() -> Any:
        service.crops.open += 1000  # the queue fills up while the body arrives
        return {"type": "http.request", "body": BODY}

    request = Request({"type": "http", "method": "POST", "headers": []}, receive)
    with pytest.raises(ProblemError, match="too many requests"):
        asyncio.run(service.work(request, 2000, service.crops, len))
    assert service.bodies.held == 0


@pytest.mark.parametrize(
    ("status", "messages"),
    [
        (400, [{"type": "http.request", "body": BODY, "more_body": True}, {"type": "http.disconnect"}]),
        (413, [{"type": "http.request", "body": BODY, "more_body": True}] * 3),
    ],
)
def test_an_incomplete_body_is_released(service: Service, status: int, messages: list[dict[str, Any]]) -> None:
    with pytest.raises(ProblemError) as problem:
        asyncio.run(service.work(upload(*messages), 2000, service.crops, len))
    assert problem.value.status == status
    assert service.bodies.held == 0


def test_a_failed_job_releases_its_body(service: Service) -> None:
    with pytest.raises(TypeError):
        asyncio.run(service.work(upload(), 2000, service.crops, lambda body: body + 1))  # type: ignore[operator]
    assert service.bodies.held == 0


@pytest.mark.parametrize("fails", [False, True])
def test_a_job_is_freed_without_the_garbage_collector(service: Service, fails: bool) -> None:
    async def scenario() -> Any:
        class Job:
            def __call__(self) -> None:
                if fails:
                    raise ValueError

        job = Job()
        watched = weakref.ref(job)
        with pytest.raises(ValueError, match=r"^$") if fails else contextlib.nullcontext():
            await service.crops.run(partial(job), 5)
        return watched

    gc.disable()
    try:
        watched = asyncio.run(scenario())
        assert watched() is None
    finally:
        gc.enable()


def test_the_thread_drops_a_job_before_on_done_is_due(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, may_end, alive = threading.Event(), threading.Event(), list[bool]()
    call_in_loop = worker_pool._Job.call_in_loop

    async def scenario() -> None:
        def job() -> None:
            begun.set()
            may_end.wait(10)

        watched = weakref.ref(job)

        def spy(*arguments: Any) -> None:
            alive.append(watched() is not None)
            call_in_loop(*arguments)

        monkeypatch.setattr(worker_pool._Job, "call_in_loop", spy)
        waiting = asyncio.create_task(service.crops.run(job, 5))
        del job
        await until(begun.is_set)
        waiting.cancel()
        await asyncio.wait([waiting])
        del waiting
        assert watched() is not None  # the thread runs it
        may_end.set()
        await until(lambda: service.crops.open == 0)

    asyncio.run(scenario())
    assert alive == [False]

"""Worker pool and body reader in-process: the Retry-After of refused clients, and when memory counts as free."""

import asyncio
import os
import time
from collections.abc import Callable, Iterator
from typing import Any

import psutil
import pytest
from starlette.requests import Request

from inkdigits.errors import WorkerError
from inkdigits.isolation import Handler
from inkdigits.server.body_reader import BodyReader
from inkdigits.server.problems import ProblemError
from inkdigits.server.service import Service
from inkdigits.server.settings import MIB, ServerSettings
from inkdigits.server.worker_pool import WorkerPool

BODY = bytes(1000)


def setup() -> Handler:
    """Return the function of a process: the name of what it does, and a number or a body."""

    def handle(name: str, argument: Any = None) -> Any:
        if name == "die":
            os._exit(1)
        if name == "refuse":
            raise ProblemError(413, "too much", retry_after=7)
        jobs: dict[str, Callable[[], Any]] = {
            "length": lambda: len(argument),
            "sleep": lambda: time.sleep(argument),
            "process": os.getpid,
        }
        return jobs[name]()

    return handle


@pytest.fixture
def pool() -> Iterator[WorkerPool]:
    made = WorkerPool("test", 1, 100, setup, 200 * MIB, together=8)
    made.wait()
    yield made
    made.shut()


def upload(*messages: dict[str, Any]) -> Request:
    """A request whose ASGI messages are these; by default one whole body."""
    waiting = iter(messages or ({"type": "http.request", "body": BODY},))

    async def receive() -> Any:
        return next(waiting)

    return Request({"type": "http", "method": "POST", "headers": []}, receive)


async def until(condition: Callable[[], bool]) -> None:
    """Wait for processes; fails after 20 seconds."""
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.005)


def test_a_job_runs_in_a_process(pool: WorkerPool) -> None:
    async def scenario() -> None:
        answers = await asyncio.gather(*(pool.run("length", bytes(size), timeout=30) for size in (1, 10**7, 3)))
        assert answers == [1, 10**7, 3]
        assert await pool.run("process", timeout=30) != os.getpid()

    asyncio.run(scenario())


def test_a_problem_of_a_job_is_passed_on(pool: WorkerPool) -> None:
    with pytest.raises(ProblemError, match="too much") as raised:
        asyncio.run(pool.run("refuse", timeout=30))
    assert (raised.value.status, raised.value.headers) == (413, {"retry-after": "7"})


def test_a_process_is_killed_at_the_time_limit_and_the_next_job_runs(pool: WorkerPool) -> None:
    async def scenario() -> None:
        process = psutil.Process(await pool.run("process", timeout=30))
        with pytest.raises(ProblemError, match=r"within 0\.2 seconds") as raised:
            await pool.run("sleep", 60, timeout=0.2)
        assert raised.value.status == 503
        await until(lambda: not pool.ready)
        assert await pool.run("length", b"12", timeout=30) == 2
        assert pool.ready
        assert not process.is_running()

    asyncio.run(scenario())


def test_a_process_that_crashes_costs_one_job(pool: WorkerPool) -> None:
    async def scenario() -> None:
        jobs = [pool.run("die", timeout=30), *(pool.run("length", b"12", timeout=30) for _ in range(3))]
        first, *others = await asyncio.gather(*jobs, return_exceptions=True)
        assert isinstance(first, WorkerError)
        assert others == [2, 2, 2]

    asyncio.run(scenario())


def test_small_jobs_share_a_process_and_one_that_crashes_costs_only_itself(pool: WorkerPool) -> None:
    async def scenario() -> None:
        names = ["length", "length", "die", "length", "length"]
        jobs = [pool.run(name, b"12", timeout=30, small=True) for name in ["process", *names]]
        _, *answers = await asyncio.gather(*jobs, return_exceptions=True)
        assert isinstance(answers.pop(2), WorkerError)
        assert answers == [2, 2, 2, 2]

    asyncio.run(scenario())


def test_a_process_that_was_killed_while_idle_costs_no_job(pool: WorkerPool) -> None:
    async def scenario() -> None:
        process = psutil.Process(await pool.run("process", timeout=30))
        process.kill()
        await until(lambda: not pool.ready)
        assert await pool.run("length", b"12", timeout=30) == 2

    asyncio.run(scenario())


def test_a_cancelled_job_frees_its_place(pool: WorkerPool) -> None:
    async def scenario() -> None:
        first = asyncio.create_task(pool.run("sleep", 60, timeout=30))
        second = asyncio.create_task(pool.run("length", b"1", timeout=30))
        await asyncio.sleep(0.05)
        assert pool.open == 2
        second.cancel()
        first.cancel()
        await asyncio.wait([first, second])
        assert pool.open == 0
        assert await pool.run("length", b"12", timeout=30) == 2

    asyncio.run(scenario())


def test_jobs_that_never_ran_do_not_shorten_retry_after(pool: WorkerPool) -> None:
    async def retry_after() -> int:
        """Fill the pool behind a job of 0.3 s; return the Retry-After of the next client."""
        first = asyncio.create_task(pool.run("sleep", 0.3, timeout=30))
        await asyncio.sleep(0)
        late = [asyncio.create_task(pool.run("length", b"", timeout=0.01)) for _ in range(100)]
        await asyncio.sleep(0)
        with pytest.raises(ProblemError) as refused:
            pool.check()
        assert [type(error) for error in await asyncio.gather(*late, return_exceptions=True)] == [ProblemError] * 100
        await first
        return int(refused.value.headers["retry-after"])

    first, second, third = (asyncio.run(retry_after()) for _ in range(3))
    assert first == 6  # 101 jobs of 0.05 s, the first estimate
    assert first < second < third


def test_a_setup_that_fails_is_told() -> None:
    broken = WorkerPool("test", 1, 1, broken_setup, MIB)
    with pytest.raises(ProblemError, match="broken"):
        broken.wait()
    broken.shut()


def broken_setup() -> Handler:
    raise ProblemError(500, "broken")


@pytest.mark.parametrize(
    ("status", "messages"),
    [
        (400, [{"type": "http.request", "body": BODY, "more_body": True}, {"type": "http.disconnect"}]),
        (413, [{"type": "http.request", "body": BODY, "more_body": True}] * 3),
    ],
)
def test_an_incomplete_body_is_released(status: int, messages: list[dict[str, Any]]) -> None:
    bodies = BodyReader()
    with pytest.raises(ProblemError) as problem:
        asyncio.run(bodies.receive(upload(*messages), 2000, 5))
    assert problem.value.status == status
    assert bodies.held == 0


def test_a_body_counts_as_held_until_its_job_ends() -> None:
    service = Service(ServerSettings(workers=1, timeout=0.5))
    service.wait()
    service.crops = WorkerPool("test", 1, 0, setup, 200 * MIB)
    service.crops.wait()

    async def scenario() -> None:
        waiting = asyncio.create_task(service.work(upload(), 2000, service.crops, "length"))
        await until(lambda: service.bodies.held == len(BODY) or waiting.done())
        assert await waiting == len(BODY)
        assert service.bodies.held == 0
        blocker = asyncio.create_task(service.crops.run("sleep", 60, timeout=20))
        await asyncio.sleep(0)
        service.crops._capacity = 2
        with pytest.raises(ProblemError, match=r"within 0\.5 seconds"):
            await service.work(upload(), 2000, service.crops, "length")
        assert service.bodies.held == 0
        service.crops._capacity = 1
        with pytest.raises(ProblemError, match="too many requests"):
            await service.work(upload(), 2000, service.crops, "length")
        assert service.bodies.held == 0
        blocker.cancel()
        await asyncio.wait([blocker])

    asyncio.run(scenario())
    service.crops.shut()
    service.close()

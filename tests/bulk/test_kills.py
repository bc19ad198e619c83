"""Drivers and workers that are killed: a further run ends with every page once."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from inkdigits import isolation
from inkdigits.bulk import Execution, Plan, Progress, read_in_bulk, status
from inkdigits.errors import BusyError
from tests.bulk.pages import encoded, pages_in
from tests.bulk.paused_driver import POINTS

ROOT = Path(__file__).parents[2]
READING = {"layout": "line", "turn": False}


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five files, one of two pages."""
    folder = tmp_path_factory.mktemp("scans")
    for number in range(4):
        (folder / f"{number}.png").write_bytes(encoded(3 * number))
    (folder / "4.tiff").write_bytes(encoded(20, "TIFF", pages=2))
    return folder


@pytest.fixture
def plan(scans: Path) -> Plan:
    return Plan((str(scans),), READING, form="jsonl", shard_size=2)


@pytest.fixture
def paused(scans: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[subprocess.Popen[str]]:
    """A driver that has come to a point of its work."""
    command = [sys.executable, "-m", "tests.bulk.paused_driver", str(tmp_path / "out"), str(scans), request.param]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as driver:
        try:
            assert driver.stdout is not None
            assert driver.stdout.readline() == "paused\n"
            yield driver
        finally:
            driver.kill()


def every_page_once(scans: Path) -> dict[tuple[str, str, int], int]:
    files = {(str(scans / f"{number}.png"), "", 0): 1 for number in range(4)}
    return files | {(str(scans / "4.tiff"), "", page): 1 for page in range(2)}


@pytest.mark.parametrize("paused", POINTS, indirect=True)
def test_a_killed_driver_loses_at_most_the_shard_in_work(
    paused: subprocess.Popen[str], plan: Plan, scans: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    monkeypatch.setattr("inkdigits.files.LOCK_WAIT", 0.1)
    with pytest.raises(BusyError, match=f"process {paused.pid}"):
        read_in_bulk(plan, out)
    paused.send_signal(signal.SIGKILL)
    paused.wait()
    before = {path.name: path.stat().st_ino for path in (out / "shards").glob("*.jsonl")}
    monkeypatch.setattr("inkdigits.files.LOCK_WAIT", 10)
    summary = read_in_bulk(plan, out, Execution(jobs=2))
    assert pages_in(out) == every_page_once(scans)
    assert (summary.complete, summary.pages, summary.items, summary.errors) == (True, 6, 5, {})
    after = {path.name: path.stat().st_ino for path in (out / "shards").glob("*.jsonl")}
    assert before.items() <= after.items()  # what was committed is not read again
    assert not list(out.rglob("*.tmp"))


def test_a_killed_worker_costs_no_page(plan: Plan, scans: Path, tmp_path: Path) -> None:
    killed = []

    def kill(progress: Progress) -> None:
        if progress.pages and not killed:
            (worker,) = isolation._alive
            os.kill(worker._process.pid, signal.SIGKILL)
            killed.append(worker)

    summary = read_in_bulk(plan, tmp_path, Execution(jobs=1), report=kill)
    assert len(killed) == 1
    assert pages_in(tmp_path) == every_page_once(scans)
    assert summary.errors == {}


def test_ctrl_c_leaves_what_is_committed(plan: Plan, scans: Path, tmp_path: Path) -> None:
    def interrupt(progress: Progress) -> None:
        if progress.items >= 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        read_in_bulk(plan, tmp_path, Execution(jobs=1), report=interrupt)
    assert not list(isolation._alive)
    (state,) = status(tmp_path)
    assert not state.summary.complete
    assert read_in_bulk(plan, tmp_path, Execution(jobs=1)).complete
    assert pages_in(tmp_path) == every_page_once(scans)

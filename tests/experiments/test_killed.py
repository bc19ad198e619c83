"""A comparison that is killed and resumed has the files of an uninterrupted one; see benchmarks/reliability.py."""

import random
from pathlib import Path

import pytest

from benchmarks.reliability import KillBench


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> KillBench:
    return KillBench(tmp_path_factory.mktemp("kills"))


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds the workers through Linux's /proc")
@pytest.mark.parametrize("killed", ["parent", "worker"])
def test_a_killed_comparison_ends_with_the_same_files(killed: str, bench: KillBench) -> None:
    assert bench.kill_and_resume(killed, random.Random(0))

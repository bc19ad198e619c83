"""Locks of folders: against real processes, one of which is killed."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from inkdigits import files
from inkdigits.errors import BusyError, RunError
from inkdigits.files import LOCK, locked, remove_temporary_files

HOLD = "import sys; from pathlib import Path; from inkdigits.files import locked\n"
HOLD += "with locked(Path(sys.argv[1]), wait=0.1): print('held', flush=True); sys.stdin.read()"


@pytest.fixture(autouse=True)
def no_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "LOCK_WAIT", 0.1)


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that holds the lock of ``tmp_path / "run"`` until its input ends."""
    command = [sys.executable, "-c", HOLD, tmp_path / "run"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        yield process
        process.kill()


def test_a_folder_that_another_process_uses_is_busy(holder: subprocess.Popen[bytes], tmp_path: Path) -> None:
    with pytest.raises(BusyError) as caught, locked(tmp_path / "run"):
        pass
    assert str(caught.value) == (
        f"{tmp_path / 'run'} is in use by process {holder.pid}; wait until it ends, or choose another folder with --out"
    )
    with locked(tmp_path):  # another folder is free
        pass


def test_a_killed_process_holds_no_lock(holder: subprocess.Popen[bytes], tmp_path: Path) -> None:
    holder.kill()
    holder.wait()
    with locked(tmp_path / "run"):
        assert (tmp_path / "run" / LOCK).read_text() == str(os.getpid())


def test_a_lock_within_a_lock_does_not_end_it(tmp_path: Path) -> None:
    with locked(tmp_path / "run"):
        with locked(tmp_path / "run"):
            pass
        check = subprocess.run(
            [sys.executable, "-c", HOLD, tmp_path / "run"], capture_output=True, text=True, check=False
        )
    assert check.returncode == 1
    assert f"in use by process {os.getpid()}" in check.stderr


def test_a_lock_leaves_nothing_behind(tmp_path: Path) -> None:
    with locked(tmp_path / "new"):
        pass
    (tmp_path / "old").mkdir()
    with pytest.raises(ValueError, match="within"), locked(tmp_path / "old"):
        raise ValueError("within")
    assert [path.name for path in tmp_path.rglob("*")] == ["old"]


def test_a_folder_that_cannot_be_made_is_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match=r"cannot write .*: Not a directory"), locked(tmp_path / "file" / "run"):
        pass


def test_only_temporary_files_of_the_name_are_removed(tmp_path: Path) -> None:
    kept = {".model.json.tmp", ".other.json.x1.tmp", "model.json", "model.json.x1.tmp"}
    for name in {*kept, ".model.json.x1.tmp", ".model.json.x2.tmp"}:
        (tmp_path / name).touch()
    remove_temporary_files(tmp_path / "model.json")
    assert {path.name for path in tmp_path.iterdir()} == kept

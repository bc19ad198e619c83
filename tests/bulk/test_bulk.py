"""Bulk reading by the local executor."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from inkdigits.bulk import Execution, Plan, read_in_bulk, status
from inkdigits.bulk.meter import prometheus, read_progress
from inkdigits.errors import DataError, RunError, UsageError
from inkdigits.reader import Reader
from tests.bulk import pages
from tests.bulk.pages import encoded, errors_in, pages_in, rows

Run = Callable[..., tuple[int, str, str]]
READING = {"layout": "line", "turn": False}


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    """Three files of one page, and a copy of the first."""
    folder = tmp_path / "scans"
    folder.mkdir()
    for name, first in (("a.png", 0), ("b.png", 3), ("c.png", 6), ("copy of a.png", 0)):
        (folder / name).write_bytes(encoded(first))
    return folder


@pytest.fixture
def plan(scans: Path) -> Plan:
    return Plan((str(scans),), READING, form="jsonl", shard_size=2)


def test_a_page_is_read_as_by_the_reader(scans: Path, plan: Plan, tmp_path: Path) -> None:
    read_in_bulk(plan, tmp_path / "out", Execution(jobs=1))
    lines = [line for path in (tmp_path / "out/shards").iterdir() for line in rows(path)]
    reader = Reader(threads=1)
    for line in lines:
        alone = json.loads(json.dumps(reader.read(Path(line["source"]), **READING).to_dict()))
        assert {name: line[name] for name in alone} == alone
    assert len({line["id"] for line in lines}) == len({line["sha256"] for line in lines}) == 3


def test_files_that_harm_their_reader_cost_themselves_alone(scans: Path, plan: Plan, tmp_path: Path) -> None:
    harmful = {"hang.png": pages.HANG, "crash.png": pages.CRASH, "eat.png": pages.EAT, "no.png": b"no picture"}
    for name, content in {**harmful, "flaky.png": pages.FLAKY + encoded(9)}.items():
        (scans / name).write_bytes(content)
    (scans / "gone.png").symlink_to("nowhere")
    plan = replace(plan, sources=(str(scans), str(scans / "gone.png")))
    out = tmp_path / "out"
    execution = Execution(jobs=2, timeout=3)
    summary = read_in_bulk(plan, out, execution, prepare=pages.poisoned)
    codes = {"hang.png": "time-limit", "crash.png": "crash", "eat.png": "crash", "no.png": "bad-file"}
    assert errors_in(out) == {**codes, "gone.png": "missing"}
    assert summary.errors == {"bad-file": 1, "crash": 2, "missing": 1, "time-limit": 1}
    readable = [*scans.glob("[abcf]*.png"), scans / "copy of a.png"]
    expected = {(str(path), "", 0): 1 for path in readable if path.name not in codes}
    assert pages_in(out) == expected

    for name in ("hang.png", "no.png"):
        (scans / name).write_bytes(encoded(12))
        expected[str(scans / name), "", 0] = 1
    assert read_in_bulk(plan, out, execution, prepare=pages.poisoned).errors == summary.errors
    again = read_in_bulk(plan, out, replace(execution, retry_errors=True), prepare=pages.poisoned)
    assert again.errors == {"crash": 2, "missing": 1}
    assert pages_in(out) == expected


def test_pages_before_a_page_that_fails_are_kept(plan: Plan, tmp_path: Path) -> None:
    path = tmp_path / "a.tiff"
    path.write_bytes(encoded(0, "TIFF", pages=3))
    out, plan = tmp_path / "out", replace(plan, sources=(str(path),))
    summary = read_in_bulk(plan, out, Execution(jobs=1), prepare=pages.crashing_at_the_second_page)
    assert pages_in(out) == {(str(path), "", 0): 1}
    assert summary.errors == {"crash": 1}
    assert [error["page"] for error in rows(out / "errors.jsonl")] == [1]
    assert read_in_bulk(plan, out, Execution(jobs=1, retry_errors=True)).errors == {}
    assert pages_in(out) == {(str(path), "", page): 1 for page in range(3)}


def test_the_same_picture_is_read_once(scans: Path, plan: Plan, tmp_path: Path) -> None:
    out = tmp_path / "out"
    summary = read_in_bulk(replace(plan, dedupe=True), out, Execution(jobs=2))
    assert (summary.items, summary.pages, summary.duplicates) == (4, 3, 1)
    (copy,) = rows(out / "duplicates.jsonl")
    first = json.loads((out / "listing-0.jsonl").read_text().splitlines()[copy["copy_of"]])[1]
    assert {Path(first).name, Path(copy["source"]).name} == {"a.png", "copy of a.png"}
    for path in out.glob("shards/*"):  # as if the driver had been killed before the commits
        path.unlink()
    assert read_in_bulk(replace(plan, dedupe=True), out, Execution(jobs=2)).pages == 3


def test_other_settings_are_refused(plan: Plan, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shards = read_in_bulk(plan, out, Execution(jobs=1))
    with pytest.raises(RunError, match=r"was begun with other settings \(shard_size 2, now 3\)"):
        read_in_bulk(replace(plan, shard_size=3), out, Execution(jobs=1))
    with pytest.raises(RunError, match="begun with 1 parts, not 2"):
        read_in_bulk(replace(plan, parts=2), out, Execution(jobs=1))
    assert read_in_bulk(plan, out, Execution(jobs=2)) == replace(
        shards, seconds=status(out)[0].summary.seconds, pages_per_second=status(out)[0].summary.pages_per_second
    )


def test_a_folder_that_cannot_be_written_ends_the_run_and_is_continued(scans: Path, plan: Plan, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "records").write_text("in the way")
    with pytest.raises(RunError, match=r"^cannot write .*File exists; free space there"):
        read_in_bulk(plan, out, Execution(jobs=2))
    assert not list((out / "shards").iterdir())
    (out / "records").unlink()
    assert read_in_bulk(plan, out, Execution(jobs=2)).complete
    assert pages_in(out) == {(str(path), "", 0): 1 for path in scans.iterdir()}


def test_parts_read_every_page_once(scans: Path, plan: Plan, tmp_path: Path) -> None:
    for part in range(2):
        read_in_bulk(replace(plan, part=part, parts=2), tmp_path / "out", Execution(jobs=1))
    assert pages_in(tmp_path / "out") == {(str(path), "", 0): 1 for path in scans.iterdir()}
    assert [state.summary.complete for state in status(tmp_path / "out")] == [True, True]
    with pytest.raises(RunError, match="begun with 2 parts, not 3"):
        read_in_bulk(replace(plan, parts=3), tmp_path / "out")


def test_a_source_that_does_not_exist_begins_nothing(plan: Plan, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere does not exist"):
        read_in_bulk(replace(plan, sources=(str(tmp_path / "nowhere"),)), tmp_path / "out", Execution(jobs=1))
    assert read_in_bulk(plan, tmp_path / "out", Execution(jobs=1)).complete


def test_the_command_writes_parquet_and_exits_with_3_after_errors(run_cli: Run, scans: Path, tmp_path: Path) -> None:
    (scans / "no.png").write_bytes(b"no picture")
    out = tmp_path / "out"
    command = ("bulk", scans, "--out", out, "--layout", "line", "--no-turn", "--jobs", 1)
    code, stdout, err = run_cli(*command, "--json")
    assert code == 3
    assert json.loads(stdout) == json.loads((out / "summary.json").read_text())
    assert f"the errors are in {out / 'errors.jsonl'}" in err
    table = pq.read_table(out / "shards")
    assert sorted(map(Path, table["source"].to_pylist())) == sorted(set(scans.iterdir()) - {scans / "no.png"})
    assert all(len(number) == 3 for number in table["number"].to_pylist())
    code, stdout, _ = run_cli("bulk", "status", out)
    assert code == 0
    assert stdout.splitlines()[1].split("\t")[1:8] == ["complete", "5", "5", "4", "4", table_doubtful(table), "1"]
    progress = read_progress(out)
    assert progress is not None
    assert not progress.running
    assert "inkdigits_bulk_pages 4\n" in prometheus(progress)
    assert (out / "metrics.prom").read_text() == prometheus(progress)


def table_doubtful(table: "pq.Table") -> str:
    return str(sum(table["doubtful"].to_pylist()))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--shard", "2/2"), "a share is I/N with I from 0 to N-1, not 2/2"),
        (("--shard", "one"), "--shard is I/N, such as 0/4, not 'one'"),
        (("--format", "xml"), "there is no format 'xml'; choose one of: csv, jsonl, parquet"),
        (("--jobs", 0), "--jobs must be at least 1, not 0"),
        (("--timeout", 0), "timeout must be above 0 seconds, not 0"),
    ],
)
def test_wrong_use_is_one_line(options: tuple[str, ...], says: str, run_cli: Run, tmp_path: Path) -> None:
    code, _, err = run_cli("bulk", tmp_path, "--out", tmp_path / "out", *options)
    assert (code, err) == (2, f"inkdigits: {says}\n")


def test_a_folder_without_a_run_has_no_status(run_cli: Run, tmp_path: Path) -> None:
    code, _, err = run_cli("bulk", "status", tmp_path)
    assert (code, err) == (
        1,
        f"inkdigits: {tmp_path} holds no bulk reading, or one that is still listing its files\n",
    )


def test_a_plan_refuses_impossible_settings() -> None:
    with pytest.raises(UsageError, match="shard-size must be at least 1, not 0"):
        Plan(("scans",), shard_size=0)

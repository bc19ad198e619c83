"""inkdigits bulk and bulk status: many pages, read to a folder that survives kills; no PyTorch."""

import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inkdigits.cli.common import Json, app, emit, table
from inkdigits.cli.reading import LinesFile, ModelFile
from inkdigits.errors import UsageError
from inkdigits.plugins import load_plugins
from inkdigits.progress import BulkBar, duration, say

if TYPE_CHECKING:
    from inkdigits.bulk import Status, Summary

WITH_ERRORS = 3  # exit code of a run that is complete, but could not read some files


@app.command("bulk")
def bulk_command(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE...",
            help="Folders, patterns, pictures, PDFs, TIFFs, tar, zip and Parquet files, s3:// and gs://; - for a list "
            "on stdin.",
        ),
    ],
    out: Annotated[Path, typer.Option(help="The folder of the results; the same again continues a run.")],
    form: Annotated[str, typer.Option("--format", help="parquet, jsonl or csv.")] = "parquet",
    layout: Annotated[str, typer.Option(help="As for inkdigits read.")] = "auto",
    length: Annotated[int | None, typer.Option(help="Number of digits of each number.")] = None,
    check: Annotated[str | None, typer.Option(help="luhn, mod97 or isbn, which each number satisfies.")] = None,
    roster: Annotated[Path | None, typer.Option(help="A file with the possible numbers.")] = None,
    min_confidence: Annotated[float, typer.Option(help="Reject digits of less confidence, 0 to 1.")] = 0.0,
    turn: Annotated[bool, typer.Option("--turn/--no-turn", help="Also try a page turned by quarters.")] = True,
    model: ModelFile = None,
    lines: LinesFile = None,
    column: Annotated[str | None, typer.Option(help="Column of the pictures in Parquet files.")] = None,
    null: Annotated[bool, typer.Option("--null", help="NUL separates the names on stdin.")] = False,
    dedupe: Annotated[bool, typer.Option("--dedupe", help="Read files with the same bytes once.")] = False,
    retry_errors: Annotated[bool, typer.Option("--retry-errors", help="Try again what could not be read.")] = False,
    jobs: Annotated[int | None, typer.Option(help="Worker processes; one for each core by default.")] = None,
    shard_size: Annotated[int | None, typer.Option(help="Files in each shard; 256 by default.")] = None,
    shard: Annotated[str, typer.Option(metavar="I/N", help="Read one of N shares of the files, I from 0.")] = "0/1",
    timeout: Annotated[float | None, typer.Option(help="Seconds for each page; 60 by default.")] = None,
    as_json: Json = False,
) -> None:
    """Read many pages to a folder, each exactly once, whatever is killed."""
    from inkdigits.bulk import Execution, Plan, read_in_bulk
    from inkdigits.bulk.run import part_folder
    from inkdigits.bulk.settings import SHARD_SIZE
    from inkdigits.bulk.summary import ERRORS
    from inkdigits.reader.isolated import PAGE_SECONDS
    from inkdigits.reader.roster import read_roster

    load_plugins()  # the settings know the layouts that are registered
    numbers = () if roster is None else read_roster(roster)
    reading: dict[str, Any] = {"layout": layout, "length": length, "check": check, "roster": numbers}
    reading |= {"min_confidence": min_confidence, "turn": turn}
    size = SHARD_SIZE if shard_size is None else shard_size
    part, parts = _share(shard)
    plan = Plan(tuple(sources), reading, model, lines, form, size, column, dedupe, part, parts)
    if jobs is not None and jobs < 1:
        raise UsageError(f"--jobs must be at least 1, not {jobs}")
    execution = Execution(
        jobs=jobs or 0, timeout=PAGE_SECONDS if timeout is None else timeout, retry_errors=retry_errors, null=null
    )
    with BulkBar() as bar:
        summary = read_in_bulk(plan, out, execution, prepare=load_plugins, report=bar.update, say=say)
    say(_line(summary))
    if as_json:
        emit(asdict(summary))
    if summary.errors:
        say(f"the errors are in {part_folder(out, part, parts) / ERRORS}; --retry-errors tries those files again")
        raise typer.Exit(WITH_ERRORS)


@app.command("bulk status")
def status_command(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder of --out.")], as_json: Json = False
) -> None:
    """Show how far a bulk run is."""
    from inkdigits.bulk import status

    states = status(folder)
    if as_json:
        emit([{**asdict(state), "folder": os.fspath(state.folder)} for state in states])
        return
    columns = ["folder", "state", "files", "of", "pages", "numbers", "doubtful", "errors", "pages/s", "time left"]
    table(columns, [_row(state) for state in states])


def _share(text: str) -> tuple[int, int]:
    """Return I and N of ``I/N``."""
    part, slash, parts = text.partition("/")
    if not (slash and part.isdecimal() and parts.isdecimal()):
        raise UsageError(f"--shard is I/N, such as 0/4, not {text!r}")
    return int(part), int(parts)


def _line(summary: "Summary") -> str:
    errors = sum(summary.errors.values())
    kinds = ", ".join(f"{count:,} {code}" for code, count in summary.errors.items())
    return (
        f"{summary.pages:,} pages, {summary.numbers:,} numbers, {summary.doubtful:,} of them doubtful, "
        f"{errors:,} errors{f' ({kinds})' if kinds else ''}; {summary.pages_per_second:.2f} pages/s, "
        f"{summary.core_seconds_per_page:.3f} core seconds a page"
    )


def _row(state: "Status") -> list[object]:
    summary, progress = state.summary, state.progress
    running = progress is not None and progress.alive
    name = "running" if running else "complete" if summary.complete else "stopped"
    items, pages, rate, left = summary.items, summary.pages, summary.pages_per_second, ""
    errors = sum(summary.errors.values())
    if running and progress is not None:
        items, pages, errors, rate = progress.items, progress.pages, progress.errors, progress.pages_per_second
        left = "" if progress.seconds_left is None else duration(progress.seconds_left)
    return [state.folder, name, items, summary.listed, pages, summary.numbers, summary.doubtful, errors, rate, left]

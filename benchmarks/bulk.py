"""Bulk reading under kills, and the memory of its driver.

``python -m benchmarks.bulk --pages 2000 --kills 100`` kills the driver or one of its workers at random moments, with
1 % of the files harmful, and counts pages that are missing or twice in the results. ``--listed 1000000`` measures the
memory of a driver that lists so many files. Writes ``benchmarks/bulk.json``.
"""

import argparse
import json
import os
import platform
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from inkdigits.bulk.meter import read_progress
from inkdigits.data import load
from tests import hostile

RESULTS = Path(__file__).with_suffix(".json")
POISON = 0.01  # share of the files
TIMEOUT = 10.0  # seconds for a page
LONGEST_WAIT = 8.0  # seconds until a kill
AT_WORK = 0.75  # share of the kills that wait until the driver has begun to read
LISTER = """
import resource, sys
from pathlib import Path
from inkdigits.bulk import read_in_bulk  # what a driver imports
from inkdigits.bulk.folder import BulkFolder
from inkdigits.bulk.sources import Listing
folder = BulkFolder(Path(sys.argv[2]), "jsonl")
folder.write_listing(0, Listing((sys.argv[1],)).items())
shards = sum(1 for _ in folder.cut(0, 256))
print(folder.listed(0), shards, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def make_pages(folder: Path, count: int, rng: random.Random) -> set[Path]:
    """Write small pages; return those that cannot be read: no pictures, parts of pictures, PDFs that take hours."""
    folder.mkdir(parents=True)
    digits = load("mnist-5k").test.images
    harmful = set(rng.sample(range(count), round(POISON * count)))
    for number in range(count):
        path = folder / f"{number:06d}.png"
        row = np.hstack([255 - digits[(3 * number + place) % len(digits)] for place in range(3)])
        Image.fromarray(np.pad(row, 20, constant_values=255)).save(path)
        if number in harmful:
            content = path.read_bytes()
            path.write_bytes(rng.choice([b"no picture", content[: len(content) // 2], hostile.dashed_lines_pdf()]))
    return {folder / f"{number:06d}.png" for number in harmful}


def children(process: int) -> list[int]:
    """Return the processes that a process has started."""
    try:
        return [int(pid) for pid in Path(f"/proc/{process}/task/{process}/children").read_text().split()]
    except OSError:
        return []


def start(folder: Path, out: Path, jobs: int) -> "subprocess.Popen[bytes]":
    """Start a driver."""
    options = ["--format", "jsonl", "--shard-size", "16", "--layout", "line", "--no-turn", "--timeout", str(TIMEOUT)]
    command = [sys.executable, "-m", "inkdigits.cli", "bulk", str(folder), "--out", str(out), "--jobs", str(jobs)]
    return subprocess.Popen([*command, *options], stderr=subprocess.DEVNULL)


def wait_for_work(driver: "subprocess.Popen[bytes]", out: Path) -> None:
    """Wait until a driver has written its progress, or has ended."""
    while driver.poll() is None:
        progress = read_progress(out)
        if progress is not None and progress.process == driver.pid:
            return
        time.sleep(0.1)


def kill_one(driver: "subprocess.Popen[bytes]", rng: random.Random) -> str:
    """Kill the driver, or one of the processes below it; return which."""
    below = [process for child in children(driver.pid) for process in (child, *children(child))]
    if below and rng.random() < 0.5:
        os.kill(rng.choice(below), signal.SIGKILL)
        return "worker"
    driver.kill()
    return "driver"


def measure_kills(pages: int, kills: int, jobs: int, place: Path) -> dict[str, Any]:
    """Kill drivers and workers, let a last driver end, and count the pages."""
    rng = random.Random(0)
    folder, out = place / "scans", place / "out"
    harmful = make_pages(folder, pages, rng)
    killed: Counter[str] = Counter()
    begin = time.monotonic()
    while killed.total() < kills:
        driver = start(folder, out, jobs)
        while driver.poll() is None and killed.total() < kills:
            if rng.random() < AT_WORK:
                wait_for_work(driver, out)
            time.sleep(rng.uniform(0, LONGEST_WAIT))
            if driver.poll() is None:
                killed[kill_one(driver, rng)] += 1
        if driver.wait() in (0, 3):  # it has ended before it was killed often enough
            break
    codes = [start(folder, out, jobs).wait() for _ in range(2)]  # the second has nothing to do
    counts = Counter(
        json.loads(line)["source"] for path in out.glob("shards/*") for line in path.read_text().splitlines()
    )
    errors = [json.loads(line) for line in (out / "errors.jsonl").read_text().splitlines()]
    expected = {str(path) for path in folder.iterdir()} - {str(path) for path in harmful}
    return {
        "pages": pages,
        "harmful": len(harmful),
        "kills": dict(killed),
        "missing": len(expected - set(counts)),
        "double": sum(count > 1 for count in counts.values()),
        "unexpected": len(set(counts) - expected),
        "errors": dict(Counter(error["code"] for error in errors)),
        "errors_of_readable_files": len({error["source"] for error in errors} - {str(path) for path in harmful}),
        "exit_codes": codes,
        "seconds": round(time.monotonic() - begin, 1),
    }


def measure_listing(files: int, place: Path) -> dict[str, Any]:
    """Return the most memory of a driver's part that lists files and cuts the listing into shards."""
    for number in range(files):
        path = place / "many" / f"{number // 10_000:04d}" / f"scan-{number:08d}.png"
        if number % 10_000 == 0:
            path.parent.mkdir(parents=True)
        path.touch()
    begin = time.monotonic()
    command = [sys.executable, "-c", LISTER, str(place / "many"), str(place / "listed")]
    listed, shards, kilobytes = map(int, subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout.split())
    seconds = round(time.monotonic() - begin, 1)
    return {"files": listed, "shards": shards, "megabytes": round(kilobytes / 1024), "seconds": seconds}


def main() -> None:
    """Measure what is asked for, and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, default=2000)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--listed", type=int, default=1_000_000)
    options = parser.parse_args()
    figures: dict[str, Any] = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    figures["machine"] = {"cpus": os.cpu_count(), "python": platform.python_version(), "load": os.getloadavg()[0]}
    place = Path(tempfile.mkdtemp(prefix="bulk-"))
    try:
        if options.kills:
            figures["kills"] = measure_kills(options.pages, options.kills, options.jobs, place)
        if options.listed:
            figures["listing"] = measure_listing(options.listed, place)
    finally:
        shutil.rmtree(place)
    print(json.dumps(figures, indent=2))
    RESULTS.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()

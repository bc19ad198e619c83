"""Measures what stays right when processes are killed or work at the same time, and when the service is attacked.

python benchmarks/reliability.py                          all measurements, as many rounds as each needs
python benchmarks/reliability.py fetch-pairs --rounds 10  one of them, up to its tenth round
python benchmarks/reliability.py --list                   their names and goals

Writes benchmarks/reliability.json after every round, and continues there: rounds that are done are not repeated, unless
--again is given. Exits with 1 when a goal is missed.

A measurement is a generator that takes the numbers of the rounds that are left, prepares what they share, and yields
the figures of each round. Figures of the rounds are added up; of a figure whose name begins with ``worst`` the largest
counts.
"""

import argparse
import csv
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from pathlib import Path

import numpy as np

from inkdigits.data import CATALOG, data_folder, load
from inkdigits.files import locked, write_json

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))  # when this file is run as a script
from benchmarks import service_reliability  # noqa: E402

RESULTS = HERE / "reliability.json"

Figures = dict[str, float]


@dataclass(frozen=True)
class Measurement:
    """A measurement: its function, the number of its rounds, and the largest value that each figure may have."""

    run: Callable[[range], Iterator[Figures]]
    rounds: int
    goal: Figures


MEASUREMENTS: dict[str, Measurement] = {}


def measurement(rounds: int, **goal: float) -> Callable[[Callable[[range], Iterator[Figures]]], None]:
    """Register a function under its name, with hyphens; ``goal`` has the largest value allowed for figures."""

    def register(run: Callable[[range], Iterator[Figures]]) -> None:
        MEASUREMENTS[run.__name__.replace("_", "-")] = Measurement(run, rounds, goal)

    return register


def combined(total: Figures, figures: Figures) -> Figures:
    """Return the figures of all rounds: the largest of those whose name begins with ``worst``, else the sum."""
    merged = dict(total)
    for name, value in figures.items():
        merged[name] = max(merged.get(name, value), value) if name.startswith("worst") else merged.get(name, 0) + value
    return merged


def read_results() -> dict[str, Figures]:
    """Return the figures of all measurements so far, by name."""
    return json.loads(RESULTS.read_text()) if RESULTS.exists() else {}


def measure(name: str, rounds: int | None, again: bool) -> bool:
    """Run the rounds of a measurement that are left; return whether its goal is reached."""
    found = MEASUREMENTS[name]
    wanted = rounds or found.rounds
    total = {} if again else read_results().get(name, {})
    left = range(int(total.get("rounds", 0)), wanted)
    for figures in found.run(left) if left else ():
        total = combined(total, {"rounds": 1, **figures})
        with locked(HERE, ".reliability.lock"):  # other measurements may run at the same time
            write_json(RESULTS, read_results() | {name: total})
        print(f"{name}, round {total['rounds']:.0f} of {wanted}: {json.dumps(total)}", flush=True)
    missed = {key: total[key] for key, limit in found.goal.items() if total.get(key, 0) > limit}
    if missed:
        print(f"{name}: missed {missed}, allowed {found.goal}")
    return not missed


# Two processes that fetch a data set at once

LOAD = """
import sys
from dataclasses import replace
from inkdigits.data import digits
digits.MNIST = replace(digits.MNIST, mirrors=(sys.argv[1],))
found = digits.load("mnist")
print(found.name, len(found.train))
"""
PIECES = 20  # a file is sent in so many pieces
PAUSE = 0.02  # seconds between two pieces


class Mirror(BaseHTTPRequestHandler):
    """Sends the files of MNIST slowly, and counts how often each was sent whole."""

    def __init__(self, folder: Path, whole: Counter[str], *arguments: object) -> None:
        self.folder, self.whole = folder, whole
        super().__init__(*arguments)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        """Send a file, from the byte that the request names."""
        name = Path(self.path).name
        content = (self.folder / name).read_bytes()
        start = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").rstrip("-"))
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        size = len(content) // PIECES + 1
        try:
            for first in range(start, len(content), size):
                self.wfile.write(content[first : first + size])
                time.sleep(PAUSE)
        except ConnectionError:  # the process was killed
            return
        self.whole[name] += not start

    def log_message(self, format: str, *arguments: object) -> None:
        """Write no log."""


@contextmanager
def mirror_of_mnist() -> Iterator[tuple[str, Counter[str]]]:
    """Yield the URL of a mirror on this machine, and how often it has sent each file whole."""
    folder = data_folder() / "mnist"
    if not all((folder / f"{file.name}.gz").exists() for file in CATALOG["mnist"].files):
        raise SystemExit("this needs the files of MNIST to serve them: inkdigits data fetch mnist")
    whole: Counter[str] = Counter()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Mirror, folder, whole))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/", whole
    finally:
        server.shutdown()
        server.server_close()


@measurement(rounds=50, wrong=0, downloaded_twice=0)
def fetch_pairs(rounds: range) -> Iterator[Figures]:
    """Two processes load MNIST into an empty folder at once; in every third pair the first is killed meanwhile."""
    with mirror_of_mnist() as (url, whole):
        for index in rounds:
            whole.clear()
            with tempfile.TemporaryDirectory() as folder:
                killed = index % 3 == 2
                wrong = load_at_once(url, Path(folder), killed_after=random.Random(index).random() if killed else None)
                left = [path.name for path in Path(folder, "mnist").iterdir()]
            twice = sum(count > 1 for count in whole.values())
            incomplete = len(set(left) ^ {f"{file.name}.gz" for file in CATALOG["mnist"].files})
            yield {"pairs": 1, "with_a_kill": killed, "wrong": wrong + incomplete, "downloaded_twice": twice}


def load_at_once(url: str, folder: Path, killed_after: float | None) -> int:
    """Return how many of two processes that load MNIST at once fail or get other digits.

    The first is killed so many seconds after the first byte has come, if that is not None; it does not count then.
    """
    environment = {key: value for key, value in os.environ.items() if key != "INKDIGITS_OFFLINE"}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", LOAD, url],
            env=environment | {"INKDIGITS_DATA": str(folder)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    if killed_after is not None:
        while not list(folder.glob("mnist/.*.part")) and processes[0].poll() is None:
            time.sleep(0.01)
        time.sleep(killed_after)
        processes[0].kill()
    answers = [process.communicate()[0].strip() for process in processes]
    wrong = 0
    for process, answer in zip(processes, answers, strict=True):
        if process.returncode != -signal.SIGKILL:
            wrong += process.returncode != 0 or answer != "mnist 60000"
    return wrong


# Kills of training and comparison

TRAIN = """
import sys
from inkdigits.training import train
train("lenet5", sys.argv[1], epochs=4, batch_size=32, device="cpu", out=sys.argv[2], resume=True)
"""
COMPARE = """
import sys
from inkdigits.experiments import compare
if __name__ == "__main__":  # the worker processes import this file
    compare(["mlp", "lenet5"], sys.argv[1], epochs=4, jobs=2, device="cpu", out=sys.argv[2])
"""
EPOCHS = {"train": 4, "compare": 8}  # of all runs of a script
KILLED = ("training", "parent", "worker", "all")  # of a comparison: its parent process, one worker, or all at once
TIMES = ("seconds", "cpu_seconds", "train_s", "cpu_s", "ms_per_image")  # differ between two runs


@measurement(rounds=100, not_identical=0)
def kills(rounds: range) -> Iterator[Figures]:
    """Kill a training or a comparison at a random moment and resume it: its files are those of an uninterrupted one."""
    with tempfile.TemporaryDirectory() as place:
        bench = KillBench(Path(place))
        for index in rounds:
            what = KILLED[index % len(KILLED)]
            identical = bench.kill_and_resume(what, random.Random(index))
            yield {"kills": 1, f"of_{what}": 1, "not_identical": not identical}


class KillBench:
    """Uninterrupted runs, to which the killed and resumed ones are compared.

    Parameters
    ----------
    place
        A folder for data, scripts and runs.
    """

    def __init__(self, place: Path) -> None:
        self.place, self.data = place, place / "digits.npz"
        digits = load("mnist-5k")
        images, labels = digits.train.split(600, seed=0)[1], digits.test.split(200, seed=0)[1]
        np.savez(self.data, x_train=images.images, y_train=images.labels, x_test=labels.images, y_test=labels.labels)
        self.references: dict[Path, tuple[dict[str, str], float]] = {}

    def kill_and_resume(self, what: str, rng: random.Random) -> bool:
        """Return whether a run that is killed once and resumed ends with the files of an uninterrupted one."""
        script = self.script(what)
        expected, seconds = self.reference(script)
        out = self.place / "killed"
        while not self.killed_once(script, out, what, rng, seconds):  # it ended before it could be killed
            shutil.rmtree(out)
        resumed = self.start(script, out).wait()  # at once: the workers of a killed parent may be about to end
        identical = resumed == 0 and content(out) == expected
        if identical:
            shutil.rmtree(out)
        else:
            kept = self.place.parent / f"reliability-{what}-{time.time():.0f}"
            print(f"not identical: {out.rename(kept)}")
        return identical

    def killed_once(self, script: Path, out: Path, what: str, rng: random.Random, seconds: float) -> bool:
        """Start a run of that many seconds and kill it in or after an epoch; return whether it was still running."""
        process, epochs = self.start(script, out), EPOCHS[script.stem]
        after = rng.randrange(epochs + 1)
        while process.poll() is None and (epochs_logged(out) < after or not out.exists()):
            time.sleep(0.01)
        time.sleep(rng.uniform(0, seconds / epochs))
        hit = process.poll() is None and kill(process, what, rng)
        process.wait()
        return hit

    def script(self, what: str) -> Path:
        """Return the script of a training, or of a comparison."""
        path = self.place / ("train.py" if what == "training" else "compare.py")
        path.write_text(TRAIN if what == "training" else COMPARE)
        return path

    def reference(self, script: Path) -> tuple[dict[str, str], float]:
        """Return the files of an uninterrupted run, made when first asked for, and the seconds it took."""
        if script not in self.references:
            out = self.place / f"whole-{script.stem}"
            process = self.start(script, out)
            while not out.exists() and process.poll() is None:
                time.sleep(0.01)
            begin = time.monotonic()
            if process.wait():
                raise SystemExit(f"{script.name} fails without a kill")
            self.references[script] = content(out), time.monotonic() - begin
        return self.references[script]

    def start(self, script: Path, out: Path) -> subprocess.Popen[bytes]:
        """Start a script as a process group of its own."""
        return subprocess.Popen(
            [sys.executable, script, self.data, out], stderr=subprocess.DEVNULL, start_new_session=True
        )


def epochs_logged(folder: Path) -> int:
    """Return the number of epochs in the logs of the runs in a folder."""
    return sum(path.read_text().count('"event": "epoch"') for path in folder.glob("**/log.jsonl"))


def kill(process: subprocess.Popen[bytes], what: str, rng: random.Random) -> bool:
    """Kill a process, one of its workers, or all of them; return whether there was one."""
    if what == "all":
        os.killpg(process.pid, signal.SIGKILL)
        return True
    if what != "worker":
        process.kill()
        return True
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    workers = [int(pid) for pid in children if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    if workers:
        os.kill(rng.choice(workers), signal.SIGKILL)
    return bool(workers)


def content(folder: Path) -> dict[str, str]:
    """Return for each file in a folder the sha256 of what two runs have in common: all but times and machine."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(comparable(path)).hexdigest() for path in files}


def comparable(path: Path) -> bytes:
    """Return the bytes of a file without the times in it, and without the moments of a log."""
    if path.suffix == ".csv":
        with path.open() as file:
            rows = [{key: value for key, value in row.items() if key not in TIMES} for row in csv.DictReader(file)]
        return json.dumps(rows).encode()
    if path.suffix == ".json":
        return json.dumps(without_times(json.loads(path.read_text()))).encode()
    if path.suffix == ".jsonl":
        events = [without_times(json.loads(line)) for line in path.read_text().splitlines()]
        return json.dumps([event for event in events if event["event"] not in ("start", "resume")]).encode()
    return path.read_bytes()


def without_times(value: object) -> object:
    """Return a JSON value without its keys of time."""
    if isinstance(value, dict):
        return {key: without_times(item) for key, item in value.items() if key not in (*TIMES, "time")}
    return [without_times(item) for item in value] if isinstance(value, list) else value


# The service; see service_reliability.py

measurement(rounds=200, stuck=0, wrong_statuses=0, worst_seconds_after_deadline=1.0, worst_memory_mib=1500)(
    service_reliability.hostile_files
)
measurement(rounds=50, crashes=0, wrong_statuses=0)(service_reliability.mutated_pictures)
measurement(rounds=20, wrong_statuses=0, broken=0)(service_reliability.overload)
measurement(rounds=20, lost=0)(service_reliability.drains)
measurement(rounds=6, failures=0, refused_without_reason=0)(service_reliability.schemathesis)


def main() -> None:
    """Run the measurements that are named, or all."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", choices=[*MEASUREMENTS, []], help=", ".join(MEASUREMENTS))
    parser.add_argument("--rounds", type=int, help="number of rounds, instead of the one in --list")
    parser.add_argument("--again", action="store_true", help="start with the first round")
    parser.add_argument("--list", action="store_true", help="print names, rounds and goals")
    arguments = parser.parse_args()
    if arguments.list:
        for name, found in MEASUREMENTS.items():
            print(f"{name}: {found.rounds} rounds, at most {found.goal}")
        return
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # ends the services that were started
    print(f"inkdigits {version('inkdigits')}, {os.cpu_count()} cores")
    reached = [measure(name, arguments.rounds, arguments.again) for name in arguments.names or MEASUREMENTS]
    sys.exit(not all(reached))


if __name__ == "__main__":
    main()

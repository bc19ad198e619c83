"""The mutation score: how many small faults, put into the code one at a time, make a test fail.

``make mutants`` measures it and writes benchmarks/mutants.json; hours on two cores, so it is no part of CI.

A mutant is a module with one change, made by the operators of mutmut (github.com/boxed/mutmut): a comparison, a number,
an argument, a keyword. mutmut's own runner is not used, for three reasons: it changes only the bodies of functions
without decorators, not constants and settings; it misses tests that see a function only through a shared fixture; it
takes no sample. cosmic-ray starts a process for each mutant, which costs 5 seconds, most of them for importing PyTorch.

How it is measured:

1. The files of the repository are copied to build/mutants/, once for each job. Mutants are written there only.
2. The tests of a package run once, unchanged, to record which test runs which line, and how long each test takes.
3. Every module gives a random sample of mutants. The operators take turns, since arguments that are removed are half
   of all mutants and nearly all of them are noticed.
4. For each mutant, a process that has already imported PyTorch forks. Its child runs the tests that reach the changed
   statement and stops at the first failure. The tests that have killed other mutants of the module come first, then
   the quick files.

Docstrings, annotations, decorators, imports, texts of messages and arguments of ``raise`` are not changed.

Each result is added to build/mutants/journal.jsonl, so that an interrupted measurement goes on where it stopped. A
result is used again while its module is the same; a mutant that survived is tried again when tests have changed.
benchmarks/mutants.toml says why a mutant that survives is left. The exit code is 1 if the score is below the target.
"""

import argparse
import fcntl
import fnmatch
import importlib
import json
import os
import signal
import sys
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from children import Trial, copy_of_repository, digest_of_tests
from journal import Result, add_to_journal, read_journal, report
from reach import recorded
from sampling import Mutant, Sample, sample
from settings import EACH, REPORT, SOURCE, TARGET, TESTS, WARM, WORK


@dataclass(frozen=True)
class Task:
    """A mutant that is to be tried."""

    mutant: Mutant
    tests: dict[str, float]  # in the order of their run, with their seconds
    source_digest: str
    tests_digest: str

    def finish(self, result: Result) -> None:
        """Note the result."""
        add_to_journal(self.mutant, self.source_digest, self.tests_digest, result)


def modules_of(tree: Path, package: str) -> list[str]:
    """Return the modules of a package, or a module itself, below src/inkdigits."""
    path = tree / SOURCE / package
    files = sorted(path.rglob("*.py")) if path.is_dir() else [path]
    return [file.relative_to(tree / SOURCE).as_posix() for file in files if file.name != "__init__.py"]


def samples_of(tree: Path, package: str, each: int, seed: int) -> dict[str, Sample]:
    """Return the samples of a package's modules."""
    out = {}
    for module in modules_of(tree, package):
        out[module] = sample(module, (tree / SOURCE / module).read_text(encoding="utf-8"), each, seed)
    return out


def tasks(tree: Path, package: str, samples: dict[str, Sample]) -> list[Task]:
    """Return the mutants of a package whose result is not known."""
    results, tests = read_journal(), digest_of_tests(tree, package)
    todo: list[tuple[Mutant, str]] = []
    for one in samples.values():
        for mutant in one.mutants:
            result = results.get((one.digest, *mutant.key))
            if result is None or (result["verdict"] == "survived" and result["tests"] != tests):
                todo.append((mutant, one.digest))
    if not todo:
        return []
    reach = recorded(tree, package)
    return [Task(mutant, reach.tests(mutant), source, tests) for mutant, source in todo]


def killers_first(tests: dict[str, float], killed: Counter[str]) -> dict[str, float]:
    """Return tests, those first that have killed most mutants of the same module for their time."""
    first = sorted((test for test in tests if killed[test]), key=lambda test: -killed[test] / (1 + tests[test]))
    return {test: tests[test] for test in [*first[:8], *tests]}


def try_all(queue: list[Task], trees: list[Path]) -> None:
    """Try every mutant of a queue, one in each copy at a time, and note the results."""
    killed: dict[str, Counter[str]] = defaultdict(Counter)  # mutants of a module that a test has killed
    for (_, module, *_), result in read_journal().items():
        killed[module][result["by"]] += 1
    total, free = len(queue), list(trees)
    running: dict[int, tuple[Trial, Task]] = {}
    try:
        while queue or running:
            while queue and free:
                task = queue.pop(0)
                if task.tests:
                    trial = Trial(free.pop(), task.mutant, killers_first(task.tests, killed[task.mutant.module]))
                    running[trial.pid] = trial, task
                else:
                    task.finish({"verdict": "survived", "seconds": 0.0, "by": ""})
            if running:
                pid, status = os.wait()
                trial, task = running.pop(pid)
                result = trial.end(status)
                task.finish(result)
                killed[task.mutant.module][result["by"]] += 1
                free.append(trial.tree)
                place = f"{task.mutant.module}:{task.mutant.line}"
                done = total - len(queue) - len(running)
                print(f"{done}/{total} {place} {result['verdict']} in {result['seconds']:.1f} s", flush=True)
    finally:
        for trial, _ in running.values():
            trial.kill()


def lock() -> TextIO:
    """Return an open file that no second measurement can lock: it would work in the same copies."""
    WORK.mkdir(parents=True, exist_ok=True)
    file = (WORK / "lock").open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise SystemExit(f"another measurement runs in {WORK}; wait for its end") from None
    return file


def main() -> int:
    """Measure, write the report, and return the exit code."""
    parser = argparse.ArgumentParser(prog="mutants", description=str(__doc__).splitlines()[0])
    parser.add_argument("modules", nargs="*", default=["*"], help="patterns such as imaging/*; all by default")
    parser.add_argument("--each", type=int, default=EACH, help="mutants of each module")
    parser.add_argument("--seed", type=int, default=0, help="of the sample")
    parser.add_argument("--jobs", type=int, default=1, help="mutants tried at the same time")
    parser.add_argument("--report", action="store_true", help="try nothing; write the report of what has been tried")
    arguments = parser.parse_args()
    os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that children are ended too
    for name in WARM:
        importlib.import_module(name)
    with lock():
        trees = [copy_of_repository(f"tree-{job}") for job in range(arguments.jobs)]
        samples: dict[str, Sample] = {}
        for package in TESTS:
            found = samples_of(trees[0], package, arguments.each, arguments.seed)
            samples |= found
            chosen = {name: found[name] for name in found if any(fnmatch.fnmatch(name, x) for x in arguments.modules)}
            if not arguments.report:
                try_all(tasks(trees[0], package, chosen), trees)
    measured = report(samples, arguments.each, arguments.seed)
    REPORT.write_text(json.dumps(measured, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    for one in measured["survivors"]:
        if one["reason"] is None:
            print(f"survived: {one['module']}:{one['line']}\n  - {one['before']}\n  + {one['after']}")
    print(f"{measured['total']}; modules not tried: {len(measured['not_tried'])}")
    return int((measured["total"]["score"] or 0) < TARGET)


if __name__ == "__main__":
    sys.exit(main())

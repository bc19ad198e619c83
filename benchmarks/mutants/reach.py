"""Records which tests run which lines, and chooses the tests for a mutant."""

import contextlib
import fnmatch
import json
import os
import re
import time
from collections import defaultdict
from collections.abc import Generator, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import coverage
import pytest
from children import digest_of_files, digest_of_tests, fork, run_pytest
from sampling import Mutant
from settings import BUDGET, LEFT_OUT, LEFT_OUT_FIXTURES, SOURCE, TESTS, WORK

IMPORT = "import"  # the name of what runs before the first test


@dataclass
class Reach:
    """Which tests run which lines of a package, and how long they take."""

    seconds: dict[str, float]  # of every test
    shared: dict[str, float]  # of the set-up of every fixture that tests share
    uses: dict[str, list[str]]  # the shared fixtures of every test
    lines: dict[str, dict[str, list[str]]]  # by module and line: tests, shared fixtures, ``IMPORT``

    def tests(self, mutant: Mutant) -> dict[str, float]:
        """Return the tests for a mutant in the order of their run, with their seconds.

        They are the quickest of those that reach its statement, up to ``BUDGET``. Where the statement runs at import,
        as a constant does, they are those that reach any line of the module. The file with the quickest tests comes
        first, so that fixtures of a module are set up once.
        """
        reached = self.lines.get(mutant.module, {})
        names = {name for line in mutant.lines for name in reached.get(str(line), ())}
        if IMPORT in names:
            names = {name for each in reached.values() for name in each}
        chosen: dict[str, float] = {}
        paid: set[str] = set()
        spent = 0.0
        for test in sorted(self.seconds, key=self.cost):
            if test in names or names & set(self.uses[test]):
                spent += self.seconds[test] + sum(self.shared[name] for name in set(self.uses[test]) - paid)
                paid |= set(self.uses[test])
                if chosen and spent > BUDGET:
                    break
                chosen[test] = self.cost(test)
        return by_file(chosen)

    def cost(self, test: str) -> float:
        """Return the seconds of a test that runs alone."""
        return self.seconds[test] + sum(self.shared[name] for name in self.uses[test])


def by_file(seconds: dict[str, float]) -> dict[str, float]:
    """Return tests with their seconds, grouped by file; the quick ones first, in a file and among the files."""
    files: dict[str, list[str]] = defaultdict(list)
    for test in sorted(seconds, key=lambda test: seconds[test]):
        files[test.split("::")[0]].append(test)
    ordered = sorted(files.values(), key=lambda tests: sum(seconds[test] for test in tests) / len(tests))
    return {test: seconds[test] for tests in ordered for test in tests}


class Recorder:
    """A plug-in of pytest that records the lines and the time of every test and of every fixture that tests share."""

    def __init__(self, tree: Path, package: str) -> None:
        self.root = tree / SOURCE
        include = [str(self.root / package / "*"), str(self.root / package)]
        self.coverage = coverage.Coverage(data_file=None, config_file=False, include=include)
        self.coverage.start()
        self.coverage.switch_context(IMPORT)
        self.reach = Reach({}, {}, {}, {})
        self.running: list[str] = []
        self.inside: list[float] = []  # seconds of what has run inside each of them

    def pytest_collection_modifyitems(self, items: list[pytest.Function]) -> None:
        """Drop the tests that are left out."""
        pattern = re.compile("|".join(map(fnmatch.translate, LEFT_OUT)))
        kept = (item for item in items if not pattern.match(item.nodeid))
        items[:] = [item for item in kept if not set(LEFT_OUT_FIXTURES) & set(item.fixturenames)]

    @contextlib.contextmanager
    def record(self, name: str, seconds: dict[str, float]) -> Iterator[None]:
        """Note lines and time as those of ``name``, without the time of what is recorded inside it."""
        self.running.append(name)
        self.inside.append(0.0)
        self.coverage.switch_context(name)
        start = time.perf_counter()
        try:
            yield
        finally:
            spent = time.perf_counter() - start
            seconds[self.running.pop()] = spent - self.inside.pop()
            if self.running:
                self.inside[-1] += spent
                self.coverage.switch_context(self.running[-1])

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Function) -> Generator[None, Any, Any]:
        """Record a test with its set-up."""
        definitions = item._fixtureinfo.name2fixturedefs
        used = (definitions[name][-1] for name in item.fixturenames if name in definitions)
        self.reach.uses[item.nodeid] = [fixture_name(fixture) for fixture in used if fixture.scope != "function"]
        with self.record(item.nodeid, self.reach.seconds):
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[Any]) -> Generator[None, Any, Any]:
        """Record the set-up of a fixture that tests share."""
        if fixturedef.scope == "function":
            return (yield)
        with self.record(fixture_name(fixturedef), self.reach.shared):
            return (yield)

    def finish(self) -> Reach:
        """Stop, and return what was recorded."""
        self.coverage.stop()
        data = self.coverage.get_data()
        for file in data.measured_files():
            module = Path(file).relative_to(self.root).as_posix()
            self.reach.lines[module] = {str(line): names for line, names in data.contexts_by_lineno(file).items()}
        for test, names in self.reach.uses.items():
            self.reach.uses[test] = [name for name in names if name in self.reach.shared]
        return self.reach


def fixture_name(fixture: pytest.FixtureDef[Any]) -> str:
    """Return a name that no test has."""
    return f"fixture {fixture.baseid}::{fixture.argname}"


def recorded(tree: Path, package: str) -> Reach:
    """Return what reaches what in a package: from a file, or by running its tests without a mutant."""
    state = f"{digest_of_files(tree / SOURCE)}-{digest_of_tests(tree, package)}"
    kept, log = WORK / f"reach-{package.replace('/', '-')}-{state}.json", WORK / "record.log"
    if not kept.exists():
        print(f"{package}: its tests run without a mutant", flush=True)

        def work() -> int:
            recorder = Recorder(tree, package)
            code = run_pytest(tree, ["-W", "ignore::coverage.exceptions.CoverageWarning", *TESTS[package]], recorder)
            if code == 0:
                kept.write_text(json.dumps(asdict(recorder.finish())))
            return code

        os.waitpid(fork(work, log), 0)
        if not kept.exists():
            raise SystemExit(f"the tests of {package} fail without a mutant; see {log}")
    return Reach(**json.loads(kept.read_text()))

"""The journal of results, and the report."""

import datetime
import fnmatch
import json
import platform
import re
import tomllib
from collections import Counter
from importlib.metadata import version
from typing import Any

from sampling import Mutant, Sample
from settings import REASONS, WORK

JOURNAL = WORK / "journal.jsonl"

Result = dict[str, Any]  # verdict, seconds, and by: the test that failed


def read_journal() -> dict[tuple[Any, ...], Result]:
    """Return the last result of every mutant, by its source's hash and its key."""
    lines = JOURNAL.read_text(encoding="utf-8").splitlines() if JOURNAL.exists() else []
    results = (json.loads(line) for line in lines if line.endswith("}"))  # the last line may be cut
    return {(result["source"], *result["key"]): result for result in results}


def add_to_journal(mutant: Mutant, source: str, tests: str, result: Result) -> None:
    """Add a result, with the hashes of the mutant's source and of its package's tests."""
    with JOURNAL.open("a", encoding="utf-8") as file:
        file.write(json.dumps({"key": mutant.key, "source": source, "tests": tests, **result}) + "\n")


def reason_for(mutant: Mutant, rules: list[dict[str, str]]) -> str | None:
    """Return why a mutant that survives is left: the reason of the first rule that fits it."""
    for rule in rules:
        sides = all(re.search(rule.get(side, ""), getattr(mutant, side)) for side in ("before", "after"))
        if sides and fnmatch.fnmatch(mutant.module, rule.get("module", "*")):
            return rule["reason"]
    return None


def report(samples: dict[str, Sample], each: int, seed: int) -> dict[str, Any]:
    """Return the score of every module whose sample has been tried in full, and the mutants that survived."""
    results, total = read_journal(), Counter[str]()
    rules = tomllib.loads(REASONS.read_text(encoding="utf-8"))["left"]
    modules: dict[str, Any] = {}
    not_tried, survivors = [], []
    for module, one in samples.items():
        tried = {mutant: results.get((one.digest, *mutant.key)) for mutant in one.mutants}
        done = {mutant: result for mutant, result in tried.items() if result}
        if len(done) < len(tried):
            not_tried.append(module)
            continue
        verdicts = Counter(result["verdict"] for result in done.values())
        seconds = sum(result["seconds"] for result in done.values()) / max(1, len(done))
        modules[module] = {"found": one.found, **score(verdicts), "seconds_per_mutant": round(seconds, 1)}
        survivors += [survivor(mutant, rules) for mutant, result in done.items() if result["verdict"] == "survived"]
        total += verdicts
    return {
        "tool": f"operators of mutmut {version('mutmut')}, run by benchmarks/mutants",
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "python": platform.python_version(),
        "sample": {"mutants_per_module": each, "seed": seed},
        "total": score(total),
        "modules": modules,
        "not_tried": not_tried,
        "survivors": survivors,
    }


def survivor(mutant: Mutant, rules: list[dict[str, str]]) -> dict[str, Any]:
    """Return what the report says of a mutant that survived."""
    place = {"module": mutant.module, "line": mutant.line, "operator": mutant.operator}
    return place | {"before": mutant.before, "after": mutant.after, "reason": reason_for(mutant, rules)}


def score(verdicts: Counter[str]) -> dict[str, Any]:
    """Return counts, and the share of the mutants that the tests noticed: one that hangs is noticed too."""
    killed, survived, late = (verdicts[name] for name in ("killed", "survived", "timed out"))
    tried = killed + survived + late
    share = round((killed + late) / tried, 3) if tried else None
    return {"tried": tried, "killed": killed, "survived": survived, "timed_out": late, "score": share}

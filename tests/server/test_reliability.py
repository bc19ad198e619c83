"""Small parts of benchmarks/reliability.py: damaged pictures, twice the load, and what the OpenAPI document says."""

from pathlib import Path
from typing import Any

from benchmarks.service_reliability import mutated_pictures, overload, run_schemathesis


def test_damaged_pictures_end_no_worker_process() -> None:
    (figures,) = mutated_pictures(range(1000, 1001), count=60)
    assert figures["pictures"] == 60
    assert figures["still_read"] > 0
    assert (figures["crashes"], figures["wrong_statuses"]) == (0, 0)


def test_at_twice_the_load_every_request_is_answered_or_told_to_wait() -> None:
    (figures,) = overload(range(1), seconds=1.0)
    assert figures["answers"] > 0
    assert (figures["wrong_statuses"], figures["broken"]) == (0, 0)


def test_requests_as_the_document_says_are_accepted_without_hooks(served: Any, tmp_path: Path) -> None:
    figures = run_schemathesis(served.url, tmp_path, 7, 1, "--phases", "coverage,fuzzing")
    assert figures["cases"] > 100
    assert figures["refused_beyond_schemas"] > 0  # the pattern of reasons is in use
    assert (figures["failures"], figures["refused_without_reason"]) == (0, 0)

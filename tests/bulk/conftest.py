"""Worker processes start from one that has imported what they need, as those of the command do."""

import pytest

from inkdigits.isolation import preload


@pytest.fixture(scope="session", autouse=True)
def _preloaded() -> None:
    preload("inkdigits.bulk.worker")

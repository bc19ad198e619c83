"""Many pages: read by worker processes to a folder of shards, each page exactly once, whatever is killed."""

from inkdigits.bulk.meter import Progress
from inkdigits.bulk.run import read_in_bulk
from inkdigits.bulk.settings import Execution, Plan
from inkdigits.bulk.status import Status, status
from inkdigits.bulk.summary import Summary

__all__ = ["Execution", "Plan", "Progress", "Status", "Summary", "read_in_bulk", "status"]

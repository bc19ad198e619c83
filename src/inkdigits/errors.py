"""Exceptions, each with a message of one line: what is wrong, where, and what to do.

::

    InkdigitsError            exit code 1
    ├── DataError             a data set is missing, broken or in another format
    │   ├── FetchError        a file is not on this machine and could not be fetched
    │   │   └── NetworkError  because no mirror can be reached
    │   └── WorkerError       reading a file ended the process that did it
    │       └── TimeLimitError  it was killed at its time limit
    ├── ModelError            a network or its weights do not fit the request
    ├── RunError              a run or comparison folder cannot be read, written or resumed
    │   └── BusyError         because another process uses it
    └── UsageError            a setting is invalid; exit code 2
        └── PluginError       a plug-in does not load, or breaks a contract
"""

import difflib
from collections.abc import Iterable


class InkdigitsError(Exception):
    """Base of every error that inkdigits raises on purpose; its message is one line."""

    exit_code = 1


class DataError(InkdigitsError):
    """A data set is missing, broken or in another format."""


class FetchError(DataError):
    """A file is not on this machine and could not be fetched."""


class NetworkError(FetchError):
    """A file is not on this machine, and no mirror can be reached, or the network is forbidden."""


class WorkerError(DataError):
    """Reading a file crashed the process that did it, or took too much memory."""


class TimeLimitError(WorkerError):
    """The process that read a file was killed at its time limit."""


class ModelError(InkdigitsError):
    """A network or its weights do not fit the request."""


class RunError(InkdigitsError):
    """A run or comparison folder cannot be read, written or resumed."""


class BusyError(RunError):
    """Another process uses the folder."""


class UsageError(InkdigitsError, ValueError):
    """A setting is invalid: a negative rate, no epochs, a model that does not exist."""

    exit_code = 2


class PluginError(UsageError):
    """A plug-in does not load, or what it registered breaks a contract."""


def unknown(kind: str, name: str, known: Iterable[str]) -> UsageError:
    """Return the error for a name that is not in ``known``; the message suggests the most similar name."""
    names = sorted(known)
    near = difflib.get_close_matches(name.lower(), names, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else "choose one of: " + ", ".join(names)
    return UsageError(f"there is no {kind} {name!r}; {hint}")

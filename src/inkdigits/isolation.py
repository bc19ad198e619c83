"""Processes for work on files of unknown origin: killed at a time limit or a memory limit, without harm to the caller.

A decoder that hangs, crashes or takes all memory ends only its process, a :class:`Worker`. :meth:`Worker.call` and
:meth:`Worker.stream` wait for results; an event loop uses :func:`encode`, :class:`Messages` and ``Worker.channel``.

On Linux, workers are forked from one process that has imported the modules which :func:`preload` names, and start in
a few milliseconds. Elsewhere, each starts as a new interpreter.
"""

import contextlib
import gc
import multiprocessing
import os
import pickle
import signal
import socket
import struct
import sys
import threading
import time
import traceback
import warnings
import weakref
from collections.abc import Callable, Iterator
from multiprocessing.util import Finalize
from pathlib import Path
from types import ModuleType
from typing import Any, Self

from inkdigits.errors import TimeLimitError, WorkerError

Handler = Callable[..., Any]
ITEM, RESULT, ERROR = range(3)  # kinds of messages from a worker
HEAD = struct.Struct("!Q")  # before each message: its length in bytes
PIECE = 1 << 18  # bytes, of one read
STARTING_SECONDS = 60.0  # for a worker to be ready
SPARE_SECONDS = 2.0  # after its time limit, a worker ends itself if nobody has killed it
CRASHED = "reading it crashes, or takes too much memory"
OUT_OF_MEMORY = ("insufficient memory", "bad_alloc", "bad allocation", "failed to allocate")  # in errors of C++

_context: Any = multiprocessing.get_context("forkserver" if sys.platform == "linux" else "spawn")
_starting = threading.Lock()
_alive: "weakref.WeakSet[Worker]" = weakref.WeakSet()


def preload(*modules: str) -> None:
    """Import modules in the process that workers are forked from, in the background. Only the first call has effect."""
    if sys.platform == "linux":
        from multiprocessing import forkserver

        with _starting, _without_main():
            _context.set_forkserver_preload([__name__, *modules])
            forkserver.ensure_running()


class Worker:
    """A process that calls one function, again and again.

    Parameters
    ----------
    setup
        Called once in the process; returns the function. It is pickled, as are arguments and results.
    memory
        Bytes that the function may take beyond what the process has after ``setup``; None for no limit. The limit
        exists on Linux only.

    Raises
    ------
    WorkerError
        When the process does not start. Errors of ``setup`` are passed on.
    """

    def __init__(self, setup: Callable[[], Handler], memory: int | None = None) -> None:
        self.channel, theirs = socket.socketpair()
        self._messages = Messages()
        arguments = theirs, setup, memory, Path.cwd(), dict(os.environ)
        self._process = _context.Process(target=_run, args=arguments, name="inkdigits-worker")
        with self._guarded(STARTING_SECONDS):
            with theirs, _starting, _without_main():
                self._process.start()
            _alive.add(self)
            result_of(*self._receive(STARTING_SECONDS))
        self.channel.setblocking(False)

    @property
    def ended(self) -> bool:
        """Whether the process has ended. Not to be asked while it works."""
        try:
            self.channel.setblocking(False)
            return not self.channel.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            return True

    def call(self, *arguments: Any, timeout: float) -> Any:
        """Return the result of the function.

        Raises
        ------
        TimeLimitError, WorkerError
            When it takes more than ``timeout`` seconds; when it crashes or takes too much memory. The process is then
            killed. Errors of the function are passed on, and the worker can be used again.
        """
        with self._guarded(timeout):
            self._send(arguments, timeout)
            message = self._receive(timeout)
        return result_of(*message)

    def stream(self, *arguments: Any, timeout: float) -> Iterator[Any]:
        """Yield what the function, a generator, yields, each item within ``timeout`` seconds; raises as :meth:`call`.

        The process is killed if not all items are taken.
        """
        kind = ITEM
        try:
            with self._guarded(timeout):
                self._send(arguments, timeout)
            while True:
                with self._guarded(timeout):
                    kind, value = self._receive(timeout)
                if kind != ITEM:
                    result_of(kind, value)
                    return
                yield value
        finally:
            if kind == ITEM:
                self.kill()

    def kill(self) -> None:
        """End the process at once, whatever it does. A second call has no effect."""
        self.channel.close()
        if self in _alive:
            _alive.discard(self)
            self._process.kill()
            self._process.join()
            self._process.close()

    @contextlib.contextmanager
    def _guarded(self, timeout: float) -> Iterator[None]:
        """Kill the process when the exchange of messages with it fails."""
        try:
            yield
        except BaseException as error:
            self.kill()
            if isinstance(error, TimeoutError):
                raise TimeLimitError(f"reading it takes more than {timeout:g} seconds") from None
            if isinstance(error, EOFError | ConnectionError):
                raise WorkerError(CRASHED) from None
            raise

    def _send(self, arguments: tuple[Any, ...], timeout: float) -> None:
        self.channel.settimeout(timeout)
        self.channel.sendall(encode(arguments, timeout))

    def _receive(self, timeout: float) -> tuple[int, Any]:
        deadline = time.monotonic() + timeout
        while (message := self._messages.take()) is None:
            self.channel.settimeout(max(deadline - time.monotonic(), 0.001))
            self._messages.feed(self.channel.recv(PIECE))
        return message


class ReplacedWorker:
    """A worker that starts at the first call, and anew after it was killed. Parameters as those of :class:`Worker`.

    Attributes
    ----------
    timeout
        Seconds for each call, or for each item.
    """

    def __init__(self, setup: Callable[[], Handler], memory: int | None, timeout: float) -> None:
        self._setup, self._memory, self.timeout = setup, memory, timeout
        self._worker: Worker | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.kill()

    def start(self) -> None:
        """Start the process if there is none, so that an error of its start is none of a call."""
        self._ready()

    def kill(self) -> None:
        """End the process if there is one; the next call starts another."""
        if self._worker is not None:
            self._worker.kill()
            self._worker = None

    def call(self, *arguments: Any) -> Any:
        """See :meth:`Worker.call`."""
        return self._ready().call(*arguments, timeout=self.timeout)

    def stream(self, *arguments: Any) -> Iterator[Any]:
        """See :meth:`Worker.stream`."""
        return self._ready().stream(*arguments, timeout=self.timeout)

    def _ready(self) -> Worker:
        if self._worker is None or self._worker.ended:
            self.kill()
            self._worker = Worker(self._setup, self._memory)
        return self._worker


class Messages:
    """Joins the bytes that a worker sends to messages: the kind, and the value."""

    def __init__(self) -> None:
        self._received = bytearray()

    def feed(self, data: bytes) -> None:
        """Add received bytes.

        Raises
        ------
        EOFError
            When there are none: the process has ended.
        """
        if not data:
            raise EOFError
        self._received += data

    def take(self) -> tuple[Any, Any] | None:
        """Return the first message that is complete, or None."""
        if len(self._received) < HEAD.size:
            return None
        end = HEAD.size + HEAD.unpack_from(self._received)[0]
        if len(self._received) < end:
            return None
        message: tuple[Any, Any] = pickle.loads(memoryview(self._received)[HEAD.size : end])
        del self._received[:end]
        return message


def encode(*value: Any) -> bytes:
    """Return a message to a worker: the arguments as a tuple, and the seconds until they must be dealt with."""
    content = pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
    return HEAD.pack(len(content)) + content


def result_of(kind: int, value: Any) -> Any:
    """Return the value of a message. If it is an error, raise it, with the traceback in the process as its cause."""
    if kind != ERROR:
        return value
    error, text = value
    raise error from _TracebackError(text)


class _TracebackError(Exception):
    """The traceback in another process."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text = text

    def __str__(self) -> str:
        return f"in a worker process\n{self._text}"


@contextlib.contextmanager
def _without_main() -> Iterator[None]:
    """Hide the module ``__main__``, which a new process would import again: the command, or a script of the caller."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _run(
    channel: socket.socket, setup: Callable[[], Handler], memory: int | None, folder: Path, environment: dict[str, str]
) -> None:
    """Deal with messages until the other end of ``channel`` is closed."""
    for number in (signal.SIGINT, signal.SIGTERM):  # meant for the parent, which completes the work that is begun
        signal.signal(number, signal.SIG_IGN)
    os.environ.clear()
    os.environ.update(environment)
    warnings.filterwarnings("ignore", module=r"PIL\.")  # of damaged files, which would fill the log of a service
    try:
        os.chdir(folder)
        handler = setup()
        gc.freeze()  # what is there stays: searching it for garbage would copy the memory that processes share
        _limit_memory(memory)
    except Exception as error:
        channel.sendall(encode(*_error(error)))
        return
    channel.sendall(encode(RESULT, None))
    messages = Messages()
    with contextlib.suppress(EOFError, ConnectionError):
        while True:
            while (message := messages.take()) is None:
                messages.feed(channel.recv(PIECE))
            arguments, timeout = message
            _set_alarm(timeout + SPARE_SECONDS)
            for answer in _answers(handler, arguments):
                _set_alarm(0)  # the parent may take its time
                channel.sendall(answer)
                _set_alarm(timeout + SPARE_SECONDS)
            _set_alarm(0)


def outcome(handler: Handler, arguments: tuple[Any, ...]) -> tuple[int, Any]:
    """Call a function; return the kind and the value of the message about its result or its error."""
    try:
        return RESULT, handler(*arguments)
    except Exception as error:
        return _error(error)


def _answers(handler: Handler, arguments: tuple[Any, ...]) -> Iterator[bytes]:
    """Call the function; yield the messages of its items, and of its result or its error."""
    kind, value = outcome(handler, arguments)
    if isinstance(value, Iterator):
        try:
            for item in value:
                yield encode(ITEM, item)
            value = None
        except Exception as error:
            kind, value = _error(error)
    yield encode(kind, value)


def _error(error: Exception) -> tuple[int, Any]:
    """Return the kind and the value of the message about an error. One of memory becomes a :class:`WorkerError`."""
    if isinstance(error, MemoryError) or any(words in str(error).lower() for words in OUT_OF_MEMORY):
        error = WorkerError(CRASHED)
    text = "".join(traceback.format_exception(error))
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        error = RuntimeError(text.splitlines()[-1])
    return ERROR, (error, text)


def _limit_memory(memory: int | None) -> None:
    """Limit the address space, and leave no memory dumps of what was read."""
    if sys.platform == "linux":
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if memory is not None:
            pages = int(Path("/proc/self/statm").read_text().split()[0])
            most = pages * resource.getpagesize() + memory
            resource.setrlimit(resource.RLIMIT_AS, (most, most))


def _set_alarm(seconds: float) -> None:
    """End this process after so many seconds, even in the midst of C code; 0 for never."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, seconds)


def _kill_all() -> None:
    """Kill the workers that are left."""
    for worker in list(_alive):
        worker.kill()


Finalize(None, _kill_all, exitpriority=10)  # before multiprocessing waits for its processes at exit

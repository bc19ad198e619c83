"""The local executor: a thread for each worker process takes one shard after the other."""

import threading
from collections.abc import Callable, Iterator, Sequence

from inkdigits.bulk.folder import Shard
from inkdigits.isolation import ReplacedWorker

TICK = 0.2  # seconds between two calls of ``tick``

ReadShard = Callable[[Shard, ReplacedWorker], None]


def read_shards(
    shards: Iterator[Shard],
    read: ReadShard,
    workers: Sequence[ReplacedWorker],
    stop: threading.Event,
    tick: Callable[[], None],
) -> None:
    """Read shards with several workers at a time, and call ``tick`` in between.

    An error of ``read`` or ``tick``, or Ctrl-C, sets ``stop``, kills the workers, and is raised when all threads have
    ended.
    """
    taking = threading.Lock()
    errors: list[BaseException] = []

    def work(worker: ReplacedWorker) -> None:
        try:
            while not stop.is_set():
                with taking:
                    shard = next(shards, None)
                if shard is None:
                    return
                read(shard, worker)
        except BaseException as error:
            errors.append(error)
            stop.set()

    threads = [threading.Thread(target=work, args=(worker,), daemon=True) for worker in workers]
    for thread in threads:
        thread.start()
    try:
        while any(thread.is_alive() for thread in threads) and not stop.is_set():
            threads[0].join(TICK) if threads[0].is_alive() else stop.wait(TICK)
            tick()
    finally:
        if any(thread.is_alive() for thread in threads):
            stop.set()
            for worker in workers:
                worker.kill()
        for thread in threads:
            thread.join()
    if errors:
        raise errors[0]

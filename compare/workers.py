"""Worker processes for long jobs: results as they come, all stopped together at any time."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from multiprocessing.queues import SimpleQueue
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

WORKERS = 2


def run_all(
    function: Callable[[Item], Result], items: Sequence[Item], workers: int = WORKERS
) -> Iterator[tuple[Item, Result]]:
    """Yield each item with its result, in the order in which they get done.

    Leaving the iteration early stops the workers and all their children.

    Args:
        function: at the top level of a module; runs in worker processes.
        items: what it is called with, one by one, the first ones first.
        workers: processes.
    """
    context = multiprocessing.get_context("spawn")
    groups: SimpleQueue[int] = context.SimpleQueue()
    others = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(
        min(workers, len(items)), mp_context=context, initializer=_start_worker, initargs=(groups,)
    )
    pending: dict[Future[Result], Item] = {}
    try:
        pending = {pool.submit(function, item): item for item in items}
        while pending:
            finished, _ = wait(pending, return_when=FIRST_COMPLETED)
            for future in finished:
                yield pending.pop(future), future.result()
        pool.shutdown()
    finally:
        if pending:
            pool.shutdown(wait=False, cancel_futures=True)
            while not groups.empty():
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(groups.get(), signal.SIGTERM)
            # A worker that is still starting has told no group, and has no children either.
            for child in set(multiprocessing.active_children()) - others:
                child.terminate()
        groups.close()


def _start_worker(groups: SimpleQueue[int]) -> None:
    """Make the worker a process group of its own, which ends with its parent."""
    os.setpgid(0, 0)
    os.environ["NUMBA_NUM_THREADS"] = "1"
    groups.put(os.getpid())
    parent = multiprocessing.parent_process()

    def follow() -> None:
        if parent is not None:
            parent.join()
            os.killpg(0, signal.SIGTERM)

    threading.Thread(target=follow, daemon=True).start()

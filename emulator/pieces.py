"""Cutting arrays into cache-sized pieces, and running a function over them on threads."""

from __future__ import annotations

import itertools
import math
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from threading import Thread
from typing import Any

import numpy as np
import numpy.typing as npt

SMALL = 1 << 15
"""Elements of a piece that is copied into scratch space: 128 KiB of patterns."""

LARGE = 1 << 20
"""Elements of a piece that a kernel reads in place."""

MAX_THREADS = 1024


def thread_count(threads: int | None) -> int:
    """Return ``threads``, or the number of cores that this process may use for None.

    Raises:
        TypeError: if it is not an integer.
        ValueError: if it is not from 1 to 1024.
    """
    if threads is None:
        affinity = getattr(os, "sched_getaffinity", None)
        return len(affinity(0)) if affinity else os.cpu_count() or 1
    if isinstance(threads, bool) or not isinstance(threads, int | np.integer):
        raise TypeError(f"threads is {threads!r}, not an integer or None")
    if not 1 <= threads <= MAX_THREADS:
        raise ValueError(f"threads is {threads}, not from 1 to {MAX_THREADS}")
    return int(threads)


def pieces(
    shape: Sequence[int], strides: Sequence[int], unit: int, limit: int
) -> Iterator[tuple[slice, ...]]:
    """Yield index tuples that cover an array of that shape, each element once.

    The last axis is cut at multiples of ``unit`` only. A piece has at most ``limit`` elements, the
    last axis counted in whole units, unless one unit alone has more. The axis with the largest
    stride is cut first, so that a piece is as contiguous as the array allows.
    """
    last = len(shape) - 1
    steps = [*shape[:last], -(-shape[last] // unit) * unit]
    order = sorted(range(len(shape)), key=lambda i: abs(strides[i]), reverse=True)
    for axis in order:
        least = unit if axis == last else 1
        while math.prod(steps) > limit and steps[axis] > least:
            steps[axis] = -(-steps[axis] // (2 * least)) * least
    starts = [range(0, size, step) for size, step in zip(shape, steps, strict=True)]
    for corner in itertools.product(*starts):
        yield tuple(
            slice(at, min(at + step, size))
            for at, step, size in zip(corner, steps, shape, strict=True)
        )


def run(work: Callable[[Any], None], items: Sequence[Any], threads: int) -> None:
    """Call ``work(item)`` for all items, on up to ``threads`` threads.

    The calling thread is one of them, and each takes the next item when it is done with one: a
    pool with a result for each item costs as much as a kernel takes for a piece. The first error
    ends the work and is raised.
    """
    threads = min(threads, len(items))
    if threads <= 1:
        for item in items:
            work(item)
        return
    waiting = deque(items)
    errors: list[BaseException] = []

    def several() -> None:
        while not errors:
            try:
                item = waiting.popleft()
            except IndexError:
                return
            try:
                work(item)
            except BaseException as error:
                errors.append(error)

    others = [Thread(target=several, daemon=True) for _ in range(threads - 1)]
    for thread in others:
        thread.start()
    several()
    for thread in others:
        thread.join()
    if errors:
        raise errors[0]


def piece_limit(size: int, in_place: bool, threads: int) -> int:
    """Elements per piece: small enough for the cache and for every thread to get several."""
    if not in_place:
        return SMALL
    return max(SMALL, min(LARGE, size // (4 * threads))) if threads > 1 else LARGE


def flat(array: npt.NDArray[Any], dtype: npt.DTypeLike | None = None) -> npt.NDArray[Any] | None:
    """Return a 1-D view of a C-contiguous, aligned array, as ``dtype`` if given, else None."""
    if not (array.flags.c_contiguous and array.flags.aligned):
        return None
    view = array.reshape(-1)
    return view if dtype is None else view.view(dtype)

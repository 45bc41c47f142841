"""The calls that `emulator.speed` measures, and measuring them: here, or in a new process."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

from emulator.errors import ToolError
from emulator.pieces import run, thread_count
from emulator.speed import (
    ELEMENTS,
    FIRST_CALL_MOST,
    IMPORT_MOST,
    MEBIBYTE,
    MEMORY_MOST,
    SIZE,
    Call,
    Case,
    Figure,
    best_times,
    rates,
)

DTYPES: dict[str, Any] = {
    "float32": np.float32,
    "bfloat16": ml_dtypes.bfloat16,
    "float16": np.float16,
}

ONE_THREAD = (
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OMP_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)
"""Environment variables from which the libraries of NumPy's product read their threads."""

SMALL = 1 << 12
"""Elements of the first call."""


def data(elements: int) -> Any:
    """Standard normal float32 numbers, the same for everything that is measured."""
    return np.random.Generator(np.random.PCG64(1)).standard_normal(elements, np.float32)


def call(case: Case, x: Any, threads: int) -> tuple[Call, int]:
    """Return a call into output that has been touched, and the bytes of that output.

    Args:
        case: any but a matrix product.
        x: float32 numbers, a multiple of 32 of them.
        threads: threads of the call.
    """
    from emulator.formats import FORMATS
    from emulator.recipes import recipe
    from emulator.tensor import Quantized, dequantize, encode, quantize

    source = x.astype(DTYPES[case.option], copy=False)
    if case.verb == "encode":
        fmt, codes = FORMATS[case.what], np.zeros(x.size, np.uint8)
        return (lambda: encode(source, fmt, threads=threads, out=codes)), codes.nbytes
    r = recipe(case.what)
    if case.verb == "dequantize":
        q, decoded = quantize(source, r, threads=threads), np.zeros_like(x)
        return (lambda: dequantize(q, threads=threads, out=decoded)), decoded.nbytes
    g = None if r.tensor_scale is None else np.float32(1)  # replaced by the call
    scales = np.zeros(x.size // r.block_size, np.uint8)
    out = Quantized(np.zeros(x.size, np.uint8), scales, r, tensor_scale=g)
    size = out.codes.nbytes + out.scales.nbytes
    return (lambda: quantize(source, r, threads=threads, out=out)), size


def copies(x: Any, threads: int) -> Call:
    """Return `np.copyto` of an array into another one, in as many parts as there are threads."""
    to = np.zeros_like(x)
    step = -(-x.size // threads)
    parts = [slice(i, min(i + step, x.size)) for i in range(0, x.size, step)]
    if threads == 1:
        return lambda: np.copyto(to, x)
    return lambda: run(lambda part: np.copyto(to[part], x[part]), parts, threads)


def elementwise(cases: Sequence[Case], elements: int, threads: int) -> list[Figure]:
    """Measure all but matrix products, in this process."""
    x = data(elements)
    calls: dict[str, Call] = {}
    for count in dict.fromkeys((1, threads)):
        calls[f"copyto/{count}"] = copies(x, count)
        for case in cases:
            calls[f"{case.name}/{count}"] = call(case, x, count)[0]
    return rates(cases, best_times(calls), threads, elements >= ELEMENTS, thread_count(None))


def _products(options: dict[str, Any]) -> dict[str, float]:
    """In a child: best times of matrix products."""
    from emulator.dot import matmul
    from emulator.tensor import quantize

    size, threads = options["size"], options["threads"]
    x, y = data(2 * size * size).reshape(2, size, size)
    out = np.zeros((size, size), np.float32)
    calls: dict[str, Call] = {"numpy/1": lambda: np.matmul(x, y, out=out)}

    def add(case: Case, count: int) -> None:
        a, b = quantize(x, case.what, axis=1), quantize(y, case.what, axis=0)
        calls[f"{case.name}/{count}"] = lambda: matmul(a, b, case.option, threads=count, out=out)

    for count in dict.fromkeys((1, threads)):
        for case in options["cases"]:
            add(Case(*case), count)
    return best_times(calls)


def products(cases: Sequence[Case], threads: int, size: int = SIZE) -> list[Figure]:
    """Measure matrix products, in a child where NumPy's product has one thread."""
    cases = list(cases)
    given = [[c.verb, c.what, c.least, c.option] for c in cases]
    best = child("products", {"cases": given, "size": size, "threads": threads})
    return rates(cases, best, threads, size >= SIZE, thread_count(None))


def _resident() -> tuple[int, int]:
    """Bytes that are resident now, and the most that were; the latter twice where unknown."""
    import resource

    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        kibibytes = {line.split(":")[0]: int(line.split()[1]) for line in lines if " kB" in line}
        return kibibytes["VmRSS"] * 1024, kibibytes["VmHWM"] * 1024
    except (OSError, KeyError):
        # Elsewhere: Linux counts here what the parent process had before it became this one.
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return (peak, peak) if sys.platform == "darwin" else (peak * 1024, peak * 1024)


def extra_memory(made: Call, output: Callable[[Any], int]) -> int:
    """Return the bytes that a call takes at most at one time, beside what it returns.

    Only new peaks are seen: it has to be called where no more was resident before than is now.

    Args:
        made: the call.
        output: bytes of what it returns.
    """
    before, _ = _resident()
    result = made()
    _, peak = _resident()
    return max(0, peak - before - output(result))


def _bytes(made: Any) -> int:
    if isinstance(made, np.ndarray):
        return made.nbytes
    return made.codes.nbytes + made.scales.nbytes


def _one_process(options: dict[str, Any]) -> dict[str, float]:
    """In a child: the first call, on few numbers, then memory of a call without given output.

    Nothing but NumPy has been loaded before the first call: its time has the imports and the
    kernels from the cache in it.
    """
    case, threads = Case(*options["case"]), options["threads"]
    begin = time.perf_counter()
    _made(case, SMALL, threads)()
    seconds = time.perf_counter() - begin
    return {
        "seconds": seconds,
        "bytes": extra_memory(_made(case, options["elements"], threads), _bytes),
    }


def _made(case: Case, elements: int, threads: int) -> Call:
    """A call on that many numbers that makes its own output."""
    from emulator.tensor import dequantize, encode, quantize

    if case.verb == "matmul":
        from emulator.dot import matmul

        size = math.isqrt(min(elements, SIZE * SIZE))
        x = data(size * size).reshape(size, size)
        a, b = quantize(x, case.what, axis=1), quantize(x, case.what, axis=0)
        return lambda: matmul(a, b, case.option, threads=threads)
    source = data(elements).astype(DTYPES[case.option], copy=False)
    if case.verb == "encode":
        return lambda: encode(source, case.what, threads=threads)
    if case.verb == "dequantize":
        q = quantize(source, case.what, threads=threads)
        return lambda: dequantize(q, threads=threads)
    return lambda: quantize(source, case.what, threads=threads)


def one_process(case: Case, elements: int, threads: int) -> list[Figure]:
    """Measure the first call in a new process and the memory of a call.

    The call has to have run before: the requirement is for kernels that are in the cache.
    """
    given = [case.verb, case.what, case.least, case.option]
    options = {"case": given, "elements": elements, "threads": threads}
    found = child("one_process", options)
    memory = found["bytes"] / MEBIBYTE
    return [
        Figure(case.name, "memory", memory, most=MEMORY_MOST if elements >= ELEMENTS else None),
        Figure(case.name, "first call", found["seconds"], most=FIRST_CALL_MOST),
    ]


IMPORT = "import time; t = time.perf_counter(); import finescale; print(time.perf_counter() - t)"


def import_time(rounds: int = 3) -> Figure:
    """Measure `import finescale` in new processes; the best of some counts."""
    seconds = min(float(_python("-c", IMPORT)) for _ in range(rounds))
    return Figure("import finescale", "import", seconds, most=IMPORT_MOST)


def child(what: str, options: dict[str, Any], **environment: str) -> Any:
    """Return what a function of this module measures in a new process.

    Raises:
        ToolError: if the process fails.
    """
    text = _python("-m", "emulator.speed_calls", what, json.dumps(options), **environment)
    return json.loads(text.splitlines()[-1])


def _python(*arguments: str, **environment: str) -> str:
    root = str(Path(__file__).resolve().parent.parent)
    path = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
    given = {**os.environ, **dict.fromkeys(ONE_THREAD, "1"), "PYTHONPATH": path, **environment}
    command = [sys.executable, *arguments]
    done = subprocess.run(command, env=given, capture_output=True, text=True, check=False)
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or ["no message"]
        raise ToolError(f"measuring in a new process failed: {last[0]}")
    return done.stdout


def main() -> None:
    """Entry point of the child processes."""
    functions = {"products": _products, "one_process": _one_process}
    what, options = sys.argv[1:]
    if what == "peers":
        from emulator.speed_peers import measure

        print(json.dumps(measure(**json.loads(options))))
        return
    print(json.dumps(functions[what](json.loads(options))))


if __name__ == "__main__":
    main()

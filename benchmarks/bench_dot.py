"""Speed of matrix products of quantized tensors, as ratios to NumPy's float32 product.

    python -m benchmarks.bench_dot [--json] [--size N] [--threads N]

Each ratio is the time of ``x @ y`` on float32 matrices of N x N, divided by that of `matmul` on
the same matrices quantized. NumPy's product is held to one thread: its library reads that from
the environment when it is loaded, so everything is measured in a child process. The functions
take turns, round after round, and the best time of each counts.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable

SIZE = 1024
ONE_THREAD = (
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OMP_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)
PRODUCTS = (
    ("ue5m3-absmax-b16", "fp32"),
    ("ue4m3-absmax-b16", "fp32"),
    ("ue5m3-absmax-b4", "fp32"),
    ("e8m0-floor-b32", "fp32"),
    ("ue4m3-absmax-b16", "exact"),
    ("ue5m3-absmax-b16", "exact"),
    ("e8m0-floor-b32", "exact"),
    ("ue4m3-absmax-b16", "tc35"),
    ("ue5m3-absmax-b16", "tc35"),
)


def measure(size: int, threads: int, rounds: int) -> dict[str, float]:
    """Return the ratios, in this process; one run of each before the rounds is not counted."""
    import numpy as np

    from finescale import matmul, quantize

    rng = np.random.Generator(np.random.PCG64(1))
    x, y = (rng.standard_normal((size, size), np.float32) for _ in range(2))
    out = np.zeros((size, size), np.float32)
    jobs: dict[str, Callable[[], object]] = {"numpy": lambda: np.matmul(x, y, out=out)}

    def add(recipe: str, accumulator: str) -> None:
        a, b = quantize(x, recipe, axis=1), quantize(y, recipe, axis=0)
        jobs[f"{accumulator} {recipe}"] = lambda: matmul(
            a, b, accumulator, threads=threads, out=out
        )

    for recipe, accumulator in PRODUCTS:
        add(recipe, accumulator)
    best = dict.fromkeys(jobs, float("inf"))
    for counted in range(-1, rounds):
        for name, job in jobs.items():
            begin = time.perf_counter()
            job()
            if counted >= 0:
                best[name] = min(best[name], time.perf_counter() - begin)
    numpy = best.pop("numpy")
    return {name: numpy / seconds for name, seconds in best.items()}


def ratios(size: int = SIZE, threads: int = 1, rounds: int = 3) -> dict[str, float]:
    """Return the ratios, measured in a child process in which NumPy's product has one thread.

    Args:
        size: rows and columns of all matrices.
        threads: threads of `matmul`.
        rounds: how often each product is made.
    """
    command = [sys.executable, "-m", "benchmarks.bench_dot", "--here"]
    command += ["--size", str(size), "--threads", str(threads), "--rounds", str(rounds)]
    environment = {**os.environ, **dict.fromkeys(ONE_THREAD, "1")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description="Speed of matmul, NumPy's float32 product = 1.")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--size", type=int, default=SIZE)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    if options.here:
        print(json.dumps(measure(options.size, options.threads, options.rounds)))
        return
    found = ratios(options.size, options.threads, options.rounds)
    if options.json:
        print(json.dumps({name: round(ratio, 3) for name, ratio in found.items()}, indent=2))
        return
    print(f"products per second of {options.size}^3, NumPy's float32 product on one thread = 1")
    for name, ratio in found.items():
        print(f"  {name:28s} {ratio:6.3f}")


if __name__ == "__main__":
    main()

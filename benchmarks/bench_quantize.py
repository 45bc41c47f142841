"""Speed of the emulator as ratios to `np.copyto`, all measured in one run.

    python benchmarks/bench_quantize.py [--json] [--threads N] [--elements N]

Each ratio is elements per second of one function into given output, divided by those of
`np.copyto` from a float32 array into another one whose pages have been touched. The functions
take turns, round after round, and the best time of each counts, so that a busy machine slows all
of them alike.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable

import ml_dtypes
import numpy as np

from finescale import FORMATS, Quantized, dequantize, encode, quantize, recipe

ELEMENTS = 1 << 24

SELECTING = (
    "ue4m3-absmax-h-b16",
    "ue5m3-4o6-pz-b16",
    "ue4m3-4o6-pz-h-b16",
    "ue5m3-3c-pz-b16",
    "ue5m3-6c-pz-b16",
    "ue5m3-search-b16",
    "e8m0-fc-b32",
)


REQUIRED = {
    "quantize b16 float32": 0.30,
    "quantize ue4m3-absmax-h-b16": 0.20,
    "quantize ue5m3-4o6-pz-b16": 0.10,
    "quantize ue5m3-3c-pz-b16": 0.06,
    "quantize ue5m3-search-b16": 0.006,
    "dequantize b16 float32": 0.50,
}
"""Least ratios, on one thread."""


def _jobs(elements: int, threads: int) -> dict[str, Callable[[], object]]:
    """The measured calls, by name; each into output that has been touched."""
    x = np.random.Generator(np.random.PCG64(1)).standard_normal(elements, np.float32)
    copy, decoded = np.zeros_like(x), np.zeros_like(x)
    half = x.astype(ml_dtypes.bfloat16)
    float16 = x.astype(np.float16)
    codes = np.zeros(elements, np.uint8)
    jobs: dict[str, Callable[[], object]] = {"copyto": lambda: np.copyto(copy, x)}

    def add(name: str, source: np.ndarray, recipe_name: str) -> None:
        r = recipe(recipe_name)
        scales = np.zeros(elements // r.block_size, np.uint8)
        g = None if r.tensor_scale is None else np.float32(1)  # replaced by the call
        out = Quantized(np.zeros(elements, np.uint8), scales, r, tensor_scale=g)
        jobs[name] = lambda: quantize(source, r, threads=threads, out=out)

    for size in (4, 8, 16, 32):
        add(f"quantize b{size} float32", x, f"ue5m3-absmax-b{size}")
    add("quantize b16 bfloat16", half, "ue5m3-absmax-b16")
    add("quantize b16 float16", float16, "ue5m3-absmax-b16")
    add("quantize e8m0 b32 float32", x, "e8m0-floor-b32")
    for name in SELECTING:
        add(f"quantize {name}", x, name)
    q = quantize(x, "ue5m3-absmax-b16", threads=threads)
    jobs["dequantize b16 float32"] = lambda: dequantize(q, threads=threads, out=decoded)
    ue5m3 = FORMATS["ue5m3"]
    jobs["encode ue5m3 float32"] = lambda: encode(x, ue5m3, threads=threads, out=codes)
    return jobs


def ratios(elements: int = ELEMENTS, rounds: int = 7, threads: int = 1) -> dict[str, float]:
    """Return elements per second of each function relative to `np.copyto`.

    Args:
        elements: length of the arrays, a multiple of 32.
        rounds: how often each function runs; one more run before them is not counted.
        threads: threads of the functions; `np.copyto` always has one.
    """
    jobs = _jobs(elements, threads)
    best = dict.fromkeys(jobs, float("inf"))
    for counted in range(-1, rounds):
        for name, job in jobs.items():
            begin = time.perf_counter()
            job()
            if counted >= 0:
                best[name] = min(best[name], time.perf_counter() - begin)
    copyto = best.pop("copyto")
    return {name: copyto / seconds for name, seconds in best.items()}


def main() -> int:
    parser = argparse.ArgumentParser(description="Speed of the emulator, np.copyto = 1.")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--elements", type=int, default=ELEMENTS)
    options = parser.parse_args()
    found = ratios(options.elements, threads=options.threads)
    below = [n for n, least in REQUIRED.items() if options.threads == 1 and found[n] < least]
    if options.json:
        print(json.dumps({name: round(ratio, 3) for name, ratio in found.items()}, indent=2))
        return bool(below)
    print(f"elements per second, np.copyto = 1 ({options.elements} elements)")
    for name, ratio in found.items():
        verdict = ""
        if name in REQUIRED and options.threads == 1:
            verdict = f"  required {REQUIRED[name]:g}: {'too slow' if name in below else 'ok'}"
        print(f"  {name:28s} {ratio:6.3f}{verdict}")
    return bool(below)


if __name__ == "__main__":
    sys.exit(main())

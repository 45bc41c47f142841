"""What cheap selection keeps of the gain of exact selection over absmax (spec §17, §18).

    python -m benchmarks.bench_rules [--samples N] [--seed S] [RULE ...]

Prints a Markdown table: 100 * (E(absmax) - E(rule)) / (E(absmax) - E(exact)), E the relative
squared error, and exact the rule itself without -e<bits>, or 4o6. 100 is as good as that, 0 as
absmax, below 0 worse than absmax.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from importlib.metadata import version

import numpy as np
import numpy.typing as npt

from compare.quality import tensor_error
from emulator.formats import FP32
from emulator.recipes import VOTING_RULES, recipe

Floats = npt.NDArray[np.float64]
BLOCKS = (4, 8, 16, 32)


def _uniform(count: int, seed: int) -> Floats:
    """Numbers from (0, 1), by raw bits, which NumPy keeps the same in all releases."""
    raw = np.random.PCG64(seed).random_raw(count)
    return ((raw >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53


def _normal(count: int, seed: int) -> Floats:
    """Normal numbers by Box and Muller's transform, of which the cosines are taken."""
    u = _uniform(2 * count, seed)
    return np.sqrt(-2.0 * np.log(u[:count])) * np.cos(2.0 * np.pi * u[count:])


def _laplace(count: int, seed: int) -> Floats:
    u = _uniform(2 * count, seed)
    return np.log(u[:count]) * np.where(u[count:] < 0.5, -1.0, 1.0)


def _student3(count: int, seed: int) -> Floats:
    squares = np.square(_normal(3 * count, seed + 1)).reshape(3, count).sum(axis=0)
    return _normal(count, seed) / np.sqrt(squares / 3.0)


LIMITED = ("4o6-e5", "4o6-e6", "4o6-e7", "4o6-e8", "3c-e6", "3c-e7", "6c-e6", "6c-e7", "4o6t")
"""Rules of limited width (spec §17)."""

KINDS: dict[str, tuple[str, str, Callable[[int, int], Floats], float | None]] = {
    "normal": ("N(0, 1), normal scales", "ue5m3", _normal, None),
    "small": ("N(0, 0.013), subnormal scales", "ue4m3", _normal, 0.013),
    "laplace": ("Laplace, normal scales", "ue5m3", _laplace, None),
    "student3": ("Student's t, 3 degrees, normal scales", "ue5m3", _student3, None),
}
"""Text, scale format, generator, and a factor; None for blocks times 2^u, u uniform in (0, 1)."""


def gains(
    kind: str, block: int, rules: tuple[str, ...], *, samples: int, seed: int
) -> dict[str, float]:
    """Percent of the gain that each rule keeps on numbers of a kind.

    Raises:
        ValueError: if an exact rule gains nothing.
    """
    _, scale, generate, factor = KINDS[kind]
    x = generate(samples, seed).reshape(-1, block)
    if factor is None:
        x *= np.exp2(_uniform(len(x), seed + 7))[:, None]
    else:
        x *= factor
    suffix = "-pz" if scale == "ue4m3" else ""

    def error(rule: str) -> float:
        return tensor_error(recipe(f"{scale}-{rule}{suffix}-b{block}"), FP32, x).relative

    base = error("absmax")
    exact = {rule: rule.partition("-e")[0] if "-e" in rule else "4o6" for rule in rules}
    best = {name: error(name) for name in set(exact.values())}
    for name, found in best.items():
        if found >= base:
            raise ValueError(f"{kind} b{block}: {name} gains nothing over absmax")
    return {rule: 100 * (base - error(rule)) / (base - best[exact[rule]]) for rule in rules}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--samples", type=int, default=1 << 21, help="numbers per cell")
    parser.add_argument("--seed", type=int, default=20260101)
    parser.add_argument("rules", nargs="*", metavar="RULE", default=[*LIMITED, *VOTING_RULES])
    options = parser.parse_args()
    print(f"{options.samples:,} numbers per cell, seed {options.seed}, numpy {version('numpy')}\n")
    print("| numbers | rule | " + " | ".join(f"b{b}" for b in BLOCKS) + " |")
    print("| --- | --- |" + " ---: |" * len(BLOCKS))
    for kind, (text, *_) in KINDS.items():
        found = [
            gains(kind, b, tuple(options.rules), samples=options.samples, seed=options.seed)
            for b in BLOCKS
        ]
        for rule in options.rules:
            print(f"| {text} | {rule} | " + " | ".join(f"{f[rule]:.0f}" for f in found) + " |")


if __name__ == "__main__":
    main()

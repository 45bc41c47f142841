"""Speed of the emulator, as ratios measured in one run, and what is required of it.

A rate is given relative to a yardstick that takes turns with what is measured, round after round:
`np.copyto` into an array whose pages have been touched, or NumPy's product of float32 matrices on
one thread. The best time of each counts, so that a busy machine slows both alike.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

ELEMENTS = 1 << 24
"""Elements for which the requirements are stated."""

SIZE = 1024
"""Rows and columns of the matrices that are multiplied."""

ROUNDS = 7
SLOW = 2.0
"""Seconds that all rounds of one call may take; a slower one gets fewer rounds, but two."""

MEBIBYTE = 1 << 20
THREADS_LEAST = 1.7
MEMORY_MOST = 64.0
FIRST_CALL_MOST = 2.0
IMPORT_MOST = 0.5

Clock = Callable[[], float]
Call = Callable[[], object]


@dataclass(frozen=True)
class Case:
    """A call that is measured.

    Args:
        verb: "quantize", "dequantize", "encode", or "matmul".
        what: name of a recipe, or of a format for "encode".
        least: required rate relative to the yardstick, on one thread; None if there is none.
        option: input type ("float32", "bfloat16", "float16"), or accumulation of "matmul".
    """

    verb: str
    what: str
    least: float | None = None
    option: str = "float32"

    @property
    def name(self) -> str:
        """How the row is called."""
        shown = "" if self.option == "float32" else f" {self.option}"
        return f"{self.verb} {self.what}{shown}"


REQUIRED = (
    Case("quantize", "ue5m3-absmax-b16", 0.30),
    Case("quantize", "ue4m3-absmax-h-b16", 0.20),
    Case("quantize", "ue5m3-4o6-pz-b16", 0.10),
    Case("quantize", "ue5m3-3c-pz-b16", 0.06),
    Case("quantize", "ue5m3-search-b16", 0.006),
    Case("dequantize", "ue5m3-absmax-b16", 0.50),
    Case("matmul", "ue5m3-absmax-b16", 0.02, "fp32"),
)
"""What has a required speed."""

MORE = (
    *(Case("quantize", f"ue5m3-absmax-b{block}") for block in (4, 8, 32)),
    Case("quantize", "ue5m3-absmax-b16", option="bfloat16"),
    Case("quantize", "ue5m3-absmax-b16", option="float16"),
    Case("quantize", "e8m0-floor-b32"),
    Case("quantize", "e8m0-fc-b32"),
    Case("quantize", "ue4m3-4o6-pz-h-b16"),
    Case("quantize", "ue5m3-6c-pz-b16"),
    Case("encode", "ue5m3"),
    Case("matmul", "ue4m3-absmax-b16", option="fp32"),
    Case("matmul", "ue5m3-absmax-b4", option="fp32"),
    Case("matmul", "e8m0-floor-b32", option="fp32"),
    Case("matmul", "ue4m3-absmax-b16", option="exact"),
    Case("matmul", "ue5m3-absmax-b16", option="exact"),
    Case("matmul", "e8m0-floor-b32", option="exact"),
    Case("matmul", "ue4m3-absmax-b16", option="tc35"),
    Case("matmul", "ue5m3-absmax-b16", option="tc35"),
)
"""What has none."""


@dataclass(frozen=True)
class Figure:
    """One measured number.

    Args:
        row: what was measured.
        kind: "rate" (relative to the yardstick, one thread), "threads" (rate on several threads
            by that on one), "memory" (MiB beyond input and output), "first call" or "import"
            (seconds).
        value: the number.
        least: the smallest value allowed, if there is one.
        most: the largest, if there is one.
    """

    row: str
    kind: str
    value: float
    least: float | None = None
    most: float | None = None

    @property
    def ok(self) -> bool | None:
        """Whether the requirement is met; None if there is none. NaN meets none."""
        if self.least is not None:
            return self.value >= self.least
        return None if self.most is None else self.value <= self.most

    def entry(self) -> dict[str, Any]:
        """The figure as plain data."""
        return asdict(self) | {"ok": self.ok}


def best_times(
    calls: Mapping[str, Call], rounds: int = ROUNDS, clock: Clock = time.perf_counter
) -> dict[str, float]:
    """Return the shortest time of each call, in seconds; the calls take turns.

    One run of each comes first and is not counted. It decides how many rounds a slow call gets.

    Raises:
        ValueError: if there is nothing to measure or no round.
    """
    if not calls or rounds < 1:
        raise ValueError(f"{len(calls)} calls in {rounds} rounds: nothing would be measured")

    def seconds(call: Call) -> float:
        begin = clock()
        call()
        return clock() - begin

    share = {}
    for name, call in calls.items():
        call()
        share[name] = max(min(2, rounds), min(rounds, int(SLOW / max(seconds(call), 1e-9))))
    best = dict.fromkeys(calls, float("inf"))
    for number in range(rounds):
        for name, call in calls.items():
            if number < share[name]:
                best[name] = min(best[name], seconds(call))
    return best


def rates(
    cases: Sequence[Case], best: Mapping[str, float], threads: int, judged: bool, cores: int
) -> list[Figure]:
    """Figures of `cases` from the best times of the calls that `timed_names` names.

    Args:
        cases: what was measured.
        best: seconds by the names ``"<row>/<threads>"``; the yardstick is "copyto" or "numpy".
        threads: how many threads were measured beside one; 1 if none.
        judged: whether the required values apply to what was measured.
        cores: processor cores at hand; two threads need two.
    """
    found = []
    yard = "numpy" if "numpy/1" in best else "copyto"
    least = THREADS_LEAST if judged and threads == 2 and cores >= 2 else None
    for case in cases:
        one = best[f"{case.name}/1"]
        found.append(
            Figure(case.name, "rate", best[f"{yard}/1"] / one, case.least if judged else None)
        )
        if threads > 1:
            found.append(Figure(case.name, "threads", one / best[f"{case.name}/{threads}"], least))
    if threads > 1 and f"copyto/{threads}" in best:
        ratio = best["copyto/1"] / best[f"copyto/{threads}"]
        found.append(Figure("copyto", "threads", ratio))
    return found

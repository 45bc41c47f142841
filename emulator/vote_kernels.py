"""Tables and Numba kernels of the rules that choose a scale by votes (spec §18)."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from numba import njit, types

from emulator.formats import Format
from emulator.kernels import MAGNITUDE, VECTOR, _amax, _compile, _const, _element_codes
from emulator.scaled_tables import first_patterns
from emulator.selection_kernels import _code_at
from emulator.tables import INF, NEVER

VOTERS = {"top2": 1, "top3": 2, "pop": 0}
"""How many of the largest magnitudes below the first one vote; 0 for all lanes."""

STEPS: dict[str, tuple[tuple[int, int], ...]] = {
    "pop": ((1, -1), (8, 2), (12, -4), (16, 8)),
    "top": (
        *((9, 1), (11, -1), (14, -2), (15, -1), (16, 2)),
        *((17, 2), (18, 2), (19, 2), (20, -2), (21, -3)),
    ),
}
"""Quarters of s6 * g at which a lane's vote changes, and by how much (spec §18.3, §18.5)."""

_SECOND_TABLE = 1
"""The candidate tables of rule 4o6 are those of amax / 6 and amax / 4, in this order."""


@lru_cache(maxsize=32)
def vote_steps(
    scale: Format, rule: str, g: tuple[int, int]
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Return the last patterns below each step, one row per scale code, and the steps' changes.

    Args:
        scale: the scale format.
        rule: one of `VOTERS`.
        g: ``(c, q)`` of the tensor scale.
    """
    steps = STEPS["pop" if rule == "pop" else "top"]
    rows = np.full((256, len(steps)), NEVER, np.int32)
    parts = [scale.parts(code)[1:] for code in range(1, scale.max_code + 1)]
    c, q = np.array(parts, np.int64).T
    for k, (quarters, _) in enumerate(steps):
        beyond = np.full(c.size, quarters == 1)  # spec §18.5: a vote only above 1/4
        first = first_patterns(quarters * c * g[0], q + g[1] - 2, beyond)
        rows[1 : scale.max_code + 1, k] = first - 1
    return rows.reshape(-1), np.array([change for _, change in steps], np.int32)


@njit(nogil=True)
def _vote(magnitude, steps, row, changes):  # type: ignore[no-untyped-def]
    """Vote of one lane: the changes of all steps that its magnitude has reached."""
    vote = 0
    for k in range(changes.size):
        if magnitude > steps[row + k]:
            vote += changes[k]
    return vote


@lru_cache(maxsize=48)
def vote_kernel(block_size: int, halves: bool, voters: int) -> Callable[..., None]:
    """Return ``f(x, codes, scales, starts, lasts, rows, half, limits, steps, changes)``.

    x: int32 patterns, or with ``halves`` int16 for their upper halves, whole blocks; codes:
    uint8, as many; scales: uint8, one per block; both are written. starts to limits: of
    `SelectionTables` for rule 4o6. steps, changes: of `vote_steps`.
    """
    lanes = min(block_size, VECTOR)
    shift = 16 if halves else 0

    def quantize(  # type: ignore[no-untyped-def]
        x, codes, scales, starts, lasts, rows, half, limits, steps, changes
    ):
        smallest, largest, nan, normal = limits[0], limits[1], limits[2], limits[3] >> 1
        for block in range(scales.size):
            start = block * block_size
            amax = _amax(x, start, block_size)  # pyright: ignore[reportCallIssue]  # intrinsic
            if amax >= INF:
                best = nan if amax > INF else largest  # spec §6.1, §6.2
            else:
                best = max(_code_at(amax, starts, lasts, 0), smallest)
                four = max(_code_at(amax, starts, lasts, _SECOND_TABLE), smallest)
                # Scales have 28 bits at most: doubled or tripled they are exact in float64.
                if half[four] >= 2.0 * half[best]:  # spec §18.1
                    best = four
                elif four != best:
                    row = best * changes.size
                    votes = 0
                    if best < normal and 2.0 * half[four] != 3.0 * half[best]:
                        votes = 2  # spec §18.2
                    if voters:
                        first, second, third = np.int64(-1), np.int64(-1), np.int64(-1)
                        for i in range(start, start + block_size):
                            m = (np.int64(x[i]) << shift) & MAGNITUDE
                            if m > first:
                                first, second, third = m, first, second
                            elif m > second:
                                second, third = m, second
                            elif m > third:
                                third = m
                        votes += _vote(second, steps, row, changes)
                        if voters > 1:
                            votes += _vote(third, steps, row, changes)
                        wins = 8 * votes > block_size  # spec §18.4
                    else:
                        for i in range(start, start + block_size):
                            m = (np.int64(x[i]) << shift) & MAGNITUDE
                            votes += _vote(m, steps, row, changes)
                        wins = votes > 5  # spec §18.6
                    if wins:
                        best = four
            scales[block] = best
            for lane in range(start, start + block_size, lanes):
                _element_codes(x, codes, lane, rows, best * 8, lanes)

    u8, i32, f64 = types.uint8, types.int32, types.float64
    x_type = _const(types.int16 if halves else i32)
    tables = (_const(u8), _const(i32), _const(i32), _const(f64), _const(types.int64))
    signature = types.void(x_type, u8[::1], u8[::1], *tables, _const(i32), _const(i32))
    return _compile(signature, quantize)

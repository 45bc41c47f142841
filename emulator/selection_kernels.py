"""Numba kernels that choose a scale code by the squared error of the block (spec §15).

They know tables and integers only. A float decides where a lemma of spec §15.4 says that it can;
a block in which it cannot is marked, and left to exact integers.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from numba import njit, types

from emulator.kernels import MAGNITUDE, VECTOR, _amax, _compile, _const, _element_codes
from emulator.scaled_tables import CELL_SHIFT, CELLS
from emulator.score_intrinsics import as_float, energy, score
from emulator.tables import INF

Candidates = tuple[tuple[int, int], ...]
"""For each candidate, in order: index of its table of codes, and offset to the code there."""

_SLACK = 2.0**-40
"""Relative slack of sums that only decide what need not be looked at; theirs is below 2**-44."""


@njit(nogil=True)
def _code_at(amax, starts, lasts, table):  # type: ignore[no-untyped-def]
    """Scale code that a candidate table has for the pattern of amax."""
    code = np.int64(starts[table * CELLS + (amax >> CELL_SHIFT)])
    code += np.int64(amax > lasts[table * 256 + code])
    while amax > lasts[table * 256 + code]:  # only where steps lie among subnormals
        code += 1
    return code


@njit(nogil=True)
def _twice(magnitude, rows, row):  # type: ignore[no-untyped-def]
    """Twice the element value of a magnitude."""
    k = 0
    for j in range(7):
        if magnitude > rows[row + j]:
            k += 1 if j < 4 else 2 if j < 6 else 4
    return k


@njit(nogil=True)
def _alike(x, start, size, shift, rows, half, a, b):  # type: ignore[no-untyped-def]
    """Whether every lane has the same real value under two scale codes."""
    for i in range(start, start + size):
        magnitude = (np.int64(x[i]) << shift) & MAGNITUDE
        # At most 4 + 28 bits each: exact.
        if _twice(magnitude, rows, a * 8) * half[a] != _twice(magnitude, rows, b * 8) * half[b]:
            return False
    return True


@njit(nogil=True)
def _exact(peak, reach, half):  # type: ignore[no-untyped-def]
    """Whether a score is exact: the lemma of spec §15.4, or no element but zero."""
    return half == 0.0 or peak <= reach * (2.0 * half)


@njit(nogil=True)
def _order(new, old, exact, tolerance):  # type: ignore[no-untyped-def]
    """1 if the new score is smaller, 0 if it is not, -1 if the floats cannot tell."""
    if exact:
        return 1 if new < old else 0
    margin = tolerance * max(abs(new), abs(old))
    if new < old - margin:
        return 1
    if new > old + margin:
        return 0
    return -1


def _signature(halves: bool) -> Any:
    u8, i32, f64 = types.uint8, types.int32, types.float64
    x_type = _const(types.int16 if halves else i32)
    tables = (_const(u8), _const(i32), _const(i32), _const(f64), f64, _const(types.int64))
    return types.int64(x_type, u8[::1], u8[::1], u8[::1], *tables)


def _tolerance(block_size: int) -> float:
    """Twice the relative error of a score, with room for the rounding of its own use."""
    return (block_size + 12) * 2.0**-51


@lru_cache(maxsize=64)
def candidate_kernel(block_size: int, halves: bool, candidates: Candidates) -> Callable[..., int]:
    """Return ``f(x, codes, scales, marks, starts, lasts, rows, half, reach, limits)``.

    x: int32 patterns, or with ``halves`` int16 for their upper halves, whole blocks; codes:
    uint8, as many; scales, marks: uint8, one per block. The others are `SelectionTables`.
    Codes, scales and marks are written; a block with mark 1 is undecided, and its codes and scale
    are to be written by the caller. The number of marks is returned.
    """
    lanes = min(block_size, VECTOR)
    shift = 16 if halves else 0
    tolerance = _tolerance(block_size)
    first = candidates[0][0]
    others = candidates[1:] or ((0, 0),)  # one that changes nothing: Numba has no empty tuples
    count = len(others)

    def quantize(  # type: ignore[no-untyped-def]
        x, codes, scales, marks, starts, lasts, rows, half, reach, limits
    ):
        smallest, largest, nan = limits[0], limits[1], limits[2]
        marked = 0
        for block in range(scales.size):
            start = block * block_size
            amax = _amax(x, start, block_size)  # pyright: ignore[reportCallIssue]  # intrinsic
            mark = False
            if amax >= INF:
                best = nan if amax > INF else largest  # spec §6.1, §6.2
            else:
                best = max(_code_at(amax, starts, lasts, first), smallest)
                known = False
                best_score, exact = 0.0, True
                for j in range(count):
                    table, offset = others[j]
                    code = _code_at(amax, starts, lasts, table) + offset
                    code = max(min(code, largest), smallest)  # spec §8.2, §8.3
                    if code != best:
                        peak = as_float(amax)
                        if not known:
                            known = True
                            best_score = score(x, start, rows, best * 8, half[best], block_size)
                            exact = _exact(peak, reach, half[best])
                        new = score(x, start, rows, code * 8, half[code], block_size)
                        new_exact = _exact(peak, reach, half[code])
                        order = _order(new, best_score, exact and new_exact, tolerance)
                        if order > 0:
                            best, best_score, exact = code, new, new_exact
                        elif order < 0 and not _alike(
                            x, start, block_size, shift, rows, half, code, best
                        ):
                            mark = True
            marks[block] = mark
            marked += mark
            scales[block] = best
            for lane in range(start, start + block_size, lanes):
                _element_codes(x, codes, lane, rows, best * 8, lanes)
        return marked

    return _compile(_signature(halves), quantize)


@lru_cache(maxsize=16)
def search_kernel(block_size: int, halves: bool) -> Callable[..., int]:
    """Return the kernel of rule search, with the arguments of `candidate_kernel` (spec §15.5)."""
    lanes = min(block_size, VECTOR)
    shift = 16 if halves else 0
    tolerance = _tolerance(block_size)

    def quantize(  # type: ignore[no-untyped-def]
        x, codes, scales, marks, starts, lasts, rows, half, reach, limits
    ):
        smallest, largest, nan, halved = limits[0], limits[1], limits[2], limits[3]
        marked = 0
        for block in range(scales.size):
            start = block * block_size
            amax = _amax(x, start, block_size)  # pyright: ignore[reportCallIssue]  # intrinsic
            mark = False
            if amax >= INF:
                best = nan if amax > INF else largest  # spec §6.1, §6.2
            elif amax == 0:
                best = smallest
            else:
                peak = as_float(amax)
                squares = energy(x, start, block_size)
                near = max(_code_at(amax, starts, lasts, 0), 1)
                # Above the error of the nearby code: none that exceeds it is the smallest.
                bound = squares + score(x, start, rows, near * 8, half[near], block_size)
                bound += squares * _SLACK
                best = near
                while best > 1:  # lemma 1 of spec §15.5
                    gap = peak - 12.0 * half[best - 1]
                    if gap > 0.0 and gap * gap * (1.0 - _SLACK) > bound:
                        break
                    best -= 1
                best_score = score(x, start, rows, best * 8, half[best], block_size)
                exact = _exact(peak, reach, half[best])
                for code in range(best + 1, largest + 1):
                    if 7.0 * half[code] >= peak:  # lemma 2 of spec §15.5
                        if code >= halved:
                            break
                        if code & 1 == 0:
                            continue
                    new = score(x, start, rows, code * 8, half[code], block_size)
                    new_exact = _exact(peak, reach, half[code])
                    order = _order(new, best_score, exact and new_exact, tolerance)
                    if order > 0:
                        best, best_score, exact = code, new, new_exact
                    elif order < 0 and not _alike(
                        x, start, block_size, shift, rows, half, code, best
                    ):
                        mark = True
                        break
            marks[block] = mark
            marked += mark
            scales[block] = best
            for lane in range(start, start + block_size, lanes):
                _element_codes(x, codes, lane, rows, best * 8, lanes)
        return marked

    return _compile(_signature(halves), quantize)


@lru_cache(maxsize=2)
def finite_amax_kernel(halves: bool) -> Callable[..., int]:
    """Return ``f(x, infinity)``: the largest magnitude pattern below infinity (spec §14.1).

    x: int32 patterns, or with ``halves`` int16 ones; 0 if no pattern is finite.
    """
    mask = 0x7FFF if halves else MAGNITUDE
    word = np.int16 if halves else np.int32

    def finite_amax(x, infinity):  # type: ignore[no-untyped-def]
        limit, peak = word(infinity), word(0)
        for i in range(x.size):
            magnitude = word(x[i] & word(mask))
            peak = max(peak, magnitude if magnitude < limit else word(0))
        return np.int64(peak)

    signature = types.int64(_const(types.int16 if halves else types.int32), types.int64)
    return _compile(signature, finite_amax)

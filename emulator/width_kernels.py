"""Numba kernels that choose a scale code with limited width (spec §17), in integers only."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from numba import njit, types

from emulator.kernels import MAGNITUDE, VECTOR, _amax, _compile, _const, _element_codes
from emulator.selection_kernels import Candidates, _code_at
from emulator.tables import INF

CHUNK = 64
"""Blocks that are looked at together, so that a vector holds one lane of several blocks."""


@njit(nogil=True)
def _exponent(amax):  # type: ignore[no-untyped-def]
    """floor(log2) of a float32 pattern above zero."""
    field = amax >> 23
    if field > 0:
        return np.int64(field - 127)
    exponent = np.int64(-150)
    while amax > 0:
        amax >>= 1
        exponent += 1
    return exponent


@njit(nogil=True)
def _seen(magnitude, exponent, bits):  # type: ignore[no-untyped-def]
    """A lane as an integer of some bits, below 2**(exponent + 1) of its block (spec §17.1)."""
    field = magnitude >> 23
    significand = magnitude & 0x7FFFFF
    if field > 0:
        significand |= 0x800000
    else:
        field = 1
    # 16 more bits, so that the shift is a right shift for subnormal amax too.
    return (significand << 16) >> min(exponent + 167 - bits - field, 63)


@njit(nogil=True)
def _scale_seen(c, q, exponent, bits, most):  # type: ignore[no-untyped-def]
    """Scale c * 2**q in units of u / 4, to nearest, ties to even; ``most`` stands for more."""
    shift = q + 1 - exponent + bits
    if c == 0:
        return 0
    if shift >= 0:
        return min(c << min(shift, 24), most) if shift < 24 else most
    if shift < -40:
        return 0
    whole = c >> -shift
    rest = c - (whole << -shift)
    half = 1 << (-shift - 1)
    return min(whole + (rest > half or (rest == half and whole & 1 == 1)), most)


@lru_cache(maxsize=64)
def width_kernel(
    block_size: int, halves: bool, candidates: Candidates, bits: int
) -> Callable[..., None]:
    """Return ``f(x, codes, scales, starts, lasts, rows, limits, outright, c, q)``.

    x, codes and scales are those of `selection_kernels.candidate_kernel`; the others are
    `WidthTables` and its `SelectionTables`. Codes and scales are written (spec §17.3, §17.4).
    """
    lanes = min(block_size, VECTOR)
    shift = 16 if halves else 0
    count = len(candidates)
    # The lemma of spec §17.3: a sum stays below block_size * 2**(2 * bits + 6).
    narrow = block_size << (2 * bits + 6) <= 1 << 31
    word = np.int32 if narrow else np.int64
    most = (8 << (bits + 1)) - 8

    def quantize(  # type: ignore[no-untyped-def]
        x, codes, scales, starts, lasts, rows, limits, outright, c, q
    ):
        smallest, largest, nan = limits[0], limits[1], limits[2]
        y = np.zeros(block_size * CHUNK, word)
        tried = np.zeros(count * CHUNK, np.int64)
        seen = np.zeros(count * CHUNK, word)
        error = np.zeros(CHUNK, word)
        least = np.zeros(CHUNK, word)
        for base in range(0, scales.size, CHUNK):
            blocks = min(CHUNK, scales.size - base)
            for k in range(blocks):
                start = (base + k) * block_size
                amax = np.int64(_amax(x, start, block_size))  # pyright: ignore[reportCallIssue]
                if amax >= INF:
                    scales[base + k] = nan if amax > INF else largest  # spec §6.1, §6.2
                    amax = 0
                else:
                    scales[base + k] = max(_code_at(amax, starts, lasts, 0), smallest)
                if amax == 0 or amax > outright:
                    for j in range(count):
                        tried[j * CHUNK + k] = scales[base + k]
                        seen[j * CHUNK + k] = 0
                    for i in range(block_size):
                        y[i * CHUNK + k] = 0
                else:
                    exponent = _exponent(amax)
                    for j in range(count):
                        table, offset = candidates[j]
                        code = _code_at(amax, starts, lasts, table) + offset
                        code = max(min(code, largest), smallest)  # spec §8.2, §8.3
                        tried[j * CHUNK + k] = code
                        seen[j * CHUNK + k] = _scale_seen(c[code], q[code], exponent, bits, most)
                    for i in range(block_size):
                        lane = _seen((np.int64(x[start + i]) << shift) & MAGNITUDE, exponent, bits)
                        y[i * CHUNK + k] = 8 * lane + 4 if lane > 0 else 0
            for j in range(count):
                for k in range(blocks):
                    error[k] = 0
                for i in range(block_size):
                    for k in range(blocks):
                        v = y[i * CHUNK + k]
                        s = seen[j * CHUNK + k]
                        d = v
                        d = min(d, word(abs(word(v - s))))
                        d = min(d, word(abs(word(v - word(2 * s)))))
                        d = min(d, word(abs(word(v - word(3 * s)))))
                        d = min(d, word(abs(word(v - word(4 * s)))))
                        d = min(d, word(abs(word(v - word(6 * s)))))
                        d = min(d, word(abs(word(v - word(8 * s)))))
                        d = min(d, word(abs(word(v - word(12 * s)))))
                        error[k] = word(error[k] + word(d * d))
                for k in range(blocks):
                    if j == 0 or error[k] < least[k]:
                        least[k] = error[k]
                        scales[base + k] = tried[j * CHUNK + k]
            for k in range(base, base + blocks):
                row = np.int64(scales[k]) * 8
                for lane in range(k * block_size, (k + 1) * block_size, lanes):
                    _element_codes(x, codes, lane, rows, row, lanes)

    u8, i32, i64 = types.uint8, types.int32, types.int64
    x_type = _const(types.int16 if halves else i32)
    tables = (_const(u8), _const(i32), _const(i32), _const(i64), i64, _const(i64), _const(i64))
    return _compile(types.void(x_type, u8[::1], u8[::1], *tables), quantize)


@lru_cache(maxsize=16)
def table_kernel(block_size: int, halves: bool) -> Callable[..., None]:
    """Return ``f(x, codes, scales, starts, lasts, rows, limits, outright, c, q, at, values)``.

    As `width_kernel`, for rule 4o6t; at, values: the rows and values of `WidthTables`
    (spec §17.6, §17.7).
    """
    lanes = min(block_size, VECTOR)
    shift = 16 if halves else 0

    def quantize(  # type: ignore[no-untyped-def]
        x, codes, scales, starts, lasts, rows, limits, outright, c, q, at, values
    ):
        smallest, largest, nan = limits[0], limits[1], limits[2]
        for block in range(scales.size):
            start = block * block_size
            amax = np.int64(_amax(x, start, block_size))  # pyright: ignore[reportCallIssue]
            if amax >= INF:
                best = nan if amax > INF else largest  # spec §6.1, §6.2
            else:
                best = max(_code_at(amax, starts, lasts, 0), smallest)
                if 0 < amax <= outright:
                    four = max(_code_at(amax, starts, lasts, 1), smallest)
                    if four != best:
                        exponent = _exponent(amax)
                        above = exponent - q[four] + 1  # and less the bits of c
                        significand = c[four]
                        while significand > 0:
                            above -= 1
                            significand >>= 1
                        row = at[((best * 8) + (four - best)) * 2 + above - 1]
                        total = 0
                        for i in range(start, start + block_size):
                            magnitude = (np.int64(x[i]) << shift) & MAGNITUDE
                            total += np.int64(values[row + _seen(magnitude, exponent, 5)])
                        if total > 0:
                            best = four
            scales[block] = best
            for lane in range(start, start + block_size, lanes):
                _element_codes(x, codes, lane, rows, np.int64(best) * 8, lanes)

    u8, i32, i64 = types.uint8, types.int32, types.int64
    x_type = _const(types.int16 if halves else i32)
    tables = (_const(u8), _const(i32), _const(i32), _const(i64), i64, _const(i64), _const(i64))
    return _compile(
        types.void(x_type, u8[::1], u8[::1], *tables, _const(i64), _const(types.int8)), quantize
    )

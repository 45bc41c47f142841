"""Numba kernels that choose a scale code with limited width (spec §17), in integers only.

They serve every block size and width: only the types of the numbers are compiled in.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from numba import njit, types

from emulator.kernels import MAGNITUDE, VECTOR, _compile, _const, _element_codes
from emulator.selection_kernels import _code_at
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


@njit(nogil=True)
def _largest(x, start, size, shift):  # type: ignore[no-untyped-def]
    """Largest magnitude of a block (spec §7.1)."""
    amax = np.int64(0)
    for i in range(start, start + size):
        amax = max(amax, (np.int64(x[i]) << shift) & MAGNITUDE)
    return amax


_U8, _I32, _I64 = types.uint8, types.int32, types.int64
_TABLES = (_const(_U8), _const(_I32), _const(_I64), _I64, _const(_I64), _const(_I64))


def _patterns(halves: bool) -> Any:
    return _const(types.int16 if halves else _I32)


def is_narrow(block_size: int, bits: int) -> bool:
    """Whether 32 bits hold every error (lemma 2 of spec §17.3)."""
    return block_size << (2 * bits + 6) <= 1 << 31


@lru_cache(maxsize=4)
def width_kernel(halves: bool, narrow: bool) -> Callable[..., None]:
    """Return ``f(x, scales, starts, lasts, limits, outright, c, q, candidates, size, bits)``.

    x: int32 patterns, or with ``halves`` int16 for their upper halves, whole blocks of ``size``;
    scales: uint8, one per block, written (spec §17.4). candidates: int64, pairs of a table of
    codes and an offset; the others are `WidthTables` and its `SelectionTables`. ``narrow``: the
    answer of `is_narrow`.
    """
    shift = 16 if halves else 0
    word = np.int32 if narrow else np.int64

    def choose(  # type: ignore[no-untyped-def]
        x, scales, starts, lasts, limits, outright, c, q, candidates, size, bits
    ):
        smallest, largest, nan = limits[0], limits[1], limits[2]
        count = candidates.size // 2
        most = (16 << bits) - 8
        y = np.zeros(size * CHUNK, word)
        tried = np.zeros(count * CHUNK, np.int64)
        seen = np.zeros(count * CHUNK, word)
        error = np.zeros(CHUNK, word)
        least = np.zeros(CHUNK, word)
        for base in range(0, scales.size, CHUNK):
            blocks = min(CHUNK, scales.size - base)
            for k in range(blocks):
                start = (base + k) * size
                amax = _largest(x, start, size, shift)
                if amax >= INF:
                    scales[base + k] = nan if amax > INF else largest  # spec §6.1, §6.2
                    amax = 0
                else:
                    scales[base + k] = max(_code_at(amax, starts, lasts, 0), smallest)
                if amax == 0 or amax > outright:
                    for j in range(count):
                        tried[j * CHUNK + k] = scales[base + k]
                        seen[j * CHUNK + k] = 0
                    for i in range(size):
                        y[i * CHUNK + k] = 0
                else:
                    exponent = _exponent(amax)
                    for j in range(count):
                        code = _code_at(amax, starts, lasts, candidates[2 * j])
                        code += candidates[2 * j + 1]
                        code = max(min(code, largest), smallest)  # spec §8.2, §8.3
                        tried[j * CHUNK + k] = code
                        seen[j * CHUNK + k] = _scale_seen(c[code], q[code], exponent, bits, most)
                    for i in range(size):
                        lane = _seen((np.int64(x[start + i]) << shift) & MAGNITUDE, exponent, bits)
                        y[i * CHUNK + k] = 8 * lane + 4 if lane > 0 else 0
            for j in range(count):
                for k in range(blocks):
                    error[k] = 0
                for i in range(size):
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

    signature = types.void(_patterns(halves), _U8[::1], *_TABLES, _const(_I64), _I64, _I64)
    return _compile(signature, choose)


@lru_cache(maxsize=2)
def table_kernel(halves: bool) -> Callable[..., None]:
    """Return ``f(x, scales, starts, lasts, limits, outright, c, q, at, values, size)``.

    As `width_kernel`, for rule 4o6t; at, values: the rows and values of `WidthTables`
    (spec §17.6, §17.7).
    """
    shift = 16 if halves else 0

    def choose(  # type: ignore[no-untyped-def]
        x, scales, starts, lasts, limits, outright, c, q, at, values, size
    ):
        smallest, largest, nan = limits[0], limits[1], limits[2]
        for block in range(scales.size):
            start = block * size
            amax = _largest(x, start, size, shift)
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
                        for i in range(start, start + size):
                            magnitude = (np.int64(x[i]) << shift) & MAGNITUDE
                            total += np.int64(values[row + _seen(magnitude, exponent, 5)])
                        if total > 0:
                            best = four
            scales[block] = best

    values_type = _const(types.int8)
    signature = types.void(_patterns(halves), _U8[::1], *_TABLES, _const(_I64), values_type, _I64)
    return _compile(signature, choose)


@lru_cache(maxsize=16)
def element_kernel(block_size: int, halves: bool) -> Callable[..., None]:
    """Return ``f(x, codes, scales, rows)``: element codes under given scales (spec §9).

    x and scales as for `width_kernel`; codes: uint8, one per element, written; rows: those of
    `SelectionTables`.
    """
    lanes = min(block_size, VECTOR)

    def write(x, codes, scales, rows):  # type: ignore[no-untyped-def]
        for block in range(scales.size):
            row = np.int64(scales[block]) * 8
            for lane in range(block * block_size, (block + 1) * block_size, lanes):
                _element_codes(x, codes, lane, rows, row, lanes)  # pyright: ignore[reportCallIssue]  # intrinsic

    return _compile(types.void(_patterns(halves), _U8[::1], _const(_U8), _const(_I32)), write)

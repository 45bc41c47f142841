"""Stochastic rounding of elements, once scale codes are chosen (spec §19).

The random numbers are Speck64/128 in counter mode, so any block of a tensor can be rounded by
itself, in any order and on any thread.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from emulator.arguments import Array, bit_view, widen
from emulator.formats import Format
from emulator.pieces import piece_limit, pieces, run
from emulator.recipes import Recipe
from emulator.scaled_tables import first_patterns, number
from emulator.tables import NEVER

_TWICE = (0, 1, 2, 3, 4, 6, 8, 12)
"""Twice the values of E2M1's magnitude codes."""

_ROUNDS = 27


def round_keys(seed: int) -> npt.NDArray[np.uint32]:
    """The 27 round keys of Speck64/128 under the key ``seed`` of 128 bits (spec §19.5)."""
    mask = 0xFFFFFFFF
    words = [seed >> 32 * i & mask for i in range(4)]
    keys, key = [], words[0]
    for i in range(_ROUNDS):
        keys.append(key)
        word = words[1 + i]
        word = ((((word >> 8) | (word << 24)) & mask) + key & mask) ^ i
        words.append(word)
        key = (((key << 3) | (key >> 29)) & mask) ^ word
    return np.array(keys, np.uint32)


@lru_cache(maxsize=16)
def _floors(recipe: Recipe, g: tuple[int, int]) -> tuple[Any, Any, Any]:
    """Tables of the scales under a tensor scale, by scale code.

    Returns:
        int32 (256 * 8), the last patterns of magnitudes below element values 1 to 7; the integers
        c (uint64) and q (int64) of which scale times tensor scale is c * 2**q.
    """
    scale = recipe.scale
    codes = range(scale.max_code + 1)
    c, q = np.array([scale.parts(code)[1:] for code in codes], np.int64).T
    c, q = c * g[0], q + g[1]
    some = np.flatnonzero(c)
    rows = np.full((256, 8), NEVER, np.int32)
    for k, twice in enumerate(_TWICE[1:]):
        never_beyond = np.zeros(some.size, np.bool_)
        rows[some, k] = first_patterns(twice * c[some], q[some] - 1, never_beyond) - 1
    significands, exponents = np.zeros(256, np.uint64), np.zeros(256, np.int64)
    significands[: c.size], exponents[: c.size] = c, q
    return rows.reshape(-1), significands, exponents


@lru_cache(maxsize=1)
def stochastic_kernel() -> Callable[..., None]:
    """Return ``f(x, codes, scales, numbers, keys, bits, nan, block, rows, cs, qs)``.

    x: int32 patterns, whole blocks of ``block`` lanes; codes: uint8, as many, written; scales:
    uint8 and numbers: int64, one per block: its code, and its place in the tensor (spec §19.6).
    keys: of `round_keys`. bits: of each random number. nan: the scale code whose blocks are left
    as they are. rows, cs, qs: the scales' tables.
    """
    from numba import njit, types

    from emulator.kernels import MAGNITUDE, _compile, _const

    u32, u64, i64 = np.uint32, np.uint64, np.int64
    twice_values = np.array(_TWICE, np.uint64)

    @njit(nogil=True)
    def word(counter, keys):  # type: ignore[no-untyped-def]
        """The encrypted counter (spec §19.4, §19.5)."""
        x, y = u32(counter >> u64(32)), u32(counter & u64(0xFFFFFFFF))
        for i in range(_ROUNDS):
            x = u32(u32(u32(u32(x >> u32(8)) | u32(x << u32(24))) + y) ^ keys[i])
            y = u32(u32(u32(y << u32(3)) | u32(y >> u32(29))) ^ x)
        return u64(u64(x) << u64(32)) | u64(y)

    @njit(nogil=True)
    def reaches(magnitude, whole, exponent):  # type: ignore[no-untyped-def]
        """Whether the float of a pattern is whole * 2**exponent or more."""
        field = i64(magnitude >> i64(23))
        c = u64(magnitude & i64(0x7FFFFF))
        if field > 0:
            c |= u64(0x800000)
        shift = max(field, i64(1)) - i64(150) - exponent
        if shift <= -64:
            return whole == u64(0)
        if shift < 0:
            # whole is an integer: c / 2**-shift reaches it where its whole part does.
            return u64(c >> u64(-shift)) >= whole
        if shift >= 64 or u64(u64(c << u64(shift)) >> u64(shift)) != c:
            return c > u64(0)
        return u64(c << u64(shift)) >= whole

    def round_up_or_down(  # type: ignore[no-untyped-def]
        x, codes, scales, numbers, keys, bits, nan, block, rows, cs, qs
    ):
        one = u64(u64(1) << u64(bits))
        for j in range(scales.size):
            scale = i64(scales[j])
            if scale == nan or cs[scale] == u64(0):
                continue  # spec §6.1, §9.3: nothing to round
            at, left, current = u64(0), i64(0), u64(0)
            counter = u64(numbers[j]) * u64(128)
            for i in range(j * block, (j + 1) * block):
                # The lowest bits that are left, then those of the next word (spec §19.3).
                r = current
                if left < bits:
                    current = word(counter + at, keys)
                    at += u64(1)
                    r |= u64(current << u64(left))
                    current = u64(current >> u64(bits - left))
                    left += i64(64)
                else:
                    current = u64(current >> u64(bits))
                left -= bits
                r &= one - u64(1)
                magnitude = i64(x[i]) & i64(MAGNITUDE)
                low = 0
                for k in range(7):
                    low += i64(magnitude > rows[scale * 8 + k])
                if low < 7:
                    value = twice_values[low]
                    step = twice_values[low + 1] - value
                    # At most 12 * 2**32 times 28 bits: below 2**64.
                    whole = (value * one + step * (one - r)) * cs[scale]
                    low += i64(reaches(magnitude, whole, qs[scale] - bits - i64(1)))
                codes[i] = (codes[i] & np.uint8(8)) | np.uint8(low)

    u8 = types.uint8
    signature = types.void(
        _const(types.int32),
        u8[::1],
        _const(u8),
        _const(types.int64),
        _const(types.uint32),
        *[types.int64] * 3,
        _const(types.int32),
        _const(types.uint64),
        _const(types.int64),
    )
    return _compile(signature, round_up_or_down)


def block_numbers(shape: tuple[int, ...], axis: int, index: tuple[slice, ...]) -> Array:
    """Numbers of the blocks of a piece: their places in the C order of all scales (spec §19.6).

    Args:
        shape: the shape of the scales, the blocked axis at ``axis``.
        axis: the blocked axis.
        index: ranges of blocks, the blocked axis moved to the end.
    """
    strides = [int(np.prod(shape[i + 1 :], dtype=np.int64)) for i in range(len(shape))]
    strides.append(strides.pop(axis))
    total = np.zeros((1,) * len(shape), np.int64)
    for i, (part, stride) in enumerate(zip(index, strides, strict=True)):
        along = np.arange(part.start, part.stop, dtype=np.int64) * stride
        total = total + along.reshape([-1 if j == i else 1 for j in range(len(shape))])
    return total


def round_elements(
    x: Array,
    fmt: Format,
    codes: Array,
    scales: Array,
    recipe: Recipe,
    axis: int,
    g: float,
    seed: int,
    threads: int,
) -> None:
    """Write the magnitudes of element codes anew, rounded at random under the chosen scales.

    Args:
        x: the tensor, of the input format ``fmt``.
        codes: element codes with their signs; NaN blocks and zero scales stay as they are.
        scales: scale codes.
        recipe: gives the formats and the number of random bits.
        axis: the blocked axis, from the front.
        g: the tensor scale, or 1.
        seed: from 0 to 2**128 - 1.
        threads: number of threads.
    """
    assert recipe.sr_bits is not None
    block, keys, bits = recipe.block_size, round_keys(seed), recipe.sr_bits
    tables = _floors(recipe, number(g))
    kernel, nan, shape = stochastic_kernel(), recipe.scale.nan_code, scales.shape
    source, target, chosen = (np.moveaxis(a, axis, -1) for a in (bit_view(x), codes, scales))

    def one(index: tuple[slice, ...]) -> None:
        last = index[-1]
        blocks = (*index[:-1], slice(last.start // block, -(-last.stop // block)))
        of_scales = np.ascontiguousarray(chosen[blocks])
        length = last.stop - last.start
        padded = (*of_scales.shape[:-1], of_scales.shape[-1] * block)
        patterns = np.zeros(padded, np.uint32)
        widen(source[index], fmt, patterns[..., :length])
        rounded = np.zeros(padded, np.uint8)
        rounded[..., :length] = target[index]
        numbers = np.ascontiguousarray(block_numbers(shape, axis, blocks))
        kernel(
            *(patterns.reshape(-1).view(np.int32), rounded.reshape(-1), of_scales.reshape(-1)),
            *(numbers.reshape(-1), keys, bits, nan, block, *tables),
        )
        target[index] = rounded[..., :length]

    limit = piece_limit(source.size, False, threads)
    run(one, list(pieces(source.shape, source.strides, block, limit)), threads)

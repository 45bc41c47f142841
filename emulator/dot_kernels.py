"""Numba kernels of dot products: products of blocks, and the accumulators that take them.

They know integers and exact floats, no format. A tile has `rows` rows of one operand and `cols`
columns of the other; ``s[n, i, j]`` is the sum of products of the n-th unit of elements, an
integer held in a float32. The scale of a unit is ``c * 2**h`` in units of the format's smallest
scale. All kernels release the GIL and write their first argument.

Where a float is added here, the lemmas of spec §16 say why the result is that of the clause.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

LOW = 0xFFFFFFFF
INFINITY = 0x7F800000

_F32, _F64, _I32, _I64 = types.float32, types.float64, types.int32, types.int64


@intrinsic
def _leading_zeros(typing_context: Any, x: Any) -> Any:  # pragma: no cover
    """Leading zero bits of a 64-bit integer; 64 for zero."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.ctlz(args[0], ir.Constant(ir.IntType(1), 0))

    return types.int64(types.int64), generate


# At the level of the module: a function in a closure would keep its user out of the disk cache.
@njit(inline="always")
def _shifted(x, left):  # type: ignore[no-untyped-def]
    """X * 2**left towards zero; the result fits by its caller's bounds."""
    up, down = max(left, np.int64(0)), min(max(-left, np.int64(0)), np.int64(63))
    magnitude = (abs(x) << up) >> down
    return -magnitude if x < 0 else magnitude


def _const(dtype: Any, ndim: int) -> Any:
    """The type of a C-contiguous array that is only read: accepts read-only arrays too."""
    return types.Array(dtype, ndim, "C", readonly=True)


def _compile(
    signature: Any, function: Callable[..., Any], exact_sums: bool = False
) -> Callable[..., Any]:
    """Compile for one signature, from the cache on disk where there is a place for one.

    ``exact_sums`` lets a product and a sum fuse, which changes nothing where products are exact.
    """
    flags: Any = {"contract"} if exact_sums else False
    try:
        return njit(signature, nogil=True, cache=True, fastmath=flags)(function)
    except RuntimeError:  # no writable folder for the cache
        return njit(signature, nogil=True, fastmath=flags)(function)


@lru_cache(maxsize=4)
def products_kernel(chunk: int) -> Callable[..., None]:
    """Return ``f(s, a, b, chunks)``: sums of products of units of ``chunks * chunk`` elements.

    s: float32 (units, rows, cols); a: float32 (rows, elements); b: float32 (elements, cols), of
    integers whose sums stay below 2**24 (lemma of spec §16.2), so that no order matters.
    """

    def products(s, a, b, chunks):  # type: ignore[no-untyped-def]
        units, rows, cols = s.shape
        for n in range(units):
            for part in range(chunks):
                start = (n * chunks + part) * chunk
                for i in range(rows):
                    for j in range(cols):
                        total = np.float32(0.0)
                        for k in range(chunk):
                            total += a[i, start + k] * b[start + k, j]
                        if part > 0:
                            total += s[n, i, j]
                        s[n, i, j] = total

    signature = types.void(_F32[:, :, ::1], _const(_F32, 2), _const(_F32, 2), _I64)
    return _compile(signature, products, exact_sums=True)


@lru_cache(maxsize=2)
def add_float_kernel(wide: bool) -> Callable[..., None]:
    """Return ``f(acc, s, a, b)``: one rounded addition to float32 per unit (spec §16.4).

    acc: float32 (rows, cols); s: float32 (units, rows, cols); a: scales (units, rows); b: scales
    (units, cols). Scales are float32, or with ``wide`` float64: then the sum is rounded to
    float64 and to float32, which by the lemma of spec §16.4 is the same as once.
    """
    real = np.float64 if wide else np.float32

    def add(acc, s, a, b):  # type: ignore[no-untyped-def]
        units, rows, cols = s.shape
        for n in range(units):
            for i in range(rows):
                for j in range(cols):
                    block = real(s[n, i, j]) * (a[n, i] * b[n, j])
                    if wide:
                        block += real(0.0)  # a zero scale gives no -0
                    acc[i, j] = np.float32(real(acc[i, j]) + block)

    scales = _const(_F64 if wide else _F32, 2)
    signature = types.void(_F32[:, ::1], _const(_F32, 3), scales, scales)
    return _compile(signature, add, exact_sums=True)


def _scale_types() -> tuple[Any, ...]:
    """Types of s and of c and h of both operands: (units, rows, cols), then (units, ...)."""
    return (_const(_F32, 3), *[_const(_I32, 2)] * 4)


@lru_cache(maxsize=1)
def add_digits_kernel() -> Callable[..., None]:
    """Return ``f(acc, s, ca, ha, cb, hb)``: exact sums in digits (spec §16.5).

    acc: int64 (rows, cols, digits), digit d counting 2**(32 d); carries are left where they
    arise, so that 2**31 units fit.
    """

    def add(acc, s, ca, ha, cb, hb):  # type: ignore[no-untyped-def]
        units, rows, cols = s.shape
        for n in range(units):
            for i in range(rows):
                for j in range(cols):
                    block = np.int64(s[n, i, j]) * np.int64(ca[n, i] * cb[n, j])
                    up = np.int64(ha[n, i]) + np.int64(hb[n, j])
                    digit = up >> np.int64(5)
                    block <<= up & np.int64(31)
                    acc[i, j, digit] += block & LOW
                    acc[i, j, digit + 1] += block >> np.int64(32)

    return _compile(types.void(_I64[:, :, ::1], *_scale_types()), add)


@lru_cache(maxsize=1)
def round_digits_kernel() -> Callable[..., None]:
    """Return ``f(out, acc, unit)``: float32 patterns of digits times 2**unit (spec §16.5).

    out: uint32 (rows, cols); acc as above, overwritten; the top digit is 0 but for carries.
    """

    def round_digits(out, acc, unit):  # type: ignore[no-untyped-def]
        rows, cols, digits = acc.shape
        for i in range(rows):
            for j in range(cols):
                x = acc[i, j]
                carry = np.int64(0)
                for d in range(digits):
                    value = x[d] + carry
                    x[d] = value & LOW
                    carry = value >> np.int64(32)
                sign = np.int64(0)
                if carry < 0:  # two's complement: its magnitude
                    sign = np.int64(1) << np.int64(31)
                    carry = np.int64(1)
                    for d in range(digits):
                        value = (x[d] ^ LOW) + carry
                        x[d] = value & LOW
                        carry = value >> np.int64(32)
                top = digits - 1
                while top > 0 and x[top] == 0:
                    top -= 1
                length = np.int64(32 * top + 64) - _leading_zeros(x[top])  # pyright: ignore
                drop = max(length - np.int64(24), np.int64(-149) - unit)
                if drop <= 0:
                    kept = x[0] << -drop
                else:
                    at, down = drop >> np.int64(5), drop & np.int64(31)
                    kept = np.int64(0)
                    if at < digits:
                        kept = x[at] >> down
                    if at + 1 < digits:
                        kept |= x[at + 1] << (np.int64(32) - down)
                    at, down = (drop - 1) >> np.int64(5), (drop - 1) & np.int64(31)
                    half, rest = np.int64(0), np.int64(0)
                    if at < digits:
                        half = (x[at] >> down) & np.int64(1)
                        rest = x[at] & ((np.int64(1) << down) - np.int64(1))
                    for d in range(min(at, digits)):
                        rest |= x[d]
                    if half and (rest or kept & np.int64(1)):
                        kept += np.int64(1)
                # The hidden bit of kept adds the 1 to the exponent field that it is short of.
                pattern = ((drop + unit + np.int64(149)) << np.int64(23)) + kept
                if kept == 0:
                    pattern = np.int64(0)
                out[i, j] = np.uint32(sign | min(pattern, np.int64(INFINITY)))

    signature = types.void(types.uint32[:, ::1], _I64[:, :, ::1], _I64)
    return _compile(signature, round_digits)


@lru_cache(maxsize=1)
def add_truncated_kernel() -> Callable[..., None]:
    """Return ``f(acc, s, ca, ha, cb, hb, groups, bits, quantum, top, zeros)`` (spec §16.7 ff.).

    acc: uint32 float32 patterns (rows, cols). A unit is a group of 16; ``groups`` of them make a
    step, the last one may have fewer. bits: F. A term is ``s*c*c' * 2**(h + h' + quantum)`` and
    has the exponent ``h + h' + top``. zeros: whether zero terms count for the largest exponent.
    """

    def add(acc, s, ca, ha, cb, hb, groups, bits, quantum, top, zeros):  # type: ignore[no-untyped-def]
        units, rows, cols = s.shape
        least = np.empty(cols, np.int64)  # the sum counts 2**least
        total = np.empty(cols, np.int64)
        for start in range(0, units, groups):
            stop = min(start + groups, units)
            for i in range(rows):
                for j in range(cols):
                    field = (np.int64(acc[i, j]) >> np.int64(23)) & np.int64(255)
                    least[j] = max(field, np.int64(1)) - np.int64(127)
                for n in range(start, stop):
                    c, h = ca[n, i], np.int64(ha[n, i]) + top
                    for j in range(cols):
                        exponent = h + np.int64(hb[n, j])
                        counts = zeros or s[n, i, j] * np.float32(c * cb[n, j]) != 0
                        least[j] = max(least[j], exponent if counts else least[j])
                for j in range(cols):
                    pattern = np.int64(acc[i, j])
                    field = (pattern >> np.int64(23)) & np.int64(255)
                    hidden = np.int64(0x800000) if field > 0 else np.int64(0)
                    c = (pattern & np.int64(0x7FFFFF)) | hidden
                    least[j] -= bits
                    up = max(field, np.int64(1)) - np.int64(150) - least[j]
                    total[j] = _shifted(-c if pattern >> np.int64(31) else c, up)
                for n in range(start, stop):
                    c, h = np.int64(ca[n, i]), np.int64(ha[n, i]) + quantum
                    for j in range(cols):
                        term = np.int64(s[n, i, j]) * (c * np.int64(cb[n, j]))
                        up = h + np.int64(hb[n, j]) - least[j]
                        total[j] += _shifted(term, up if term != 0 else np.int64(0))
                for j in range(cols):
                    magnitude = abs(total[j])
                    length = np.int64(64) - _leading_zeros(magnitude)  # pyright: ignore
                    drop = max(length - np.int64(24), np.int64(-149) - least[j])
                    kept = _shifted(magnitude, -drop)
                    result = ((drop + least[j] + np.int64(149)) << np.int64(23)) + kept
                    result = min(result, np.int64(INFINITY)) if kept > 0 else np.int64(0)
                    if total[j] < 0:
                        result |= np.int64(1) << np.int64(31)
                    old = acc[i, j]
                    infinite = (old & np.uint32(INFINITY)) == np.uint32(INFINITY)
                    acc[i, j] = old if infinite else np.uint32(result)

    signature = types.void(
        types.uint32[:, ::1], *_scale_types(), _I64, _I64, _I64, _I64, types.boolean
    )
    return _compile(signature, add)

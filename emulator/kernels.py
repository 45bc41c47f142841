"""Numba kernels over float32 bit patterns.

They know tables and integers, no format and no recipe; no float decides a bit. All kernels
release the GIL and expect C-contiguous 1-D arrays, whose lengths their callers have checked.

The lanes of a block are compared by explicit vectors: left to itself, LLVM unrolls the loop
over a small block into scalar code before it looks for vectors, which costs a factor of four.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

MAGNITUDE = 0x7FFFFFFF
VECTOR = 16
"""Lanes of the widest vector; LLVM splits it where the machine has narrower ones."""

_I32 = ir.IntType(32)
_I64 = ir.IntType(64)


def _const(array_type: Any) -> Any:
    """The type of a 1-D contiguous array that is only read: accepts read-only arrays too."""
    return types.Array(array_type, 1, "C", readonly=True)


def _pointer(context: Any, builder: Any, array_type: Any, array: Any, index: Any) -> Any:
    data = context.make_array(array_type)(context, builder, array).data
    return builder.gep(data, [index])


def _load_magnitudes(builder: Any, pointer: Any, lanes: int) -> tuple[Any, Any]:
    """Load ``lanes`` patterns; return them and their magnitudes, as 32-bit integers.

    Patterns of 16 bits are bfloat16's: the upper halves of float32's.
    """
    vector = ir.VectorType(_I32, lanes)
    width = pointer.type.pointee.width
    source = ir.VectorType(pointer.type.pointee, lanes)
    bits = builder.load(builder.bitcast(pointer, source.as_pointer()))
    bits.align = width // 8
    if width == 16:
        bits = builder.shl(builder.zext(bits, vector), ir.Constant(vector, [16] * lanes))
    return bits, builder.and_(bits, ir.Constant(vector, [MAGNITUDE] * lanes))


def _splat(builder: Any, scalar: Any, lanes: int) -> Any:
    vector = ir.Constant(ir.VectorType(_I32, lanes), ir.Undefined)
    vector = builder.insert_element(vector, scalar, ir.Constant(_I32, 0))
    zeros = ir.Constant(ir.VectorType(_I32, lanes), [0] * lanes)
    return builder.shuffle_vector(vector, vector, zeros)


@intrinsic(prefer_literal=True)
def _amax(typing_context: Any, x: Any, start: Any, size: Any) -> Any:  # pragma: no cover
    """Largest magnitude of ``size`` (a constant) patterns from ``x[start]`` (spec §7.1)."""
    if not isinstance(size, types.IntegerLiteral):
        return None
    count: int = size.literal_value
    lanes = min(count, VECTOR)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        peak = None
        for offset in range(0, count, lanes):
            index = builder.add(args[1], ir.Constant(_I64, offset))
            pointer = _pointer(context, builder, signature.args[0], args[0], index)
            _, magnitude = _load_magnitudes(builder, pointer, lanes)
            if peak is None:
                peak = magnitude
            else:
                peak = builder.select(builder.icmp_signed(">", peak, magnitude), peak, magnitude)
        width = lanes
        while width > 1:  # the upper half against the lower half
            width //= 2
            low, high = (
                builder.shuffle_vector(
                    peak, peak, ir.Constant(ir.VectorType(_I32, width), list(range(at, at + width)))
                )
                for at in (0, width)
            )
            peak = builder.select(builder.icmp_signed(">", low, high), low, high)
        return builder.extract_element(peak, ir.Constant(_I32, 0))

    return types.int32(x, types.int64, size), generate


@intrinsic(prefer_literal=True)
def _element_codes(
    typing_context: Any, x: Any, codes: Any, start: Any, rows: Any, row: Any, lanes: Any
) -> Any:  # pragma: no cover
    """Write the codes of ``lanes`` (a constant) patterns from ``x[start]`` (lemma of spec §9).

    The magnitude code counts the seven steps from ``rows[row]`` that the magnitude is beyond;
    ``rows[row + 7]`` masks the sign bit.
    """
    if not isinstance(lanes, types.IntegerLiteral):
        return None
    count: int = lanes.literal_value

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        vector = ir.VectorType(_I32, count)
        source = _pointer(context, builder, signature.args[0], args[0], args[2])
        bits, magnitude = _load_magnitudes(builder, source, count)
        steps = _pointer(context, builder, signature.args[3], args[3], args[4])
        minus = ir.Constant(vector, [0] * count)
        for j in range(7):
            step = builder.load(builder.gep(steps, [ir.Constant(_I64, j)]))
            beyond = builder.icmp_signed(">", magnitude, _splat(builder, step, count))
            minus = builder.add(minus, builder.sext(beyond, vector))
        mask = builder.load(builder.gep(steps, [ir.Constant(_I64, 7)]))
        sign = builder.lshr(bits, ir.Constant(vector, [28] * count))
        code = builder.sub(builder.and_(sign, _splat(builder, mask, count)), minus)
        narrow = ir.VectorType(ir.IntType(8), count)
        target = _pointer(context, builder, signature.args[1], args[1], args[2])
        store = builder.store(
            builder.trunc(code, narrow), builder.bitcast(target, narrow.as_pointer())
        )
        store.align = 1
        return context.get_dummy_value()

    return types.void(x, codes, types.int64, rows, types.int64, lanes), generate


def _compile(signature: Any, function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile for one signature, from the cache on disk where there is a place for one."""
    try:
        return njit(signature, nogil=True, cache=True)(function)
    except RuntimeError:  # no writable folder for the cache
        return njit(signature, nogil=True)(function)


@lru_cache(maxsize=16)
def quantize_kernel(block_size: int, halves: bool = False) -> Callable[..., None]:
    """Return ``f(x, codes, scales, shift, low, high, last, rows)`` for a block size.

    x: int32 patterns, or with ``halves`` int16 for their upper halves, whole blocks one after
    the other; codes: uint8, as many; scales: uint8,
    one per block. shift, low, high, last: the scale code's `StepTable`; rows: int32, the
    flattened element rows. Codes and scales are written.
    """
    lanes = min(block_size, VECTOR)

    def quantize(x, codes, scales, shift, low, high, last, rows):  # type: ignore[no-untyped-def]
        for block in range(scales.size):
            start = block * block_size
            amax = _amax(x, start, block_size)  # pyright: ignore[reportCallIssue]  # intrinsic
            cell = amax >> shift
            scale = high[cell] if amax > last[cell] else low[cell]
            scales[block] = scale
            row = np.int64(scale) * 8
            for lane in range(start, start + block_size, lanes):
                _element_codes(x, codes, lane, rows, row, lanes)

    u8, i32 = types.uint8, types.int32
    x_type = _const(types.int16 if halves else i32)
    signature = types.void(
        x_type, u8[::1], u8[::1], types.int64, _const(u8), _const(u8), _const(i32), _const(i32)
    )
    return _compile(signature, quantize)


@lru_cache(maxsize=32)
def dequantize_kernel(block_size: int, wide: bool) -> Callable[..., None]:
    """Return ``f(codes, scales, table, out)`` for a block size.

    codes, scales: uint8, whole blocks. table: patterns of all pairs, flattened from (256, 16);
    out: patterns, uint32 if ``wide``, else uint16 (spec §10).
    """

    def dequantize(codes, scales, table, out):  # type: ignore[no-untyped-def]
        for block in range(scales.size):
            row = np.int64(scales[block]) * 16
            start = block * block_size
            for lane in range(start, start + block_size):
                out[lane] = table[row + np.int64(codes[lane] & 15)]

    pattern = types.uint32 if wide else types.uint16
    codes = _const(types.uint8)
    return _compile(types.void(codes, codes, _const(pattern), pattern[::1]), dequantize)


@lru_cache(maxsize=8)
def encode_kernel(bits: int, normalize: bool) -> Callable[..., None]:
    """Return ``f(x, codes, <the fields of an EncodeRule up to nan_sign>)``.

    x: uint32 patterns; codes: unsigned integers of ``bits`` bits, as many, written (spec §3).
    With ``normalize`` a subnormal is shifted up first, which only formats with values below
    those of float32's exponents need.
    """
    u32, i32 = np.uint32, np.int32
    narrow = {8: np.uint8, 16: np.uint16, 32: np.uint32}[bits]

    def encode(  # type: ignore[no-untyped-def]
        x, codes, fraction_bits, quantum0, hidden, under, over, over_code, nan_code, sign, nan_sign
    ):
        for i in range(x.size):
            magnitude = u32(x[i] & u32(0x7FFFFFFF))
            field = i32(magnitude >> u32(23))
            # |x| = c * 2**k; c has one bit more than the significand, so that no shift is left.
            c = u32(u32(magnitude & u32(0x7FFFFF)) << u32(1))
            if field > 0:
                c = u32(c | u32(0x1000000))
            exponent = i32(max(field, i32(1)) - i32(127))
            lead = i32(field - i32(127))
            if normalize:
                while 0 < c < u32(0x1000000):
                    c = u32(c << u32(1))
                    exponent = i32(exponent - i32(1))
                lead = exponent if c > u32(0) else quantum0  # zero has no leading bit
            quantum = i32(max(quantum0, i32(lead - fraction_bits)))
            shift = u32(min(i32(quantum - exponent + i32(24)), i32(27)))
            rest = u32(c & u32((u32(1) << shift) - u32(1)))
            code = u32(u32(c >> shift) + u32(u32(quantum - quantum0) << u32(fraction_bits)))
            code = u32(code - hidden)
            # Above half, or half and the code odd (spec §3.1): twice the rest against 2**shift,
            # the odd code as the bit below.
            code = u32(code + u32(u32(u32(rest << u32(1)) | u32(code & u32(1))) > u32(1) << shift))
            if magnitude < under:  # spec §3.7
                code = u32(0)
            if magnitude >= over:  # spec §3.2, §3.3
                code = over_code
            negative = u32(x[i] >> u32(31))
            code = u32(code | u32(negative * sign))  # spec §3.5
            if sign == u32(0) and negative > u32(0):  # spec §3.6
                code = u32(0)
            if magnitude > u32(0x7F800000):  # spec §3.4
                code = u32(nan_code | u32(negative * nan_sign))
            codes[i] = narrow(code)

    word, integer = types.uint32, types.int32
    output = {8: types.uint8, 16: types.uint16, 32: types.uint32}[bits]
    signature = types.void(_const(word), output[::1], integer, integer, *[word] * 7)
    return _compile(signature, encode)

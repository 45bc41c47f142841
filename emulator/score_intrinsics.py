"""Vector code for scores: what a scale leaves of the squared error of a block (spec §15.3).

The score of a scale is the sum over lanes of A * (A - 2 * |x|), A = q * s * g: its squared error
without the sum of x**2, which all candidates share. It is computed as (s * g / 2) times the sum
of k * (k * (s * g / 2) - 2 * |x|) with the integer k = 2 * q.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from emulator.kernels import VECTOR, _load_magnitudes, _pointer, _splat

_I32 = ir.IntType(32)
_I64 = ir.IntType(64)
_F32 = ir.FloatType()
_F64 = ir.DoubleType()

INCREMENTS = (1, 1, 1, 1, 2, 2, 4)
"""What each element threshold adds to twice the element's value."""


def _floats(builder: Any, magnitude: Any, lanes: int) -> Any:
    """Patterns as float64: exact."""
    single = builder.bitcast(magnitude, ir.VectorType(_F32, lanes))
    return builder.fpext(single, ir.VectorType(_F64, lanes))


def _sum(builder: Any, vector: Any, lanes: int) -> Any:
    """Sum of all lanes of a float64 vector."""
    while lanes > 1:
        lanes //= 2
        low, high = (
            builder.shuffle_vector(
                vector, vector, ir.Constant(ir.VectorType(_I32, lanes), list(range(at, at + lanes)))
            )
            for at in (0, lanes)
        )
        vector = builder.fadd(low, high)
    return builder.extract_element(vector, ir.Constant(_I32, 0))


@intrinsic(prefer_literal=True)
def score(
    typing_context: Any, x: Any, start: Any, rows: Any, row: Any, half: Any, size: Any
) -> Any:  # pragma: no cover
    """Score of ``size`` (a constant) patterns from ``x[start]`` under the steps at ``rows[row]``.

    ``half`` is s * g / 2. Exact within the reach of the lemma of spec §15.4; else off by at most
    (size + 8) * 2**-53 of itself, since no term is positive.
    """
    if not isinstance(size, types.IntegerLiteral):
        return None
    count: int = size.literal_value
    lanes = min(count, VECTOR)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        ints, doubles = ir.VectorType(_I32, lanes), ir.VectorType(_F64, lanes)
        steps = _pointer(context, builder, signature.args[2], args[2], args[3])
        splats = [
            _splat(builder, builder.load(builder.gep(steps, [ir.Constant(_I64, j)])), lanes)
            for j in range(7)
        ]
        first = builder.insert_element(
            ir.Constant(doubles, ir.Undefined), args[4], ir.Constant(_I32, 0)
        )
        factor = builder.shuffle_vector(first, first, ir.Constant(ints, [0] * lanes))
        total = ir.Constant(doubles, [0.0] * lanes)
        for offset in range(0, count, lanes):
            index = builder.add(args[1], ir.Constant(_I64, offset))
            source = _pointer(context, builder, signature.args[0], args[0], index)
            _, magnitude = _load_magnitudes(builder, source, lanes)
            twice = ir.Constant(ints, [0] * lanes)
            for increment, step in zip(INCREMENTS, splats, strict=True):
                more = builder.add(twice, ir.Constant(ints, [increment] * lanes))
                twice = builder.select(builder.icmp_signed(">", magnitude, step), more, twice)
            value = _floats(builder, magnitude, lanes)
            k = builder.sitofp(twice, doubles)
            inner = builder.fsub(
                builder.fmul(k, factor, flags=("contract",)),
                builder.fadd(value, value),
                flags=("contract",),
            )
            term = builder.fmul(k, inner, flags=("contract",))
            total = builder.fadd(total, term, flags=("contract",))
        return builder.fmul(args[4], _sum(builder, total, lanes))

    return types.float64(x, types.int64, rows, types.int64, types.float64, size), generate


@intrinsic(prefer_literal=True)
def energy(typing_context: Any, x: Any, start: Any, size: Any) -> Any:  # pragma: no cover
    """Sum of squares of ``size`` (a constant) patterns from ``x[start]``, as score is rounded."""
    if not isinstance(size, types.IntegerLiteral):
        return None
    count: int = size.literal_value
    lanes = min(count, VECTOR)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        total = ir.Constant(ir.VectorType(_F64, lanes), [0.0] * lanes)
        for offset in range(0, count, lanes):
            index = builder.add(args[1], ir.Constant(_I64, offset))
            source = _pointer(context, builder, signature.args[0], args[0], index)
            _, magnitude = _load_magnitudes(builder, source, lanes)
            value = _floats(builder, magnitude, lanes)
            total = builder.fadd(total, builder.fmul(value, value))
        return _sum(builder, total, lanes)

    return types.float64(x, types.int64, size), generate


@intrinsic
def as_float(typing_context: Any, pattern: Any) -> Any:  # pragma: no cover
    """A float32 pattern (int32) as float64: exact."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.fpext(builder.bitcast(args[0], _F32), _F64)

    return types.float64(types.int32), generate

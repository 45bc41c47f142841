"""The meaning of the clauses on dot products: exact, slow, integers and fractions only.

To be read beside spec §16. An operand is a list of blocks, a block a scale code and its element
codes; float32 numbers are bit patterns.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from emulator.accumulation import GROUP, Accumulation
from emulator.blocks import BlockFormat
from emulator.formats import FP32, Format
from emulator.reference import floor_log2, round_magnitude

Block = tuple[int, Sequence[int]]

NAN = 0x7FC00000
INF = 0x7F800000
NEGATIVE = 1 << 31


def dot(
    a: Sequence[Block],
    b: Sequence[Block],
    a_format: BlockFormat,
    b_format: BlockFormat,
    accumulation: Accumulation,
    tensor_scales: Sequence[int] = (),
) -> int:
    """Float32 pattern of the dot product of two operands (spec §16).

    Args:
        a: the blocks of the first operand.
        b: those of the second, of the same lengths.
        a_format: how a is stored.
        b_format: how b is stored.
        accumulation: how the blocks are summed.
        tensor_scales: float32 patterns of the tensor scales of the operands that have one.

    Raises:
        ValueError: if the operands do not match (spec §16.1), or blocks smaller than 16 meet a
            tensor-core-like accumulation (spec §16.7).
    """
    if (a_format.block_size, a_format.element) != (b_format.block_size, b_format.element):
        raise ValueError("block sizes or element formats differ (spec §16.1)")
    if [len(codes) for _, codes in a] != [len(codes) for _, codes in b]:
        raise ValueError("lengths differ (spec §16.1)")
    scales = [(s, a_format.scale) for s, _ in a] + [(s, b_format.scale) for s, _ in b]
    if any(fmt.is_nan(s) for s, fmt in scales):
        return NAN  # spec §16.12
    if accumulation.kind == "fp32":
        total = _sequential(_products(a, b, a_format, b_format))
    elif accumulation.kind == "exact":
        total = nearest(sum(_products(a, b, a_format, b_format), Fraction(0)))  # spec §16.5
    else:
        total = _tensor_core(a, b, a_format, b_format, accumulation)
    return _scaled(total, tensor_scales)


def _sum(a: Sequence[int], b: Sequence[int], fmt: Format) -> Fraction:
    """Sum of the products of elements (spec §16.2)."""
    return sum((fmt.value(x) * fmt.value(y) for x, y in zip(a, b, strict=True)), Fraction(0))


def _products(
    a: Sequence[Block], b: Sequence[Block], a_format: BlockFormat, b_format: BlockFormat
) -> list[Fraction]:
    """Dot product of each block (spec §16.2)."""
    return [
        a_format.scale.value(sa) * b_format.scale.value(sb) * _sum(xa, xb, a_format.element)
        for (sa, xa), (sb, xb) in zip(a, b, strict=True)
    ]


def _sequential(products: Sequence[Fraction]) -> int:
    """The accumulation `fp32` (spec §16.4)."""
    total = 0
    for product in products:
        if total & ~NEGATIVE != INF:
            total = nearest(FP32.value(total) + product)
    return total


def nearest(x: Fraction) -> int:
    """The float32 nearest to x, ties to even, overflow to infinity; +0 for zero (spec §16.4)."""
    return min(round_magnitude(abs(x), FP32), INF) | (NEGATIVE if x < 0 else 0)


def truncated(x: Fraction) -> int:
    """The float32 next to x towards zero; infinity from 2**128 on; +0 for zero (spec §16.10)."""
    sign = NEGATIVE if x < 0 else 0
    x = abs(x)
    if x >= 2**128:
        return sign | INF
    code = round_magnitude(x, FP32)
    return sign | (code - 1 if code == INF or FP32.value(code) > x else code)


def _scale_parts(code: int, fmt: Format) -> tuple[Fraction, int]:
    """Significand and exponent of a scale, subnormals as they are (spec §16.8)."""
    _, c, q = fmt.parts(code)
    return Fraction(c, 1 << fmt.fraction_bits), q + fmt.fraction_bits


def _float_exponent(pattern: int) -> int:
    """Exponent of a float32, that of the smallest normal for zero and subnormals (spec §16.8)."""
    x = abs(FP32.value(pattern))
    return max(floor_log2(x), -126) if x else -126


def _tensor_core(
    a: Sequence[Block],
    b: Sequence[Block],
    a_format: BlockFormat,
    b_format: BlockFormat,
    accumulation: Accumulation,
) -> int:
    """The accumulation `tc` (spec §16.7 to §16.10)."""
    if a_format.block_size < GROUP:
        raise ValueError(f"{accumulation} needs blocks of at least {GROUP} (spec §16.7)")
    assert accumulation.fraction_bits is not None
    terms: list[tuple[Fraction, int]] = []
    for (sa, xa), (sb, xb) in zip(a, b, strict=True):
        (ca, ea), (cb, eb) = _scale_parts(sa, a_format.scale), _scale_parts(sb, b_format.scale)
        for at in range(0, len(xa), GROUP):
            inner = _sum(xa[at : at + GROUP], xb[at : at + GROUP], a_format.element)
            terms.append((inner * ca * cb, ea + eb))  # spec §16.8
    total = 0
    for at in range(0, len(terms), accumulation.groups):
        step = terms[at : at + accumulation.groups]
        if total & ~NEGATIVE == INF:
            continue  # spec §16.10
        exponents = [e for term, e in step if accumulation.zeros or term != 0]
        m = max([_float_exponent(total), *exponents])  # spec §16.9
        quantum = Fraction(2) ** (m - accumulation.fraction_bits)
        addends = [FP32.value(total), *(term * Fraction(2) ** e for term, e in step)]
        total = truncated(sum(int(x / quantum) for x in addends) * quantum)  # spec §16.10
    return total


def _scaled(total: int, tensor_scales: Sequence[int]) -> int:
    """Apply the tensor scales once, at the end (spec §16.11)."""
    if not tensor_scales:
        return total
    factor = tensor_scales[0]
    for other in tensor_scales[1:]:
        factor = _times(factor, other)
    return _times(total, factor)


def _times(x: int, y: int) -> int:
    """The IEEE 754 product of two float32, rounded to nearest, one NaN (spec §16.11)."""
    sign = (x ^ y) & NEGATIVE
    if FP32.is_nan(x) or FP32.is_nan(y):
        return NAN
    if FP32.is_inf(x) or FP32.is_inf(y):
        zero = (x & ~NEGATIVE) == 0 or (y & ~NEGATIVE) == 0
        return NAN if zero else sign | INF
    return sign | nearest(abs(FP32.value(x) * FP32.value(y)))

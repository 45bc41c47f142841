"""The combinational units of a dot product, against sums and roundings by hand."""

from __future__ import annotations

import random
from fractions import Fraction
from typing import Any

import pytest

from emulator.formats import E2M1, FORMATS, FP32
from emulator.reference_dot import INF, NAN, NEGATIVE, nearest, truncated
from rtl.dot_float import FloatRound
from rtl.dot_multiply import FloatMultiply
from rtl.dot_product import BlockSum, ElementProduct
from rtl.dot_scales import ScaledSum, ScaleProduct
from rtl.dot_shapes import DotShapes
from rtl.dot_variant import SCALES
from tests.rtl.simulation import testbench

QUARTERS = [int(4 * E2M1.value(c) * E2M1.value(d)) for c in range(16) for d in range(16)]


def test_all_products() -> None:
    """All 256 pairs of element codes (spec §16.2)."""
    unit = ElementProduct()
    seen = 0

    async def bench(ctx: Any) -> None:
        nonlocal seen
        for pair, want in enumerate(QUARTERS):
            ctx.set(unit.a, pair >> 4)
            ctx.set(unit.b, pair & 15)
            assert ctx.get(unit.product) == want, hex(pair)
            seen += 1

    testbench(unit, bench)
    assert seen == 256


@pytest.mark.parametrize("lanes", [2, 16])
def test_sums(lanes: int) -> None:
    """The largest sums of either sign, one lane at a time, and random ones (spec §16.2)."""
    unit = BlockSum(DotShapes(FORMATS["ue5m3"], lanes))
    rng = random.Random(lanes)
    cases = [[0x77] * lanes, [0x7F] * lanes, [0xFF] * lanes, [0x80] * lanes]
    cases += [[0] * i + [0x7F] + [0] * (lanes - 1 - i) for i in range(lanes)]
    cases += [[rng.randrange(256) for _ in range(lanes)] for _ in range(40)]

    async def bench(ctx: Any) -> None:
        for pairs in cases:
            ctx.set(unit.a, sum((p >> 4) << (4 * i) for i, p in enumerate(pairs)))
            ctx.set(unit.b, sum((p & 15) << (4 * i) for i, p in enumerate(pairs)))
            assert ctx.get(unit.sum) == sum(QUARTERS[p] for p in pairs)

    testbench(unit, bench)


@pytest.mark.parametrize("scale", SCALES)
def test_scale_products(scale: str) -> None:
    """Every code with some others, and what a sum becomes by them (spec §16.2, §16.12, §2.6)."""
    fmt = FORMATS[scale]
    shapes = DotShapes(fmt, 4)
    unit = ScaleProduct(shapes)
    times = {kind: ScaledSum(shapes, twos_complement=kind) for kind in (False, True)}
    others = [0, 1, 7, 8, 9, 0x38, 0x7E, 0x7F, 0x80, 0xFD, 0xFE, 0xFF]
    products: dict[int, Fraction] = {}

    async def multiplied(ctx: Any) -> None:
        for a in range(256):
            for b in others:
                ctx.set(unit.a, a)
                ctx.set(unit.b, b)
                raw = ctx.get(unit.scale.as_value())
                assert ctx.get(unit.scale.nan) == (fmt.is_nan(a) or fmt.is_nan(b))
                if ctx.get(unit.scale.nan):
                    continue
                products[raw] = fmt.value(a) * fmt.value(b)
                c, e = ctx.get(unit.scale.significand), ctx.get(unit.scale.exponent)
                assert c * Fraction(2) ** (e + shapes.unit) == products[raw] / 4

    testbench(unit, multiplied)
    assert len(products) > 100
    for twos_complement, scaled in times.items():

        async def summed(ctx: Any, scaled: Any = scaled, signed: bool = twos_complement) -> None:
            for raw, product in list(products.items())[::7]:
                for total in (0, 1, -1, 577 - 1, -576, 123):
                    ctx.set(scaled.scale.as_value(), raw)
                    ctx.set(scaled.sum, total)
                    e = ctx.get(scaled.product.exponent)
                    if signed:
                        value = ctx.get(scaled.product.value)
                    else:
                        value = ctx.get(scaled.product.magnitude)
                        value = -value if ctx.get(scaled.product.sign) else value
                    assert value * Fraction(2) ** (e + shapes.unit) == product * total / 4

        testbench(scaled, summed)


ROUNDED = [
    # width, low, high, truncate, normal
    (28, 2, 255, False, False),
    (28, 2, 200, False, True),
    (12, -130, 380, False, False),
    (20, 90, 160, False, True),
    (48, -124, 382, False, False),
    (50, 14, 300, True, False),
    (96, 186, 186, False, True),
    (60, 40, 40, False, False),
]


@pytest.mark.parametrize(("width", "low", "high", "truncate", "normal"), ROUNDED)
def test_rounding(width: int, low: int, high: int, truncate: bool, normal: bool) -> None:
    """Magnitudes around powers of two, halves and the ends (spec §16.4, §16.5, §16.10)."""
    unit = FloatRound(width, low, high, truncate=truncate, normal=normal)
    rng = random.Random(width)
    by_hand = truncated if truncate else nearest
    seen: set[int] = set()

    async def bench(ctx: Any) -> None:
        for _ in range(300):
            top = rng.choice(
                [low, high, rng.randint(low, high), min(max(rng.randint(-3, 30), low), high)]
            )
            bits = rng.choice([width, rng.randint(0, width)])
            magnitude = rng.getrandbits(bits) if bits else 0
            if rng.random() < 0.5 and bits > 25:  # a tie or next to one
                magnitude = (rng.getrandbits(25) | 1) << (bits - 25)
                magnitude = min(max(magnitude + rng.choice([-1, 0, 0, 1]), 0), (1 << width) - 1)
            x = magnitude * Fraction(2) ** (top - 127 - (width - 1))
            if normal and 0 < x < Fraction(1, 1 << 126):
                continue
            sign = rng.getrandbits(1)
            ctx.set(unit.sign, sign)
            ctx.set(unit.magnitude, magnitude)
            ctx.set(unit.top, top)
            want = by_hand(x) | sign << 31
            assert ctx.get(unit.pattern) == want, (magnitude, top)
            seen.add(want & ~NEGATIVE)

    testbench(unit, bench)
    assert len(seen) > 60
    assert (INF in seen) == (high >= 255)


def test_multiplication() -> None:
    """Ordinary, subnormal and special factors (spec §16.11)."""
    unit = FloatMultiply()
    rng = random.Random(1)
    special = [0, 1, 0x7FFFFF, 0x800000, 0x3F800000, 0x7F7FFFFF, INF, NAN, 0x7F800001, 0x3FFFFFFF]
    cases = [(x, y) for x in special for y in special]
    cases += [(rng.getrandbits(32), rng.getrandbits(32)) for _ in range(120)]
    for _ in range(200):  # products around the smallest normal number
        x = rng.getrandbits(31)
        y = (max(min(127 + 1 - (x >> 23) + rng.randint(-30, 3), 254), 0) << 23) | rng.getrandbits(
            23
        )
        cases.append((x, y))

    def product(x: int, y: int) -> int:
        if FP32.is_nan(x) or FP32.is_nan(y):
            return NAN
        sign = (x ^ y) & NEGATIVE
        if FP32.is_inf(x) or FP32.is_inf(y):
            return NAN if 0 in (x & ~NEGATIVE, y & ~NEGATIVE) else sign | INF
        return sign | nearest(abs(FP32.value(x) * FP32.value(y)))

    async def bench(ctx: Any) -> None:
        for x, y in cases:
            for a, b in ((x, y), (y ^ NEGATIVE, x)):
                ctx.set(unit.x, a)
                ctx.set(unit.y, b)
                assert ctx.get(unit.product) == product(a, b), (hex(a), hex(b))

    testbench(unit, bench)

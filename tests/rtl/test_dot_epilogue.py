"""Tensor scales and what they multiply, in gates (spec §16.11, §22.11, §22.12)."""

from __future__ import annotations

import random
from typing import Any
from unittest import mock

import numpy as np
import pytest
from amaranth.hdl import Const, Module

from emulator.errors import MismatchError
from emulator.formats import FP32
from emulator.reference_dot import INF, NAN, NEGATIVE, nearest
from rtl import dot_epilogue, dot_tensor_scales
from rtl.dot_pack import FloatPack
from tests import exhaustive_epilogue as space
from tests.rtl.simulation import testbench


def by_reference(x: int, y: int) -> int:
    """The product of a float32 and a number that is not negative, by fractions."""
    if FP32.is_nan(x) or FP32.is_nan(y) or (y == INF and not x & ~NEGATIVE):
        return NAN
    magnitude = INF if y == INF else nearest(abs(FP32.value(x)) * FP32.value(y))
    return magnitude | (x & NEGATIVE)


def test_the_processor_multiplies_as_the_reference() -> None:
    """What the gates are compared with, at the ends of float32 (spec §16.11)."""
    rng = random.Random(5)
    sums = [int(c) for c in space.sums(0)]
    seen: set[str] = set()
    for _ in range(3000):
        total = rng.choice([rng.randrange(2, 509), rng.randrange(100, 130), 380, 381, 382])
        a, b = (int(x) << 23 | rng.randrange(128) << 16 for x in space.pair_of(total))
        c = rng.choice([rng.choice(sums), rng.choice(sums), 0, NEGATIVE, NAN])
        g = by_reference(a, b)
        y = by_reference(c, g)
        p, q, r = (np.array([x], np.uint32) for x in (a, b, c))
        assert space.multiplied(p, q)[0] == g
        assert space.multiplied(r, space.multiplied(p, q))[0] == y
        seen.add(kind_of(g))
        seen.add(f"y {kind_of(y & ~NEGATIVE)}")
    kinds = ("zero", "subnormal", "normal", "infinite")
    assert seen == {*kinds, *(f"y {k}" for k in kinds), "y nan"}


def kind_of(pattern: int) -> str:
    if pattern > INF:
        return "nan"
    field = {0: "subnormal", 255: "infinite"}.get(pattern >> 23, "normal")
    return "zero" if pattern == 0 else field


def test_powers_of_two() -> None:
    """All pairs of exponents; all sums of two with sums of blocks (spec §16.11, §22.12)."""
    assert space.fields_unit("hp2", 1) == 8 * 254 * 254
    assert space.powers_unit(1) == 507 * len(space.sums(1)) > 4_000_000


def test_bfloat16() -> None:
    """All pairs of exponents, and of significands where the product is subnormal."""
    assert space.fields_unit("hbf16", 1) == 8 * 254 * 254
    assert space.significands_unit(13, 12) > 100 * (1 << 14) // 2
    assert space.random_unit("hbf16", 400_000, 1) == 400_000


class Upwards(FloatPack):
    """A tie is rounded up where the sign is set."""

    def elaborate(self, platform: object) -> Module:
        m = super().elaborate(platform)
        tie: Any = (self.significand == 1 << (self.width - 1)) & (self.field == -23) & self.sign
        with m.If(tie):
            m.d.comb += self.pattern.eq(Const(0x80000001, 32))
        return m


MUTANTS: dict[str, tuple[Any, str, Any]] = {
    "a tie is above zero": (dot_epilogue, "lowest_field", lambda kind: 104),
    "least power is zero": (dot_epilogue, "lowest_field", lambda kind: 106),
    "infinity is late": (dot_epilogue, "infinite", lambda kind, g: g.exponent >= 383),
    "no infinity": (dot_epilogue, "infinite", lambda kind, g: Const(0)),
    "ties go up": (dot_epilogue, "FloatPack", Upwards),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_faults_are_found_in_powers_of_two(name: str) -> None:
    """spec §13.1."""
    where, what, spoiled = MUTANTS[name]
    space.gates.cache_clear()
    try:
        with mock.patch.object(where, what, spoiled), pytest.raises(MismatchError, match="dut"):
            space.powers_unit(0)
    finally:
        space.gates.cache_clear()


@pytest.mark.parametrize("off", [-1, 1])
def test_faults_are_found_in_bfloat16(off: int) -> None:
    """A product of two tensor scales rounded at a neighbouring bit (spec §13.1)."""
    lowest = dot_tensor_scales.lowest_field("hbf16")
    space.gates.cache_clear()
    try:
        with (
            mock.patch.object(dot_tensor_scales, "lowest_field", lambda kind: lowest + off),
            pytest.raises(MismatchError, match=r"hbf16: .* of 16384 products differ"),
        ):
            space.significands_unit(13, 12)
    finally:
        space.gates.cache_clear()


@pytest.mark.parametrize("kind", ["hbf16", "hp2"])
def test_the_units_simulate(kind: str) -> None:
    """The same by Amaranth's simulator, a few of each kind of result (spec §22.12)."""
    rng = random.Random(9)
    scales, epilogue = dot_tensor_scales.TensorScales(kind), dot_epilogue.Epilogue(kind)
    shift = 7 if kind == "hbf16" else 0
    cases = []
    for total in (2, 104, 105, 110, 118, 119, 254, 380, 381, 382, 508):
        for _ in range(6):
            a, b = (int(x) << shift | rng.randrange(1 << shift) for x in space.pair_of(total))
            cases.append((a, b, rng.choice([0x3F800000, 0xC0490FDB, 0, 0x5E800001])))
    found: list[int] = []

    async def products(ctx: Any) -> None:
        for a, b, _ in cases:
            ctx.set(scales.a, a)
            ctx.set(scales.b, b)
            found.append(ctx.get(scales.g.as_value()))

    async def bench(ctx: Any) -> None:
        for (a, b, c), g in zip(cases, found, strict=True):
            ctx.set(epilogue.c, c)
            ctx.set(epilogue.g.as_value(), g)
            pair = (x << 23 - shift for x in (a, b))
            want = by_reference(c, by_reference(*pair))
            assert ctx.get(epilogue.product) == want, (hex(a), hex(b), hex(c))

    testbench(scales, products)
    testbench(epilogue, bench)
    assert len(found) == 66

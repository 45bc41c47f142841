"""Quantizers with a tensor scale and the units that make one, in Amaranth's simulator."""

from __future__ import annotations

import random
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from emulator import reference
from emulator.formats import BF16, FORMATS, FP16, FP32, Format
from emulator.layout import Words
from emulator.recipes import recipe
from emulator.scaled_stimulus import GIVEN, scaled_stimulus
from emulator.scaled_words import carried, expected_scaled_by_reference, kind_of
from rtl.ripple import add, at_least, larger, subtract
from rtl.scaled_shapes import MULTIPLES, ScaledShapes
from rtl.scaled_thresholds import ScaledThresholds
from rtl.scaled_unpack import Normalise
from rtl.variants import INPUTS, QuantizerVariant, variant
from tests.rtl.simulation import testbench, through
from tests.spec_examples import Example, examples

EXAMPLES = [e for e in examples() if e.verb == "words"]

KINDS = ("h", "h256", "hbf16", "hp2")


def integers(words: Words) -> list[int]:
    return [int.from_bytes(bytes(word), "little") for word in words]


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_worked_example(example: Example) -> None:
    """spec §23.1, §23.2, §23.3, §23.4."""
    v = variant(example.subject)
    want = [int(word, 16) for word in example.right.split(",")]
    given = [int(word, 16) for word in example.left.split(",")]
    for pauses in (0.0, 0.4):
        assert through(v, given, len(want), pauses=pauses) == want


def test_there_are_examples_of_each_unit() -> None:
    assert {e.subject.rsplit("-", 3)[0].split("-")[0] for e in EXAMPLES} == {"quantizer", "tensor"}
    assert len(EXAMPLES) >= 9


@pytest.mark.parametrize(
    "name",
    [
        "quantizer-ue5m3-absmax-pz-hbf16-b2-fp16-cutas",
        "quantizer-ue5m3-absmax-hp2-b2-fp32-cutiasto",
    ],
)
def test_random_words(name: str) -> None:
    """Each word under its own tensor scale, by the reference (spec §14.7, §23.2)."""
    v = variant(name)
    assert isinstance(v, QuantizerVariant)
    words = scaled_stimulus("random", v.recipe, v.input, blocks=25, seed=5)
    field = v.input_layout.unpack(words)["g"]
    assert len(np.unique(field)) > 12
    want = integers(expected_scaled_by_reference(v.recipe, v.input, words))
    assert through(v, integers(words), len(want), pauses=0.3) == want


@pytest.mark.parametrize("x", [BF16, FP16, FP32], ids=lambda f: f.name)
def test_normalise(x: Format) -> None:
    """All binades, subnormal ones included, to significand and exponent (spec §4.2)."""
    s = ScaledShapes(x, FORMATS["ue4m3"], "absmax", kind="h")
    unit = Normalise(s)
    rng = random.Random(x.name)
    patterns = [0, 1, x.max_code] + [1 << i for i in range(x.fraction_bits + 2)]
    patterns += [rng.randrange(1 << rng.randrange(1, x.width - 1)) for _ in range(300)]

    async def bench(ctx: Any) -> None:
        for pattern in patterns:
            if pattern > x.max_code:
                continue
            ctx.set(unit.magnitude, pattern)
            n = unit.number
            assert ctx.get(n.some) == (pattern != 0)
            if pattern:
                exponent = ctx.get(n.exponent) + s.base - x.bias - x.fraction_bits
                significand = (1 << x.fraction_bits) + ctx.get(n.fraction)
                assert significand * Fraction(2) ** exponent == x.value(pattern)

    testbench(unit, bench)


@pytest.mark.parametrize(
    ("kind", "x"),
    [("h", BF16), ("hbf16", FP32), ("hp2", FP32)],
    ids=lambda v: getattr(v, "name", v),
)
def test_thresholds_are_multiples_of_both_scales(kind: str, x: Format) -> None:
    """n<k> is k * s * g in the lane's bits, and beyond<k> says what was cut (spec §9.1, §14.7)."""
    scale = FORMATS["ue4m3"]
    s = ScaledShapes(x, scale, "absmax", kind=kind)
    unit = ScaledThresholds(s)
    seen = 0

    async def bench(ctx: Any) -> None:
        nonlocal seen
        for g in GIVEN[kind][1:4]:
            ctx.set(unit.g.as_value(), int(carried(g, kind)))
            for code in (*range(9), *range(9, scale.max_code, 7), *range(126, 128)):
                ctx.set(unit.scale, code)
                t = unit.thresholds
                assert ctx.get(t.nan) == (code > scale.max_code)
                assert ctx.get(t.none) == (code in (0, scale.max_code + 1))  # spec §6.1, §9.3
                exponent = ctx.get(t.origin) + s.base + 3 - x.bias
                if ctx.get(t.none) or ctx.get(t.origin) == s.infinity_exponent - 1:
                    continue
                for k in MULTIPLES:
                    exact = k * scale.value(code) * FP32.value(g)
                    carry = ctx.get(getattr(t, f"carry{k}")) if k > 1 else 0
                    fraction = getattr(t, f"n{k}")
                    quantum = Fraction(2) ** (exponent + k.bit_length() - 1 + carry - len(fraction))
                    got = ((1 << len(fraction)) + ctx.get(fraction)) * quantum
                    assert got <= exact < got + quantum
                    if hasattr(t, f"beyond{k}"):
                        assert ctx.get(getattr(t, f"beyond{k}")) == (got < exact)
                    elif k in (3, 7):
                        assert got == exact
                    seen += 1

    testbench(unit, bench)
    assert seen > 250


def test_chains_of_carries() -> None:
    """All pairs of 4-bit values through the adders and comparisons."""
    from amaranth.hdl import Module, Signal
    from amaranth.lib import wiring
    from amaranth.lib.wiring import In, Out

    class Chains(wiring.Component):
        a: Signal
        b: Signal
        c: Signal
        out: Signal

        def __init__(self) -> None:
            super().__init__({"a": In(4), "b": In(4), "c": In(1), "out": Out(32)})

        def elaborate(self, platform: object) -> Module:
            m = Module()
            parts = [
                add(m, self.a, self.b, "sum1", carry=self.c),
                add(m, self.a, self.b, "sum2", carry=1, select=False),
                *subtract(m, self.a, self.b, "difference"),
                at_least(self.a, self.b),
                at_least(self.a, self.b, strict=1),
                at_least(self.a, self.b, strict=self.c),
                larger(m, self.a, self.b, "top"),
            ]
            at = 0
            for part in parts:
                m.d.comb += self.out[at : at + len(part)].eq(part)
                at += len(part)
            return m

    unit = Chains()

    async def bench(ctx: Any) -> None:
        for a in range(16):
            for b in range(16):
                for c in range(2):
                    for port, value in ((unit.a, a), (unit.b, b), (unit.c, c)):
                        ctx.set(port, value)
                    want, at = 0, 0
                    for value, width in (
                        (a + b + c, 5), (a + b + 1, 5), ((a - b) % 16, 4), (a >= b, 1),
                        (a >= b, 1), (a > b, 1), (a >= b + c, 1), (max(a, b), 4),
                    ):  # fmt: skip
                        want, at = want | value << at, at + width
                    assert ctx.get(unit.out) == want

    testbench(unit, bench)


@pytest.mark.parametrize(
    "name", ["tensor-scale-h-ue4m3-bf16", "tensor-scale-hp2-ue5m3-fp16", "tensor-amax-fp16-x4"]
)
def test_cycles(name: str) -> None:
    """Latency and interval as in spec §23.5; a reset drops what is under way (spec §12.4)."""
    from amaranth.hdl import ResetInserter, Signal

    v = variant(name)
    dut: Any = v.component()
    reset = Signal()
    last = 0 if v.last_bit is None else 1 << v.last_bit

    async def bench(ctx: Any) -> None:
        ctx.set(dut.o.ready, 1)
        ctx.set(dut.i.valid, 1)
        ctx.set(dut.i.payload, last | 0x3C00)
        taken, given = [], []
        for cycle in range(4 * v.latency + 4):
            if ctx.get(dut.i.ready):
                taken.append(cycle)
            if ctx.get(dut.o.valid):
                given.append(cycle)
            await ctx.tick()
        assert taken[1] - taken[0] == v.interval
        assert [g - t for t, g in zip(taken, given, strict=False)] == [v.latency] * len(given)
        assert len(given) >= 3
        ctx.set(reset, 1)
        ctx.set(dut.i.valid, 0)
        await ctx.tick()
        ctx.set(reset, 0)
        for _ in range(2 * v.latency):
            assert not ctx.get(dut.o.valid)
            await ctx.tick()

    testbench(ResetInserter(reset)(dut), bench, clocked=True)


@pytest.mark.parametrize("kind", KINDS)
def test_the_constant_divides(kind: str) -> None:
    """d * 2^k is 6 * S of the kind (spec §14.2, §14.3)."""
    for name in ("ue4m3", "ue5m3"):
        if (kind, name) == ("h256", "ue5m3"):
            continue
        v = variant(f"tensor-scale-{kind}-{name}-bf16")
        d, k = v.divisor  # pyright: ignore[reportAttributeAccessIssue]
        limit = 256 if kind == "h256" else FORMATS[name].max
        assert d % 2 == 1 and d << k == 6 * limit
        r = recipe(f"{name}-absmax-{kind}-b2")
        amax = BF16.value(0x4528)
        assert kind_of(r) == kind and amax / (d << k) <= 2 * reference.tensor_scale(
            [0x4528], BF16, r
        )


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("tensor-amax-bf16-x3", "3 lanes of a tensor amax are not one of 1, 2, 4"),
        ("tensor-amax-bf17-x4", "input format 'bf17', did you mean|input format 'bf17'"),
        ("tensor-scale-h3-ue4m3-bf16", "kind 'h3'"),
        ("tensor-scale-h256-ue5m3-bf16", "h256 is defined for ue4m3 scales only, not ue5m3"),
        ("tensor-scale-h-e8m0-bf16", "scale 'e8m0'"),
        ("tensor-sum-bf16", "unknown variant 'tensor-sum-bf16'"),
    ],
)
def test_refused_names(name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        variant(name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("x", INPUTS)
def test_names_round_trip(x: str) -> None:
    names = [f"tensor-amax-{x}-x{n}" for n in (1, 8, 32)]
    names += [f"tensor-scale-{kind}-ue4m3-{x}" for kind in KINDS]
    for name in names:
        v = variant(name)
        assert v.name == name and v.module.isidentifier()
        assert set(v.meanings) == {"i_payload", "o_payload"} and v.title and v.registers

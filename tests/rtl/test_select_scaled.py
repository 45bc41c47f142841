"""Quantizers that choose under a tensor scale, and their units, in Amaranth's simulator."""

from __future__ import annotations

import random
from bisect import bisect_left
from fractions import Fraction
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from emulator.formats import BF16, FORMATS, FP32, Format
from emulator.recipes import recipe
from emulator.reference import quantize_block
from emulator.scaled_choices import choice_stimulus
from emulator.scaled_stimulus import GIVEN, scaled_stimulus
from emulator.scaled_words import carried, expected_scaled_by_reference
from rtl.columns import Columns
from rtl.scaled_shapes import ScaledShapes
from rtl.select_scaled_candidates import ScaledCandidates
from rtl.select_scaled_error import ScaledTerm, chain_total, subtract_product
from rtl.select_scaled_shapes import ScaledSelectShapes
from rtl.select_shapes import DOUBLES
from rtl.select_variant import CANDIDATES, SelectVariant
from rtl.shapes import floor_log2
from rtl.variants import quantizer
from tests.rtl.simulation import testbench, through
from tests.rtl.test_scaled import integers


def shapes(selection: str, x: str = "bf16", block: int = 16) -> ScaledSelectShapes:
    return ScaledSelectShapes.of(SelectVariant(recipe(f"{selection}-b{block}"), FORMATS[x]))


@cache
def midpoints(fmt: Format) -> list[Fraction]:
    values = [fmt.value(code) for code in range(fmt.max_code + 1)]
    return [(a + b) / 2 for a, b in pairwise(values)]


def nearest(x: Fraction, fmt: Format) -> int:
    """The code of the nearest value, ties to the even one (spec §3.1), saturating (spec §3.2)."""
    code = bisect_left(midpoints(fmt), x)
    tie = code < fmt.max_code and midpoints(fmt)[code] == x
    return code + (tie and code & 1)


def candidates_of(quotient: Fraction, rule: str, fmt: Format, pz: bool) -> list[int]:
    """The candidates for amax / g (spec §15.1, §8.2, §8.3)."""
    found = []
    for divisor, offset in CANDIDATES[rule]:
        code = min(max(nearest(quotient / divisor, fmt) + offset, 0), fmt.max_code)
        found.append(max(code, 1) if pz else code)
    return found


@pytest.mark.parametrize(
    "name",
    [
        "quantizer-ue4m3-4o6-pz-h-b2-bf16-turn",
        "quantizer-ue4m3-4o6-hbf16-b2-bf16-cutt",
        "quantizer-ue5m3-6c-hbf16-b2-fp16-turn-cutastefo",
        "quantizer-ue4m3-3c-pz-hp2-b2-fp32-turn-cuteo",
    ],
)
def test_words_of_all_kinds(name: str) -> None:
    """Each word under its own tensor scale, with pauses, by the reference (spec §15, §23.2)."""
    v = quantizer(name)
    rng = np.random.default_rng(len(name))
    words = [scaled_stimulus("random", v.recipe, v.input, blocks=12, seed=2)]
    for found in (
        choice_stimulus("clamped", v.recipe, v.input),
        scaled_stimulus("specials", v.recipe, v.input),
    ):
        words.append(found[rng.integers(0, len(found), 3)])
    given = np.concatenate(words)
    want = integers(expected_scaled_by_reference(v.recipe, v.input, given))
    assert through(v, integers(given), pauses=0.3) == want


@pytest.mark.parametrize(
    ("selection", "numbered"),
    [
        ("ue4m3-4o6-pz-h", True),
        ("ue5m3-6c-hbf16", True),
        ("ue4m3-3c-h", False),
        ("ue4m3-6c-hp2", True),
    ],
)
def test_candidates(selection: str, numbered: bool) -> None:
    """Next to each amax where one changes, infinity and NaN among them (spec §15.1, §6)."""
    r = recipe(f"{selection}-b2")
    kind = r.tensor_scale
    assert kind is not None
    unit = ScaledCandidates(ScaledShapes.scaled(r, BF16), numbered=numbered)
    values = [r.scale.value(code) for code in range(r.scale.max_code + 1)]
    rng = random.Random(selection)
    cases = []
    for g in GIVEN[kind]:
        points = [d * (a + b) / 2 * FP32.value(g) for a, b in pairwise(values) for d in (4, 6)]
        for point in rng.sample(points, 22):
            at = below(point)
            cases += [(g, p) for p in (at, min(at + 1, BF16.max_code))]
        cases += [(g, p) for p in (0, 1, BF16.max_code, 0x7F80, 0x7F81)]

    def wanted(g: int, pattern: int) -> list[int]:
        if pattern > BF16.max_code:
            code = r.scale.max_code + (pattern > 0x7F80)
            return [code] * len(CANDIDATES[r.rule])
        quotient = BF16.value(pattern) / FP32.value(g)
        return candidates_of(quotient, r.rule, r.scale, r.prevent_zero)

    async def bench(ctx: Any) -> None:
        for g, pattern in cases:
            ctx.set(unit.amax.as_value(), pattern)
            ctx.set(unit.g.as_value(), int(carried(g, kind)))
            want = wanted(g, pattern)
            if not numbered:
                assert [ctx.get(port) for port in unit.scales] == want
                continue
            for number, code in enumerate(want):
                ctx.set(unit.number, number)
                assert ctx.get(unit.scales[0]) == code

    testbench(unit, bench)
    assert len(cases) > 300


def below(x: Fraction) -> int:
    low, high = 0, BF16.max_code
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if BF16.value(middle) <= x else (low, middle - 1)
    return low


@pytest.mark.parametrize("selection", ["ue4m3-4o6-h", "ue5m3-6c-hp2"])
def test_error_terms(selection: str) -> None:
    """Q * X and Q * Q for all lanes that the gates can meet (spec §15.4)."""
    s = shapes(selection)
    unit = ScaledTerm(s)
    compared = 0

    async def bench(ctx: Any) -> None:
        nonlocal compared
        for fraction in (*range(0, 128, 9), 127):
            ctx.set(unit.fraction, fraction)
            ctx.set(unit.triple, 3 * (128 + fraction))
            for steps in range(1, s.top_steps + 1):
                for carry in range(min(steps, 1 + s.wide)):
                    ctx.set(unit.carry, carry)
                    ctx.set(unit.above, steps - 1 - carry)
                    for code, (odd, power) in DOUBLES.items():
                        if code and not s.meets(steps, code):
                            continue
                        ctx.set(unit.magnitude, code)
                        q = odd << power
                        assert ctx.get(unit.square) == q * q
                        product = q * (128 + fraction) << (steps - 1)
                        assert product.bit_length() <= s.product_bits
                        assert ctx.get(unit.product) == product
                        compared += 1

    testbench(unit, bench)
    assert compared > 500


@pytest.mark.parametrize(("first", "second"), [(28, 9), (12, 12), (4, 12)])
def test_products(first: int, second: int) -> None:
    """A sum less a product, modulo the width, by one or two bits of a factor at a time."""
    unit = Difference(first, second)
    rng = random.Random(first)

    async def bench(ctx: Any) -> None:
        for _ in range(16):
            a, b, c = (
                rng.choice([0, (1 << w) - 1, rng.randrange(1 << w)]) for w in (first, second, 20)
            )
            for port, value in ((unit.a, a), (unit.b, b), (unit.c, c)):
                ctx.set(port, value)
            assert ctx.get(unit.difference) == ((c << 3) - (a * b << 2)) % (1 << 42)

    testbench(unit, bench)


class Difference(wiring.Component):
    """(c << 3) - (a * b << 2), modulo 2**42."""

    a: Signal
    b: Signal
    c: Signal
    difference: Signal

    def __init__(self, first: int, second: int) -> None:
        ports = {"a": In(first), "b": In(second), "c": In(20), "difference": Out(42)}
        super().__init__(ports)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        columns = Columns(m, "difference", 42)
        columns.add(self.c, 3)
        subtract_product(m, columns, self.a, self.b, 2)
        m.d.comb += self.difference.eq(chain_total(m, columns))
        return m


def quotients(fmt: Format) -> list[Fraction]:
    """amax / g next to where a candidate changes."""
    values = [fmt.value(code) for code in range(fmt.max_code + 1)]
    points = sorted({d * (a + b) / 2 for a, b in pairwise(values) for d in (4, 6)})
    tiny = Fraction(1, 1 << 30)
    found = [p * (1 + tiny * n) for p in points for n in (-1, 0, 1)]
    return found


@pytest.mark.parametrize("rule", CANDIDATES)
@pytest.mark.parametrize("kind", ["h", "hp2"])
def test_steps_of_amax(rule: str, kind: str) -> None:
    """Lemmas 1 and 4 of docs/hardware.md: how far amax is above scales that are not clamped."""
    s = shapes(f"ue4m3-{rule}-{kind}")
    fmt = s.scale
    most, least = 0, 99
    significands = (Fraction(1), Fraction(3, 2), 2 - Fraction(1, 1 << 23))
    for quotient in quotients(fmt):
        for pz in (False, True):
            codes = candidates_of(quotient, rule, fmt, pz)
            if nearest(quotient / 6, fmt) == fmt.max_code:
                continue  # clamped
            exponents = {floor_log2(fmt.value(code)) for code in codes if code}
            for e in exponents:
                for g in significands if s.wide else significands[:1]:
                    steps = floor_log2(quotient * g) - e + 3
                    most = max(most, steps)
                    if len(exponents) > 1:
                        least = min(least, steps)
    assert most == s.plain_steps
    assert least == s.least_steps


@pytest.mark.parametrize("n", [4, 16, 32])
@pytest.mark.parametrize("g", [0x3F800000, 0x3FFFFFFF])
def test_beyond_the_top_the_largest_scale_wins(n: int, g: int) -> None:
    """The bound of `top_steps`, against blocks that like it least (spec §15.3)."""
    r = recipe(f"ue4m3-3c-h-b{n}")
    s = shapes("ue4m3-3c-h", block=n)
    exponent = s.lanes.scale_high + s.top_steps - 2  # the first binade that is not looked at
    amax = (exponent + 127) << 7
    last, wins = 0, 0
    for quarter in range(4 * 12, 4 * 84, 5):
        filler = below(r.scale.max / 14 * Fraction(quarter, 4) * FP32.value(g))
        code, _ = quantize_block([amax] + [filler] * (n - 1), BF16, r, FP32.value(g))
        assert code == r.scale.max_code
        lower, _ = quantize_block([amax - (2 << 7)] + [filler] * (n - 1), BF16, r, FP32.value(g))
        last, wins = quarter, wins + (lower != r.scale.max_code)
    assert last and wins  # two binades lower some block prefers the smaller scale


def test_widths() -> None:
    """A tensor scale adds its bits to a merit, once, and a binade to a lane."""
    plain, h, hbf16, hp2 = (shapes("ue4m3-4o6-" + kind) for kind in ("hp2", "h", "hbf16", "hp2"))
    assert (plain.top_steps, h.top_steps, hbf16.top_steps, hp2.top_steps) == (6, 7, 7, 6)
    assert (hp2.bare_bits, hbf16.bare_bits, h.bare_bits) == (24, 24 + 2 + 3, 24 + 2 + 19)
    assert shapes("ue4m3-4o6-h", "fp32").finer == 3
    tops = {n: shapes("ue4m3-3c-h", block=n).top_steps for n in (2, 4, 8, 16, 32)}
    assert tops == {2: 7, 4: 7, 8: 8, 16: 8, 32: 9}
    tops = {n: shapes("ue5m3-6c-hp2", block=n).top_steps for n in (2, 4, 8, 16, 32)}
    assert tops == {2: 6, 4: 6, 8: 7, 16: 7, 32: 8}
    assert h.decided_from is None

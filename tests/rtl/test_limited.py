"""Units and whole quantizers of limited width (spec §17): spaces, examples, names."""

from __future__ import annotations

import itertools
import random
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring

from emulator.directed import floor_pattern
from emulator.errors import FinescaleError, NotAvailableError
from emulator.formats import BF16, FORMATS, UE4M3, UE5M3
from emulator.recipes import LIMITED_SELECTIONS, recipe
from emulator.reference import floor_log2
from rtl.limited_cells import CellValue, TableChoice
from rtl.limited_lanes import Below
from rtl.limited_rounded import Exceeds, GivenShapes, RoundedLimits
from rtl.limited_table import intervals
from rtl.limited_variant import LimitedVariant
from rtl.variants import quantizer, variant
from tests.rtl.limited_spaces import element_space, gates, lane_space, shapes, table_space
from tests.rtl.limited_units import OneAmax, OneNear, Tables
from tests.rtl.simulation import testbench, through
from tests.rtl.test_quantizer import pack, required
from tests.spec_examples import Example, examples, floats


def has_gates(name: str) -> bool:
    r = recipe(name)
    return r.limited and r.tensor_scale is None and r.block_size <= 32  # hp2: see below


EXAMPLES = [e for e in examples() if e.verb == "quantize" and has_gates(e.subject)]


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_worked_example(example: Example) -> None:
    """Every `quantize` example of these rules (spec §17)."""
    x, bits = floats(example.left)
    r = recipe(example.subject)
    n = r.block_size
    s, codes = example.right.split()
    want = pack([*(int(c, 16) for c in codes.ljust(n, "0")), int(s[1], 16), int(s[0], 16)], 4)
    turn = r.error_bits is not None and n > 2
    v = LimitedVariant(r, x, "o", turn)
    assert through(v, [pack(bits + [0] * (n - len(bits)), x.width)]) == [want]


def test_there_are_examples() -> None:
    assert {e.clause for e in EXAMPLES} >= {"§17.1", "§17.3", "§17.4", "§17.7"}
    assert {recipe(e.subject).rule for e in EXAMPLES} >= {"4o6", "3c", "6c", "4o6t"}


@pytest.mark.parametrize(
    ("name", "pauses"),
    [
        ("quantizer-ue4m3-4o6t-pz-b2-fp32-cutiastefo", 0.3),
        ("quantizer-ue5m3-4o6-e9-b2-fp16-cutst", 0.3),
        ("quantizer-ue4m3-3c-e5-b2-bf16-turn-cutiastefo", 0.3),
    ],
)
def test_random_blocks(name: str, pauses: float) -> None:
    """Any pauses, any cut: the same words in the same order (spec §12.2, §12.3, §17)."""
    v = quantizer(name)
    rng = random.Random(name)
    top, n = v.input.magnitude_mask, v.recipe.block_size
    blocks = []
    for _ in range(50):
        near = rng.randrange(top)
        spread = 3 << v.input.fraction_bits
        blocks.append([max(0, near - rng.randrange(spread)) for _ in range(n)])
    words = [pack(block, v.input.width) for block in blocks]
    assert through(v, words, pauses=pauses) == required(v, blocks)


# --- whole spaces; `make exhaustive` has all formats


def test_table_of_every_amax() -> None:
    """spec §17.6: all cells that a lane can be in, for all keys of amax; and who has no choice."""
    assert table_space("ue4m3-4o6t", "bf16") == 44120


class FlippedTables(Tables):
    """`Tables` with one bit of one entry inverted."""

    def elaborate(self, platform: object) -> Module:
        m, me = Module(), self
        m.submodules.sound = sound = Tables(self.shapes)
        pairs: Any = [("low", 1 << 40), ("high", 0), ("six", 0)]
        m.d.comb += [getattr(me, k).eq(getattr(sound, k) ^ mask) for k, mask in pairs]
        m.d.comb += [sound.amax.eq(me.amax)]  # pyright: ignore[reportAttributeAccessIssue]
        return m


def test_a_wrong_entry_is_found() -> None:
    with pytest.raises(AssertionError, match=r"11, "):
        table_space("ue4m3-4o6t", "bf16", FlippedTables)


def test_there_are_27_tables() -> None:
    """Lemma 1 of spec §17.6, by the gates' own contents."""
    for fmt, (pz, count) in itertools.product((UE4M3, UE5M3), ((False, 27), (True, 26))):
        assert len({i.table for i in intervals(fmt, pz) if i.table is not None}) == count


@pytest.mark.parametrize("bits", [5, pytest.param(6, marks=pytest.mark.slow)])
def test_every_lane_under_every_scale(bits: int) -> None:
    """spec §17.3: nearest magnitude and error for all X and all scales beside all exponents."""
    assert lane_space(f"ue4m3-4o6-e{bits}") == 2484 << bits


@pytest.mark.parametrize("x", ["bf16", "fp16"])
def test_elements_by_their_distance_from_amax(x: str) -> None:
    """spec §9.1, §6: as by exponents; the smallest scales, the largest one, NaN, and others."""
    assert element_space("ue5m3-4o6t", x, [0, 1, 9, 0x55, 0xFE, 0xFF]) > 10**6


def test_cells() -> None:
    """spec §17.5: each cell by itself, for all lanes of five bits."""
    unit = CellValue(shapes("ue5m3-4o6t"))

    async def bench(ctx: Any) -> None:
        for x in range(32):
            below = 5 - x.bit_length() if x else 7
            ctx.set(unit.below, below)
            ctx.set(unit.fraction, (x << below & 15) >> 1)
            cell = x if x < 16 else 8 + x // 2
            for entry in range(1, 24):
                ctx.set(unit.table, 13 << (4 * (entry - 1)))
                assert ctx.get(unit.value) == (13 if entry == cell else 0)

    testbench(unit, bench)


@pytest.mark.parametrize("lanes", [2, 4, 32])
def test_sums_of_table_values(lanes: int) -> None:
    """spec §17.7: all pairs and all quadruples, and random blocks about a sum of 0."""
    rng = np.random.Generator(np.random.PCG64(lanes))
    if lanes == 32:
        values = rng.integers(0, 16, (20_000, lanes), dtype=np.uint64)
        netlist = gates(Wide(lanes))
        parts = [values[:, :16], values[:, 16:]]
    else:
        values = np.arange(1 << (4 * lanes), dtype=np.uint64)[:, None]
        values = values >> (4 * np.arange(lanes, dtype=np.uint64)) & np.uint64(15)
        netlist, parts = gates(TableChoice(lanes)), [values]
    weights = [np.uint64(4) * np.arange(part.shape[1], dtype=np.uint64) for part in parts]
    packed = [(p << w).sum(axis=1, dtype=np.uint64) for p, w in zip(parts, weights, strict=True)]
    names = ["values"] if lanes < 32 else ["first", "second"]
    out = netlist.run(**dict(zip(names, packed, strict=True)))
    total = ((values.astype(np.int64) ^ 8) - 8).sum(axis=1)
    assert (out["positive"].astype(bool) == (total > 0)).all()
    assert (total == 0).sum() > 100 or lanes == 2


class Wide(wiring.Component):
    """`TableChoice` with its values in two ports that a netlist can take."""

    def __init__(self, lanes: int) -> None:
        self.lanes = lanes
        half = wiring.In(2 * lanes)
        super().__init__({"first": half, "second": half, "positive": wiring.Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        me: Any = self
        m.submodules.sound = sound = TableChoice(self.lanes)
        m.d.comb += [
            sound.values[: 2 * self.lanes].eq(me.first),
            sound.values[2 * self.lanes :].eq(me.second),
            me.positive.eq(sound.positive),
        ]
        return m


@pytest.mark.parametrize(("selection", "x"), [("ue4m3-4o6t", "bf16"), ("ue5m3-4o6-e8", "fp16")])
def test_below(selection: str, x: str) -> None:
    """Every pair of exponents, of which a clamped reference may be the smaller one."""
    s = shapes(selection, x)
    exponents = np.arange(1 << s.lanes.exponent_bits, dtype=np.uint32)
    reference, exponent = (a.ravel() for a in np.meshgrid(exponents, exponents))
    if s.saturation is None:
        kept = exponent <= reference
        reference, exponent = reference[kept], exponent[kept]
    out = gates(Below(s)).run(reference=reference, exponent=exponent)
    most = (1 << s.below_bits) - 1
    want = np.clip(reference.astype(np.int64) - exponent, 0, most)
    assert (out["below"].astype(np.int64) == want).all() and len(want) > 500


GIVEN = (1, 2, 60, 96, 100, 110, 118, 127, 128, 140, 150, 170, 200, 253, 254)
"""Exponent fields of tensor scales (spec §14.5)."""


def exponents(patterns: np.ndarray, x: str) -> np.ndarray:
    """floor(log2) of magnitude patterns, -1000 of zero, 1000 of infinity and NaN."""
    fmt = FORMATS[x]
    values = [fmt.value(int(p)) if fmt.is_finite(int(p)) else None for p in patterns]
    return np.array([1000 if v is None else floor_log2(v) if v else -1000 for v in values])


@pytest.mark.parametrize("x", ["bf16", "fp16"])
def test_amax_and_lanes_under_powers_of_two(x: str) -> None:
    """spec §14.7, §17.1: all numbers under many tensor scales, each beside amaxes of all kinds."""
    s, fmt = shapes("ue5m3-4o6t-hp2", x), FORMATS[x]
    assert s.saturation is not None
    amaxes = np.arange(1 << fmt.magnitude_bits, dtype=np.uint32)[:: 1 if x == "fp16" else 7]
    exact = exponents(amaxes, x)
    lanes = np.arange(1 << fmt.magnitude_bits, dtype=np.uint32)[::5]
    lane_exact = exponents(lanes, x)
    special = 1000
    amax_gates, near_gates = gates(OneAmax(s)), gates(OneNear(s))
    compared = 0
    for field in GIVEN:
        out = amax_gates.run(largest=amaxes, g=np.full(len(amaxes), field, np.uint32))
        offset = 127 - s.lanes.base - (field - 127)
        wide = exact + offset
        want = np.clip(wide, 0, s.saturation)
        want[exact == special] = s.saturation
        assert (out["reference"].astype(np.int64) == want).all()
        top = s.saturation - offset  # exponent of the reference where amax is larger
        for at in range(0, len(amaxes), len(amaxes) // 9):
            if wide[at] < 0:
                continue  # all codes are 0, whatever lanes count from
            start = np.full(len(lanes), out["start"][at], np.uint32)
            near = near_gates.run(x=lanes, start=start)["below"].astype(np.int64)
            kept = (lane_exact <= exact[at]) & ((lane_exact != special) | (exact[at] == special))
            below = np.clip(min(exact[at], top) - lane_exact, 0, 7)
            assert (near == below)[kept].all(), (field, at)
            compared += kept.sum()
    assert compared > 10**5


@pytest.mark.parametrize("bits", [5, 9])
def test_scales_are_rounded(bits: int) -> None:
    """spec §17.2, ties to even among them: S of all scales and peaks, 8 bits of tensor scale."""
    v = quantizer(f"quantizer-ue5m3-4o6-e{bits}-hbf16-b2-bf16")
    assert isinstance(v, LimitedVariant)
    unit = RoundedLimits(GivenShapes.of(v))
    ties = 0

    async def bench(ctx: Any) -> None:
        nonlocal ties
        for m, g, peak in itertools.product(range(8, 16), range(128, 256, 3), range(1, 7)):
            ctx.set(unit.product, m * g)
            ctx.set(unit.carry, m * g >= 2048)
            ctx.set(unit.peak, peak)
            # s * g = m * g / 2**10, or half of that in [1, 2); amax is 2**(peak - 3) times that.
            exact = Fraction(m * g, 2048 if m * g >= 2048 else 1024) * Fraction(2) ** (
                bits + 4 - peak
            )
            ties += (2 * exact).denominator == 1 and exact.denominator == 2
            s = round(exact)
            assert ctx.get(unit.scale) == s
            most = (2 << bits) - 1
            for limit, n in zip(unit.limits, (1, 3, 5, 7, 10, 14, 20), strict=True):
                assert ctx.get(limit) == min(n * s // 8, most)

    testbench(unit, bench)
    assert ties > 20 or bits == 9


@pytest.mark.parametrize("scale", ["ue4m3", "ue5m3"])
def test_exceeds(scale: str) -> None:
    """spec §17.4: amaxes at and beside 6 * g times the middle above the largest scale."""
    v = quantizer(f"quantizer-{scale}-4o6-e6-h-b2-fp32")
    assert isinstance(v, LimitedVariant)
    x = GivenShapes.of(v).reaching
    unit, found = Exceeds(x), set()
    fmt = v.recipe.scale
    middle = fmt.max + Fraction(2) ** (fmt.parts(fmt.max_code)[2] - 1)
    rng = random.Random(scale)

    async def bench(ctx: Any) -> None:
        for _ in range(1500):
            g = rng.randrange(90 << 23, 150 << 23) & (-1 << rng.randrange(24))
            limit = 6 * middle * FORMATS["fp32"].value(g)
            near = floor_pattern(limit, FORMATS["fp32"])
            for pattern in (near - 1, near, near + 1, near - (1 << 23), near + (3 << 23)):
                ctx.set(unit.g.as_value(), g)
                ctx.set(unit.amax.fraction, pattern & 0x7FFFFF)
                ctx.set(unit.amax.exponent, (pattern >> 23) + 256)
                ctx.set(unit.amax.some, 1)
                want = FORMATS["fp32"].value(pattern) > limit
                assert ctx.get(unit.exceeds) == want
                found.add((want, FORMATS["fp32"].value(pattern) == limit))

    testbench(unit, bench)
    assert len(found) == 3  # a tie among them, which stays with the even code


def test_widths() -> None:
    """Lemma 2 of spec §17.3: merits leave out the bits that no scale has."""
    s = shapes("ue5m3-4o6-e6")
    assert (s.merit_bits, s.gain_bits, s.below_bits, s.fraction_bits) == (20, 17, 3, 6)
    wide = shapes("ue5m3-4o6-e16", "fp32")
    assert (wide.merit_bits, wide.below_bits, wide.fraction_bits) == (28, 5, 15)


# --- names


@pytest.mark.parametrize(
    "selection", [*LIMITED_SELECTIONS, "ue4m3-4o6t-hp2", "ue5m3-6c-e9-pz-hp2", "ue4m3-3c-e6-h"]
)
@pytest.mark.parametrize(("turn", "cuts"), [(False, ""), (True, ""), (True, "o"), (False, "ief")])
def test_names(selection: str, turn: bool, cuts: str) -> None:
    r = recipe(f"{selection}-b8")
    if turn and r.rule == "4o6t":
        return
    v = LimitedVariant(r, FORMATS["fp16"], cuts, turn)
    assert variant(v.name) == v
    assert v.module.isidentifier() and "__" not in v.module
    candidates = {"4o6": 2, "3c": 3, "6c": 6, "4o6t": 2}[r.rule]  # spec §15.1
    assert v.interval == (candidates if turn else 1)  # spec §12.5
    waits = candidates - 1 if turn and set(v.cuts) & {"i", "a"} else 0
    assert v.latency == len(v.cuts) + waits


def test_defaults() -> None:
    found = LimitedVariant.defaults()
    assert len({v.name for v in found}) == len(found) > 8
    assert {variant(v.name) for v in found} == set(found)


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("ue5m3-4o6t-b16-bf16-turn", ValueError, r"-turn has no meaning for 4o6t, which compares"),
        ("ue5m3-4o6-e6-b16-bf16-turn-cutae", ValueError, r"cuts 'ae' lack o"),
        ("ue5m3-4o6t-b16-bf16-cutoa", ValueError, r"cuts 'oa' are not letters of 'iastefo'"),
        ("ue5m3-4o6t-b16-bf16-cut", ValueError, r"cuts '' are not one or more"),
        ("ue5m3-4o6t-b64-bf16", NotAvailableError, r"64 exceeds the 32 lanes"),
        ("ue5m3-4o6-e4-b16-bf16", ValueError, r"-e4 is not a width from 5 to 16"),
        ("ue4m3-4o6t-h-b16-bf16", ValueError, r"4o6t goes with no tensor scale but hp2"),
    ],
)
def test_refused_names(name: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message) as caught:
        variant(f"quantizer-{name}")
    assert isinstance(caught.value, FinescaleError | ValueError)
    assert "\n" not in str(caught.value)


def test_refused_input() -> None:
    with pytest.raises(ValueError, match="input format e4m3 is not one of bf16, fp16, fp32"):
        LimitedVariant(recipe("ue5m3-4o6t-b4"), FORMATS["e4m3"])
    with pytest.raises(ValueError, match=r"e6-sr4-b16 rounds at random: a RandomSelectVariant"):
        LimitedVariant(recipe("ue5m3-4o6-e6-sr4-b16"), BF16)
    assert LimitedVariant(recipe("ue5m3-4o6t-b4"), BF16).cuts == "aefo"

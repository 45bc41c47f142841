"""Units and whole quantizers that choose among candidate scales, in Amaranth's simulator."""

from __future__ import annotations

import random
from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest

from emulator.formats import BF16, FORMATS, FP16, FP32, UE4M3
from emulator.recipes import recipe
from emulator.reference import quantize_block
from rtl.candidates import CandidateEncoder
from rtl.columns import Columns
from rtl.select import FirstLargest
from rtl.select_error import ErrorTerm
from rtl.select_shapes import DOUBLES, SelectShapes
from rtl.select_variant import CANDIDATES, SelectVariant
from rtl.shapes import Shapes
from rtl.unpack import Unpack
from rtl.variants import quantizer
from tests.rtl.simulation import testbench, through
from tests.rtl.test_quantizer import pack, required
from tests.spec_examples import Example, examples, floats

NAMES = {
    f"{scale}-{rule}{pz}-b{1 << k}"
    for scale in ("ue4m3", "ue5m3")
    for rule in CANDIDATES
    for pz in ("", "-pz")
    for k in range(1, 6)
}
NAMES |= {f"e8m0-fc-b{1 << k}" for k in range(1, 6)}
EXAMPLES = [e for e in examples() if e.verb == "quantize" and e.subject in NAMES]


def shapes(selection: str, x: str = "bf16", block: int = 16) -> SelectShapes:
    return SelectShapes.of(SelectVariant(recipe(f"{selection}-b{block}"), FORMATS[x]))


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_worked_example(example: Example) -> None:
    """Every `quantize` example of these rules (spec §15.1 to §15.4, §15.6).

    Candidates take turns; the smallest blocks also run with candidates side by side.
    """
    x, bits = floats(example.left)
    r = recipe(example.subject)
    n = r.block_size
    bits += [0] * (-len(bits) % n)
    words = [pack(bits[i : i + n], x.width) for i in range(0, len(bits), n)]
    want = []
    for part in example.right.split(" | "):
        s, codes = part.split()
        want.append(
            pack([int(c, 16) for c in codes.ljust(n, "0")] + [int(s[1], 16), int(s[0], 16)], 4)
        )
    for turn in (True, False) if n == 2 else (True,):
        assert through(SelectVariant(r, x, "o", turn), words) == want


def test_there_are_examples() -> None:
    clauses = {"§15.1", "§15.2", "§15.3", "§15.4", "§15.6"}
    assert {e.clause for e in EXAMPLES} >= clauses


@pytest.mark.parametrize(
    ("name", "pauses"),
    [
        ("quantizer-ue4m3-3c-b2-bf16", 0.3),
        ("quantizer-ue4m3-3c-b2-bf16-turn", 0.3),
        ("quantizer-ue5m3-6c-pz-b2-fp16-turn-cutastefo", 0.0),
        ("quantizer-ue5m3-4o6-b2-fp32-turn-cutteo", 0.4),
        ("quantizer-e8m0-fc-b2-bf16-cutsf", 0.3),
    ],
)
def test_random_blocks(name: str, pauses: float) -> None:
    """Any pauses, any cut: the same words in the same order (spec §12.2, §12.3, §15)."""
    v = quantizer(name)
    rng = random.Random(name)
    top, n = v.input.magnitude_mask, v.recipe.block_size
    blocks = []
    for _ in range(60):
        near = rng.randrange(top)
        spread = 3 << v.input.fraction_bits
        blocks.append([max(0, near - rng.randrange(spread)) for _ in range(n)])
    words = [pack(block, v.input.width) for block in blocks]
    assert through(v, words, pauses=pauses) == required(v, blocks)


@pytest.mark.parametrize(
    ("scale", "rule", "pz"), [("ue4m3", "3c", ""), ("ue4m3", "6c", "-pz"), ("ue5m3", "4o6", "")]
)
def test_candidates(scale: str, rule: str, pz: str) -> None:
    """All candidates at each amax where one changes (spec §15.1), and one by one the same."""
    s = Shapes.of(recipe(f"{scale}-{rule}{pz}-b2"), BF16)
    side, one = CandidateEncoder(s, numbered=False), CandidateEncoder(s, numbered=True)
    fmt = FORMATS[scale]
    values = [fmt.value(code) for code in range(fmt.max_code + 1)]
    points = {d * (a + b) / 2 for a, b in pairwise(values) for d in (4, 6)}
    patterns = sorted(
        {p + step for x in points for p in [below(x)] for step in (0, 1)} | {0, 1, BF16.max_code}
    )
    keys: list[int] = []
    unpack = Unpack(s)

    async def keyed(ctx: Any) -> None:
        for pattern in [*patterns, 0x7F80, 0x7F81]:
            ctx.set(unpack.x, pattern)
            keys.append(ctx.get(unpack.key.as_value()))

    def code_of(pattern: int, divisor: int, offset: int) -> int:
        if pattern > BF16.max_code:
            return fmt.max_code if pattern == 0x7F80 else fmt.max_code + 1
        quotient = BF16.value(pattern) / divisor
        nearest = min(range(len(values)), key=lambda c: (abs(values[c] - quotient), c & 1))
        code = min(max(nearest + offset, 0), fmt.max_code)
        return max(code, 1) if pz else code

    want = [[code_of(p, *c) for c in CANDIDATES[rule]] for p in [*patterns, 0x7F80, 0x7F81]]

    async def encoded(ctx: Any) -> None:
        for key, codes in zip(keys, want, strict=True):
            ctx.set(side.amax.as_value(), key)
            assert [ctx.get(port) for port in side.scales] == codes

    async def numbered(ctx: Any) -> None:
        for key, codes in zip(keys, want, strict=True):
            ctx.set(one.amax.as_value(), key)
            for number, code in enumerate(codes):
                ctx.set(one.number, number)
                assert ctx.get(one.scales[0]) == code

    testbench(unpack, keyed)
    testbench(side, encoded)
    testbench(one, numbered)
    assert len(patterns) > 250


def below(x: Fraction) -> int:
    low, high = 0, BF16.max_code
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if BF16.value(middle) <= x else (low, middle - 1)
    return low


@pytest.mark.parametrize("selection", ["ue4m3-4o6", "ue5m3-6c"])
def test_error_terms(selection: str) -> None:
    """Q * X and Q * Q for all lanes that the gates can meet (spec §15.4)."""
    s = shapes(selection)
    unit = ErrorTerm(s)
    compared = 0

    async def bench(ctx: Any) -> None:
        nonlocal compared
        for whole in (*range(0, 128, 5), 127):
            ctx.set(unit.significand, 128 + whole)
            ctx.set(unit.triple, 3 * (128 + whole))
            for steps in range(1, s.top_steps + 1):
                ctx.set(unit.steps, steps)
                for code, (odd, power) in DOUBLES.items():
                    if code and not s.meets(steps, code):
                        continue
                    ctx.set(unit.magnitude, code)
                    q = odd << power
                    assert ctx.get(unit.square) == q * q
                    product = q * (128 + whole) << (steps - 1)
                    if product.bit_length() <= s.product_bits:
                        assert ctx.get(unit.product) == product
                        compared += 1

    testbench(unit, bench)
    assert compared > 500


def test_columns() -> None:
    """Sums and differences of several numbers, modulo the width."""
    from amaranth.hdl import Module, Signal
    from amaranth.lib import wiring
    from amaranth.lib.wiring import In, Out

    class Sum(wiring.Component):
        a: list[Signal]
        b: Signal
        total: Signal

        def __init__(self) -> None:
            super().__init__({"a": In(5).array(7), "b": In(4), "total": Out(9)})

        def elaborate(self, platform: object) -> Module:
            m = Module()
            columns = Columns(m, "sum", 9)
            for i, value in enumerate(self.a):
                columns.add(value, i % 3)
            columns.subtract(self.b, 2)
            m.d.comb += self.total.eq(columns.total())
            return m

    unit = Sum()
    rng = random.Random(1)

    async def bench(ctx: Any) -> None:
        for _ in range(200):
            a, b = [rng.randrange(32) for _ in range(7)], rng.randrange(16)
            for port, value in zip(unit.a, a, strict=True):
                ctx.set(port, value)
            ctx.set(unit.b, b)
            want = sum(value << (i % 3) for i, value in enumerate(a)) - (b << 2)
            assert ctx.get(unit.total) == want % 512

    testbench(unit, bench)


def test_the_first_of_equal_merits_wins() -> None:
    """spec §15.3."""
    unit = FirstLargest(4, 6)
    rng = random.Random(2)

    async def bench(ctx: Any) -> None:
        for trial in range(200):
            merits = [rng.randrange(3) for _ in range(6)]
            for port, merit in zip(unit.merits, merits, strict=True):
                ctx.set(port, merit)
            ctx.set(unit.decided, trial % 2)
            assert ctx.get(unit.winner) == (0 if trial % 2 else merits.index(max(merits)))

    testbench(unit, bench)


def test_widths() -> None:
    """A lane needs five bits more than its significand, where no scale is clamped."""
    for x in (BF16, FP16, FP32):
        s = shapes("ue5m3-4o6", x.name)
        assert s.top_steps == 6
        assert (2 << x.fraction_bits << (s.top_steps - 1)).bit_length() - 1 == x.fraction_bits + 6
        assert s.decided_from is None
    tops = {n: shapes("ue4m3-3c", block=n).top_steps for n in (2, 4, 8, 16, 32)}
    assert tops == {2: 6, 4: 6, 8: 7, 16: 7, 32: 8}
    assert shapes("ue5m3-6c", "fp16").decided_from is None  # no float16 reaches the clamp
    assert (shapes("ue5m3-4o6").bare_bits, shapes("ue5m3-6c").bare_bits) == (24, 26)


@pytest.mark.parametrize("n", [4, 16, 32])
def test_beyond_the_top_the_largest_scale_wins(n: int) -> None:
    """The bound of `SelectShapes.top_steps`, against blocks that like it least (spec §15.3)."""
    s = shapes("ue4m3-3c", block=n)
    exponent = 8 + s.top_steps - 2  # the first binade of amax that is not looked at
    amax = (exponent + 127) << 7
    last, wins = 0, 0
    for quarter in range(4 * 12, 4 * 84):
        filler = below(UE4M3.max / 14 * Fraction(quarter, 4))
        scale, _ = quantize_block([amax] + [filler] * (n - 1), BF16, recipe(f"ue4m3-3c-b{n}"))
        assert scale == UE4M3.max_code
        lower, _ = quantize_block(
            [amax - (2 << 7)] + [filler] * (n - 1), BF16, recipe(f"ue4m3-3c-b{n}")
        )
        last, wins = quarter, wins + (lower != UE4M3.max_code)
    assert last and wins  # two binades lower some block prefers the smaller scale

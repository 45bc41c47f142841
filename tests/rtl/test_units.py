"""Each unit alone, in Amaranth's simulator; whole input spaces are in test_exhaustive."""

from __future__ import annotations

import random
from typing import Any

import pytest

from emulator.formats import BF16, FORMATS, FP16, FP32, Format
from emulator.recipes import recipe
from rtl.amax import Amax
from rtl.amax_bits import AmaxBits
from rtl.element import Element
from rtl.powers import PowerReference
from rtl.scale import ScaleEncoder
from rtl.shapes import Shapes
from rtl.stage import Stage
from rtl.thresholds import ThresholdGenerator
from rtl.unpack import Unpack
from tests.rtl.simulation import testbench

ROWS = [
    (selection, x)
    for selection in ("ue4m3-absmax", "ue5m3-absmax", "e8m0-floor", "e8m0-ceil", "e8m0-even")
    for x in (BF16, FP16, FP32)
]


def shapes(selection: str, x: Format) -> Shapes:
    return Shapes.of(recipe(f"{selection}-b2"), x)


@pytest.mark.parametrize(("selection", "x"), ROWS, ids=lambda v: getattr(v, "name", v))
def test_unpack_keeps_the_order(selection: str, x: Format) -> None:
    """Keys grow with the magnitude (spec §7.1); infinity and NaN stay apart (spec §6.1, §6.2)."""
    s = shapes(selection, x)
    unit = Unpack(s)
    inf = x.inf_code
    assert inf is not None
    rng = random.Random(0)
    patterns = sorted({rng.randrange(inf) for _ in range(300)} | {0, 1, x.max_code})
    saturated = (1 << s.exponent_bits) - 2
    whole = s.normalised or s.raw
    seen = []

    async def bench(ctx: Any) -> None:
        for pattern in [*patterns, inf, inf + 1, x.magnitude_mask]:
            ctx.set(unit.x, pattern | x.sign_mask)
            assert ctx.get(unit.lane.sign) == 1
            key = ctx.get(unit.key.as_value())
            exponent = ctx.get(unit.lane.exponent)
            assert (exponent == s.infinity_exponent) == (pattern >= inf)
            ordered = 0 < exponent < saturated or whole
            seen.append((key, ordered))
        *_, infinity, quiet, last = (key for key, _ in seen)
        assert infinity < quiet <= last and all(key < infinity for key, _ in seen[:-3])

    testbench(unit, bench)
    inner = [key for key, ordered in seen if ordered]
    assert len(inner) > 20 and inner == sorted(inner)


@pytest.mark.parametrize("lanes", [2, 4, 8, 16, 32])
@pytest.mark.parametrize("kind", [Amax, AmaxBits])
def test_amax_is_the_largest_key(kind: type[Amax] | type[AmaxBits], lanes: int) -> None:
    """The largest key, wherever it stands (spec §7.1)."""
    unit = kind(shapes("ue5m3-absmax", BF16), lanes)
    rng = random.Random(lanes)

    async def bench(ctx: Any) -> None:
        for trial in range(40):
            keys = [rng.randrange(1 << 13) for _ in range(lanes)]
            if trial < lanes:
                keys[trial] = (1 << 13) - 1 - trial
            for port, key in zip(unit.keys, keys, strict=True):
                ctx.set(port.as_value(), key)
            assert ctx.get(unit.amax.as_value()) == max(keys)

    testbench(unit, bench)


@pytest.mark.parametrize(
    ("selection", "amax", "scale"),
    [
        ("ue5m3-absmax", 0x40C0, 0x78),  # spec §8.1
        ("ue4m3-absmax", 0x40CC, 0x38),
        ("ue4m3-absmax", 0x40CD, 0x39),
        ("ue4m3-absmax", 0x7F00, 0x7E),  # spec §8.2
        ("ue5m3-absmax", 0x3680, 0x00),  # spec §8.3
        ("ue5m3-absmax-pz", 0x3680, 0x01),
        ("ue5m3-absmax-pz", 0x0000, 0x01),
        ("e8m0-floor", 0x40FF, 0x7F),  # spec §8.4
        ("e8m0-ceil", 0x40C1, 0x80),  # spec §8.5
        ("e8m0-even", 0x40DF, 0x7F),  # spec §8.6
        ("e8m0-even", 0x40E0, 0x80),
        ("e8m0-floor", 0x0000, 0x00),  # spec §8.7
        ("e8m0-ceil", 0x7F7F, 0xFD),
        ("ue4m3-absmax", 0x7F80, 0x7E),  # spec §6.2
        ("ue4m3-absmax-pz", 0x7F81, 0x7F),  # spec §6.1
        ("e8m0-even", 0x7F80, 0xFE),
        ("e8m0-even", 0x7FFF, 0xFF),
    ],
)
def test_scale_codes(selection: str, amax: int, scale: int) -> None:
    """The worked examples of spec §8 and §6."""
    s = shapes(selection, BF16)
    unpack, encoder = Unpack(s), ScaleEncoder(s)
    keys: list[int] = []

    async def key(ctx: Any) -> None:
        ctx.set(unpack.x, amax)
        keys.append(ctx.get(unpack.key.as_value()))

    async def encode(ctx: Any) -> None:
        ctx.set(encoder.amax.as_value(), keys[0])
        assert ctx.get(encoder.scale) == scale

    testbench(unpack, key)
    testbench(encoder, encode)


@pytest.mark.parametrize("name", ["ue4m3", "ue5m3"])
def test_thresholds_are_multiples_of_the_scale(name: str) -> None:
    """n1, n3, n5, n7 times their powers of two are 1, 3, 5, 7 times the scale (spec §9.1)."""
    fmt = FORMATS[name]
    s = shapes(f"{name}-absmax", BF16)
    unit = ThresholdGenerator(s)

    async def bench(ctx: Any) -> None:
        for code in range(1 << fmt.storage_bits):
            ctx.set(unit.scale, code)
            t = unit.thresholds
            nan = fmt.is_nan(code)
            assert ctx.get(t.nan) == nan
            zero = not nan and fmt.value(code) == 0
            assert ctx.get(t.none) == (nan or zero)  # spec §6.1, §9.3
            if nan or zero:
                assert ctx.get(t.origin) == s.infinity_exponent
                continue
            exponent = ctx.get(t.origin) + s.base + 3 - s.input.bias
            for k in (1, 3, 5, 7):
                fraction = getattr(t, f"n{k}")
                width = len(fraction)
                carry = ctx.get(getattr(t, f"carry{k}")) if k > 1 else 0
                top = exponent + k.bit_length() - 1 + carry
                significand = (1 << width) + (ctx.get(fraction) if width else 0)
                assert significand * 2 ** (top + 40) == k * fmt.value(code) * 2 ** (width + 40)

    testbench(unit, bench)


@pytest.mark.parametrize("x", [BF16, FP16], ids=lambda f: f.name)
def test_power_reference(x: Format) -> None:
    """Lanes from a quarter of the scale on count; NaN's scale leaves none (spec §9.1, §6.1)."""
    s = shapes("e8m0-floor", x)
    unit = PowerReference(s)

    async def bench(ctx: Any) -> None:
        for code in range(256):
            ctx.set(unit.scale, code)
            exponent = code - 127 + x.bias - s.base  # lane exponent of the scale
            assert ctx.get(unit.reference.origin) == (exponent + 2) % 8
            least = min(max(exponent - 2, 0 if s.raw else 1), s.infinity_exponent)
            assert ctx.get(unit.reference.nan) == (code == 0xFF)
            assert code == 0xFF or ctx.get(unit.reference.least) == least

    testbench(unit, bench)


def test_element_counts_thresholds() -> None:
    """Under scale 1: ties at 1/4, 5/4, 5/2 and 5 go down, at 3/4, 7/4 and 7/2 up (spec §9.1)."""
    s = shapes("ue5m3-absmax", BF16)
    unpack, generator, element = Unpack(s), ThresholdGenerator(s), Element(s)
    table = {
        0x0000: 0, 0x3E80: 0, 0x3E81: 1, 0x3F3F: 1, 0x3F40: 2, 0x3FA0: 2, 0x3FA1: 3,
        0x3FDF: 3, 0x3FE0: 4, 0x4020: 4, 0x4021: 5, 0x405F: 5, 0x4060: 6, 0x40A0: 6,
        0x40A1: 7, 0x7F7F: 7, 0x7F80: 7,
    }  # fmt: skip
    lanes: dict[int, int] = {}
    scale: list[int] = []

    async def unpacked(ctx: Any) -> None:
        for sign in (0, 0x8000):
            for x in table:
                ctx.set(unpack.x, x | sign)
                lanes[x | sign] = ctx.get(unpack.lane.as_value())

    async def generated(ctx: Any) -> None:
        for code in (0x78, 0x00, 0xFF):
            ctx.set(generator.scale, code)
            scale.append(ctx.get(generator.thresholds.as_value()))

    async def counted(ctx: Any) -> None:
        one, zero, nan = scale
        for x, lane in lanes.items():
            sign = x >> 15 << 3  # spec §9.2
            ctx.set(element.lane.as_value(), lane)
            for thresholds, want in ((one, table[x & 0x7FFF] | sign), (zero, sign), (nan, 0)):
                ctx.set(element.thresholds.as_value(), thresholds)
                assert ctx.get(element.code) == want, hex(x)

    testbench(unpack, unpacked)
    testbench(generator, generated)
    testbench(element, counted)


def test_stage_keeps_what_is_not_taken() -> None:
    """A full stage waits, an empty one takes, a drained one takes in the same cycle (spec §12)."""
    unit = Stage(8)

    async def bench(ctx: Any) -> None:
        async def cycle(valid: int, payload: int, ready: int) -> tuple[int, int, int]:
            ctx.set(unit.i.valid, valid)
            ctx.set(unit.i.payload, payload)
            ctx.set(unit.o.ready, ready)
            seen = ctx.get(unit.i.ready), ctx.get(unit.o.valid), ctx.get(unit.o.payload)
            await ctx.tick()
            return seen

        assert (await cycle(1, 0x11, 0))[:2] == (1, 0)
        assert await cycle(1, 0x22, 0) == (0, 1, 0x11)
        assert await cycle(1, 0x22, 1) == (1, 1, 0x11)
        assert await cycle(0, 0x33, 1) == (1, 1, 0x22)
        assert (await cycle(0, 0x33, 0))[:2] == (1, 0)

    testbench(unit, bench, clocked=True)

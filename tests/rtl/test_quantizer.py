"""The whole quantizer in Amaranth's simulator: worked examples, pauses, reset, every cut."""

from __future__ import annotations

import random
from typing import Any

import pytest
from amaranth.hdl import ResetInserter, Signal

from emulator.formats import FORMATS
from emulator.recipes import SELECTIONS, recipe
from emulator.reference import quantize_block
from rtl.quantizer import Quantizer
from rtl.variants import CUTS, QuantizerVariant, quantizer
from tests.rtl.simulation import testbench, through
from tests.spec_examples import Example, examples, floats

HARDWARE = {f"{selection}-b{2**k}" for selection in SELECTIONS for k in range(1, 6)}
EXAMPLES = [e for e in examples() if e.verb == "quantize" and e.subject in HARDWARE]


def pack(bits: list[int], width: int) -> int:
    """spec §11.1, §11.2."""
    return sum(part << (i * width) for i, part in enumerate(bits))


def required(v: QuantizerVariant, blocks: list[list[int]]) -> list[int]:
    words = []
    for block in blocks:
        scale, codes = quantize_block(block, v.input, v.recipe)
        words.append(pack([*codes, scale & 15, scale >> 4], 4))
    return words


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_worked_example(example: Example) -> None:
    """Every `quantize` example of a recipe with hardware; partial blocks padded as in spec §5.2."""
    x, bits = floats(example.left)
    r = recipe(example.subject)
    n = r.block_size
    bits += [0] * (-len(bits) % n)
    words = [pack(bits[i : i + n], x.width) for i in range(0, len(bits), n)]
    blocks = [part.split() for part in example.right.split(" | ")]
    assert len(blocks) == len(words)
    want = [
        pack([int(c, 16) for c in codes.ljust(n, "0")] + [int(s[1], 16), int(s[0], 16)], 4)
        for s, codes in blocks
    ]
    assert through(QuantizerVariant(r, x, "o"), words) == want


def test_there_are_examples() -> None:
    assert len(EXAMPLES) > 25


@pytest.mark.parametrize(
    ("name", "pauses"),
    [(f"quantizer-ue5m3-absmax-b2-bf16-cut{cut}", 0.4) for cut in CUTS]
    + [
        ("quantizer-ue4m3-absmax-pz-b4-fp16-cutiasto", 0.0),
        ("quantizer-ue4m3-absmax-b4-fp32-cutiasto", 0.5),
        ("quantizer-e8m0-even-b8-fp32", 0.3),
        ("quantizer-e8m0-ceil-b2-fp16-cutit", 0.3),
    ],
)
def test_random_blocks(name: str, pauses: float) -> None:
    """Any pauses, any cut: the same words in the same order (spec §12.2, §12.3, §12.5)."""
    v = quantizer(name)
    rng = random.Random(name)
    top, n = 1 << v.input.width, v.recipe.block_size
    blocks = []
    for _ in range(60):
        near = rng.randrange(top)
        spread = rng.choice([top >> 1, top >> 4, top >> 6])
        blocks.append([(near + rng.randrange(spread)) % top for _ in range(n)])
    words = [pack(block, v.input.width) for block in blocks]
    assert through(v, words, pauses=pauses) == required(v, blocks)


@pytest.mark.parametrize("cuts", ["o", "aso", "iasto"])
def test_latency_interval_and_reset(cuts: str) -> None:
    """Latency is the number of cuts, the interval 1 (spec §12.5); reset empties it (spec §12.4)."""
    v = QuantizerVariant(recipe("e8m0-floor-b2"), FORMATS["bf16"], cuts)
    dut = Quantizer(v)
    one = pack([0x40C0, 0x40C0], 16)

    async def bench(ctx: Any) -> None:
        ctx.set(dut.o.ready, 1)
        ctx.set(dut.i.payload, one)
        ctx.set(dut.i.valid, 1)
        for cycle in range(12):
            assert ctx.get(dut.i.ready)
            assert ctx.get(dut.o.valid) == (cycle >= v.latency)
            await ctx.tick()
        ctx.set(dut.o.ready, 0)
        await ctx.tick().repeat(8)
        assert not ctx.get(dut.i.ready) and ctx.get(dut.o.valid)
        ctx.set(reset, 1)
        await ctx.tick()
        ctx.set(reset, 0)
        ctx.set(dut.i.valid, 0)
        ctx.set(dut.o.ready, 1)
        for _ in range(8):
            assert ctx.get(dut.i.ready) and not ctx.get(dut.o.valid)
            await ctx.tick()

    reset = Signal()
    testbench(ResetInserter(reset)(dut), bench, clocked=True)

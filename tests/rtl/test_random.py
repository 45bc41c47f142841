"""Quantizers with stochastic rounding: units over their input spaces, and whole ones."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from amaranth.hdl import unsigned

from emulator.errors import NotAvailableError, UnknownNameError
from emulator.formats import FORMATS
from emulator.random_words import expected_random, expected_random_by_reference, random_words
from emulator.recipes import recipe
from emulator.reference_random import draws
from rtl.random_shapes import RandomShapes
from rtl.random_variant import PER_CYCLE, RandomVariant
from rtl.speck import Draws
from rtl.variants import quantizer, variant
from tests.rtl.rounding import check_elements
from tests.rtl.simulation import testbench, through

SEEDS = (0, 1, 0x1B1A1918131211100B0A090803020100, (1 << 128) - 1)


@pytest.mark.parametrize(
    ("selection", "x", "codes", "numbers"),
    [
        ("ue4m3-absmax-sr1", "bf16", range(0, 127), [0, 1]),
        ("ue5m3-absmax-sr3", "bf16", range(0, 255, 5), [0, 1, 5, 7]),
        ("ue4m3-absmax-sr8", "bf16", range(0, 127, 9), [0, 1, 127, 200, 255]),
        ("ue5m3-absmax-sr8", "fp16", range(0, 255, 11), [0, 1, 127, 200, 255]),
        ("ue4m3-absmax-sr2", "fp16", range(0, 127, 5), [0, 1, 2, 3]),
        ("ue4m3-absmax-sr20", "fp16", range(0, 127, 31), [0, 1, 1 << 19, (1 << 20) - 1]),
    ],
)
def test_elements_of_all_magnitudes(
    selection: str, x: str, codes: range, numbers: list[int], tmp_path: Path
) -> None:
    """spec §19.2, §9.3, §6.2"""
    assert check_elements(selection, x, codes, numbers, tmp_path) > 400_000


@pytest.mark.parametrize("rounds", PER_CYCLE)
def test_draws(rounds: int) -> None:
    """The cipher and its counter (spec §19.3 to §19.5), and its cycles (spec §12.5)."""
    unit = Draws(unsigned(8), 3 * 64 - 5, rounds)
    given = [(j, seed) for seed in SEEDS for j in (0, 1, (1 << 57) - 1)]
    out: list[tuple[int, int]] = []

    async def bench(ctx: Any) -> None:
        ctx.set(unit.o.ready, 1)
        sent = cycles = 0
        while len(out) < len(given):
            ctx.set(unit.i.valid, sent < len(given))
            if sent < len(given):
                ctx.set(unit.i.payload.number, given[sent][0])
                ctx.set(unit.i.payload.seed, given[sent][1])
                ctx.set(unit.i.payload.rest, sent)
            if ctx.get(unit.o.valid):
                out.append((ctx.get(unit.o.payload.draws), ctx.get(unit.o.payload.rest)))
            sent += ctx.get(unit.i.ready) and sent < len(given)
            await ctx.tick()
            cycles += 1
        assert cycles == 27 // rounds * len(given) + 1

    testbench(unit, bench, clocked=True)
    bits = 3 * 64 - 5
    for (j, seed), (found, rest) in zip(given, out, strict=True):
        assert found == draws(seed, j, 1, bits)[0]
        assert given[rest] == (j, seed)


@pytest.mark.parametrize(
    ("name", "pauses"),
    [
        ("quantizer-ue5m3-absmax-sr4-b2-bf16", 0.3),
        ("quantizer-ue4m3-absmax-sr8-pz-b4-fp16-r9-cutiato", 0.0),
        ("quantizer-ue5m3-absmax-sr32-b2-fp32-cutt", 0.3),
    ],
)
def test_random_words(name: str, pauses: float) -> None:
    """Any pauses, any cut, other numbers and seeds in each word (spec §26.1, §26.2, §12)."""
    v = quantizer(name)
    rng = random.Random(name)
    n, count = v.recipe.block_size, 12
    top, spread = v.input.magnitude_mask, 3 << v.input.fraction_bits
    near = [rng.randrange(spread, top) for _ in range(count)]
    x = np.array([[a - rng.randrange(spread) for _ in range(n)] for a in near], np.uint32)
    numbers = [rng.randrange(1 << 57) for _ in range(count)]
    seeds = [rng.choice(SEEDS) for _ in range(count)]
    words = random_words(x, np.array(numbers, np.uint64), seeds, v.input)
    spec = expected_random_by_reference(v.recipe, v.input, words)
    assert (expected_random(v.recipe, v.input, words) == spec).all()
    given = [int.from_bytes(word.tobytes(), "little") for word in words]
    want = [int.from_bytes(word.tobytes(), "little") for word in spec]
    assert through(v, given, pauses=pauses) == want


def test_names() -> None:
    """Interval and latency follow from rounds and cuts (spec §12.5)."""
    for bits, rounds, cuts in ((1, 1, "o"), (8, 27, "ao"), (32, 3, "iato")):
        for x in ("bf16", "fp16", "fp32"):
            r = recipe(f"ue4m3-absmax-sr{bits}-pz-b8")
            v = RandomVariant(r, FORMATS[x], cuts, rounds)
            assert variant(v.name) == v and v.module.isidentifier()
            assert (v.interval, v.latency) == (27 // rounds, 27 // rounds + len(cuts))
            assert v.ports["i_payload"] == ("input", 8 * FORMATS[x].width + 57 + 128)
    found = RandomVariant.defaults()
    assert [variant(v.name) for v in found] == found and len(found) == 8


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("quantizer-ue5m3-absmax-sr4-b16-bf16-r5", ValueError, r"-r5 is not one of 1, 3, 9, 27"),
        ("quantizer-ue5m3-absmax-sr4-b16-bf16-cutas", ValueError, r"cuts 'as' are not one"),
        ("quantizer-ue5m3-absmax-sr4-b64-bf16", NotAvailableError, r"64 exceeds the 32 lanes"),
        ("quantizer-e8m0-floor-sr4-b64-bf16", NotAvailableError, r"64 exceeds the 32 lanes"),
        ("quantizer-ue5m3-absmax-b16-bf16-r9", UnknownNameError, r"unknown variant"),
        ("quantizer-ue5m3-absmax-sr4-b16-bf16-turn", UnknownNameError, r"unknown variant"),
    ],
)
def test_refused_names(name: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        variant(name)


def test_windows_hold_what_can_round_up() -> None:
    """A lane counts down to 2**-(k+1) of the smallest scale (spec §19.2)."""
    for selection, x in (("ue5m3-absmax-sr32", "bf16"), ("ue4m3-absmax-sr8", "fp32")):
        s = RandomShapes.of_random(RandomVariant(recipe(f"{selection}-b16"), FORMATS[x]))
        assert not s.normalised
        assert s.base <= s.scale_low + s.input.bias - 2 - s.bits
    deep = RandomVariant(recipe("ue4m3-absmax-sr8-b16"), FORMATS["fp16"])
    assert RandomShapes.of_random(deep).normalised

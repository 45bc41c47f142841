"""The generated quantizers against the specification, in Verilator.

One test simulates one variant with both engines, so that each model is built once and the tests
divide over processes as they are.
"""

from __future__ import annotations

import pytest

from cocotb_tests.pairwise import pairwise
from cocotb_tests.simulate import simulate, verify
from emulator.formats import FORMATS
from emulator.recipes import SELECTIONS, recipe
from rtl.variants import INPUTS, QuantizerVariant, quantizer
from rtl.verilog import to_verilog

pytestmark = pytest.mark.slow

COCOTB_BLOCKS = 2_000
DRIVER_BLOCKS = 100_000
"""In the recorded spaces 20,000 and a million, see `tests.exhaustive_defaults`."""


PLAIN = [v.name for v in QuantizerVariant.defaults() if v.recipe.tensor_scale is None]
"""The others are in test_scaled."""


@pytest.mark.parametrize("name", PLAIN)
def test_default_variant(name):
    """Bits, order, reset, latency and interval (spec §12.3, §12.4, §12.5, §13.1)."""
    v = quantizer(name)
    report = simulate(v, blocks=COCOTB_BLOCKS, bulk_blocks=DRIVER_BLOCKS)
    cocotb = sum(r.words for r in report.results if r.engine == "cocotb")
    assert cocotb >= COCOTB_BLOCKS
    assert report.cocotb_words >= 2 * COCOTB_BLOCKS  # at full rate, and again with pauses
    assert report.driver_words >= DRIVER_BLOCKS
    assert (report.latency, report.interval) == (v.latency, 1.0)


CUT_SETS = ("aso", "i", "t", "o", "iasto")
"""Every place of a register is used and left out; the other single ones are run further below."""

COMBINATIONS = pairwise(
    {
        "selection": SELECTIONS,
        "cuts": CUT_SETS,
        "block": ("2", "4", "8", "16", "32"),
        "input": INPUTS,
    }
)


def combined(choice: dict[str, str]) -> QuantizerVariant:
    return QuantizerVariant(
        recipe(f"{choice['selection']}-b{choice['block']}"),
        FORMATS[choice["input"]],
        choice["cuts"],
    )


@pytest.mark.parametrize("choice", COMBINATIONS, ids=lambda c: combined(c).name)
def test_every_pair_of_parameters(choice):
    """Fewer words, but each pair of values of two parameters occurs (spec §12.5, §13.1)."""
    v = combined(choice)
    report = verify(v, to_verilog(v), blocks=20_000)
    assert report.driver_words > 20_000
    assert (report.latency, report.interval) == (v.latency, 1.0)


@pytest.mark.parametrize(
    "name",
    [
        "quantizer-ue5m3-absmax-pz-b2-fp32-cuti",
        "quantizer-e8m0-even-b8-fp16-cuta",
        "quantizer-e8m0-ceil-b4-fp32-cutiasto",
        "quantizer-ue4m3-absmax-b8-fp16-cuts",
    ],
)
def test_protocol_of_other_cuts(name):
    """Single registers and all five, through cocotb (spec §12.2, §12.4)."""
    report = simulate(quantizer(name), blocks=4_000, bulk_blocks=0)
    assert report.cocotb_words >= 8_000
    assert report.latency == len(quantizer(name).cuts)


def test_the_combinations_are_pairwise():
    seen = {(a, b) for c in COMBINATIONS for a in c.items() for b in c.items() if a < b}
    values = {
        "selection": len(SELECTIONS),
        "cuts": len(CUT_SETS),
        "block": 5,
        "input": len(INPUTS),
    }
    names = sorted(values)
    wanted = sum(values[a] * values[b] for i, a in enumerate(names) for b in names[i + 1 :])
    assert len(seen) == wanted

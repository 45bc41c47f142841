"""The areas that the project promises for its dot products, in OSU 0.18 um cells."""

from __future__ import annotations

import pytest

from compare.liberty import read_library
from compare.synthesis import SCRIPTS, Synthesis, synthesize
from emulator.formats import FORMATS
from rtl.dot_product import BlockSum
from rtl.dot_shapes import DotShapes
from rtl.variants import variant
from rtl.verilog import convert, to_verilog
from tests.compare.cells import osu018

pytestmark = pytest.mark.slow

SUM_LIMIT_GE = 2200
PRODUCT_LIMIT_GE = 3600


def mapped(text: str, top: str) -> Synthesis:
    """Driving cell and load set; medians of all scripts."""
    result = synthesize(text, top, liberty=read_library([osu018()]))
    assert len(result.mappings) == len(SCRIPTS) == 5
    return result


def test_exact_sum_of_16_products() -> None:
    """Combinational: element codes to the exact sum (spec §16.2)."""
    unit = BlockSum(DotShapes(FORMATS["ue5m3"], 16))
    result = mapped(convert(unit, "block_sum"), "block_sum")
    assert result.flip_flops == 0
    assert 1000 < result.logic.median <= SUM_LIMIT_GE, result.logic


def test_block_of_16_to_float32() -> None:
    """Handshake and NaN included, registers not (spec §22.10)."""
    v = variant("dot-ue5m3-b16-block")
    result = mapped(to_verilog(v), v.module)
    assert 2000 < result.logic.median <= PRODUCT_LIMIT_GE, result.logic
    assert result.flip_flops > 32

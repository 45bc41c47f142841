"""The area that the project promises for quantizers with a tensor scale."""

from __future__ import annotations

import pytest

from compare.liberty import read_library
from compare.synthesis import SCRIPTS, synthesize
from rtl.variants import variant
from rtl.verilog import to_verilog
from tests.compare.cells import osu018

LIMITS_GE = {
    "quantizer-ue4m3-absmax-hp2-b16-bf16-cuto": 6500,
    "quantizer-ue4m3-absmax-h-b16-bf16-cuto": 9500,
}
"""With one register only, since the gates that hold a register's bits count as logic."""


@pytest.mark.slow
@pytest.mark.exhaustive
@pytest.mark.parametrize("name", LIMITS_GE)
def test_block_16_quantizer_in_osu018_cells(name: str) -> None:
    """Handshake, special and subnormal numbers included, median of all scripts."""
    v = variant(name)
    result = synthesize(to_verilog(v), v.module, liberty=read_library([osu018()]))
    assert len(result.mappings) == len(SCRIPTS) == 5
    assert 3000 < result.logic.median <= LIMITS_GE[name], result.logic
    assert result.flip_flops == v.output_layout.width  # the register and its valid bit

"""The areas that the project promises for its quantizers of block size 16 and BF16 input."""

from __future__ import annotations

import pytest

from compare.liberty import read_library
from compare.synthesis import SCRIPTS, synthesize
from rtl.variants import variant
from rtl.verilog import to_verilog
from tests.compare.cells import osu018

LIMITS_GE = {
    "quantizer-e8m0-floor-b16-bf16": 3000,
    "quantizer-ue4m3-absmax-b16-bf16": 6000,
    "quantizer-ue5m3-absmax-pz-b16-bf16": 6000,
}


@pytest.mark.slow
@pytest.mark.parametrize("name", LIMITS_GE)
def test_quantizers_in_osu018_cells(name: str) -> None:
    """Handshake and special numbers included, driving cell and load set, median of all scripts."""
    v = variant(name)
    result = synthesize(to_verilog(v), v.module, liberty=read_library([osu018()]))
    assert len(result.mappings) == len(SCRIPTS) == 5
    assert LIMITS_GE[name] / 2 < result.logic.median <= LIMITS_GE[name], result.logic
    assert result.registers.low == result.registers.high == 4 * result.flip_flops
    assert result.flip_flops > 16 * 16

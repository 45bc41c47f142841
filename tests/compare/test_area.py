"""The area that the project promises for its reference quantizer."""

from __future__ import annotations

import pytest

from compare.liberty import read_library
from compare.synthesis import SCRIPTS, synthesize
from rtl.variants import variant
from rtl.verilog import to_verilog
from tests.compare.cells import osu018

LIMIT_GE = 6300


@pytest.mark.slow
def test_ue5m3_block_16_quantizer_in_osu018_cells() -> None:
    """Handshake and special numbers included, driving cell and load set, median of all scripts."""
    v = variant("quantizer-ue5m3-absmax-b16-bf16")
    result = synthesize(to_verilog(v), v.module, liberty=read_library([osu018()]))
    assert len(result.mappings) == len(SCRIPTS) == 5
    assert 3000 < result.logic.median <= LIMIT_GE, result.logic
    assert result.registers.low == result.registers.high == 4 * result.flip_flops
    assert result.flip_flops > 16 * 16

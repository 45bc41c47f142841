"""The areas that the project promises for codecs and dequantizers."""

from __future__ import annotations

import pytest

from compare.liberty import read_library
from compare.synthesis import synthesize
from rtl.variants import variant
from rtl.verilog import to_verilog
from tests.compare.cells import osu018

LIMITS_GE = {
    "encode-ue5m3-fp32": 220,
    "decode-ue5m3-bf16": 80,
    "dequantizer-ue5m3-absmax-b16-bf16": 1_650,
    "dequantizer-ue4m3-absmax-h-b16-bf16": 5_000,
}


@pytest.mark.slow
@pytest.mark.parametrize("name", LIMITS_GE)
def test_area_in_osu018_cells(name: str) -> None:
    """Handshake and special numbers included, driving cell and load set, median of scripts."""
    library = read_library([osu018()])
    v = variant(name)
    scripts = ("area", "flow", "delay")
    result = synthesize(to_verilog(v), v.module, liberty=library, scripts=scripts)
    assert LIMITS_GE[name] / 3 < result.logic.median <= LIMITS_GE[name], result.logic
    assert result.flip_flops > 0

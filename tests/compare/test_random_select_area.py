"""The areas that the project promises for choices whose elements round at random (spec §26.5)."""

from __future__ import annotations

import pytest

from compare.liberty import read_library
from compare.synthesis import SCRIPTS, synthesize
from rtl.variants import variant
from rtl.verilog import to_verilog
from tests.compare.cells import osu018

LIMITS_GE = {
    "quantizer-ue5m3-4o6-sr4-b16-bf16-turn-r1": 22000,
    "quantizer-ue5m3-top2-sr4-b16-bf16-r1": 12500,
}
"""`make exhaustive` checks all of them."""


def check_limit(name: str) -> None:
    """Median over all scripts, logic without registers."""
    v = variant(name)
    result = synthesize(to_verilog(v), v.module, liberty=read_library([osu018()]))
    assert len(result.mappings) == len(SCRIPTS) == 5
    assert LIMITS_GE[name] / 2 < result.logic.median <= LIMITS_GE[name], result.logic


@pytest.mark.slow
def test_votes() -> None:
    """Four random bits, 27 cycles a block."""
    check_limit("quantizer-ue5m3-top2-sr4-b16-bf16-r1")

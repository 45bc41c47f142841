"""The areas that the project promises for stochastic rounding, block size 16, BF16 input."""

from __future__ import annotations

import pytest

from compare.liberty import read_library
from compare.synthesis import SCRIPTS, synthesize
from rtl.variants import variant
from rtl.verilog import to_verilog
from tests.compare.cells import osu018

LIMITS_GE = {
    "quantizer-ue5m3-absmax-sr4-b16-bf16-r1": 12500,
}
"""`make exhaustive` checks all of them."""


def check_limit(name: str) -> None:
    """Median over all scripts, logic without registers."""
    v = variant(name)
    result = synthesize(to_verilog(v), v.module, liberty=read_library([osu018()]))
    assert len(result.mappings) == len(SCRIPTS) == 5
    assert LIMITS_GE[name] / 2 < result.logic.median <= LIMITS_GE[name], result.logic


@pytest.mark.slow
def test_one_round_per_cycle() -> None:
    """Four random bits, 27 cycles a block."""
    check_limit(next(iter(LIMITS_GE)))

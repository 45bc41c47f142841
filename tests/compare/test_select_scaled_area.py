"""Areas that the project promises for quantizers that choose under a tensor scale, block 16.

Synthesis takes minutes here, so that `make exhaustive` checks all of them.
"""

from __future__ import annotations

import pytest

from compare.liberty import read_library
from compare.synthesis import SCRIPTS, synthesize
from rtl.variants import variant
from rtl.verilog import to_verilog
from tests.compare.cells import osu018

LIMITS_GE = {
    "quantizer-ue4m3-4o6-pz-hp2-b16-bf16-turn": 14500,
    "quantizer-ue4m3-4o6-pz-h-b16-bf16-turn": 20500,
    "quantizer-ue4m3-4o6-pz-h-b16-bf16": 40000,
}
"""Candidates in turn, and side by side."""

SMALL = {"quantizer-ue4m3-4o6-pz-h-b2-bf16-turn": 8000}
"""What `make test` checks."""


def check_limit(name: str) -> None:
    """Median over all scripts, logic without registers."""
    v = variant(name)
    limit = (LIMITS_GE | SMALL)[name]
    result = synthesize(to_verilog(v), v.module, liberty=read_library([osu018()]))
    assert len(result.mappings) == len(SCRIPTS) == 5
    assert limit / 2 < result.logic.median <= limit, result.logic


@pytest.mark.slow
def test_smallest_block() -> None:
    """What a block costs once."""
    check_limit(next(iter(SMALL)))

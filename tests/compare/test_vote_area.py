"""The areas that the project promises for quantizers that vote, block size 16, BF16 input."""

from __future__ import annotations

import pytest

from compare.liberty import read_library
from compare.synthesis import SCRIPTS, synthesize
from rtl.variants import variant
from rtl.verilog import to_verilog
from tests.compare.cells import osu018

LIMITS_GE = {
    "quantizer-ue5m3-top2-b16-bf16": 6700,
    "quantizer-ue5m3-pop-b16-bf16": 7300,
    "quantizer-ue5m3-top3-b16-bf16": 8200,
}
"""`make exhaustive` checks all of them."""


def check_limit(name: str) -> None:
    """Median over all scripts, logic without registers."""
    v = variant(name)
    result = synthesize(to_verilog(v), v.module, liberty=read_library([osu018()]))
    assert len(result.mappings) == len(SCRIPTS) == 5
    assert LIMITS_GE[name] / 2 < result.logic.median <= LIMITS_GE[name], result.logic


@pytest.mark.slow
def test_votes_of_the_second_largest() -> None:
    """The smallest of those that vote."""
    check_limit(next(iter(LIMITS_GE)))

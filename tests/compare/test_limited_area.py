"""The areas that the project promises for quantizers of limited width, block size 16, BF16."""

from __future__ import annotations

import pytest

from compare.liberty import read_library
from compare.synthesis import SCRIPTS, synthesize
from rtl.variants import variant
from rtl.verilog import to_verilog
from tests.compare.cells import osu018

LIMITS_GE = {
    "quantizer-ue5m3-4o6t-b16-bf16": 9800,
    "quantizer-ue4m3-4o6t-b16-bf16": 9800,
    "quantizer-ue5m3-4o6-e6-b16-bf16-turn": 13500,
}
"""The table form, and errors in turn; `make exhaustive` checks all of them."""


def check_limit(name: str) -> None:
    """Median over all scripts, logic without registers."""
    v = variant(name)
    result = synthesize(to_verilog(v), v.module, liberty=read_library([osu018()]))
    assert len(result.mappings) == len(SCRIPTS) == 5
    assert LIMITS_GE[name] / 2 < result.logic.median <= LIMITS_GE[name], result.logic


@pytest.mark.slow
def test_table_form() -> None:
    """A choice for less than twice a quantizer without one."""
    check_limit(next(iter(LIMITS_GE)))

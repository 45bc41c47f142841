"""Areas that the project promises, in OSU 0.18 um cells."""

from __future__ import annotations

from compare.liberty import read_library
from compare.synthesis import SCRIPTS, synthesize
from rtl.variants import variant
from rtl.verilog import to_verilog
from tests.compare.cells import osu018


def check_limit(name: str, limit_ge: float) -> None:
    """The median over all scripts of a variant's logic without registers, against its limit.

    A median of half the limit or less is a mistake, too: in the limit or in what was measured.
    """
    v = variant(name)
    result = synthesize(to_verilog(v), v.module, liberty=read_library([osu018()]))
    assert len(result.mappings) == len(SCRIPTS) == 5
    assert limit_ge / 2 < result.logic.median <= limit_ge, result.logic

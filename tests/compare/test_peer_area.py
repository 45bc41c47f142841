"""Areas of quantizers with the bits of a peer, and the parts that they are made of."""

from __future__ import annotations

import pytest

from compare.liberty import read_library
from compare.synthesis import SCRIPTS, synthesize
from compare.units import main, placed_units
from rtl.variants import variant
from rtl.verilog import to_verilog
from tests.compare.cells import osu018

LIMITS_GE = {"quantizer-peer-torchao-nvfp4-1level-bf16-cuto": 18000}
"""With one register only, since the gates that hold a register's bits count as logic."""


def check_limit(name: str) -> None:
    """Median over all scripts, logic without registers."""
    v = variant(name)
    result = synthesize(to_verilog(v), v.module, liberty=read_library([osu018()]))
    assert len(result.mappings) == len(SCRIPTS) == 5
    assert LIMITS_GE[name] / 2 < result.logic.median <= LIMITS_GE[name], result.logic


def test_units_of_a_variant() -> None:
    """The top module's units, by kind, whatever their own parts are."""
    v = variant("quantizer-peer-torchao-nvfp4-1level-b4-bf16")
    found = placed_units(to_verilog(v), v.module)
    assert found == {
        **{"amax": 1, "scale": 1, "reciprocal": 1},
        **{"unpack": 4, "product": 4, "element": 4},
    }
    with pytest.raises(ValueError, match="no module nothing"):
        placed_units("", "nothing")


def test_command(capsys: pytest.CaptureFixture[str]) -> None:
    """Generic gates, one script; a wrong name is an error."""
    assert main(["quantizer-ue4m3-absmax-b2-bf16", "--script", "delay"]) == 0
    out = capsys.readouterr().out
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in out.splitlines()[4:-1]]
    assert {row[0] for row in rows} == {
        *("amax", "unpack", "scale", "thresholds", "element", "all units")
    }
    total = float(rows[-1][-1].replace(",", ""))
    assert rows[-1][0] == "all units" and total > 500
    assert abs(sum(float(row[-1].replace(",", "")) for row in rows[:-1]) - total) < len(rows)
    assert main(["quantizer-ue4m3-absmax"]) == 1
    assert "unknown variant" in capsys.readouterr().err

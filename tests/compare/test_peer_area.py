"""Areas of quantizers with the bits of a peer, and the parts that they are made of."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

from compare.evaluate import _quantization
from compare.quality import tensor_error
from compare.report import to_markdown
from compare.results import Comparison, Row, Verified
from compare.synthesis import GENERIC, Mapped, Synthesis
from compare.table import main_grid, ratio_grid, unit_grids
from compare.units import main, placed_units
from emulator.formats import BF16
from emulator.peers import peer
from rtl.variants import PeerVariant, variant
from rtl.verilog import to_verilog

LIMITS_GE = {"quantizer-peer-torchao-nvfp4-1level-bf16-cuto": 18000}
"""With one register only, since the gates that hold a register's bits count as logic."""


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


def test_error_of_a_peer() -> None:
    """That of the peer's own codes and decoding, on the numbers that all variants get."""
    p, x = peer("peer-torchao-nvfp4-1level"), np.linspace(-3, 3, 4096)
    given = x.astype(ml_dtypes.bfloat16)
    wanted = np.square(given.astype(np.float64) - p.quantize(given).dequantize()).sum()
    found = tensor_error(p, BF16, x)
    assert found.error == wanted > 0 and found.elements == 4096
    v = variant("quantizer-peer-torchao-nvfp4-1level-b8-bf16")
    assert isinstance(v, PeerVariant)
    small = _quantization(v)
    assert small.name == f"{v.peer}-b8" and tensor_error(small, BF16, x).error != wanted


def test_rows_of_peers_stand_among_the_quantizers() -> None:
    mapped = Mapped("delay", 100.0, 20.0, 5, 9, None, {})
    row = Row(
        variant("quantizer-peer-te-nvfp4-bf16"),
        Verified(7, 4, 1.0),
        Synthesis("top", GENERIC, (mapped,)),
        {1.0: 0.01},
        {},
        None,
    )
    found = Comparison((row,), (), "c", "m", None, ("delay",), {}, 2, 1)
    (cells,) = main_grid(found).rows
    assert cells[:2] == ("quantizer-peer-te-nvfp4-bf16", "4.5") and cells[-1] == "10.00"
    assert unit_grids(found) == {} and ratio_grid(found).rows == ()
    assert "quantizer-peer-te-nvfp4-bf16" in to_markdown(found)

"""Synthesis: known counts, splits, errors, and the same figures every time."""

from __future__ import annotations

import pytest

from compare.liberty import Library, read_library
from compare.synthesis import SCRIPTS, TRANSISTORS_PER_FLIP_FLOP, Spread, synthesize
from emulator.errors import ToolError
from tests.compare.cells import osu018

NAND = "module t(input a, b, output y); assign y = ~(a & b); endmodule"
WIRE = "module t(input a, output y); assign y = a; endmodule"
DFF = "module t(input clk, d, output reg q); always @(posedge clk) q <= d; endmodule"
RESET = """
module t(input clk, rst, a, b, output reg q);
  always @(posedge clk) if (rst) q <= 0; else q <= ~(a & b);
endmodule"""
ADDER = "module t(input [7:0] a, b, output [8:0] y); assign y = a + b; endmodule"
LATCH = "module t(input a, b, output reg y); always @* if (a) y = b; endmodule"
CHAIN = "module t(input a, b, c, d, output y); assign y = ~(~(~(a & b) & c) & d); endmodule"


@pytest.fixture(scope="module")
def osu() -> Library:
    return read_library([osu018()])


def test_spread() -> None:
    assert Spread.of([3, 1, 2]) == Spread(2, 1, 3)


def test_nand_is_one_gate_equivalent() -> None:
    result = synthesize(NAND, "t")
    assert result.logic == Spread(1.0, 1.0, 1.0)
    assert result.registers == Spread(0.0, 0.0, 0.0)
    assert result.levels == Spread(1, 1, 1)
    assert [m.script for m in result.mappings] == list(SCRIPTS)
    assert dict(result.mappings[0].cells) == {"$_NAND_": 1}
    assert result.delay_ps is None


def test_nand_in_cells(osu: Library) -> None:
    result = synthesize(NAND, "t", liberty=osu)
    assert result.logic == Spread(1.0, 1.0, 1.0)
    assert dict(result.mappings[0].cells) == {"NAND2X1": 1}
    assert result.library == "osu018_stdcells"
    assert result.delay_ps is not None
    assert 10 < result.delay_ps.median < 1000


def test_flip_flop_is_a_register_and_no_logic() -> None:
    result = synthesize(DFF, "t", scripts=["area"])
    assert result.logic.median == 0.0
    assert result.registers.median == TRANSISTORS_PER_FLIP_FLOP / 4
    assert result.flip_flops == 1


def test_flip_flop_in_cells(osu: Library) -> None:
    result = synthesize(DFF, "t", liberty=osu, scripts=["area"])
    assert result.logic.median == 0.0
    assert result.registers.median == 4.0  # DFFPOSX1, 96 over 24
    assert result.flip_flops == 1


@pytest.mark.parametrize("cells", [False, True])
def test_reset_counts_as_logic(cells: bool, request: pytest.FixtureRequest) -> None:
    library = request.getfixturevalue("osu") if cells else None
    result = synthesize(RESET, "t", liberty=library, scripts=["flow"])
    assert result.registers.median == 4.0
    assert result.logic.median > 1.0


def test_levels_count_the_longest_path(osu: Library) -> None:
    assert synthesize(CHAIN, "t", scripts=["area"]).levels.median >= 2
    assert synthesize(CHAIN, "t", liberty=osu, scripts=["area"]).levels.median >= 2
    assert synthesize(WIRE, "t", scripts=["area"]).levels.median == 0
    assert synthesize(WIRE, "t", liberty=osu, scripts=["area"]).logic.median == 0


def test_two_runs_are_the_same() -> None:
    assert synthesize(ADDER, "t") == synthesize(ADDER, "t")


def test_scripts_differ_and_the_median_lies_between() -> None:
    result = synthesize(ADDER, "t")
    assert len({m.logic_ge for m in result.mappings}) > 1
    assert result.logic.low <= result.logic.median <= result.logic.high


@pytest.mark.parametrize(
    ("verilog", "message"),
    [
        ("module t(input a", r"design\.v:1: syntax error"),
        (NAND.replace("module t", "module u", 1), "Module `t' not found"),
        (LATCH, r"module t holds latches"),
    ],
)
def test_bad_verilog(verilog: str, message: str) -> None:
    with pytest.raises(ToolError, match=message) as caught:
        synthesize(verilog, "t", scripts=["area"])
    assert "\n" not in str(caught.value)
    assert "/tmp" not in str(caught.value)


def test_unknown_script() -> None:
    with pytest.raises(ValueError, match=r"\['fast'\] are not of area, "):
        synthesize(NAND, "t", scripts=["fast"])
    with pytest.raises(ValueError, match="are not of area"):
        synthesize(NAND, "t", scripts=[])


def test_missing_pyosys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ToolError, match=r"pyosys is not installed; install it with: pip install"):
        synthesize(NAND, "t")


def test_a_delay_of_more_than_100_ns(osu: Library) -> None:
    """abc leaves no blank in front of such a number."""
    stages = "".join(
        f"wire c{i + 1}; assign c{i + 1} = a[{i}] & c{i} | ~a[{i}] & b[{i}] & ~c{i};\n"
        for i in range(700)
    )
    text = (
        "module t(input [699:0] a, input [699:0] b, input c0, output y);\n"
        f"{stages}assign y = c700; endmodule"
    )
    (mapped,) = synthesize(text, "t", liberty=osu, scripts=["area"]).mappings
    assert mapped.delay_ps is not None and mapped.delay_ps > 100_000
    assert mapped.levels > 700

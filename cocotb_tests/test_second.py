"""A second simulator agrees on every kind of unit, and both find what is wrong.

Icarus where it is installed, else CXXRTL, which needs a C++ compiler alone: nothing is skipped.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cocotb_tests import cxxrtl, plain, second
from cocotb_tests.families import FAMILIES, STREAMS, streams
from cocotb_tests.second import run_cxxrtl, run_icarus, simulate_second
from cocotb_tests.subjects import subject
from cocotb_tests.toolchain import ROOT
from cocotb_tests.unit_vectors import COMMITTED, load
from cocotb_tests.vectors import Vectors, gather
from emulator.errors import FileFormatError, MismatchError, ToolError
from rtl.variants import quantizer, variant
from tests.rtl import dot_mutants, mutants

pytestmark = pytest.mark.slow

VECTORS = ROOT / "golden_vectors" / COMMITTED
OURS = variant("decode-ue5m3-bf16-x2")

needs_icarus = pytest.mark.skipif(
    not plain.has_icarus(), reason="Icarus Verilog (package iverilog) is not installed"
)
BOTH = ("cxxrtl", pytest.param("icarus", marks=needs_icarus))
RUN = {"cxxrtl": run_cxxrtl, "icarus": run_icarus}


HEAVY = {
    "quantizer-peer-te-nvfp4-b2-bf16": 6,
    "quantizer-ue4m3-4o6-hbf16-b2-bf16-turn": 4,
    "quantizer-ue4m3-4o6-hbf16-b2-bf16": 4,
    "quantizer-ue4m3-4o6-e6-h-b2-bf16": 5,
    "quantizer-ue4m3-4o6-e6-h-b2-bf16-turn": 5,
    "quantizer-ue5m3-4o6-e5-hbf16-b2-bf16": 4,
    "quantizer-ue5m3-3c-e6-hbf16-b2-bf16-turn": 4,
    "quantizer-ue4m3-absmax-sr4-h-b2-bf16-r9": 4,
}
"""Variants that take long in Icarus: every so many words here, all in `make exhaustive`."""


@pytest.mark.parametrize("name", FAMILIES)
def test_a_second_simulator_agrees(name: str, tmp_path: Path) -> None:
    """The committed golden vectors of every kind of unit, with pauses (spec §11.5, §13.1)."""
    v = variant(name)
    path = file_of(tmp_path, v.verilog())
    step = HEAVY.get(name, 1)
    given = [(n, words[::step], spec[::step]) for n, words, spec in load(VECTORS, v)]
    vectors = Vectors.join(subject(v), given)
    if plain.has_icarus():
        report = run_icarus(path, vectors, runs=second.PAUSES[1:])
    else:
        report = run_cxxrtl(path, vectors)
    assert report.driver_words >= len(vectors.spec) >= 80


@pytest.mark.parametrize("name", STREAMS)
def test_cxxrtl_agrees(name: str, tmp_path: Path) -> None:
    """All stimuli, with pauses, resets, latency and interval, whatever else is installed."""
    v = variant(name)
    report = simulate_second(v, "cxxrtl", folder=tmp_path, blocks=0, bulk_blocks=2_000)
    assert report.driver_words > 1_000
    assert (report.latency, report.interval) == (v.latency, v.interval)


def test_the_list_of_streams_is_complete() -> None:
    assert {(v.unit, v.last_bit is None) for v in map(variant, STREAMS)} == streams()


def file_of(folder: Path, text: str, name: str = "mine") -> Path:
    path = folder / f"{name}.v"
    path.write_text(text)
    return path


@pytest.mark.parametrize("simulator", BOTH)
def test_one_wrong_bit_is_found(simulator: str, tmp_path: Path) -> None:
    """A bit of the required words is flipped (spec §13.1)."""
    path = file_of(tmp_path, OURS.verilog())
    name, words, spec = load(VECTORS, OURS)[0]
    given = Vectors.join(subject(OURS), [(name, words, spec)])
    assert RUN[simulator](path, given).driver_words >= 2 * len(spec)
    given.spec[17, 1] ^= 4
    with pytest.raises(MismatchError, match=r"1 of \d+ words differ"):
        RUN[simulator](path, given)


@pytest.mark.parametrize("simulator", BOTH)
def test_a_wrong_gate_is_found(simulator: str, tmp_path: Path) -> None:
    v = quantizer("quantizer-ue5m3-absmax-b4-bf16")
    path = file_of(tmp_path, mutants.mutant_verilog(v, "wrong-tie"))
    with pytest.raises(MismatchError, match="words differ"):
        RUN[simulator](path, gather(v, 0, vectors=VECTORS))


MUTANTS = [
    ("quantizer-ue5m3-absmax-b4-bf16", "flipped-threshold", mutants.mutant_verilog),
    ("quantizer-ue5m3-4o6-b2-bf16", "last-of-equals", mutants.select_mutant_verilog),
    ("quantizer-ue5m3-4o6-b2-bf16", "blunt-lane", mutants.select_mutant_verilog),
    ("quantizer-ue4m3-3c-b2-bf16-turn", "nothing-decided", mutants.select_mutant_verilog),
    ("dot-ue4m3-b2-fp32", "subnormal-exponent", dot_mutants.mutant_verilog),
]


@pytest.mark.parametrize(("name", "fault", "text"), MUTANTS)
def test_committed_vectors_of_units_catch(name: str, fault: str, text: Any, tmp_path: Path) -> None:
    """The short vectors of golden_vectors/units find these faults; others need more words."""
    v = variant(name)
    path = file_of(tmp_path, text(v, fault))
    simulator = "icarus" if plain.has_icarus() else "cxxrtl"
    with pytest.raises(MismatchError, match="words differ"):
        RUN[simulator](path, gather(v, 0, vectors=VECTORS))


STUCK = "module mine (input clk, rst, i_valid, o_ready, output i_ready, o_valid, {payloads});"
STUCK += " wire [31:0] y; reg kept; always @(posedge clk) kept <= kept;"
STUCK += " assign o_payload = y ^ kept; {module} core (.clk(clk), .rst(rst), .i_payload(i_payload),"
STUCK += " .i_valid(i_valid), .i_ready(i_ready), .o_payload(y), .o_valid(o_valid),"
STUCK += " .o_ready(o_ready)); endmodule\n"


@pytest.mark.parametrize("simulator", BOTH)
def test_registers_start_with_any_value(simulator: str, tmp_path: Path) -> None:
    """A design that is right only if a register without reset starts at 0 is not right."""
    payloads = "input [15:0] i_payload, output [31:0] o_payload"
    text = STUCK.format(payloads=payloads, module=OURS.module)
    path = file_of(tmp_path, text + OURS.verilog())
    found = []
    for seed in range(6):
        try:
            RUN[simulator](path, gather(OURS, 0, vectors=VECTORS), top="mine", seed=seed)
            found.append(False)
        except MismatchError:
            found.append(True)
    assert any(found), found


@pytest.mark.parametrize("simulator", BOTH)
def test_a_users_design(simulator: str, tmp_path: Path) -> None:
    """Any latency; the ports of spec §12.1; a top module that is named where there are several."""
    other = variant(f"{OURS.name}-cutimo")
    path = file_of(tmp_path, other.verilog().replace(other.module, "mine"))
    report = simulate_second(OURS, simulator, dut=path, top="mine", vectors=VECTORS)
    assert (report.dut, report.top) == (str(path), "mine")
    assert report.latency == (3 if simulator == "cxxrtl" else -1)
    narrow = file_of(tmp_path, path.read_text().replace("[15:0] i_payload", "[14:0] i_payload"))
    with pytest.raises(ToolError, match=r"port i_payload .*15.* 16.*§12.1"):
        simulate_second(OURS, simulator, dut=narrow, top="mine", vectors=VECTORS)
    lacking = file_of(tmp_path, path.read_text().replace("o_ready", "o_taken"))
    with pytest.raises(ToolError, match="o_ready"):
        simulate_second(OURS, simulator, dut=lacking, top="mine", vectors=VECTORS)
    two = file_of(tmp_path, "module a; endmodule\nmodule b; endmodule\n", "two")
    with pytest.raises(ToolError, match="name the top module; the candidates are a, b"):
        simulate_second(OURS, simulator, dut=two, vectors=VECTORS)
    broken = file_of(tmp_path, "module mine (input clk;\n")
    with pytest.raises(ToolError, match=r"on .*mine.v failed: .*(error|ERROR)"):
        simulate_second(OURS, simulator, dut=broken, vectors=VECTORS)


def test_what_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FileFormatError, match=r"none\.v: no such file"):
        simulate_second(OURS, "cxxrtl", dut=tmp_path / "none.v")
    with pytest.raises(ToolError, match="there is no module nothing"):
        cxxrtl.translate(file_of(tmp_path, "module a; endmodule\n"), "nothing")
    with pytest.raises(ValueError, match="simulator 'vcs' is not one of cxxrtl, icarus"):
        simulate_second(OURS, "vcs")
    with pytest.raises(ValueError, match="blocks -1"):
        simulate_second(OURS, "cxxrtl", blocks=-1)
    with pytest.raises(ValueError, match="bulk_blocks 5 goes with Verilator and CXXRTL only"):
        simulate_second(OURS, "icarus", bulk_blocks=5)
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(ToolError, match=r"Icarus Verilog was not found .*apt install iverilog"):
        second.require("icarus")
    with pytest.raises(ToolError, match=r"C\+\+ compiler"):
        second.require("cxxrtl")

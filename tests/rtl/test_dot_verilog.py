"""The exported Verilog of dot products: its ports, its text, and what Verilator thinks of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cocotb_tests import toolchain
from rtl import verilog
from rtl.variants import variant
from tests.rtl.dot_mutants import MUTANTS, mutant_verilog
from tests.rtl.test_dot_variants import dot

NAMES = (
    "dot-ue5m3-b4-block",
    "dot-e8m0-b4-x2-fp32-cutispo",
    "dot-ue4m3-b8-exact-h",
    "dot-ue5m3-b16-tc35-k16",
    "dot-e8m0-b4-block",
)


@pytest.mark.parametrize("name", NAMES)
def test_ports_and_lint(name: str, tmp_path: Path) -> None:
    """The ports of spec §12.1, and no warning but the waived ones."""
    v = variant(name)
    text = verilog.to_verilog(v)
    path = tmp_path / f"{v.module}.v"
    path.write_text(text)
    assert toolchain.dut_ports(path, v.module) == v.ports
    assert toolchain.lint(path, v.module, waivers=verilog.WAIVERS) == ""
    assert v.name in text and f"Latency {v.latency}, interval 1" in text
    assert not re.search(r"\(\*|\\|\$auto|[Yy]osys|Amaranth|/(home|tmp|work|usr)/", text)
    modules = re.findall(r"^module (\w+)\(", text, re.M)
    assert modules[0] == v.module and len(modules) == len(set(modules))


@pytest.mark.parametrize("mutant", MUTANTS)
def test_mutants_are_other_designs(mutant: str) -> None:
    v = dot("dot-ue5m3-b2-fp32")
    text = mutant_verilog(v, mutant)
    assert f"module {v.module}(" in text and text != verilog.to_verilog(v)

"""The exported Verilog: its bytes, its ports, its text, and what Verilator thinks of it."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from cocotb_tests import toolchain
from emulator.errors import ToolError
from emulator.version import SPEC_VERSION
from rtl import verilog
from rtl.package import package, write_package
from rtl.variants import quantizer
from tests.rtl.mutants import MUTANTS, mutant_verilog

NAMES = [
    "quantizer-ue5m3-absmax-b16-bf16",
    "quantizer-ue4m3-absmax-pz-b2-fp32-cutiasto",
    "quantizer-ue5m3-absmax-b4-fp16-cutt",
    "quantizer-e8m0-floor-b8-fp16-cuti",
    "quantizer-e8m0-ceil-b2-fp32-cuta",
    "quantizer-e8m0-even-b4-bf16-cuts",
    "quantizer-ue4m3-absmax-hbf16-b2-bf16",
    "quantizer-ue5m3-4o6-b2-bf16",
    "quantizer-ue4m3-6c-b2-fp16-turn",
    "quantizer-e8m0-fc-b2-bf16-turn-cuto",
    "quantizer-ue5m3-top3-b4-fp16-cutst",
    "quantizer-ue4m3-pop-b2-fp32",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("verilog")


@pytest.mark.parametrize("name", NAMES)
def test_ports_and_lint(name: str, folder: Path) -> None:
    """The ports of spec §12.1, and no warning but the waived ones, each of which has a reason."""
    v = quantizer(name)
    paths = write_package(folder, package([v]))
    path, waivers = (next(p for p in paths if p.suffix == s) for s in (".v", ".vlt"))
    assert (path.name, waivers.name) == (f"{v.module}.v", "waivers.vlt")
    assert toolchain.dut_ports(path, v.module) == v.ports
    assert toolchain.lint(path, v.module, waivers=waivers) == ""
    unwaived = toolchain.lint(path, v.module, waivers=None)
    rules = set(re.findall(r"lint_off -rule (\w+)", waivers.read_text()))
    assert set(re.findall(r"%Warning-(\w+):", unwaived)) <= rules


def test_each_waiver_has_a_reason() -> None:
    parts = verilog.WAIVERS.read_text().strip().split("\n\n")
    assert len(parts) == 5
    for part in parts[1:]:
        reason = [line for line in part.splitlines() if line.startswith("// ")]
        rules = part.splitlines()[len(reason) :]
        assert reason and rules
        for rule in rules:
            files = r"(quantizer_|quantizer_\*_h\*_b|code_|dot_|tensor_)"
            assert re.fullmatch(rf'lint_off -rule [A-Z]+ -file "\*{files}\*\.v"', rule)


def test_header_says_what_it_is() -> None:
    v = quantizer("quantizer-ue4m3-absmax-pz-b4-bf16-cutso")
    head = verilog.to_verilog(v).split("\nmodule ")[0]
    assert all(line.startswith("//") or not line for line in head.splitlines())
    for text in (
        v.name,
        v.recipe.name,
        f"Specification {SPEC_VERSION}.",
        "Latency 2, interval 1",
        "SPDX-License-Identifier: Apache-2.0",
    ):
        assert text in head
    for port, (direction, width) in v.ports.items():
        assert re.search(rf"^// {port} +{direction} +{width}  \S", head, re.M), port


@pytest.mark.parametrize("name", NAMES[:2])
def test_text_is_plain(name: str) -> None:
    """No machine paths, attributes, tool versions or names that need escaping."""
    text = verilog.to_verilog(quantizer(name))
    assert not re.search(r"\(\*|\\|\$auto|[Yy]osys|Amaranth|/(home|tmp|work|usr)/|__", text)
    assert not re.search(r"^\s*initial\b|= *\d+'h\w+;$.*\breg\b", text, re.M)
    modules = re.findall(r"^module (\w+)\(", text, re.M)
    assert modules[0] == quantizer(name).module and len(modules) == len(set(modules))
    kinds = {m.removeprefix(modules[0]).strip("_") for m in modules[1:]}
    assert {"amax", "element", "scale", "thresholds", "unpack"} <= kinds


def test_bytes_do_not_depend_on_the_process() -> None:
    """Hash seed and working directory change nothing."""
    code = (
        "import hashlib\nfrom rtl.variants import quantizer\nfrom rtl.verilog import to_verilog\n"
        f"print(hashlib.sha256(to_verilog(quantizer({NAMES[2]!r})).encode()).hexdigest())"
    )
    root = Path(__file__).parents[2]
    digests = {hashlib.sha256(verilog.to_verilog(quantizer(NAMES[2])).encode()).hexdigest()}
    for seed, cwd in (("1", root), ("2", root.parent)):
        env = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(root)}
        done = subprocess.run(
            [sys.executable, "-c", code], env=env, cwd=cwd, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        digests.add(done.stdout.strip())
    assert len(digests) == 1


def test_missing_yosys_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    child = "import sys\nsys.modules['pyosys'] = None\nfrom pyosys import libyosys\n"
    monkeypatch.setattr(verilog, "_CHILD", child)
    with pytest.raises(ToolError, match=r'pip install "finescale\[rtl\]"'):
        package([quantizer(NAMES[3])])


def test_failing_yosys_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verilog, "_CHILD", "import sys\nprint('ERROR: no')\nsys.exit(1)\n")
    with pytest.raises(ToolError, match=r"^yosys failed: ERROR: no$"):
        package([quantizer(NAMES[3])])


def test_units_by_name() -> None:
    v = quantizer("quantizer-ue5m3-absmax-b2-fp16")
    assert "module element_unit(" in verilog.unit_verilog("element", v)
    assert "input [63:0] amax;" in verilog.unit_verilog("scale", v, lanes=4)
    with pytest.raises(ValueError, match="unit 'lane' is not one of 'element', 'scale'"):
        verilog.unit_verilog("lane", v)


@pytest.mark.parametrize("mutant", MUTANTS)
def test_mutants_are_other_designs(mutant: str) -> None:
    v = quantizer("quantizer-ue5m3-absmax-b2-bf16")
    text = mutant_verilog(v, mutant)
    assert f"module {v.module}(" in text and text != verilog.to_verilog(v)
    assert mutant_verilog(v, mutant) == text

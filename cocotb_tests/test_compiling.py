"""The headers of Verilator's runtime are kept, and what is kept is used."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from cocotb_tests import compiling, toolchain, tools
from emulator.errors import ToolError

MAIN = '#include "Vtop.h"\nint main() { Vtop m; m.x = 5; m.eval(); return m.y == 5 ? 0 : 1; }\n'
MAKE = ["make", "-f", "Vtop.mk", "VM_TRACE=0", "VK_OBJS="]


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What Verilator makes of a wire, with a build folder of its own."""
    monkeypatch.setenv("FINESCALE_BUILD", str(tmp_path / "build"))
    text = "module top(input [3:0] x, output [3:0] y); assign y = x; endmodule\n"
    (tmp_path / "wire.v").write_text(text)
    work = tmp_path / "work"
    work.mkdir()
    command = ["verilator", "-cc", "--exe", "--prefix", "Vtop", "-CFLAGS", "-O1"]
    command += ["-Wno-lint", "-Mdir", str(work), "-o", "wire", str(tmp_path / "wire.v")]
    toolchain.run([*command, str(work / "sim_main.cpp")], "verilator", cwd=work)
    return work


def test_headers_are_precompiled_once_and_used(work: Path) -> None:
    compiling.compile_program(work, MAIN, "a wire")
    assert subprocess.run([work / "wire"]).returncode == 0
    header = compiling.kept_header(work, MAKE)
    kept = header.with_name("kept.h.gch")
    made = kept.stat().st_mtime_ns
    assert [p.name for p in header.parent.parent.glob("headers-*")] == [header.parent.name]
    (work / "wire").unlink()
    (work / "sim_main.o").unlink()
    compiling.compile_program(work, MAIN.replace("== 5", "== 4"), "a wire")
    assert subprocess.run([work / "wire"]).returncode == 1  # this main program, not the last one
    assert kept.stat().st_mtime_ns == made
    command = [*MAKE, f"OPT_FAST=-H -Winvalid-pch -include {header}", "-B", "sim_main.o"]
    said = toolchain.run(command, "the model", cwd=work)
    if "Free Software Foundation" in toolchain.run([tools.compiler(), "--version"], "compiler"):
        assert f"! {kept}" in said.splitlines()


def test_other_flags_have_headers_of_their_own(work: Path) -> None:
    (work / "sim_main.cpp").write_text(MAIN)
    first = compiling.kept_header(work, MAKE)
    assert compiling.kept_header(work, MAKE) == first
    assert compiling.kept_header(work, [*MAKE, "VM_USER_CFLAGS=-O2"]) != first


def test_what_does_not_compile_is_named(work: Path, tmp_path: Path) -> None:
    with pytest.raises(ToolError, match=r"compiling the model of a wire failed: .*nothing\.h"):
        compiling.compile_program(work, '#include "nothing.h"\n', "a wire")
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(ToolError, match=r"a wire: Verilator has left no C\+\+ in .*empty"):
        compiling.compile_program(empty, MAIN, "a wire")

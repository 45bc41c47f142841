"""The headers of Verilator's runtime are kept, and what is kept is used."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from cocotb_tests import compiling, cxxrtl, toolchain, tools
from emulator.errors import ToolError
from rtl.variants import variant

MAIN = '#include "Vtop.h"\nint main() { Vtop m; m.x = 5; m.eval(); return m.y == 5 ? 0 : 1; }\n'
MAKE = ["make", "-f", "Vtop.mk", "VM_TRACE=0", "VM_TRACE_VCD=0", "VK_OBJS=", "OPT_FAST="]


def gcc() -> bool:
    return "Free Software Foundation" in tools.run([tools.compiler(), "--version"], "the compiler")


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What Verilator makes of a wire, with a build folder of its own."""
    monkeypatch.setenv("FINESCALE_BUILD", str(tmp_path / "build"))
    text = "module top(input [3:0] x, output [3:0] y); assign y = x; endmodule\n"
    (tmp_path / "wire.v").write_text(text)
    work = tmp_path / "work"
    work.mkdir()
    # The compiler says what it reads (-H).
    command = ["verilator", "-cc", "--exe", "--prefix", "Vtop", "-CFLAGS", "-O1 -H"]
    command += ["-Wno-lint", "-Mdir", str(work), "-o", "wire", str(tmp_path / "wire.v")]
    toolchain.run([*command, str(work / "sim_main.cpp")], "verilator", cwd=work)
    return work


def test_headers_are_precompiled_once_and_used(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []

    def run(*arguments: Any, **options: Any) -> str:
        said.append(tools.run(*arguments, **options))
        return said[-1]

    monkeypatch.setattr(toolchain, "run", run)
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
    if gcc():
        assert [line for text in said for line in text.splitlines()].count(f"! {kept}") == 2


def test_headers_of_cxxrtl_are_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FINESCALE_BUILD", str(tmp_path / "build"))
    monkeypatch.setattr(cxxrtl, "FLAGS", (*cxxrtl.FLAGS, "-H"))
    said: list[str] = []

    def run(*arguments: Any, **options: Any) -> Any:
        done = subprocess_run(*arguments, **options)
        said.append(str(done.stderr))
        return done

    subprocess_run = subprocess.run
    monkeypatch.setattr(cxxrtl.subprocess, "run", run)
    v = variant("decode-ue5m3-bf16-x2")
    path = tmp_path / f"{v.module}.v"
    path.write_text(v.verilog())
    cxxrtl.build(path, v)
    kept = list((tmp_path / "build" / "objcache").glob("headers-*/kept.h.gch"))
    assert len(kept) == 1
    if gcc():
        assert [line for text in said for line in text.splitlines()].count(f"! {kept[0]}") == 1


def test_what_another_process_has_built_stays(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with compiling.new_build(home, "file") as (work, finished):
        (finished / "file").write_text("second")
        home.mkdir()
        (home / "file").write_text("first")
    assert (home / "file").read_text() == "first" and not work.exists()
    (home / "file").rename(home / "other")
    with (
        pytest.raises(OSError, match="not empty"),
        compiling.new_build(home, "file") as (work, finished),
    ):
        (finished / "file").write_text("third")
    assert not work.exists()
    with pytest.raises(KeyError), compiling.new_build(tmp_path / "none", "file") as (work, _):
        raise KeyError
    assert sorted(p.name for p in tmp_path.iterdir()) == ["home"]


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

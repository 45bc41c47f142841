"""Runs exported testbenches in simulators as a user without Python would: Icarus and Verilator."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from cocotb_tests import tools
from cocotb_tests.testbench import PASSED, bench_files
from cocotb_tests.vectors import Vectors
from emulator.errors import MismatchError, ToolError
from rtl.package import FILELIST, package, write_package


def has_icarus() -> bool:
    """Whether Icarus Verilog is installed."""
    return shutil.which("iverilog") is not None and shutil.which("vvp") is not None


def write_bench(folder: Path, vectors: Vectors, interface: str = "stream") -> str:
    """Export a variant with its testbench; return the testbench's top module."""
    variant = vectors.subject.variant
    bench = bench_files(vectors, interface)
    write_package(folder, package([variant], interface, {variant.module: list(bench)}) | bench)
    return f"{variant.module}_tb"


def build_icarus(folder: Path, top: str) -> list[str]:
    """Compile a folder of `write_bench`; return the command that runs it."""
    if not has_icarus():
        raise ToolError("Icarus Verilog is not installed (package iverilog)")
    command = ["iverilog", "-g2012", "-s", top, "-f", FILELIST, f"{top}.sv", "-o", "tb.vvp"]
    tools.run(command, f"iverilog on {top}", cwd=folder, bare=True)
    return ["vvp", "-n", "tb.vvp"]


def build_verilator(folder: Path, top: str) -> list[str]:
    """The same with Verilator."""
    command = ["verilator", "--binary", "--timing", "--top-module", top, "-f", FILELIST]
    command += [f"{top}.sv", "-o", "tb", "-Wno-fatal", "-Wno-lint", "-Wno-style", "-j", "1"]
    # The wheel does not know the compiler's flag for coroutines.
    command += ["-CFLAGS", "-std=gnu++20 -fcoroutines -O1"]
    tools.run(command, f"verilator on {top}", cwd=folder)
    return ["obj_dir/tb"]


def run_bench(command: list[str], folder: Path, *plusargs: str) -> int:
    """Run a built testbench; return the number of words that it found identical.

    Raises:
        MismatchError: with its last words, if it did not pass or compared nothing.
    """
    done = subprocess.run([*command, *plusargs], cwd=folder, capture_output=True, text=True)
    lines = (done.stdout + done.stderr).splitlines()
    passed = [line for line in lines if line.startswith(f"{PASSED} ")]
    if done.returncode or len(passed) != 1:
        raise MismatchError("\n".join(lines[-8:]) or f"{command[0]} printed nothing")
    words = int(passed[0].split()[1])
    if words < 1:
        raise MismatchError(f"{command[0]} compared no word (spec §13.2)")
    return words

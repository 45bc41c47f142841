"""Simulation in CXXRTL or Icarus Verilog, so that no single simulator is trusted.

CXXRTL runs behind the C++ driver, with all that it tests of the protocol. Icarus runs the
self-checking testbench that is exported for users, in four states: a bit that is unknown fails.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from cocotb_tests import cxxrtl, plain, tools
from cocotb_tests.bulk import BulkModel
from cocotb_tests.report import Report
from cocotb_tests.simulate import Progress, chunk_words, require_timing, run_driver
from cocotb_tests.testbench import bench_files
from cocotb_tests.vectors import Vectors, gather
from emulator.errors import FileFormatError, ToolError
from emulator.folder import new_file
from rtl.variant import Device

SECOND = ("cxxrtl", "icarus")
"""Simulators besides Verilator."""

PAUSES = (("+pauses=0",), ("+pauses=128", "+seed={seed}"))
"""Arguments of the testbench's runs: at full rate, and with pauses on both sides."""

_WIDTH = re.compile(r"[Pp]ort \d+ \((?P<port>\w+)\) of .*?expects (?P<has>\d+) bits?, got (\d+)")


def simulate_second(
    variant: Device,
    simulator: str,
    *,
    dut: Path | None = None,
    top: str | None = None,
    folder: Path | None = None,
    vectors: Path | None = None,
    blocks: int = 20_000,
    bulk_blocks: int = 0,
    seed: int = 0,
    progress: Progress | None = None,
) -> Report:
    """Simulate a design and compare every word with what the specification requires.

    Args:
        variant: what the design is meant to compute.
        simulator: one of `SECOND`.
        dut: a Verilog file with the ports of spec §12.1; by default the variant's own Verilog.
        top: top module of that file, where it has several candidates.
        folder: where Verilog goes; by default ``build/simulate/<variant>``.
        vectors: folder of golden vectors instead of the named stimuli.
        blocks: least number of words in all; each runs at full rate and with pauses.
        bulk_blocks: random words on top; in CXXRTL only.
        seed: seed of random words and pauses.
        progress: called before each step.

    Raises:
        MismatchError: if a word differs or the protocol is broken.
        ToolError: if a tool is missing or fails, or the ports differ.
        ValueError: for another simulator, or a number that is out of its range.
    """
    if simulator not in SECOND:
        raise ValueError(f"simulator {simulator!r} is not one of {', '.join(SECOND)}")
    if blocks < 0 or bulk_blocks < 0 or seed < 0:
        raise ValueError(f"blocks {blocks}, bulk_blocks {bulk_blocks} or seed {seed} is below 0")
    if bulk_blocks and simulator == "icarus":
        raise ValueError(f"bulk_blocks {bulk_blocks} goes with Verilator and CXXRTL only")
    require(simulator)
    steps = 4 + -(-bulk_blocks // chunk_words(variant))
    done = 0

    def step(what: str) -> None:
        nonlocal done
        if progress is not None:
            progress(what, min(done, steps), steps)
        done += 1

    step("Verilog")
    path = dut
    if path is None:
        folder = folder or tools.build_root() / "simulate" / variant.name
        path = folder / f"{variant.module}.v"
        with new_file(path) as part:
            part.write_text(variant.verilog())
    elif not path.is_file():
        raise FileFormatError(f"{path}: no such file")
    step("stimuli")
    given = gather(variant, blocks, seed, vectors)
    step(f"simulation in {simulator}")
    if simulator == "icarus":
        report = run_icarus(path, given, top=top, seed=seed)
    else:
        report = run_cxxrtl(
            path, given, top=top, blocks=bulk_blocks, seed=seed, step=lambda: step(simulator)
        )
        if dut is None:
            require_timing(report, variant)
    report.dut = "generated" if dut is None else str(dut)
    step("done")
    return report


def require(simulator: str) -> None:
    """Check that a simulator is there.

    Raises:
        ToolError: naming what is missing and what to install.
    """
    if simulator == "icarus":
        if not plain.has_icarus():
            raise ToolError(
                "Icarus Verilog was not found (Debian and Ubuntu: apt install iverilog)"
            )
    else:
        cxxrtl.require()


def run_cxxrtl(
    path: Path,
    given: Vectors,
    *,
    top: str | None = None,
    blocks: int = 0,
    seed: int = 0,
    step: Callable[[], None] = lambda: None,
) -> Report:
    """Run words through the CXXRTL model of a Verilog file.

    Each word comes at full rate, with pauses, and with a reset in mid-stream; then ``blocks``
    random ones.

    Raises:
        MismatchError: if a word differs or the protocol is broken.
        ToolError: if a tool fails or the ports differ.
    """
    variant = given.subject.variant
    model = cxxrtl.build(path, variant, top=top)
    report = Report(variant.name, str(path), model.top, simulator="cxxrtl")
    report.versions = dict(cxxrtl.versions())
    run_driver(BulkModel(model), given, report, blocks=blocks, seed=seed, step=step)
    return report


def run_icarus(
    path: Path,
    given: Vectors,
    *,
    top: str | None = None,
    seed: int = 0,
    runs: Sequence[tuple[str, ...]] = PAUSES,
) -> Report:
    """Run words through the exported testbench and a Verilog file in Icarus, once for each of runs.

    Raises:
        MismatchError: if a word differs, is unknown or missing, or the protocol is broken.
        ToolError: if a tool fails or the ports differ.
    """
    variant = given.subject.variant
    top = top or _top(path, variant.module)
    report = Report(variant.name, str(path), top, simulator="icarus")
    report.versions = {"icarus": icarus_version()}
    with tempfile.TemporaryDirectory(prefix="finescale-") as name:
        folder = Path(name)
        bench, *_ = files = bench_files(given)
        files[bench] = files[bench].replace(f"  {variant.module} dut (", f"  {top} dut (")
        for file, text in files.items():
            (folder / file).write_text(text, "utf-8")
        command = ["iverilog", "-g2012", "-s", Path(bench).stem, "-o", "tb.vvp", bench]
        command += [f"-I{path.resolve().parent}", str(path.resolve())]
        said = tools.run(command, f"iverilog on {path}", cwd=folder, bare=True)
        _check_widths(said, f"{path}: {top}")
        for arguments in runs:
            options = [a.format(seed=seed + 1) for a in arguments]
            report.driver_words += plain.run_bench(["vvp", "-n", "tb.vvp"], folder, *options)
    report.results = given.results("testbench")
    return report


def icarus_version() -> str:
    """Version of Icarus Verilog."""
    require("icarus")
    done = subprocess.run(["iverilog", "-V"], capture_output=True, text=True)
    found = re.search(r"version (\S+)", done.stdout)
    return found[1] if found else "unknown"


def _top(path: Path, module: str) -> str:
    """The module of a file that the testbench instantiates: ours by name, or the only one."""
    text = re.sub(r"//[^\n]*|/\*.*?\*/", "", path.read_text("utf-8", "replace"), flags=re.S)
    found = re.findall(r"^\s*module\s+(\w+)", text, re.M)
    if module in found:
        return module
    if len(found) != 1:
        names = ", ".join(found) or "none"
        raise ToolError(f"{path}: name the top module; the candidates are {names}")
    return found[0]


def _check_widths(said: str, source: str) -> None:
    """Ports of other widths are a warning for Icarus (spec §12.1)."""
    if wrong := _WIDTH.search(said):
        raise ToolError(
            f"{source}: port {wrong['port']} has {wrong['has']} bits, not {wrong[3]} (spec §12.1)"
        )

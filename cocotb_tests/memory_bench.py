"""Tensor quantizers in Verilator, between commands and a memory (spec §24)."""

from __future__ import annotations

import hashlib
import json
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cocotb_tests import compiling, toolchain
from emulator.errors import ToolError
from emulator.layout import Words
from rtl.tensor_quantizer_variant import TensorQuantizerVariant

DRIVER = Path(__file__).with_name("memory_driver.cpp")
FLAGS = ["-cc", "--exe", "--prefix", "Vtop", "-O3", "--no-timing", "--x-initial", "unique"]
# Short functions and one copy of each lane compile faster; see `model.py`.
FLAGS += ["--output-split", "0", "--output-split-cfuncs", "500", "--inline-mult", "1"]
FLAGS += ["-Wno-fatal", "-Wno-lint", "-Wno-style", "-CFLAGS", "-O1"]
ALWAYS = 256
"""The chance, of 256, of a side that never pauses."""

IDLE_LIMIT = 20_000
"""Cycles without a transfer after which a design counts as dead."""

Image = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Memory:
    """A memory as a tensor quantizer sees it: a read port and a write port (spec §24.2).

    Args:
        latency: cycles from the transfer of a read request to that of its word, 1 or more.
        reads: the most words that it has under way at a time; None if it sets no limit.

    Raises:
        ValueError: if a number is below 1.
    """

    latency: int
    reads: int | None = None

    def __post_init__(self) -> None:
        if self.latency < 1:
            raise ValueError(f"a memory latency of {self.latency} cycles is below 1")
        if self.reads is not None and self.reads < 1:
            raise ValueError(f"a memory that has {self.reads} reads under way never answers")


@dataclass(frozen=True)
class Stalls:
    """Pauses of the memory and of who takes the status.

    Args:
        request, read, write, status: chances, of 256, that a stream does not pause.
        hold: longest run of cycles that one draw lasts.
        seed: of the draws, and of the first values of registers.
    """

    request: int = ALWAYS
    read: int = ALWAYS
    write: int = ALWAYS
    status: int = ALWAYS
    hold: int = 1
    seed: int = 1


@dataclass(frozen=True)
class CommandResult:
    """What one command took.

    Args:
        cycles: from the transfer of the command to its status being offered.
        reads: memory words that were read.
        writes: memory words that were written, each at most once.
        written: bytes of them that were written.
        status: the status word, shape ``(nbytes,)``.
    """

    cycles: int
    reads: int
    writes: int
    written: int
    status: Words


@dataclass(frozen=True)
class MemoryRun:
    """What came of some commands.

    Args:
        image: the memory afterwards.
        results: of each command, in order.
        outstanding: the most words that were under way.
        problem: what broke the protocol, or an empty string.
    """

    image: Image
    results: tuple[CommandResult, ...]
    outstanding: int
    problem: str


@dataclass(frozen=True)
class MemoryModel:
    """A built model of a tensor quantizer."""

    variant: TensorQuantizerVariant
    program: Path

    def run(
        self,
        image: Image,
        commands: Words,
        memory: Memory,
        stalls: Stalls = Stalls(),  # frozen
    ) -> MemoryRun:
        """Give commands one after the other.

        Args:
            image: the memory beforehand, uint8, whole words.
            commands: shape ``(n, nbytes)`` of the command layout.
            memory: its latency and depth.
            stalls: pauses.

        Raises:
            ValueError: if a shape is wrong.
            ToolError: if the program fails.
        """
        v = self.variant
        if commands.ndim != 2 or commands.shape[1] != v.command_layout.nbytes or len(image) < 1:
            raise ValueError(f"commands of shape {commands.shape}, an image of {len(image)} bytes")
        reads = (1 << 40) if memory.reads is None else memory.reads
        chances = (stalls.request, stalls.read, stalls.write, stalls.status)
        numbers = [memory.latency, reads, *chances, stalls.hold, stalls.seed, IDLE_LIMIT]
        with tempfile.TemporaryDirectory() as folder:
            files = [Path(folder, name) for name in ("before", "after", "commands")]
            image.tofile(files[0])
            commands.tofile(files[2])
            call = [str(self.program), *map(str, files), *map(str, numbers)]
            done = subprocess.run(call, capture_output=True, text=True)
            if done.returncode:
                lines = (done.stderr or done.stdout).strip().splitlines() or ["no message"]
                raise ToolError(f"{v}: the simulation ended early: {lines[-1]}")
            after = np.fromfile(files[1], np.uint8)
        found = json.loads(done.stdout.splitlines()[-1])
        results = tuple(
            CommandResult(
                r["cycles"],
                r["reads"],
                r["writes"],
                r["written"],
                np.frombuffer(bytes.fromhex(r["status"]), np.uint8),
            )
            for r in found["results"]
        )
        return MemoryRun(after, results, found["most"], found["problem"])


def build(
    variant: TensorQuantizerVariant,
    verilog: str | Path | None = None,
    folder: Path | None = None,
    *,
    top: str | None = None,
) -> MemoryModel:
    """Build the Verilated model of a tensor quantizer, or find it where it was built before.

    Args:
        variant: gives the ports that the design has to have.
        verilog: the design's text, or a file; the text of the variant if None.
        folder: where models are kept; by default ``build/models``.
        top: the top module; that of the variant, or the only one of a file, if None.

    Raises:
        FileFormatError: if the file does not exist.
        ToolError: if a tool is missing or fails, or if the ports differ.
    """
    toolchain.require(yosys=verilog is None)
    if isinstance(verilog, Path):
        top = top or toolchain.top_module(verilog)
        parts = [file.read_bytes() for file in toolchain.source_files(verilog, top)]
    else:
        verilog = variant.verilog() if verilog is None else verilog
        top, parts = top or variant.module, [verilog.encode()]
    digest = hashlib.sha256()
    sources = (DRIVER, Path(__file__), Path(compiling.__file__))
    for part in (*parts, *(file.read_bytes() for file in sources)):
        digest.update(part)
    versions = sorted(toolchain.versions(yosys=False).items())
    digest.update(repr((versions, variant.ports, top)).encode())
    home = (folder or toolchain.build_root() / "models").resolve()
    home /= f"{top}-{digest.hexdigest()[:16]}"
    program = home / "memory"
    if not program.is_file():
        _build_into(home, verilog, variant, top)
    return MemoryModel(variant, program)


def widths(variant: TensorQuantizerVariant) -> str:
    """What `memory_driver.cpp` has to know of a variant."""
    return (
        f"#define WIDTH {variant.width}\n"
        f"#define COMMAND_BYTES {variant.command_layout.nbytes}\n"
        f"#define STATUS_BYTES {variant.status_layout.nbytes}\n"
    )


def _build_into(home: Path, verilog: str | Path, variant: TensorQuantizerVariant, top: str) -> None:
    """Build in a temporary folder beside ``home`` and rename it once complete."""
    with compiling.new_build(home, "memory") as (work, finished):
        if isinstance(verilog, Path):
            path = verilog.resolve()
        else:
            path = work / f"{top}.v"
            path.write_text(verilog, encoding="utf-8")
        toolchain.check_ports(toolchain.dut_ports(path, top), variant.ports, f"{path.name}: {top}")
        command: Sequence[str] = ["verilator", *FLAGS, "--top-module", top, "-o", "memory"]
        command = [*command, "-Mdir", str(work), f"-I{path.parent}", str(path)]
        toolchain.run([*command, str(work / "sim_main.cpp")], f"verilator on {top}", cwd=work)
        compiling.compile_program(work, f'{widths(variant)}#include "{DRIVER}"\n', top)
        (work / "memory").replace(finished / "memory")

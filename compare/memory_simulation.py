"""Simulates a tensor quantizer against the specification: its own Verilog, or a user's (spec §24).

All bytes of the memory are compared after each run, cycles and bytes read with their closed forms.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from cocotb_tests import cxxrtl, memory_bench, memory_second, toolchain
from cocotb_tests.memory_bench import Memory, MemoryModel, Stalls
from cocotb_tests.memory_tensors import Task, judge, task, tensor
from cocotb_tests.memory_vectors import load
from compare.memory import Traffic, traffic
from emulator.errors import FileFormatError, MismatchError
from emulator.folder import new_file
from rtl.tensor_quantizer_variant import TensorQuantizerVariant

SIMULATORS = ("verilator", "cxxrtl")
"""Simulators that a tensor quantizer runs in."""

MEMORIES = (Memory(1), Memory(9, 3), Memory(36), Memory(512, 100))
"""Memories of the runs without pauses."""

LONG = Memory(100, 64)
"""The memory of the long tensor."""

DEFAULT_BLOCKS, DEFAULT_BULK = 20_000, 65_536

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class MemoryResult:
    """Runs in which every byte was identical.

    Attributes:
        stimulus: what was run.
        tensors: number of tensors, a command each.
        blocks: of all of them.
        words: memory words that were read.
        compared: bytes of results that were compared.
        cycles: of all commands together.
    """

    stimulus: str
    tensors: int
    blocks: int
    words: int
    compared: int
    cycles: int


@dataclass
class MemoryReport:
    """Outcome of a simulation in which everything was identical; anything else raises.

    Attributes:
        variant: name of the tensor quantizer.
        dut: ``"generated"`` or the path of a file.
        simulator: one of `SIMULATORS`.
        timed: whether cycles were compared with the closed form of spec §24.9, too.
        results: what was run.
        versions: of the tools.
    """

    variant: str
    dut: str
    simulator: str
    timed: bool
    results: list[MemoryResult] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)

    @property
    def compared(self) -> int:
        """Bytes of results that were compared."""
        return sum(r.compared for r in self.results)

    def to_json(self) -> dict[str, Any]:
        """All fields, as values that `json.dumps` takes."""
        return asdict(self) | {"compared": self.compared}


def simulate_memory(
    v: TensorQuantizerVariant,
    simulator: str = "verilator",
    *,
    dut: Path | None = None,
    top: str | None = None,
    folder: Path | None = None,
    vectors: Path | None = None,
    blocks: int = DEFAULT_BLOCKS,
    bulk_blocks: int = DEFAULT_BULK,
    seed: int = 0,
    progress: Progress | None = None,
) -> MemoryReport:
    """Simulate a tensor quantizer between commands and a memory.

    Args:
        v: what the design is meant to compute.
        simulator: one of `SIMULATORS`; both have the same commands, memory and pauses.
        dut: a Verilog file with the ports of spec §24.2; by default the variant's own Verilog. Its
            cycles are told, but only those of our own design are held against spec §24.9.
        top: top module of that file, where it has several candidates.
        folder: where Verilog goes; by default ``build/simulate/<variant>``.
        vectors: folder of golden vectors (spec §11.7) instead of the runs but the long one.
        blocks: least number of blocks that are quantized with pauses on all streams.
        bulk_blocks: blocks of one long tensor without pauses.
        seed: of tensors and pauses.
        progress: called before each step.

    Raises:
        MismatchError: if a byte, a status, a number of reads or cycles differs, or the protocol is
            broken.
        ToolError: if a tool is missing or fails, or the ports differ.
        ValueError: for another simulator, or a number that is out of its range.
    """
    if simulator not in SIMULATORS:
        known = " and ".join(SIMULATORS)
        raise ValueError(f"{v} runs in {known}, not in {simulator}")
    if blocks < 0 or seed < 0 or not 0 <= bulk_blocks < 1 << v.count_bits:
        raise ValueError(f"blocks {blocks}, bulk_blocks {bulk_blocks} or seed {seed} out of range")
    report = MemoryReport(v.name, str(dut or "generated"), simulator, dut is None)
    cases = [] if vectors is None else load(vectors, v)
    runs: dict[str, Callable[[MemoryModel], Iterable[Figures]]] = {
        name: partial(_case, t=t, seed=seed, timed=report.timed) for name, t in cases
    }
    if not cases:
        runs["full rate"] = partial(_full_rate, seed=seed, timed=report.timed)
        if blocks:
            runs["pauses"] = partial(_pauses, seed=seed, blocks=blocks)
    if bulk_blocks:
        runs["long"] = partial(_long, seed=seed, blocks=bulk_blocks, timed=report.timed)
    steps = ["Verilog and its model", *runs, "done"]

    def step(number: int) -> None:
        if progress is not None:
            progress(steps[number], number, len(steps) - 1)

    step(0)
    model = _build(v, simulator, dut, top, folder)
    report.versions = dict(
        cxxrtl.versions() if simulator == "cxxrtl" else toolchain.versions(yosys=dut is None)
    )
    for number, (name, run) in enumerate(runs.items(), 1):
        step(number)
        totals = (sum(column) for column in zip(*run(model), strict=True))
        report.results.append(MemoryResult(name, *totals))
    if not report.compared:
        raise MismatchError(f"{v}: nothing was compared (spec §13.2)")
    step(len(steps) - 1)
    return report


def _build(
    v: TensorQuantizerVariant,
    simulator: str,
    dut: Path | None,
    top: str | None,
    folder: Path | None,
) -> MemoryModel:
    path = dut
    if path is None:
        folder = folder or toolchain.build_root() / "simulate" / v.name
        path, top = folder / f"{v.module}.v", v.module
        with new_file(path) as part:
            part.write_text(v.verilog())
    elif not path.is_file():
        raise FileFormatError(f"{path}: no such file")
    if simulator == "cxxrtl":
        return memory_second.build_cxxrtl(v, path, top=top)
    return memory_bench.build(v, path, top=top)


Figures = tuple[int, int, int, int, int]
"""Tensors, blocks, memory words read, bytes compared, cycles."""


def _judge(model: MemoryModel, t: Task, memory: Memory, stalls: Stalls, timed: bool) -> Figures:
    """A run, all of it compared."""
    v = model.variant
    run = model.run(t.before, t.commands, memory, stalls)
    compared = judge(v, t, run)
    sizes = t.sizes(v)
    for n, r in zip(sizes, run.results, strict=True):
        wanted = traffic(v, n, memory) if n else Traffic(r.cycles, 0, 0)
        seen = Traffic(r.cycles if timed else wanted.cycles, r.reads * v.width, r.written)
        if seen != wanted:
            raise MismatchError(
                f"{v}: a tensor of {n} blocks, memory latency {memory.latency}, "
                f"{memory.reads or 'any number of'} reads: {seen}, spec {wanted} "
                "(spec §24.9, §24.10)"
            )
    reads, cycles = (sum(getattr(r, name) for r in run.results) for name in ("reads", "cycles"))
    return len(sizes), sum(sizes), reads, compared, cycles


def _run(
    model: MemoryModel, sizes: list[int], memory: Memory, stalls: Stalls, seed: int, timed: bool
) -> Figures:
    """Tensors of some sizes, one after the other."""
    v = model.variant
    tensors = [tensor(v, n, seed + k) for k, n in enumerate(sizes)]
    return _judge(model, task(v, tensors, seed), memory, stalls, timed)


def _case(model: MemoryModel, t: Task, seed: int, timed: bool) -> Iterator[Figures]:
    """Golden vectors, with and without pauses."""
    for memory in MEMORIES:
        yield _judge(model, t, memory, Stalls(seed=seed + 1), timed)
    yield _judge(model, t, Memory(5), Stalls(90, 160, 90, 128, 5, seed + 1), timed=False)


def _full_rate(model: MemoryModel, seed: int, timed: bool) -> Iterator[Figures]:
    v = model.variant
    held = [v.buffer, v.buffer + 1] if 0 < v.buffer <= 4096 else []
    sizes = [1, 2, 3, v.group, v.group + 1, 64, v.width, v.width + 1, 2 * v.width + 1, 300, *held]
    for memory in MEMORIES:
        yield _run(model, sizes, memory, Stalls(seed=seed + 1), seed, timed)


def _pauses(model: MemoryModel, seed: int, blocks: int) -> Iterator[Figures]:
    random = np.random.Generator(np.random.PCG64(seed))
    done = 0
    while done < blocks:
        chances = [int(c) for c in random.integers(40, 257, 4)]
        stalls = Stalls(*chances, hold=int(random.integers(1, 10)), seed=seed + done + 1)
        memory = Memory(int(random.integers(1, 200)), int(random.integers(1, 100)))
        sizes = [min(int(n), blocks - done) for n in random.integers(1, 2000, 2)]
        yield _run(model, sizes, memory, stalls, seed + done, timed=False)
        done += sum(sizes)


def _long(model: MemoryModel, seed: int, blocks: int, timed: bool) -> Iterator[Figures]:
    yield _run(model, [blocks], LONG, Stalls(seed=seed + 1), seed, timed)

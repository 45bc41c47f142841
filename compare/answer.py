"""The project's question as tables: what does each kind of scale cost, and what does it buy?

A row is a kind of scale at one block size; its columns come from several variants: the quantizer,
the dot product of a block, and a MAC with each accumulation, whose epilogue multiplies by the
tensor scale where there is one.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from compare.memory import ELEMENTS, MEMORIES, whole_tensor
from compare.results import Comparison, Row
from compare.synthesis import Synthesis
from compare.table import Grid, error_text, ge_text, range_text
from rtl.tensor_quantizer_variant import tensor_quantizer

INPUT = "bf16"
SCALE_BITS = 32
"""Bits of a stored tensor scale."""


@dataclass(frozen=True)
class Kind:
    """A kind of scale.

    Attributes:
        label: as the tables call it.
        selection: of its recipes.
        scale: its scale format.
        tensor_scale: kind of tensor scale, or "".
        schedules: of the tensor quantizers that read a whole tensor for it.
    """

    label: str
    selection: str
    scale: str
    tensor_scale: str
    schedules: tuple[str, ...]


TWO_PASSES = ("two", "delayed")

KINDS = (
    Kind("UE4M3", "ue4m3-absmax", "ue4m3", "", ("one",)),
    Kind("UE5M3", "ue5m3-absmax", "ue5m3", "", ("one",)),
    Kind("UE4M3 + h", "ue4m3-absmax-h", "ue4m3", "h", TWO_PASSES),
    Kind("UE4M3 + hbf16", "ue4m3-absmax-hbf16", "ue4m3", "hbf16", TWO_PASSES),
    Kind("UE4M3 + hp2", "ue4m3-absmax-hp2", "ue4m3", "hp2", TWO_PASSES),
)
"""The kinds that the question is about; the first one is what the others are compared with."""

PARTS: Mapping[str, Callable[[Kind, int], str]] = {
    "quantizer": lambda k, n: f"quantizer-{k.selection}-b{n}-{INPUT}",
    "dot product": lambda k, n: f"dot-{k.scale}-b{n}-block",
    "MAC fp32": lambda k, n: _mac(k, n, "fp32"),
    "MAC exact": lambda k, n: _mac(k, n, "exact"),
    "MAC tc35": lambda k, n: _mac(k, n, "tc35"),
}
"""Name of the variant of each column of gates."""


def _mac(kind: Kind, block: int, accumulation: str) -> str:
    tail = f"-{kind.tensor_scale}" if kind.tensor_scale else ""
    return f"dot-{kind.scale}-b{block}-{accumulation}{tail}"


@dataclass(frozen=True)
class Ratio:
    """Area of one design over that of another, script by script.

    Attributes:
        median, low, high: of the ratios.
    """

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, one: Synthesis, other: Synthesis) -> Ratio:
        """The ratios of logic; both were mapped with the same scripts."""
        pairs = list(zip(one.mappings, other.mappings, strict=True))
        assert all(a.script == b.script for a, b in pairs)
        found = [a.logic_ge / b.logic_ge for a, b in pairs]
        return cls(statistics.median(found), min(found), max(found))

    @property
    def tie(self) -> bool:
        """Whether the scripts do not agree on which design is larger."""
        return self.low <= 1 <= self.high

    def __str__(self) -> str:
        text = f"{self.median:.2f} ({self.low:.2f} to {self.high:.2f})"
        return f"{text}, a tie" if self.tie else text


def block_sizes(comparison: Comparison) -> list[int]:
    """Block sizes at which at least two kinds have a quantizer in the comparison."""
    known = {row.variant.name for row in comparison.rows}
    sizes = {row.quantizer.recipe.block_size for row in comparison.rows if row.quantizer}
    return [n for n in sorted(sizes) if sum(PARTS["quantizer"](k, n) in known for k in KINDS) >= 2]


def answer_grids(comparison: Comparison, block: int) -> dict[str, Grid]:
    """The tables of one block size by their headings; columns without any row are left out."""
    rows = {row.variant.name: row for row in comparison.rows}
    table = {
        kind: {part: rows.get(name(kind, block)) for part, name in PARTS.items()} for kind in KINDS
    }
    table = {kind: found for kind, found in table.items() if found["quantizer"]}
    parts = [part for part in PARTS if any(found[part] for found in table.values())]
    return {
        "Storage and error": _errors(table, block),
        "Gates": _gates(table, parts),
        "Logic over UE4M3, script by script": _ratios(table, parts),
        "Depth and cycles": _depths(table, parts),
        "A whole tensor": _tensors(table, block),
    }


def short_answer(comparison: Comparison, block: int) -> Grid:
    """Error and ratios of one block size in one table."""
    grids = answer_grids(comparison, block)
    errors = grids["Storage and error"]
    ratios = grids["Logic over UE4M3, script by script"]
    cells = {row[0]: row[1:] for row in ratios.rows}
    chosen = [0, 1, 2, len(errors.headings) - 1]  # scales, bits, the first and the last sigma
    width = len(ratios.headings) - 1
    return Grid(
        (*(errors.headings[i] for i in chosen), *ratios.headings[1:]),
        tuple(
            (*(row[i] for i in chosen), *cells.get(row[0], ("1",) * width)) for row in errors.rows
        ),
    )


_Table = Mapping[Kind, Mapping[str, Row | None]]


def _errors(table: _Table, block: int) -> Grid:
    first = next(iter(table.values()))["quantizer"]
    sigmas = list(first.errors) if first else []
    rows = []
    for kind, found in table.items():
        row = found["quantizer"]
        assert row is not None and row.bits_per_element is not None
        bits = row.bits_per_element
        if kind.tensor_scale:
            bits += Fraction(SCALE_BITS, ELEMENTS)
        rows.append((kind.label, f"{float(bits):g}", *(error_text(row.errors[s]) for s in sigmas)))
    headings = ("scales", "bits/element", *(f"error σ={sigma:g}" for sigma in sigmas))
    return Grid(headings, tuple(rows))


def _gates(table: _Table, parts: list[str]) -> Grid:
    def cell(row: Row | None) -> str:
        if row is None:
            return ""
        logic, registers = row.synthesis.logic, row.synthesis.registers
        return f"{ge_text(logic)} ({range_text(logic)}) + {ge_text(registers)}"

    return _by_part(table, parts, cell)


def _ratios(table: _Table, parts: list[str]) -> Grid:
    base = table.get(KINDS[0], {})
    rows = []
    for kind, found in table.items():
        if kind is KINDS[0]:
            continue
        cells = []
        for part in parts:
            one, other = found[part], base.get(part)
            same = one is not None and other is not None and one.variant == other.variant
            if one is None or other is None:
                cells.append("")
            else:
                cells.append("the same" if same else str(Ratio.of(one.synthesis, other.synthesis)))
        rows.append((kind.label, *cells))
    return Grid(("scales", *parts), tuple(rows))


def _depths(table: _Table, parts: list[str]) -> Grid:
    def cell(row: Row | None) -> str:
        if row is None:
            return ""
        delay = row.synthesis.delay_ps
        depth = f"{row.synthesis.levels.median:g} levels"
        if delay is not None:
            depth += f", {delay.median:,.0f} ps"
        return f"{depth}, {row.verified.latency} / {row.verified.interval:g}"

    return _by_part(table, parts, cell)


def _by_part(table: _Table, parts: list[str], cell: Callable[[Row | None], str]) -> Grid:
    rows = tuple((k.label, *(cell(found[part]) for part in parts)) for k, found in table.items())
    return Grid(("scales", *parts), rows)


def _tensors(table: _Table, block: int) -> Grid:
    headings = ["scales", "schedule"]
    for name, (memory, width) in MEMORIES.items():
        where = f"{name}: {memory.latency} cycles, {width} B/cycle"
        headings += [f"cycles, {where}", f"bytes read + written, {name}"]
    rows = []
    for kind in table:
        for schedule in kind.schedules:
            variant = tensor_quantizer(
                f"tensor-quantizer-{kind.selection}-b{block}-{INPUT}-{schedule}"
            )
            cells = [kind.label, schedule]
            for traffic in whole_tensor(variant).values():
                cells += [f"{traffic.cycles:,}", f"{traffic.read:,} + {traffic.written:,}"]
            rows.append(tuple(cells))
    return Grid(tuple(headings), tuple(rows))

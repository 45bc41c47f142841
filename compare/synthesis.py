"""Area, depth and delay of a Verilog module, as yosys and abc map it.

One gate equivalent (GE) is a two-input NAND. With a cell library, GE are cell area over the area
of the library's smallest NAND2. Without one, they are CMOS transistors over four, by yosys' own
count per gate: NOT 2, NAND2 and NOR2 4, AOI and OAI 6 or 8, D flip-flop 16. (An OSU 0.18 um
flip-flop measures 4 GE too; those of other libraries are larger.)

Reset and hold of a register are gates in front of a plain D flip-flop and count as logic, unless
the library has a flip-flop that does them.
"""

from __future__ import annotations

import json
import re
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from compare.liberty import Library, read_text
from compare.yosys import run_yosys
from emulator.errors import ToolError

_PREPARE = "strash;&get,-n;&fraig,-x;&put;scorr;dc2"
_RESYN = (
    "strash;ifraig;scorr;balance;rewrite;refactor;balance;rewrite;rewrite,-z;balance;"
    "refactor,-z;rewrite,-z;balance"
)

SCRIPTS: Mapping[str, str] = {
    "area": f"{_PREPARE};dch,-f;map,-a",
    "area-cuts": f"{_PREPARE};dch,-f;amap,-m",
    "delay": f"{_PREPARE};dch,-f;map,-B,0.9",
    "flow": f"{_PREPARE};&get,-n;&dch,-f;&nf;&put",
    "rewrite": f"{_RESYN};dch;map,-B,0.9",
}
"""abc scripts up to the mapped network: two that favour area, two delay, one (``flow``) between.

``delay`` is what yosys does by default. With a cell library each goes on with `SIZING`.
"""

_NF = f"{_PREPARE};&get,-n;&dch,-f"

CURVE_SCRIPTS: Mapping[str, str] = {
    "smallest": f"{_PREPARE};dch,-f;amap,-m",
    "small": f"{_PREPARE};dch,-f;map,-a",
    "slack-100": f"{_NF};&nf,-R,100;&put",
    "slack-30": f"{_NF};&nf,-R,30;&put",
    "slack-10": f"{_NF};&nf,-R,10;&put",
    "slack-0": f"{_NF};&nf;&put",
    "restructured": f"{_PREPARE};&get,-n;&st;&syn2;&dch,-f;&nf,-p;&put",
    "rewritten-smallest": f"{_RESYN};dch,-f;amap,-m",
    "rewritten-slack-0": f"{_RESYN};&get,-n;&dch,-f;&nf;&put",
    "rewritten": f"{_RESYN};dch;map,-B,0.9",
    "bias-0.9": f"{_PREPARE};dch,-f;map,-B,0.9",
    "bias-0.5": f"{_PREPARE};dch,-f;map,-B,0.5",
    "bias-0": f"{_PREPARE};dch,-f;map",
    "fastest": f"{_PREPARE};dch;map",
}
"""abc scripts from the smallest to the fastest result, for curves of area over delay."""

ALL_SCRIPTS: Mapping[str, str] = {**SCRIPTS, **CURVE_SCRIPTS}

SIZING = "topo;buffer,-c;upsize;dnsize"
"""Buffers for loaded nets, then the drive of each cell: faster first, then smaller at no loss."""

TRANSISTORS_PER_GE = 4
TRANSISTORS_PER_FLIP_FLOP = 16
"""yosys' figure for a D flip-flop; a test holds it against the tool."""

GENERIC = "yosys generic gates (CMOS transistors / 4)"


@dataclass(frozen=True)
class Spread:
    """Median, smallest and largest of the figures that the mapping scripts gave."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """The spread of one or more figures."""
        return cls(statistics.median(values), min(values), max(values))


@dataclass(frozen=True)
class Mapped:
    """What one script gave.

    Attributes:
        logic_ge, register_ge: area in gate equivalents, without and only the flip-flops.
        flip_flops: number of flip-flops.
        levels: cells on the longest path between registers or ports.
        delay_ps: delay of that path without clock-to-output and setup times; None without cells.
        cells: number of cells of each type.
    """

    script: str
    logic_ge: float
    register_ge: float
    flip_flops: int
    levels: int
    delay_ps: float | None
    cells: Mapping[str, int]


@dataclass(frozen=True)
class Synthesis:
    """What all scripts gave for one module; figures are medians over them."""

    top: str
    library: str
    mappings: tuple[Mapped, ...]

    @property
    def logic(self) -> Spread:
        """Gate equivalents without flip-flops."""
        return Spread.of([m.logic_ge for m in self.mappings])

    @property
    def registers(self) -> Spread:
        """Gate equivalents of the flip-flops."""
        return Spread.of([m.register_ge for m in self.mappings])

    @property
    def flip_flops(self) -> int:
        """Number of flip-flops."""
        return int(statistics.median_low([m.flip_flops for m in self.mappings]))

    @property
    def levels(self) -> Spread:
        """Cells on the longest path."""
        return Spread.of([m.levels for m in self.mappings])

    @property
    def delay_ps(self) -> Spread | None:
        """Delay of the longest path in ps; None without a cell library."""
        delays = [m.delay_ps for m in self.mappings if m.delay_ps is not None]
        return Spread.of(delays) if delays else None


def synthesize(
    verilog: str | Path,
    top: str,
    *,
    liberty: Library | None = None,
    scripts: Sequence[str] | None = None,
) -> Synthesis:
    """Map a Verilog module with each script and return what yosys reports.

    Args:
        verilog: the text, or the path of a file.
        top: the module's name.
        liberty: the cell library, or None for yosys' generic gates.
        scripts: names out of `ALL_SCRIPTS`; those of `SCRIPTS` by default.

    Raises:
        ValueError: if a script is unknown.
        ToolError: if yosys fails or leaves something unmapped, such as a latch.
    """
    names = list(SCRIPTS if scripts is None else scripts)
    if unknown := [name for name in names if name not in ALL_SCRIPTS] or not names:
        raise ValueError(f"mapping scripts {unknown} are not of {', '.join(ALL_SCRIPTS)}")
    text = verilog.read_text() if isinstance(verilog, Path) else verilog
    with tempfile.TemporaryDirectory(prefix="finescale-") as temporary:
        folder = Path(temporary)
        (folder / "design.v").write_text(text)
        libraries = _unpack(liberty, folder)
        try:
            run_yosys(_elaborate(top, liberty, libraries), folder, "elaborate")
        finally:  # yosys' own reason for a latch speaks of its inner cells
            _refuse_latches(folder / "elaborated.json", top)
        mappings = tuple(_map(name, liberty, libraries, folder) for name in names)
    return Synthesis(top, GENERIC if liberty is None else liberty.name, mappings)


def _elaborate(top: str, liberty: Library | None, libraries: list[str]) -> list[str]:
    """Verilog to yosys' gates and mapped flip-flops; start-up values are not hardware."""
    if liberty is None:
        registers = "dfflegalize -cell $_DFF_P_ x"
    else:
        registers = f"dfflibmap {_cells(liberty, libraries)}"
    return [
        "read_verilog -sv design.v",
        f"synth -flatten -noabc -top {top}",
        "attrmap -remove init",
        "opt_clean -purge",
        "tee -q -o elaborated.json stat -json",
        registers,
        "opt -nodffe -nosdff",  # or it would take reset and hold back into the flip-flops
        "write_rtlil design.il",
    ]


def _cells(liberty: Library, libraries: list[str]) -> str:
    """The options that name the library's files and the cells to leave alone."""
    options = [f"-liberty {path}" for path in libraries]
    return " ".join(options + [f"-dont_use {cell}" for cell in liberty.dont_use])


def _refuse_latches(stat: Path, top: str) -> None:
    if not stat.exists():
        return
    cells = json.loads(stat.read_text())["design"].get("num_cells_by_type", {})
    if latches := sorted(c for c in cells if "LATCH" in c or c.startswith("$_SR_")):
        raise ToolError(f"module {top} holds latches ({', '.join(latches)}), not only flip-flops")


def _unpack(liberty: Library | None, folder: Path) -> list[str]:
    """Write the library's files uncompressed and with plain names into ``folder``."""
    names = []
    for number, path in enumerate(liberty.paths if liberty else ()):
        names.append(f"cells{number}.lib")
        (folder / names[-1]).write_text(read_text(path))
    if liberty is not None:
        (folder / "limits.constr").write_text(
            f"set_driving_cell {liberty.driving_cell}\nset_load {liberty.load_ff:g} [all_outputs]\n"
        )
    return names


def _map(name: str, liberty: Library | None, libraries: list[str], folder: Path) -> Mapped:
    """Map the elaborated design with one script in a process of its own."""
    report = f"tee -q -o {name}"
    if liberty is None:
        commands = [
            f"{report}.abc abc -g cmos4 -script +{ALL_SCRIPTS[name]}",
            "opt_clean -purge",
            f"{report}.json stat -tech cmos -json",
            f"{report}.ltp ltp -noff",
        ]
    else:
        script = f"{ALL_SCRIPTS[name]};{SIZING};print_stats;stime,-p"
        cells = _cells(liberty, libraries)
        files = " ".join(f"-liberty {path}" for path in libraries)
        commands = [
            f"{report}.abc abc {cells} -constr limits.constr -script +{script}",
            "opt_clean -purge",
            f"{report}.json stat {files} -json",
        ]
    run_yosys(["read_rtlil design.il", *commands], folder, name)
    stat = json.loads((folder / f"{name}.json").read_text())["design"]
    if liberty is None:
        return _generic_figures(name, stat, (folder / f"{name}.ltp").read_text())
    return _cell_figures(name, stat, (folder / f"{name}.abc").read_text(), liberty)


def _generic_figures(name: str, stat: dict[str, Any], ltp: str) -> Mapped:
    cells: dict[str, int] = dict(sorted(stat["num_cells_by_type"].items()))
    total = str(stat["estimated_num_transistors"])
    if not total.isdigit():  # a trailing + says that some cells have no known cost
        raise ToolError(f"yosys knows no transistor count for a cell among {', '.join(cells)}")
    flip_flops = cells.get("$_DFF_P_", 0)
    registers = flip_flops * TRANSISTORS_PER_FLIP_FLOP
    return Mapped(
        name,
        (int(total) - registers) / TRANSISTORS_PER_GE,
        registers / TRANSISTORS_PER_GE,
        flip_flops,
        _longest(ltp),
        None,
        cells,
    )


def _longest(ltp: str) -> int:
    """Cells on the longest path: the end points that yosys counts are no gates."""
    found = re.search(r"Longest topological path in .* \(length=(\d+)\)", ltp)
    if found is None:
        raise ToolError("yosys reported no longest path")
    return int(found[1])


def _cell_figures(name: str, stat: dict[str, Any], abc: str, liberty: Library) -> Mapped:
    cells: dict[str, int] = dict(sorted(stat["num_cells_by_type"].items()))
    if unmapped := [cell for cell in cells if cell not in liberty.cells]:
        raise ToolError(f"{liberty.name} has no cell for {', '.join(unmapped)}")
    registers = {c: n for c, n in cells.items() if liberty.cells[c].is_flip_flop}
    area = {c: n * liberty.cells[c].area for c, n in cells.items()}
    register_area = sum(area[c] for c in registers)
    reported = float(stat.get("area", 0)), float(stat.get("sequential_area", 0))
    if abs(sum(area.values()) - reported[0]) + abs(register_area - reported[1]) > 1e-6 * (
        1 + reported[0]
    ):
        raise ToolError(f"{liberty.name}: the areas read and the areas yosys reports differ")
    # Of 100 ns and more no blank is left in front of the number.
    delays = re.findall(r"Delay = *([0-9.]+) ps", abc)
    levels = re.findall(r"\blev = *(\d+)", abc)
    if set(cells) - set(registers) and not (delays and levels):
        raise ToolError(f"abc reported no delay or depth for script {name}")
    return Mapped(
        name,
        (sum(area.values()) - register_area) / liberty.nand2.area,
        register_area / liberty.nand2.area,
        sum(registers.values()),
        int(levels[-1]) if levels else 0,
        float(delays[-1]) if delays else 0.0,
        cells,
    )

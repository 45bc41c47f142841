"""Cell libraries: finding them, reading what mapping has to know, choosing drive and load.

Only cell names, areas, pins and functions are read here; delays are left to the mapping tool.
"""

from __future__ import annotations

import gzip
import hashlib
import lzma
import os
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path

from compare.function import truth_table
from emulator.errors import FileFormatError, ToolError, UnknownNameError, near

DONT_USE = {
    "PAD*": "pads of the OSU libraries",
    "sky130_*__probe*": "probe points",
    "sky130_*__lpflow*": "power-domain cells",
    "sky130_*__dly*": "delay cells",
    "sky130_*__clkdly*": "delay cells",
    "gf180mcu_*__dly*": "delay cells",
    "sg13g2_dly*": "delay cells",
    "sg13g2_*lgcp*": "clock gates",
    "sg13g2_sighold": "bus keeper",
    "*x1p*_ASAP7_*": "fractional drive strengths",
    "*xp*_ASAP7_*": "fractional drive strengths",
    "SDF*_ASAP7_*": "scan flip-flops",
    "ICG*_ASAP7_*": "clock gates",
    "DLL*_ASAP7_*": "latches",
    "DHL*_ASAP7_*": "latches",
}
"""Patterns of cell names that mapping leaves alone, with the reason.

Latches, cells with a scan test, clock gates and cells that the library itself marks
``dont_use`` or as pads are left alone in every library.
"""

STATE_GROUPS = {"ff", "ff_bank", "latch", "latch_bank", "statetable", "test_cell"}
"""Inner groups of cells that are not combinational, or that describe a scan cell."""

LOAD_PINS = 4
"""Load of each output, in NAND2 input pins: the usual fan-out of four."""

PLACES = (
    "sky130A/libs.ref/sky130_fd_sc_hd/lib/sky130_fd_sc_hd__tt_025C_1v80.lib",
    "gf180mcu[CD]/libs.ref/gf180mcu_fd_sc_mcu7t5v0/li*/gf180mcu_fd_sc_mcu7t5v0__tt_025C_5v00.lib",
    "ihp-sg13g2/libs.ref/sg13g2_stdcell/lib/sg13g2_stdcell_typ_1p20V_25C.lib",
)
"""Where a process design kit under ``$PDK_ROOT`` keeps its typical corner."""

OSU018 = Path("/usr/share/qflow/tech/osu018/osu018_stdcells.lib")
"""Where Debian's package qflow-tech-osu018 installs its library."""

NAND, BUFFER, INVERTER = 0b0111, 0b10, 0b01
"""Truth tables, as `truth_table` gives them."""

_OPENERS = {b"\x1f\x8b": gzip.open, b"\xfd7": lzma.open}

_TOKEN = re.compile(
    r"\b(?P<group>[a-z_]+)\s*\((?P<name>[^()]*)\)\s*\{"
    r"|(?P<brace>[{}])"
    r"|\b(?P<key>area|function|direction|capacitance|dont_use|pad_cell|is_pad"
    r"|clock_gating_integrated_cell)\s*:\s*(?P<value>\"[^\"]*\"|[^;\n]*)"
    r"|\bcapacitive_load_unit\s*\((?P<unit>[^)]*)\)"
)


@dataclass(frozen=True)
class Cell:
    """What mapping has to know of one cell.

    Attributes:
        area: in the library's unit.
        inputs: capacitance of each input pin, in the library's unit.
        outputs: function of each output pin ("" where there is none).
        groups: kinds of inner groups, such as ``ff``, ``latch``, ``test_cell``.
        marked: whether the library itself asks not to use the cell.
    """

    name: str
    area: float
    inputs: Mapping[str, float]
    outputs: Mapping[str, str]
    groups: frozenset[str] = frozenset()
    marked: bool = False

    @property
    def is_flip_flop(self) -> bool:
        """Whether the cell holds a bit between clock edges."""
        return bool(self.groups & {"ff", "ff_bank"})

    @property
    def reserved(self) -> bool:
        """Whether mapping leaves the cell alone."""
        return (
            self.marked
            or bool(self.groups & {"latch", "latch_bank", "test_cell", "statetable"})
            or any(fnmatchcase(self.name, pattern) for pattern in DONT_USE)
        )

    def computes(self, table: int) -> bool:
        """Whether the cell is combinational with one output, of that truth table."""
        if len(self.outputs) != 1 or self.groups:
            return False
        return truth_table(next(iter(self.outputs.values())), sorted(self.inputs)) == table


@dataclass(frozen=True)
class Library:
    """A cell library, read from one or more liberty files.

    Attributes:
        name: as the first file calls it.
        paths: the files.
        digest: SHA-256 over the uncompressed files, hexadecimal.
        nand2: the smallest two-input NAND; its area is one gate equivalent.
        driving_cell: what drives each input: a buffer (else an inverter) of drive 2.
        load_ff: load of each output in fF.
        dont_use: names of the cells that mapping leaves alone.
        chosen: whether driving cell and load were chosen by the user (`with_conditions`).
    """

    name: str
    paths: tuple[Path, ...]
    digest: str
    nand2: Cell
    driving_cell: str
    load_ff: float
    dont_use: tuple[str, ...]
    cells: Mapping[str, Cell] = field(repr=False)
    chosen: bool = False

    def with_conditions(self, driving_cell: str | None, load_ff: float | None) -> Library:
        """The library with another driving cell or load of each output; None keeps what it has.

        Raises:
            UnknownNameError: if it has no such cell.
            ValueError: if the load is not above zero.
        """
        if driving_cell is not None and driving_cell not in self.cells:
            raise UnknownNameError(
                f"{self.name} has no cell {driving_cell!r}{near(driving_cell, self.cells)}"
            )
        if load_ff is not None and not 0 < load_ff < float("inf"):
            raise ValueError(f"a load of {load_ff:g} fF is not above zero")
        if driving_cell is None and load_ff is None:
            return self
        return replace(
            self,
            driving_cell=self.driving_cell if driving_cell is None else driving_cell,
            load_ff=self.load_ff if load_ff is None else load_ff,
            chosen=True,
        )


def read_library(paths: Sequence[str | Path]) -> Library:
    """Read liberty files (plain, gzip or xz) that together make one library.

    The only path ``auto`` stands for the library that `discover` finds.

    Raises:
        ToolError: if ``auto`` finds none.
        FileFormatError: if a file cannot be read or is not liberty, or if the library lacks a
            NAND2, a flip-flop, or a buffer and inverter.
    """
    if not paths:
        raise ValueError("no liberty file given")
    files = tuple(discover() if list(map(str, paths)) == ["auto"] else map(Path, paths))
    digest = hashlib.sha256()
    cells: dict[str, Cell] = {}
    names: list[str] = []
    farads: list[float] = []
    for path in files:
        text = read_text(path)
        digest.update(hashlib.sha256(text.encode()).digest())
        name, unit, found = _parse(text, path)
        names.append(name)
        farads.append(unit)
        cells.update((cell.name, cell) for cell in found)
    usable = [cell for cell in cells.values() if not cell.reserved]
    where = ", ".join(str(path) for path in files)
    if not any(cell.is_flip_flop for cell in usable):
        raise FileFormatError(
            f"{where}: no flip-flop among {len(cells)} cells (several files can make one library)"
        )
    nand2 = _smallest(
        [cell for cell in cells.values() if len(cell.inputs) == 2 and cell.computes(NAND)],
        f"{where}: no two-input NAND cell",
    )
    unit = max(farads)
    load = LOAD_PINS * max(nand2.inputs.values()) * unit
    return Library(
        names[0],
        files,
        digest.hexdigest(),
        nand2,
        _driving_cell(usable, where).name,
        float(f"{load:.4g}"),
        tuple(sorted(cell.name for cell in cells.values() if cell.reserved)),
        cells,
    )


def read_text(path: Path) -> str:
    """Return the text of a plain, gzip or xz file; FileFormatError says why that failed."""
    try:
        with path.open("rb") as file:
            magic = file.read(2)
        opener = _OPENERS.get(magic)
        raw = path.read_bytes() if opener is None else opener(path, "rb").read()
        return raw.decode("utf-8", "replace") if raw.isascii() else raw.decode("latin-1")
    except OSError as error:
        raise FileFormatError(f"{path}: {error.strerror or error}") from None
    except (EOFError, lzma.LZMAError, zlib.error) as error:
        raise FileFormatError(f"{path}: damaged compressed file ({error})") from None


def discover(environ: Mapping[str, str] | None = None) -> list[Path]:
    """Return the first library that is installed here, as its files.

    Searched in this order: ``$PDK_ROOT/$PDK``, the other kits under ``$PDK_ROOT``, ``~/.ciel``,
    Debian's qflow-tech-osu018.

    Raises:
        ToolError: if there is none; the message says where was searched and what to install.
    """
    environ = os.environ if environ is None else environ
    roots = [Path(environ["PDK_ROOT"])] if environ.get("PDK_ROOT") else []
    roots.append(Path(environ.get("HOME", "~")).expanduser() / ".ciel")
    wanted = environ.get("PDK", "")
    for root in roots:
        for place in sorted(PLACES, key=lambda p: not fnmatchcase(wanted, p.split("/")[0])):
            for suffix in ("", ".gz", ".xz"):
                found = sorted(root.glob(place + suffix))
                if found:
                    return [found[0]]
    if OSU018.is_file():
        return [OSU018]
    searched = ", ".join(str(place) for place in (*roots, OSU018))
    raise ToolError(
        f"no cell library found in {searched}; give a file with --liberty, set PDK_ROOT, "
        "or install Debian's qflow-tech-osu018"
    )


def _parse(text: str, path: Path) -> tuple[str, float, list[Cell]]:
    """Return the library's name, its capacitance unit in fF and its cells."""
    text = re.sub(r"/\*.*?\*/", " ", text, flags=re.DOTALL).replace("\\\n", " ")
    stack: list[str] = []
    library, unit = "", 1000.0
    cells: list[Cell] = []
    cell: dict | None = None
    for kind, name, key, value in _tokens(text):
        if kind == "open":
            stack.append(key)
            if len(stack) == 1 and key != "library":
                break
            if key == "library":
                library = name
            elif key == "cell" and len(stack) == 2:
                cell = {"name": name, "area": None, "pins": {}, "groups": set(), "marked": False}
            elif cell is not None and len(stack) == 3:
                if key == "pin":
                    cell["pins"][name] = {}
                    cell["pin"] = cell["pins"][name]
                else:
                    cell["groups"].add(key)
        elif kind == "close":
            if not stack:
                break
            if stack.pop() == "cell" and len(stack) == 1 and cell is not None:
                cells.append(_cell(cell))
                cell = None
        elif key == "capacitive_load_unit" and len(stack) == 1:
            unit = _capacitance_unit(value)
        elif cell is not None and len(stack) == 2:
            if key == "area":
                cell["area"] = _number(value)
            elif key in ("dont_use", "pad_cell"):
                cell["marked"] |= value == "true"
            elif key == "clock_gating_integrated_cell":
                cell["marked"] = True
        elif cell is not None and len(stack) == 3 and stack[-1] == "pin":
            cell["marked"] |= key == "is_pad" and value == "true"
            cell["pin"].setdefault(key, value)
    if not library or not cells:
        raise FileFormatError(f"{path}: not a liberty file (no library group with cells)")
    if stack:
        raise FileFormatError(f"{path}: truncated liberty file ({len(stack)} groups left open)")
    return library, unit, cells


def _tokens(text: str) -> Iterator[tuple[str, str, str, str]]:
    """Yield ``(kind, name, key, value)`` for group openings, closings and known attributes."""
    for match in _TOKEN.finditer(text):
        if match["group"]:
            yield "open", match["name"].strip(' "'), match["group"], ""
        elif match["brace"]:
            yield ("open", "", "{", "") if match["brace"] == "{" else ("close", "", "", "")
        elif match["unit"]:
            yield "attribute", "", "capacitive_load_unit", match["unit"]
        else:
            yield "attribute", "", match["key"], match["value"].strip().strip('"').strip()


def _cell(raw: dict) -> Cell:
    pins: dict[str, dict[str, str]] = raw["pins"]
    inputs = {n: p for n, p in pins.items() if p.get("direction") == "input"}
    outputs = {n: p for n, p in pins.items() if p.get("direction") == "output"}
    return Cell(
        raw["name"],
        raw["area"] or 0.0,
        {n: _number(p.get("capacitance", "0")) for n, p in inputs.items()},
        {n: p.get("function", "") for n, p in outputs.items()},
        frozenset(raw["groups"] & STATE_GROUPS),
        raw["marked"],
    )


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


def _capacitance_unit(text: str) -> float:
    number, _, unit = text.replace('"', "").partition(",")
    return _number(number) * {"pf": 1000.0, "ff": 1.0}.get(unit.strip().lower(), 1000.0)


def _smallest(cells: Sequence[Cell], missing: str) -> Cell:
    if not cells or min(cell.area for cell in cells) <= 0:
        raise FileFormatError(f"{missing} with an area and a function")
    return min(cells, key=lambda cell: (cell.area, cell.name))


def _driving_cell(cells: Sequence[Cell], where: str) -> Cell:
    """A buffer of drive 2 (by its name), else an inverter, else the smallest buffer."""
    groups = [
        [c for c in cells if len(c.inputs) == 1 and c.area > 0 and c.computes(table)]
        for table in (BUFFER, INVERTER)
    ]
    drive2 = re.compile(r"(?:[xXdD_])2(?![0-9p])")
    for group in groups:
        plain = [c for c in group if drive2.search(c.name) and "clk" not in c.name.lower()]
        if plain:
            return _smallest(plain, where)
    return _smallest([*groups[0], *groups[1]], f"{where}: no buffer or inverter")

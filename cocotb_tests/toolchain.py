"""The simulation tools, and what Verilator says about a Verilog file: warnings, top module, ports.

`cocotb_tests.tools` finds the programs; its functions are part of this module's interface.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from cocotb_tests.tools import (
    ROOT,
    build_root,
    compiler,
    environment,
    libpython,
    require,
    run,
    verilator_root,
    versions,
)
from emulator.errors import FileFormatError, ToolError

__all__ = [
    "ROOT",
    "Ports",
    "build_root",
    "check_ports",
    "compiler",
    "dut_ports",
    "environment",
    "libpython",
    "lint",
    "ports_of",
    "read_design",
    "require",
    "run",
    "source_files",
    "top_module",
    "verilator_root",
    "versions",
]

Ports = dict[str, tuple[str, int]]

WAIVERS = ROOT / "rtl" / "waivers.vlt"


def lint(path: Path, top: str, *, waivers: Path | None = WAIVERS) -> str:
    """Check a Verilog file with all of Verilator's warnings.

    Args:
        path: the Verilog file.
        top: name of the top module.
        waivers: file with the warnings that are accepted, or None to accept none.

    Returns:
        The text of the warnings; empty if there is none.

    Raises:
        ToolError: if the file has an error.
    """
    command = ["verilator", "--lint-only", "--quiet", "-Wall", "-Wno-fatal", "--top-module", top]
    files = [*([str(waivers)] if waivers else []), str(Path(path).resolve())]
    return run([*command, *files], f"verilator --lint-only {path}")


def read_design(path: Path, top: str | None = None) -> tuple[dict[str, Any], list[Path]]:
    """Return Verilator's syntax tree of the elaborated design, and the files it was read from.

    Raises:
        FileFormatError: if the file does not exist.
        ToolError: if Verilator rejects it.
    """
    path = Path(path)
    if not path.is_file():
        raise FileFormatError(f"{path}: no such file")
    with tempfile.TemporaryDirectory() as folder:
        command = ["verilator", "--json-only", "--quiet", "-Wno-lint", "-Wno-fatal"]
        command += ["-Wno-MULTITOP", "-I" + str(path.resolve().parent)]
        command += ["-Mdir", folder, "--prefix", "Vtop"]
        command += ["--top-module", top] if top else []
        run([*command, str(path.resolve())], f"verilator on {path}")
        tree = json.loads((Path(folder) / "Vtop.tree.json").read_text())
        meta = json.loads((Path(folder) / "Vtop.tree.meta.json").read_text())
    names = [f["realpath"] for f in meta["files"].values() if not f["filename"].startswith("<")]
    return tree, sorted(Path(name) for name in names)


def source_files(path: Path, top: str) -> list[Path]:
    """Return the files that make up a design: the given one and all that it includes."""
    return read_design(path, top)[1]


def _roots(tree: dict[str, Any]) -> list[dict[str, Any]]:
    """The modules that no other module instantiates."""
    modules = [m for m in tree["modulesp"] if m["type"] == "MODULE"]
    used: set[str] = set()

    def visit(node: Any) -> None:
        if isinstance(node, dict):
            if node.get("type") == "CELL":
                used.add(node["modp"])
            for value in node.values():
                visit(value)
        elif isinstance(node, list):
            for value in node:
                visit(value)

    visit([m for m in modules if not m["name"].startswith("$")])
    return [m for m in modules if m["addr"] not in used and not m["name"].startswith("$")]


def top_module(path: Path) -> str:
    """Return the name of the only module that no other one instantiates.

    Raises:
        ToolError: if there are several; the message lists them.
    """
    roots = sorted(m["origName"] for m in _roots(read_design(path)[0]))
    if len(roots) != 1:
        names = ", ".join(roots) if roots else "none"
        raise ToolError(f"{path}: name the top module; the candidates are {names}")
    return roots[0]


def dut_ports(path: Path, top: str) -> Ports:
    """Return direction and width in bits of each port of a module, with default parameters.

    Raises:
        ToolError: if Verilator rejects the file or has no such module.
    """
    return ports_of(read_design(path, top)[0], top, path)


def ports_of(tree: dict[str, Any], top: str, path: Path) -> Ports:
    """The ports of a module in a tree of `read_design`; see `dut_ports`."""
    module = next((m for m in _roots(tree) if m["origName"] == top), None)
    if module is None:
        raise ToolError(f"{path}: there is no module {top}")
    types = {t["addr"]: t for t in tree["miscsp"][0]["typesp"]}
    ports: Ports = {}
    for node in module["stmtsp"]:
        if node["type"] == "VAR" and node["direction"] != "NONE":
            ports[node["origName"]] = (node["direction"].lower(), _width(types, node["dtypep"]))
    return ports


def _width(types: dict[str, Any], address: str) -> int:
    """Bits of a packed type: its own range, times that of the element type of an array."""
    node = types[address]
    if node["type"] in ("REFDTYPE", "ENUMDTYPE") and node.get("refDTypep"):
        return _width(types, node["refDTypep"])
    if node["type"] == "PACKARRAYDTYPE":
        low, high = _range(node["declRange"])
        return (high - low + 1) * _width(types, node["refDTypep"])
    if node["type"] in ("STRUCTDTYPE", "UNIONDTYPE"):
        sizes = [_width(types, m["dtypep"]) for m in node["membersp"]]
        return sum(sizes) if node["type"] == "STRUCTDTYPE" else max(sizes)
    if "range" not in node:
        return 1
    low, high = _range(node["range"])
    return high - low + 1


def _range(text: str) -> tuple[int, int]:
    left, right = (int(part) for part in text.strip("[]").split(":"))
    return min(left, right), max(left, right)


def check_ports(found: Ports, required: Ports, source: str) -> None:
    """Compare the ports of a design with the required ones (spec §12.1).

    Outputs that nobody asked for are left unconnected; an input that nobody drives is an error.

    Raises:
        ToolError: one line that names every port that is missing, unknown or different.
    """
    problems: list[str] = []
    for name, (direction, width) in required.items():
        if name not in found:
            problems.append(f"no port {name} ({direction}, {width} bits)")
        elif found[name] != (direction, width):
            has = f"{found[name][0]}, {found[name][1]} bits"
            problems.append(f"port {name} is {has}, not {direction}, {width} bits")
    for name, (direction, _) in found.items():
        if name not in required and direction != "output":
            problems.append(f"unknown {direction} {name}")
    if problems:
        raise ToolError(f"{source}: {'; '.join(problems)} (spec §12.1)")

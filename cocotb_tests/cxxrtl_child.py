"""Verilog -> CXXRTL by yosys, in a process of its own that an error may end; started as a script.

    python cxxrtl_child.py FILE.v TOP DESIGN.cc INFO.json

TOP may be empty: then it is the only module that no other instantiates. INFO.json says what was
found: the candidates for the top module, its ports, and whether a register has a first value.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any


def name_of(thing: Any) -> str:
    """A name without yosys' backslash."""
    return str(thing).removeprefix("\\")


def ports_of(module: Any) -> dict[str, tuple[str, int]]:
    """Direction and width of each port."""
    found: dict[str, tuple[str, int]] = {}
    for wire in module.wires_.values():
        if wire.port_id:
            kind = (bool(wire.port_input), bool(wire.port_output))
            direction = {(True, False): "input", (False, True): "output"}.get(kind, "inout")
            found[name_of(wire.name)] = (direction, int(wire.width))
    return found


def main(source: str, top: str, target: str, info: str) -> None:
    """Read the design, write what was found, and then the model."""
    from pyosys import libyosys as ys  # pyright: ignore[reportAttributeAccessIssue]  # no stubs

    design = ys.Design()
    ys.run_pass(f'read_verilog -sv "{source}"', design)
    modules = list(design.modules_.values())
    used = {name_of(cell.type) for module in modules for cell in module.cells_.values()}
    roots = sorted(name_of(m.name) for m in modules if name_of(m.name) not in used)
    found: dict[str, Any] = {"roots": roots, "modules": sorted(name_of(m.name) for m in modules)}
    file = Path(info)
    file.write_text(json.dumps(found))
    top = top or (roots[0] if len(roots) == 1 else "")
    if top not in found["modules"]:
        return
    ys.run_pass(f"hierarchy -check -top {top}", design)
    ys.run_pass("proc", design)
    found["top"] = top
    found["ports"] = ports_of(design.top_module())
    wires = [w for m in design.modules_.values() for w in m.wires_.values()]
    initial = ys.IdString("\\init")
    found["initial"] = any(w.has_attribute(initial) for w in wires)
    file.write_text(json.dumps(found))
    # Flattened, each lane would be compiled on its own: many times the compiler's work.
    ys.run_pass(f'write_cxxrtl -g1 -noflatten "{target}"', design)


if __name__ == "__main__":
    main(*sys.argv[1:])

"""Verilog from the Amaranth units: deterministic, readable, without machine paths."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from amaranth.back import rtlil  # pyright: ignore[reportAttributeAccessIssue]  # not in the stubs
from amaranth.lib import wiring

from emulator.errors import ToolError
from emulator.version import SPEC_VERSION
from rtl.hierarchy import Hierarchy, ports_of
from rtl.quantizer_variant import QuantizerVariant
from rtl.units import ElementLanes, ScaleOfMagnitude
from rtl.variant import Variant

WAIVERS = Path(__file__).with_name("waivers.vlt")
"""The Verilator warnings that generated files are allowed, with reasons."""

LICENSE = "Apache-2.0"

_CHILD = """
import sys
from pyosys import libyosys as ys
design = ys.Design()
for command in sys.argv[1:]:
    ys.run_pass(command, design)
"""

_MEANING = {
    "clk": "clock, rising edge",
    "rst": "synchronous reset, active high; drops all words in flight (spec §12.4)",
    "i_valid": "an input word is offered",
    "i_ready": "the input word is taken at this edge if i_valid",
    "o_valid": "an output word is offered; it stays until it is taken (spec §12.2)",
    "o_ready": "the output word is taken at this edge if o_valid",
}


def to_verilog(variant: Variant) -> str:
    """Return the Verilog of a variant; its top module is `variant.module`.

    Equal variants give equal bytes. The ports are those of `variant.ports`.

    Raises:
        ToolError: if yosys is missing or fails.
    """
    return _header(variant) + convert(variant.component(), variant.module)


def unit_verilog(unit: str, variant: QuantizerVariant, *, lanes: int = 1) -> str:
    """Return combinational Verilog of one part of a variant, for tests of its whole input space.

    Args:
        unit: ``"element"``: module `element_unit` with `x` (``lanes`` numbers, lane 0 lowest)
            and `scale` (a stored scale code for all of them) to `code` (``lanes`` element codes);
            ``"scale"``: module `scale_unit` with `amax` (``lanes`` numbers whose signs count for
            nothing) to `scale` (``lanes`` stored scale codes).
        variant: gives recipe and input format.
        lanes: copies that stand side by side.

    Raises:
        ValueError: for another unit.
        ToolError: if yosys is missing or fails.
    """
    if unit == "element":
        return convert(ElementLanes(variant, lanes), "element_unit")
    if unit == "scale":
        return convert(ScaleOfMagnitude(variant, lanes), "scale_unit")
    raise ValueError(f"unit {unit!r} is not one of 'element', 'scale'")


def convert(component: wiring.Component, name: str) -> str:
    """Return the Verilog of any component; its ports are flattened with single underscores.

    Raises:
        ToolError: if yosys is missing or fails.
    """
    hierarchy = Hierarchy(name)
    texts = {name: unit_rtlil(component, name, hierarchy)}
    while missing := hierarchy.units.keys() - texts.keys():
        for module in sorted(missing):
            inner = hierarchy.inside(module)
            texts[module] = unit_rtlil(hierarchy.units[module], module, inner)
    top = texts.pop(name)
    return _yosys([top, *(texts[module] for module in sorted(texts))])


def unit_rtlil(component: wiring.Component, name: str, hierarchy: Hierarchy) -> str:
    """RTLIL of one unit; its parts become known to the hierarchy, as modules to come."""
    text = rtlil.convert(
        component, name=name, platform=hierarchy, ports=ports_of(component), emit_src=False
    )
    return _plain_names(text)


def _plain_names(text: str) -> str:
    """Rename the wires of a module whose names Verilog would have to escape."""
    wires = re.findall(r"^  wire [^\\\n]*\\(\S+)$", text, re.M)
    taken = {name for name in wires if re.fullmatch(r"[A-Za-z]\w*", name) and "__" not in name}
    new: dict[str, str] = {}
    for name in wires:
        if name in taken or name in new:
            continue
        stem = candidate = re.sub(r"\W+|__+", "_", name)
        number = 2
        while candidate in taken:
            candidate, number = f"{stem}_{number}", number + 1
        taken.add(candidate)
        new[name] = candidate
    return re.sub(r"(?<!\S)\\(\S+)", lambda m: "\\" + new.get(m[1], m[1]), text)


def _yosys(texts: list[str]) -> str:
    """RTLIL to Verilog, by yosys in a process of its own: an error there ends the process."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder, "design.v")
        sources = [Path(folder, f"{i}.il") for i in range(len(texts))]
        for source, text in zip(sources, texts, strict=True):
            source.write_text(text, encoding="utf-8")
        commands = [
            *(f"read_rtlil {source}" for source in sources),
            "proc -norom",
            "attrmap -remove init",
            "opt_merge",
            "opt_clean -purge",
            "opt_dff",
            "opt_clean -purge",
            f"write_verilog -noattr {target}",
        ]
        run_yosys(commands, target)
        lines = target.read_text(encoding="utf-8").splitlines()
    return "\n".join(_without_banner(lines)).strip() + "\n"


def run_yosys(commands: Iterable[str], target: Path) -> None:
    """Run yosys commands in a child process; they have to write ``target``.

    Raises:
        ToolError: if yosys is missing or fails.
    """
    done = subprocess.run([sys.executable, "-c", _CHILD, *commands], capture_output=True, text=True)
    if "ModuleNotFoundError" in done.stderr and "pyosys" in done.stderr:
        raise ToolError('yosys (pyosys) is not installed (pip install "finescale[rtl]")')
    if done.returncode or not target.is_file():
        lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        raise ToolError(f"yosys failed: {lines[-1] if lines else 'no output'}")


def _without_banner(lines: Iterable[str]) -> Iterable[str]:
    """Drop the line that names the yosys version."""
    return (line.rstrip() for line in lines if not line.startswith("/* Generated by Yosys"))


def _header(variant: Variant) -> str:
    """The comment on top of a variant's file."""
    facts = [
        f"Latency {variant.latency}, interval {variant.interval} (spec §12.5). "
        f"Registers: {variant.registers}."
    ]
    meanings = _MEANING | variant.meanings
    return head(variant.name, variant.title, facts, variant.ports, meanings)


def head(
    name: str,
    title: str,
    facts: Iterable[str],
    ports: Mapping[str, tuple[str, int]],
    meanings: Mapping[str, str],
) -> str:
    """The comment on top of an exported file.

    Args:
        name: what the file holds.
        title: what that is, in a line.
        facts: more lines.
        ports: direction and width of each port.
        meanings: of each port but the clock and the reset, in a line.
    """
    meaning = _MEANING | dict(meanings)
    width = max(9, *(len(port) for port in ports))
    rows = [
        f"{port:<{width}} {direction:<6} {bits:>4}  {meaning[port]}"
        for port, (direction, bits) in ports.items()
    ]
    lines = [
        name,
        "",
        f"{title}, by finescale.",
        f"Specification {SPEC_VERSION}.",
        *facts,
        "",
        f"{'port':<{width}} {'dir':<6} {'bits':>4}  meaning",
        *rows,
        "",
        f"SPDX-License-Identifier: {LICENSE}",
        "Generated: change the generator, not this file.",
    ]
    return "\n".join(f"// {line}".rstrip() for line in lines) + "\n\n"

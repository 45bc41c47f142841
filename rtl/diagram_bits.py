"""The bits of one elaborated unit: who drives them, through which gates."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from amaranth.lib import data, wiring

from rtl.axis import SUFFIX, axis_wrapper
from rtl.hierarchy import Hierarchy, ports_of
from rtl.stage import Stage
from rtl.variant import Variant
from rtl.verilog import run_yosys, unit_rtlil

CONTROL = re.compile(r"(^|_)(t?valid|t?ready|a?clk|rst|aresetn)$")
"""Ports that are no data: clock, reset and the handshake of spec §12.2."""

Units = Mapping[str, tuple[str, wiring.Component]]

_TOP = "drawn"
_BITWISE = {"$and", "$or", "$xor", "$xnor", "$not", "$mux", "$pos", "$bwmux"}
_OUTPUTS = {"Y", "Q"}


class Driver(NamedTuple):
    """A bit at its place: of a port of the unit, of a part, of a register, or of a gate."""

    kind: str
    name: str
    port: str = ""
    bit: int = 0


@dataclass
class Part:
    """An instance of a unit."""

    name: str
    kind: str
    unit: wiring.Component
    connections: dict[str, list[Any]]
    fields: dict[str, list[tuple[str, int, int]]] = field(default_factory=dict)
    _names: dict[str, set[str]] = field(default_factory=dict)

    @property
    def is_stage(self) -> bool:
        """Whether it is a register stage of a pipeline."""
        return isinstance(self.unit, Stage)

    @property
    def clocked(self) -> bool:
        """Whether it has registers."""
        return "clk" in self.connections

    @property
    def label(self) -> str:
        """The letter of a stage's cut."""
        return self.name.removeprefix("stage_")

    @property
    def payload_bits(self) -> int:
        """Bits that a stage holds."""
        return len(self.connections["i_payload"])

    def field(self, port: str, bit: int) -> tuple[str, str]:
        """Name of the field of a bit, or of the port; and what tells it from its equals."""
        for name, count, width in self.fields.get(port, ()):
            if bit < count * width:
                return name, f"{name}.{bit // width}"
            bit -= count * width
        return port, port

    def names(self, port: str) -> set[str]:
        """All that a field of a port, or the port, stands among."""
        if port not in self._names:
            own = {name for name, *_ in self.fields.get(port, ())}
            self._names[port] = own or set(self.connections)
        return self._names[port]


def _fields(unit: wiring.Component) -> dict[str, list[tuple[str, int, int]]]:
    """Fields of the ports of a unit that have a layout."""
    found = {}
    for path, member, _ in unit.signature.flatten(unit):
        if isinstance(member.shape, data.StructLayout):
            found["_".join(map(str, path))] = [(str(n), 1, f.width) for n, f in member.shape]
    return found


def netlist(unit: wiring.Component) -> Netlist:
    """Elaborate a unit down to its parts.

    Raises:
        ToolError: if yosys is missing or fails.
    """
    hierarchy = Hierarchy(_TOP)
    text = unit_rtlil(unit, _TOP, hierarchy)
    use(hierarchy)
    units = {t: (t.removeprefix(f"{_TOP}_"), part) for t, part in hierarchy.units.items()}
    return Netlist(_module("read_rtlil", text, _TOP), units, _fields(unit))


def use(hierarchy: Hierarchy) -> None:
    """Say of the parts' own parts that they are used, though nobody elaborates them."""
    for part in hierarchy.units.values():
        for inner in vars(part).values():
            if isinstance(inner, wiring.Component):
                inner._MustUse__used = True  # pyright: ignore[reportAttributeAccessIssue]


def wrapper_netlist(variant: Variant) -> Netlist:
    """The same of the AXI4-Stream wrapper of a variant; its one part is the variant's module."""
    core = variant.component()
    core._MustUse__used = True  # pyright: ignore[reportAttributeAccessIssue]  # as in `Hierarchy`
    units = {variant.module: (variant.unit, core)}
    name = variant.module + SUFFIX
    return Netlist(_module("read_verilog", axis_wrapper(variant), name), units, {})


def _module(read: str, text: str, name: str) -> dict[str, Any]:
    """A module as JSON, with processes made to gates and flip-flops; parts stay as they are."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "unit.txt"), Path(folder, "unit.json")
        source.write_text(text, encoding="utf-8")
        commands = [
            f"{read} {source}",
            "proc -norom",
            "attrmap -remove init",
            "opt_merge",
            "opt_clean",
            "opt_dff",
            "opt_clean",
            f"write_json {target}",
        ]
        run_yosys(commands, target)
        return json.loads(target.read_text(encoding="utf-8"))["modules"][name]


class Netlist:
    """One module in the form that yosys gives it.

    Args:
        module: the module.
        units: kind and unit of the parts, by the names of their modules.
        fields: of its own payloads.
    """

    def __init__(
        self,
        module: dict[str, Any],
        units: Units,
        fields: dict[str, list[tuple[str, int, int]]],
    ) -> None:
        self.fields = fields
        self.ports: dict[str, Any] = module["ports"]
        self.parts: dict[str, Part] = {}
        self.registers: dict[str, list[dict[str, Any]]] = {}
        self.gates: dict[str, dict[str, Any]] = {}
        self._drivers: dict[Any, Driver] = {}
        self._valid_bits: set[str] = set()
        self._outputs: dict[str, set[str]] = {}
        names = module["netnames"]
        for port, it in self.ports.items():
            if it["direction"] == "input":
                self._drive(it["bits"], "port", port)
        for name, cell in sorted(module["cells"].items()):
            self._cell(name, cell, units, names)

    def _drive(self, bits: Sequence[Any], kind: str, name: str, port: str = "") -> None:
        for i, bit in enumerate(bits):
            self._drivers[bit] = Driver(kind, name, port, i)

    def _cell(self, name: str, cell: dict[str, Any], units: Units, names: Any) -> None:
        connections = cell["connections"]
        if cell["type"] in units:
            kind, unit = units[cell["type"]]
            fields = {p: f for p, f in _fields(unit).items() if p.endswith("payload")}
            self.parts[name] = Part(name, kind, unit, connections, fields)
            self._outputs[name] = {
                port
                for port, (_, direction) in ports_of(unit).items()
                if direction.name == "Output"
            }
            for port in self._outputs[name]:
                self._drive(connections[port], "part", name, port)
        elif "Q" in connections:
            own = self._register_name(connections["Q"], names)
            self.registers.setdefault(own, []).append(connections)
            if len(connections["Q"]) == 1 and "SRST" in connections:
                self._valid_bits.add(own)
            self._drive(connections["Q"], "register", own)
        else:
            self.gates[name] = cell
            self._drive(connections["Y"], "cell", name)

    @staticmethod
    def _register_name(bits: list[Any], names: dict[str, Any]) -> str:
        """The shortest name of a signal that holds these bits."""
        holding = [
            name
            for name, net in names.items()
            if not net.get("hide_name") and set(bits) <= set(net["bits"])
        ]
        return min(holding, key=lambda n: (len(names[n]["bits"]), len(n), n), default="register")

    def is_valid_bit(self, driver: Driver) -> bool:
        """Whether it is a bit of its own that reset clears: it says whether words are there."""
        return driver.kind == "register" and driver.name in self._valid_bits

    def is_valid(self, driver: Driver) -> bool:
        """Whether it is the unit's `o_valid`."""
        valid = self.ports.get("o_valid", {"bits": ()})["bits"]
        return any(self._drivers.get(bit) == driver for bit in valid)

    def sinks(self) -> Iterator[Driver]:
        """All bits that take data, in a fixed order."""
        for port, it in sorted(self.ports.items()):
            if it["direction"] == "output":
                yield from (Driver("port", port, "", i) for i in range(len(it["bits"])))
        for name, part in self.parts.items():
            for port in sorted(part.connections.keys() - self._outputs[name]):
                bits = range(len(part.connections[port]))
                yield from (Driver("part", name, port, i) for i in bits)
        for name, cells in sorted(self.registers.items()):
            for n, cell in enumerate(cells):
                for port in ("D", "EN"):
                    for i in range(len(cell.get(port, ()))):
                        yield Driver("register", name, port, (n << 16) + i)

    def gate_inputs(self) -> Iterator[Driver]:
        """All bits that gates take."""
        for name, gate in sorted(self.gates.items()):
            for port in sorted(gate["connections"].keys() - _OUTPUTS):
                for i in range(len(gate["connections"][port])):
                    yield Driver("cell", name, port, i)

    def driver(self, sink: Driver) -> Driver | None:
        """What drives a bit; None for a constant."""
        if sink.kind == "port":
            return self._drivers.get(self.ports[sink.name]["bits"][sink.bit])
        if sink.kind == "part":
            return self.part_input(sink.name, sink.port, sink.bit)
        if sink.kind == "cell":
            return self._drivers.get(self.gates[sink.name]["connections"][sink.port][sink.bit])
        cell = self.registers[sink.name][sink.bit >> 16]
        return self._drivers.get(cell[sink.port][sink.bit & 0xFFFF])

    def part_input(self, name: str, port: str, bit: int) -> Driver | None:
        """What drives an input bit of a part; None for a constant."""
        return self._drivers.get(self.parts[name].connections[port][bit])

    def _before(self, driver: Driver) -> list[Driver]:
        """What an output bit of a gate depends on."""
        gate = self.gates[driver.name]
        bits = []
        for port, wires in gate["connections"].items():
            if port in _OUTPUTS:
                continue
            if gate["type"] in _BITWISE and port != "S":
                wires = wires[driver.bit : driver.bit + 1] or wires[-1:]
            bits += wires
        return [d for bit in bits if (d := self._drivers.get(bit)) is not None]

    def _walk(self, driver: Driver) -> tuple[list[Driver], set[str]]:
        found: dict[Driver, None] = {}
        gates: set[Driver] = set()
        left = [driver]
        while left:
            now = left.pop()
            if now.kind != "cell":
                found[now] = None
            elif now not in gates:
                gates.add(now)
                left += self._before(now)
        return list(found), {self.gates[g.name]["type"] for g in gates}

    def cone(self, driver: Driver) -> list[Driver]:
        """The bits that a bit depends on through gates; itself if no gate drives it."""
        return sorted(self._walk(driver)[0])

    def cells_of(self, driver: Driver) -> set[str]:
        """Types of the gates in front of a bit."""
        return self._walk(driver)[1]

    def taken(self) -> set[Driver]:
        """The bits that lead to a port, a register or a part; through a stage if its bit does."""
        found: set[Driver] = set()
        stages = {name for name, part in self.parts.items() if part.is_stage}
        ends = (s for s in self.sinks() if not (s.name in stages and s.port == "i_payload"))
        left = [d for sink in ends if (d := self.driver(sink)) is not None]
        while left:
            now = left.pop()
            if now in found:
                continue
            found.add(now)
            if now.kind == "cell":
                left += self._before(now)
            elif now.name in stages and now.port == "o_payload":
                before = self.part_input(now.name, "i_payload", now.bit)
                left += [] if before is None else [before]
        return found

    def reach(self) -> dict[str, set[str]]:
        """For each part the parts that depend on it, through parts without registers."""
        direct: dict[str, set[str]] = {name: set() for name in self.parts}
        for sink in self.sinks():
            driver = self.driver(sink)
            if sink.kind != "part" or driver is None or CONTROL.search(sink.port):
                continue
            for d in self.cone(driver):
                if d.kind == "part" and not CONTROL.search(d.port):
                    direct[d.name].add(sink.name)
        return {name: self._reached(name, direct) for name in direct}

    @staticmethod
    def _reached(name: str, direct: dict[str, set[str]]) -> set[str]:
        found: set[str] = set()
        left = [name]
        while left:
            new = direct[left.pop()] - found
            found |= new
            left += new
        return found

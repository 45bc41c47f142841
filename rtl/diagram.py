"""Diagram: the boxes of a unit and the nets between them, taken from its elaborated design.

A unit is elaborated as for Verilog, so that its parts are instances of named modules. What is left
between the instances is read bit by bit: wires become nets, gates become boxes of logic, flip-flops
become registers. Equal parts that do not depend on each other are folded into one box.
"""

from __future__ import annotations

import re
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rtl.diagram_bits import CONTROL, Driver, Netlist, Part
from rtl.diagram_shapes import Box, Diagram, Net, bits_of, stem

Fields = Mapping[str, Sequence[tuple[str, int, int]]]
"""Of a port: names of its fields, each with its count and the width of one."""

_OPERATORS = {
    "$add": "+",
    "$sub": "−",
    "$mul": "×",
    "$gt": ">",
    "$ge": "≥",
    "$lt": ">",
    "$le": "≥",
    "$mux": "mux",
    "$pmux": "mux",
}


GATES = 12
"""A unit of plain logic is drawn gate by gate if it has no more gates than that, and none but
comparisons, choices and arithmetic; another one is one box."""


def _label(name: str, names: Container[str]) -> str:
    """A name for a net, none if it says nothing."""
    return "" if name.endswith("payload") else stem(name, names)


@dataclass
class _Class:
    """A net in the making: source bits, and for each sink the bits that it takes."""

    bits: dict[Any, str] = field(default_factory=dict)
    sinks: dict[str, set[Any]] = field(default_factory=dict)


class Reader:
    """Reads one netlist.

    Args:
        design: the netlist.
        name: of the box of a unit without parts.
        fields: of ports that are plain words.
        least: bits of the narrowest value that is drawn.
    """

    def __init__(self, design: Netlist, name: str, fields: Fields, least: int = 1) -> None:
        self.design, self.name, self.fields, self.least = design, name, fields, least
        self.boxes: dict[str, Box] = {}
        self.classes: dict[tuple[str, str, str], _Class] = {}
        self.taken = design.taken()
        self.made: dict[str, set[str]] = {}
        self.folded = self._fold()
        alone = not design.parts and not design.registers
        types = {gate["type"] for gate in design.gates.values()}
        few = 1 < len(design.gates) <= GATES
        self.by_gates = alone and few and types <= _OPERATORS.keys()
        self.plain = alone and not self.by_gates

    def read(self) -> Diagram:
        """The diagram."""
        if self.plain:
            self.boxes[self.name] = Box("unit", self.name)
            self._alone()
        else:
            gates = self.design.gate_inputs() if self.by_gates else ()
            for sink in (*self.design.sinks(), *gates):
                self._take(sink)
        for key in [key for key, made in self.classes.items() if len(made.bits) < self.least]:
            del self.classes[key]
        self._prune()
        order = sorted(self.classes, key=lambda key: (key[0], min(self.classes[key].bits)))
        nets = [
            self._net(source, label, self.classes[source, label, x]) for source, label, x in order
        ]
        used = {key for net in nets for key in (net.source, *net.sinks)}
        boxes = {key: self.boxes[key] for key in sorted(used)}
        stages = {p.label: self._held(p) for p in self.design.parts.values() if p.is_stage}
        return Diagram(boxes, nets, stages)

    def _held(self, stage: Part) -> int:
        """The bits that a stage holds, without those that are constant or that nothing takes."""
        bits = (Driver("part", stage.name, "o_payload", i) for i in range(stage.payload_bits))
        return sum(bit in self.taken and self._through(bit) is not None for bit in bits)

    def _fold(self) -> dict[str, str]:
        """The key of each part's box."""
        parts, reach = self.design.parts, self.design.reach()
        kinds: dict[tuple[str, int], list[str]] = {}
        several = set()
        for name, part in parts.items():
            chain = self._chain(name, reach)
            kinds.setdefault((part.kind, chain), []).append(name)
            several |= {part.kind} if chain else set()
        return {
            name: names[0] if kind in several else kind
            for (kind, _), names in kinds.items()
            for name in names
        }

    def _chain(self, name: str, reach: dict[str, set[str]]) -> int:
        """How many equal parts in a row a part depends on."""
        kind = self.design.parts[name].kind
        before = [n for n, p in self.design.parts.items() if p.kind == kind and name in reach[n]]
        return max((1 + self._chain(n, reach) for n in before if n != name), default=0)

    def _gate(self, name: str) -> str:
        """Key of the box of a gate."""
        kind = str(self.design.gates[name]["type"])
        self.boxes[f"gate {name}"] = Box("logic", _OPERATORS.get(kind, kind.removeprefix("$")))
        return f"gate {name}"

    def _port_field(self, port: str, bit: int) -> tuple[str, str]:
        """Name of the field of a bit of a port, and what tells it from its equals."""
        known = self.fields.get(port) or self.design.fields.get(port)
        if not known or self.by_gates:
            return stem(port, self.design.ports), port
        for name, count, width in known:
            if bit < count * width:
                return name, f"{name}{bit // width}"
            bit -= count * width
        return stem(port, self.design.ports), port

    def _source(self, driver: Driver) -> tuple[str, str, str] | None:
        """Box, label and tag of what drives a bit; None if it is control."""
        if driver.kind == "port":
            if CONTROL.search(driver.name):
                return None
            label, tag = self._port_field(driver.name, driver.bit)
            key = f"port {self._terminal(driver.name)}"
            if key not in self.boxes:
                self.boxes[key] = Box("port", self._terminal(driver.name))
            return key, label, tag
        if driver.kind == "register":
            if self.design.is_valid(driver):
                return None
            key = self._register(driver.name)
            return key, self.boxes[key].label, driver.name
        if driver.kind == "cell":
            return self._gate(driver.name), self.boxes[self._gate(driver.name)].label, ""
        if CONTROL.search(driver.port):
            return None
        part = self.design.parts[driver.name]
        if part.is_stage:
            return self._through(driver)
        key = self._part(driver.name)
        name, tag = part.field(driver.port, driver.bit)
        return key, _label(name, part.names(driver.port)), f"{driver.name} {tag}"

    def _through(self, driver: Driver) -> tuple[str, str, str] | None:
        """The bar of a bit that comes out of a stage."""
        part = self.design.parts[driver.name]
        name, tag = part.field("i_payload", driver.bit)
        own = stem(name, part.names("i_payload"))
        before = self.design.part_input(driver.name, "i_payload", driver.bit)
        if before is None:
            return None
        if before.kind == "cell" or own in self._made(driver.name):
            key, tag = f"bar {part.label} {own}", name
            label = _label(name, part.names("i_payload"))
        else:
            found = self._source(before)
            if found is None:
                return None
            upstream, label, tag = found
            key = f"bar {part.label} {upstream} {label}"
        self.boxes[key] = Box("bar", label, stage=part.label)
        return key, label, tag

    def _made(self, stage: str) -> set[str]:
        """Fields of a stage that gates make, though bits of them may come from elsewhere."""
        if stage not in self.made:
            part = self.design.parts[stage]
            names = part.names("i_payload")
            self.made[stage] = set()
            for bit in range(part.payload_bits):
                before = self.design.part_input(stage, "i_payload", bit)
                if before is not None and before.kind == "cell":
                    self.made[stage].add(stem(part.field("i_payload", bit)[0], names))
        return self.made[stage]

    def _part(self, name: str) -> str:
        """Key of the box of a part."""
        part, key = self.design.parts[name], f"unit {self.folded[name]}"
        if key not in self.boxes:
            count = sum(other == self.folded[name] for other in self.folded.values())
            self.boxes[key] = Box("unit", part.kind, count, part.clocked)
        return key

    def _register(self, name: str) -> str:
        """Key of the box of a register; without a name of its own it has that of what it takes."""
        key = f"register {name}"
        if key not in self.boxes:
            self.boxes[key] = Box("register", name)
            if name.startswith("_"):
                self.boxes[key].label = "register"
                before = self.design.driver(Driver("register", name, "D", 0))
                if before is not None and before.kind != "cell":
                    found = self._source(before)
                    self.boxes[key].label = found[1] if found else "register"
        return key

    def _terminal(self, port: str) -> str:
        """Name of the terminal of a port of the unit."""
        return re.sub(r"_(payload|tdata|tlast)$", "", stem(port, self.design.ports))

    def _sink(self, sink: Driver) -> tuple[str, str, str] | None:
        """Box, field and tag of a bit that something drives; None for control and idle stages."""
        if sink.kind == "port":
            label, tag = self._port_field(sink.name, sink.bit)
            key = f"port {self._terminal(sink.name)}"
            self.boxes[key] = Box("port", self._terminal(sink.name))
            return key, label, tag
        if sink.kind == "cell":
            return self._gate(sink.name), "", ""
        if sink.kind == "register":
            key = self._register(sink.name)
            return key, "enable" if sink.port == "EN" else self.boxes[key].label, sink.port
        part = self.design.parts[sink.name]
        if part.is_stage:
            out = Driver("part", sink.name, "o_payload", sink.bit)
            return self._through(out) if out in self.taken else None
        name, tag = part.field(sink.port, sink.bit)
        label = _label(name, part.names(sink.port))
        return self._part(sink.name), label, f"{sink.name} {tag}"

    def _take(self, sink: Driver) -> None:
        """Add the nets that lead to a bit."""
        if CONTROL.search(sink.name if sink.kind == "port" else sink.port):
            return
        driver = self.design.driver(sink)
        if driver is None:
            return
        cone = [driver] if self.by_gates else self.design.cone(driver)
        if sink.port == "EN":
            cone = [d for d in cone if not self.design.is_valid_bit(d)]
        found = {d: s for d in cone if (s := self._source(d)) is not None}
        target = self._sink(sink) if found else None
        if target is None:
            return
        key, label, tag = target
        if driver.kind != "cell" or self.by_gates:
            ((source, name, own),) = found.values()
            self._add(source, name, driver, own, key)
            return
        logic = "logic " + ", ".join(sorted({f"{k}.{n}" for k, n, _ in found.values()}))
        box = self.boxes.setdefault(logic, Box("logic", ""))
        names = {_OPERATORS[t] for t in self.design.cells_of(driver) if t in _OPERATORS}
        box.label = " ".join(sorted({*box.label.split(), *names}))
        for bit, (source, name, own) in found.items():
            self._add(source, name, bit, own, logic)
        self._add(logic, label, driver, tag, key)

    def _alone(self) -> None:
        """The nets of a unit that is one box: its ports, by their fields."""
        for port, it in sorted(self.design.ports.items()):
            key = f"port {self._terminal(port)}"
            if CONTROL.search(port):
                continue
            self.boxes[key] = Box("port", self._terminal(port))
            for i in range(len(it["bits"])):
                bit = Driver("port", port, "", i)
                label, tag = self._port_field(port, i)
                if it["direction"] == "input":
                    self._add(key, label, bit, tag, self.name)
                else:
                    self._add(self.name, label, bit, tag, key, port)

    def _add(
        self, source: str, label: str, bit: Driver, tag: str, sink: str, apart: str = ""
    ) -> None:
        made = self.classes.setdefault((source, label, apart), _Class())
        made.bits[bit] = tag
        made.sinks.setdefault(sink, set()).add(bit)

    def _prune(self) -> None:
        """Drop what leads to no output, and logic that nothing feeds."""
        ends = {k for k, b in self.boxes.items() if b.kind == "port"}
        while True:
            giving = {source for source, *_ in self.classes} | ends
            for made in self.classes.values():
                for sink in made.sinks.keys() - giving:
                    del made.sinks[sink]
            fed = {sink for made in self.classes.values() for sink in made.sinks}
            fed |= {
                key
                for key in self.boxes
                if self.boxes[key].kind in ("port", "unit", "register", "bar")
            }
            empty = [k for k, made in self.classes.items() if not made.sinks or k[0] not in fed]
            if not empty:
                return
            for key in empty:
                del self.classes[key]

    def _net(self, source: str, label: str, made: _Class) -> Net:
        total = bits_of(made.bits.values())
        sinks = {}
        for sink, taken in sorted(made.sinks.items()):
            part = bits_of(made.bits[bit] for bit in taken)
            sinks[sink] = "" if part == total else part
        return Net(source, label, total, sinks)

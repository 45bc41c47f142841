"""Evaluates the gates of a combinational Verilog module for many input patterns at once.

Yosys maps the text to gates of at most three inputs; each wire becomes a row of bits, one per
pattern, so that a gate is one NumPy operation. Whole input spaces of small units take seconds,
and the Verilog runs in something that is neither Amaranth's simulator nor Verilator.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from compare.yosys import run_yosys

Bits = npt.NDArray[np.uint8]
"""64 patterns in 8 bytes, the first in the lowest bit."""

GATES = {
    "$_AND_": lambda a, b: a & b,
    "$_OR_": lambda a, b: a | b,
    "$_XOR_": lambda a, b: a ^ b,
    "$_ANDNOT_": lambda a, b: a & ~b,
    "$_ORNOT_": lambda a, b: a | ~b,
    "$_XNOR_": lambda a, b: ~(a ^ b),
    "$_NAND_": lambda a, b: ~(a & b),
    "$_NOR_": lambda a, b: ~(a | b),
}


@dataclass(frozen=True)
class Netlist:
    """Gates in an order in which each comes after those that drive it."""

    inputs: Mapping[str, list[int]]
    outputs: Mapping[str, list[int | str]]
    gates: list[tuple[str, list[int | str], int]]

    def run(self, **values: npt.NDArray[Any]) -> dict[str, npt.NDArray[np.uint64]]:
        """Evaluate patterns.

        Args:
            values: one array of unsigned integers per input port, all of one length n.

        Returns:
            For each output port of at most 64 bits the n results.
        """
        assert set(values) == set(self.inputs)
        (n,) = {len(v) for v in values.values()}
        size = -(-n // 8)
        wires: dict[int | str, Bits] = {
            "0": np.zeros(size, np.uint8),
            "1": np.full(size, 255, np.uint8),
        }
        for port, nets in self.inputs.items():
            for bit, net in enumerate(nets):
                column = (values[port] >> values[port].dtype.type(bit)) & values[port].dtype.type(1)
                wires[net] = np.packbits(column.astype(np.uint8), bitorder="little")
        for kind, pins, net in self.gates:
            if kind == "$_NOT_":
                wires[net] = ~wires[pins[0]]
            elif kind == "$_MUX_":
                a, b, select = (wires[p] for p in pins)
                wires[net] = (a & ~select) | (b & select)
            else:
                wires[net] = GATES[kind](wires[pins[0]], wires[pins[1]])
        results = {}
        for port, nets in self.outputs.items():
            total = np.zeros(n, np.uint64)
            for bit, net in enumerate(nets):
                column = np.unpackbits(wires[net], count=n, bitorder="little").astype(np.uint64)
                total |= column << np.uint64(bit)
            results[port] = total
        return results


def netlist(verilog: str, top: str, folder: Path) -> Netlist:
    """Map a combinational module to gates."""
    (folder / "gates.v").write_text(verilog)
    run_yosys(
        [
            "read_verilog -sv gates.v",
            f"hierarchy -top {top}",
            "proc",
            "flatten",
            "opt -fast",
            "techmap",
            "opt -fast",
            "opt_clean -purge",
            "write_json gates.json",
        ],
        folder,
        "gates",
    )
    module = json.loads((folder / "gates.json").read_text())["modules"][top]
    ports: dict[str, dict[str, list[Any]]] = {"input": {}, "output": {}}
    for name, port in module["ports"].items():
        ports[port["direction"]][name] = port["bits"]
    waiting = []
    for cell in module["cells"].values():
        pins = cell["connections"]
        order = [pins[p][0] for p in ("A", "B", "S") if p in pins]
        waiting.append((cell["type"], order, pins["Y"][0]))
    known: set[int | str] = {"0", "1", *(net for nets in ports["input"].values() for net in nets)}
    drivers = {net: (kind, pins, net) for kind, pins, net in waiting}
    gates: list[tuple[str, list[int | str], int]] = []

    for wanted in drivers:
        stack = [wanted]
        while stack:
            net = stack[-1]
            if net in known:
                stack.pop()
                continue
            missing = [p for p in drivers[net][1] if p not in known]
            if missing:
                stack += missing
            else:
                known.add(net)
                gates.append(drivers[net])
                stack.pop()
    return Netlist(ports["input"], ports["output"], gates)

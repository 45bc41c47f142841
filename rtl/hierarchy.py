"""Modules in the exported Verilog: one per kind of unit, with the unit's own port names."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import ClockSignal, Instance, Module, ResetSignal, ValueCastable
from amaranth.lib import wiring

# `rtlil.convert` takes port directions, yet no public module of Amaranth exports their type.
from amaranth.hdl._ir import PortDirection  # isort: skip


class Hierarchy:
    """An elaboration platform that turns placed units into instances of named modules.

    Args:
        prefix: put before a unit's name, so that modules of two designs can stand in one
            simulation.
    """

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.units: dict[str, wiring.Component] = {}
        self._inside: dict[str, Hierarchy] = {}

    def inside(self, module: str) -> Hierarchy:
        """The platform for what is within a module that was placed here."""
        return self._inside[module]

    def instance(
        self, name: str, kind: str, unit: wiring.Component, clocked: bool, scope: bool = False
    ) -> Instance:
        """An instance of the module of a unit; units of one kind have to be equal."""
        for port, (value, _) in ports_of(unit).items():
            value.name = f"{name}_{port}"
        module = f"{self.prefix}_{kind}"
        # Else Amaranth warns of a unit that is no submodule; it has no public way to say so.
        unit._MustUse__used = True  # pyright: ignore[reportAttributeAccessIssue]
        if module not in self._inside:
            inner = self
            if scope:
                inner = Hierarchy(module)
                inner.units, inner._inside = self.units, self._inside
            self._inside[module] = inner
        known = self.units.setdefault(module, unit)
        assert known.signature == unit.signature, f"two different units {module}"
        ports: dict[str, Any] = {
            f"{'i' if direction is PortDirection.Input else 'o'}_{name}": value
            for name, (value, direction) in ports_of(unit).items()
        }
        if clocked:
            ports |= {"i_clk": ClockSignal(), "i_rst": ResetSignal()}
        return Instance(module, **ports)


def place(
    m: Module,
    platform: object,
    name: str,
    unit: wiring.Component,
    *,
    kind: str | None = None,
    clocked: bool = False,
    scope: bool = False,
) -> None:
    """Make a unit a part of a module, under a name.

    Args:
        m: the module.
        platform: that of `elaborate`; a `Hierarchy` gives the unit a Verilog module of its own.
        name: of the instance.
        unit: the part; its ports may be connected before and after.
        kind: name of the unit's module, by default ``name``.
        clocked: whether the unit has registers.
        scope: whether the names of modules within the unit begin with that of its own module, so
            that it may hold units of a kind that differ from those of its neighbours.
    """
    if isinstance(platform, Hierarchy):
        m.submodules[name] = platform.instance(name, kind or name, unit, clocked, scope)
    else:
        # The stubs do not know that components have `elaborate`.
        m.submodules[name] = unit  # pyright: ignore[reportArgumentType]


def ports_of(unit: wiring.Component) -> dict[str, tuple[Any, PortDirection]]:
    """Ports of a component as plain values, their names joined by single underscores."""
    ports = {}
    for path, member, value in unit.signature.flatten(unit):
        plain = value.as_value() if isinstance(value, ValueCastable) else value
        inward = member.flow == wiring.In
        direction = PortDirection.Input if inward else PortDirection.Output
        ports["_".join(map(str, path))] = (plain, direction)
    return ports

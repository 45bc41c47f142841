"""Pipeline: the stages of a unit's cuts, one after the other (spec §12)."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Signal, Value
from amaranth.lib import data

from rtl.hierarchy import place
from rtl.stage import Stage


class Pipeline:
    """Chains the stages of the cuts that a variant has; a cut that it lacks is a wire."""

    def __init__(self, m: Module, platform: object, cuts: str, valid: Value, ready: Value) -> None:
        self.m, self.platform, self.cuts = m, platform, cuts
        self.valid, self.ready = valid, ready

    def cut(self, letter: str, fields: dict[str, Any]) -> data.View:
        """The named values of `fields` after the cut."""
        layout = data.StructLayout({name: value.shape() for name, value in fields.items()})
        before = Signal(layout, name=f"to_{letter}")
        self.m.d.comb += [before[name].eq(value) for name, value in fields.items()]
        if letter not in self.cuts:
            return before
        stage = Stage(layout)
        place(self.m, self.platform, f"stage_{letter}", stage, clocked=True)
        self.m.d.comb += [
            stage.i.payload.eq(before),
            stage.i.valid.eq(self.valid),
            self.ready.eq(stage.i.ready),
        ]
        self.valid, self.ready = stage.o.valid, stage.o.ready
        return stage.o.payload

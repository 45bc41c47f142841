"""Chain: the register stages of a pipeline, one after the other (spec §12)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib import data, stream

from rtl.hierarchy import place
from rtl.stage import Stage


class Chain:
    """Values on their way from a unit's input stream to its output stream.

    Call `cut` at each place where a register may stand, in order, then `end`.

    Args:
        m: module of the unit.
        platform: that of `elaborate`.
        cuts: letters of the cuts that hold a register; at the others stands a wire.
        source: the unit's input stream.

    Attributes:
        valid: whether the values behind the last cut are valid.
        ready: to be driven by what takes them; `cut`, `through` and `end` do so.
    """

    def __init__(self, m: Module, platform: object, cuts: str, source: stream.Interface) -> None:
        self._m, self._platform, self._cuts = m, platform, cuts
        self.valid: Any = source.valid
        self.ready: Any = source.ready

    def cut(self, letter: str, fields: Mapping[str, Any]) -> data.View:
        """The named values of ``fields`` behind the cut."""
        layout = data.StructLayout({name: value.shape() for name, value in fields.items()})
        before = Signal(layout, name=f"to_{letter}")
        self._m.d.comb += [before[name].eq(value) for name, value in fields.items()]
        if letter not in self._cuts:
            return before
        stage = Stage(layout)
        place(self._m, self._platform, f"stage_{letter}", stage, clocked=True)
        return self.through(stage, before)

    def through(self, unit: Any, payload: Any) -> Any:
        """The payload behind a unit with streams `i` and `o`."""
        self._m.d.comb += [
            unit.i.payload.eq(payload),
            unit.i.valid.eq(self.valid),
            self.ready.eq(unit.i.ready),
        ]
        self.valid, self.ready = unit.o.valid, unit.o.ready
        return unit.o.payload

    def end(self, sink: stream.Interface) -> None:
        """Join valid and ready of the last stage to the unit's output stream."""
        self._m.d.comb += [sink.valid.eq(self.valid), self.ready.eq(sink.ready)]


def numbered(lanes: list[Any]) -> dict[str, Any]:
    """Names for the lanes of a cut."""
    return {f"x{i}": lane for i, lane in enumerate(lanes)}

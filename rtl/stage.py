"""Stage: one register of an elastic pipeline (spec §12)."""

from __future__ import annotations

from amaranth.hdl import Module, ShapeLike, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out


class Stage(wiring.Component):
    """Holds one payload; takes the next as soon as it is empty or being emptied.

    Latency 1, interval 1. `i.ready` depends on `o.ready` without a register, so a full pipeline
    moves as one. Only the valid bit is reset (spec §12.4).

    Args:
        shape: of the payload.

    Members:
        i: In, stream.
        o: Out, stream.
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, shape: ShapeLike) -> None:
        super().__init__({"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape))})
        self._shape = shape

    def elaborate(self, platform: object) -> Module:
        """The logic of the unit."""
        m = Module()
        valid = Signal()
        payload = Signal(self._shape, reset_less=True)
        m.d.comb += [
            self.i.ready.eq(~valid | self.o.ready),
            self.o.valid.eq(valid),
            self.o.payload.eq(payload),
        ]
        with m.If(self.i.ready):
            m.d.sync += [valid.eq(self.i.valid), payload.eq(self.i.payload)]
        return m

"""Amax: the largest key of a block (spec §7.1)."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from rtl.shapes import Shapes


class Amax(wiring.Component):
    """A balanced tree of two-input maxima over the keys as unsigned integers.

    A key grows with the magnitude, and NaN's is greater than infinity's, so the largest key alone
    tells whether a block holds a NaN or an infinity (spec §6.1, §6.2). Combinational.

    Args:
        shapes: widths.
        lanes: number of keys, a power of two.

    Members:
        keys_<i>: In, `Shapes.key`.
        amax: Out, the largest key.
    """

    keys: list[data.View]
    amax: data.View

    def __init__(self, shapes: Shapes, lanes: int) -> None:
        self.lanes = lanes
        super().__init__({"keys": In(shapes.key).array(lanes), "amax": Out(shapes.key)})

    def elaborate(self, platform: object) -> Module:
        """The logic of the unit."""
        m = Module()
        level = [key.as_value() for key in self.keys]
        depth = 0
        while len(level) > 1:
            above = []
            for i, (a, b) in enumerate(zip(level[::2], level[1::2], strict=True)):
                first = Signal(name=f"first_{depth}_{i}")
                larger = Signal(len(a), name=f"max_{depth}_{i}")
                m.d.comb += [first.eq(a >= b), larger.eq(Mux(first, a, b))]
                above.append(larger)
            level, depth = above, depth + 1
        m.d.comb += self.amax.as_value().eq(level[0])
        return m

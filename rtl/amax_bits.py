"""Amax, bit by bit: smaller than a tree of comparisons, and deeper (spec §7.1)."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from rtl.shapes import Shapes


class AmaxBits(wiring.Component):
    """The largest key of a block, its top bit first.

    A lane stays in as long as its key agrees with the largest one. A bit of the largest key is set
    if it is in any lane that is still in; the others go out then. Combinational.

    Args:
        shapes: widths.
        lanes: number of keys.

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
        keys = [key.as_value() for key in self.keys]
        staying: list[Value] = [Const(1)] * self.lanes
        largest = Signal(len(keys[0]))
        for bit in reversed(range(len(largest))):
            raised = Signal(self.lanes, name=f"raised_{bit}")
            left = Signal(self.lanes, name=f"left_{bit}")
            m.d.comb += [
                raised.eq(
                    Cat(*((stays & key[bit])[0] for stays, key in zip(staying, keys, strict=True)))
                ),
                largest[bit].eq(raised.any()),
                left.eq(raised | (Cat(*staying) & (~largest[bit]).replicate(self.lanes))),
            ]
            staying = list(left)
        m.d.comb += self.amax.as_value().eq(largest)
        return m

"""Amax of whole magnitudes: the largest of a block, as patterns (spec §7.1)."""

from __future__ import annotations

from amaranth.hdl import Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rtl.ripple import larger


class LargestMagnitude(wiring.Component):
    """A balanced tree of two-input maxima. Combinational.

    Patterns without their sign grow with the magnitude, infinity and NaN last.

    Args:
        width: of a magnitude.
        lanes: number of magnitudes, a power of two.

    Members:
        magnitudes: In, magnitude i at bit ``i * width``.
        largest: Out.
    """

    magnitudes: Signal
    largest: Signal

    def __init__(self, width: int, lanes: int) -> None:
        self.width, self.lanes = width, lanes
        super().__init__({"magnitudes": In(width * lanes), "largest": Out(width)})

    def elaborate(self, platform: object) -> Module:
        """The logic of the unit."""
        m = Module()
        level: list[Value] = [self.magnitudes.word_select(i, self.width) for i in range(self.lanes)]
        depth = 0
        while len(level) > 1:
            pairs = enumerate(zip(level[::2], level[1::2], strict=True))
            level = [larger(m, a, b, f"larger_{depth}_{i}") for i, (a, b) in pairs]
            depth += 1
        m.d.comb += self.largest.eq(level[0])
        return m

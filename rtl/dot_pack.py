"""Float32 from a significand whose leading one is in its place (spec §16.11)."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rtl.dot_float import SIGNIFICAND, SPECIAL_FIELD, shifted_right, signed_bits
from rtl.dot_shapes import FLOAT_FRACTION, FLOAT_INF

KEPT = SIGNIFICAND + 2
"""A significand, the half below it, and a bit that stands for all others."""


class FloatPack(wiring.Component):
    """The float32 of ``significand * 2**(field - 127 - (width - 1))``. Combinational.

    Nearest, ties to even, with overflow to infinity and subnormals (spec §16.11).

    Args:
        width: bits of the significand, of which the top one is 1, or all are 0.
        low: the smallest field.
        high: the largest one.

    Members:
        sign: In.
        significand: In.
        field: In, the exponent field that float32 gives such a number, or would.
        pattern: Out, float32; of a zero significand it is zero with the sign given.
    """

    sign: Signal
    significand: Signal
    field: Signal
    pattern: Signal

    def __init__(self, width: int, low: int, high: int) -> None:
        assert width >= SIGNIFICAND and low < 1 and high >= SPECIAL_FIELD
        self.width, self.low, self.high = width, low, high
        super().__init__(
            {
                "sign": In(1),
                "significand": In(width),
                "field": In(signed(signed_bits(low, high))),
                "pattern": Out(32),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Shift right below the normal range, round, and let the rounding carry into the field."""
        m = Module()
        kept: Value = self.significand
        if self.width < KEPT:
            kept = Cat(Const(0, KEPT - self.width), kept)
        elif self.width > KEPT:
            more = self.width - KEPT + 1
            kept = Cat(kept[:more].any(), kept[more:])
        near = KEPT.bit_length()
        below = Signal(len(self.field) + 1)
        distance = Signal(near)
        m.d.comb += [
            below.eq(1 - self.field),
            distance.eq(Mux(below[-1], 0, Mux(below[near:].any(), (1 << near) - 1, below[:near]))),
        ]
        shifted = shifted_right(m, "raised", kept, distance)
        # The leading one left its place in a subnormal number, whose field is 0; zero has none.
        field = Signal((self.high + 1).bit_length())
        pattern = Signal(FLOAT_FRACTION + len(field))
        sticky, half, odd = shifted[0], shifted[1], shifted[2]
        m.d.comb += [
            field.eq(Mux(shifted[-1], self.field, 0)),
            pattern.eq(Cat(shifted[2:-1], field) + (half & (sticky | odd))),
            self.pattern.eq(
                Cat(
                    Mux(
                        pattern[FLOAT_FRACTION:] >= SPECIAL_FIELD,
                        FLOAT_INF,
                        pattern[:31],
                    ),
                    self.sign,
                )
            ),
        ]
        return m

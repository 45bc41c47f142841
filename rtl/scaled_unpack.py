"""Normalise: a magnitude of any exponent, subnormal ones included (spec §4.2)."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from rtl.scaled_shapes import ScaledShapes


class Normalise(wiring.Component):
    """Shifts the leading one of a subnormal number to the hidden bit's place. Combinational.

    Halves, quarters and so on of the significand are skipped while they are zero.

    Args:
        shapes: widths.

    Members:
        magnitude: In, an input number without its sign.
        number: Out, `ScaledShapes.number`; exponent all ones for infinity and NaN.
    """

    magnitude: Signal
    number: data.View

    def __init__(self, shapes: ScaledShapes) -> None:
        self.shapes = shapes
        super().__init__(
            {"magnitude": In(shapes.input.magnitude_bits), "number": Out(shapes.number)}
        )

    def elaborate(self, platform: object) -> Module:
        """The logic of the unit."""
        m = Module()
        f = self.shapes.input.fraction_bits
        normal = Signal()
        m.d.comb += normal.eq(self.magnitude[f:].any())
        significand = Signal(f + 1)
        m.d.comb += significand.eq(Cat(self.magnitude[:f], normal))
        zeros = []
        for step in reversed(range(f.bit_length())):
            skip = Signal(name=f"skip_{1 << step}")
            shifted = Signal(f + 1, name=f"shifted_{1 << step}")
            m.d.comb += [
                skip.eq(~significand[-min(1 << step, f + 1) :].any()),
                shifted.eq(Mux(skip, significand << (1 << step), significand)),
            ]
            significand = shifted
            zeros.insert(0, skip)
        # A number with exponent field 0 and z leading zeros has the exponent of field 1 - z.
        field = Cat(self.magnitude[f:], 1)
        below = (1 << self.shapes.input.exponent_bits) + 1 - Cat(*zeros)
        m.d.comb += [
            self.number.fraction.eq(significand[:f]),
            self.number.exponent.eq(Mux(normal, field, below)),
            self.number.some.eq(significand[f]),
        ]
        return m

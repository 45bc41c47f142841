"""Lanes and amax under a tensor scale that is a power of two (spec §14.5, §17).

Division by it moves exponents alone, so that behind these units nothing differs from a tensor
scale of 1. Whole magnitudes go to the amax tree; subnormals count in full.
"""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from rtl.hierarchy import place
from rtl.limited_shapes import LimitedShapes
from rtl.ripple import subtract, widened
from rtl.scaled_scale import plain_key, plain_offset
from rtl.scaled_unpack import Normalise


def reference_bits(shapes: LimitedShapes) -> int:
    """Bits of a reference among the exponents of the numbers as they come."""
    assert shapes.scaled is not None and shapes.saturation is not None
    most = shapes.saturation - plain_offset(shapes.scaled) + (1 << shapes.scaled.g_field[0]) - 1
    return max(shapes.scaled.exponent_bits, most.bit_length())


class ScaledAmax(wiring.Component):
    """Amax over the tensor scale, and where lanes count from. Combinational.

    Args:
        shapes: widths.

    Members:
        largest: In, `ScaledShapes.key`, the block's largest magnitude.
        g: In, the tensor scale as the word carries it.
        amax: Out, `Shapes.key` of its quotient by g.
        reference: Out, the lane exponent of the quotient, but no more than `saturation`.
        start: Out, the same reference among the exponents of the numbers as they come; 0 if it
            lies below all of them.
    """

    largest: data.View
    g: data.View
    amax: data.View
    reference: Signal
    start: Signal

    def __init__(self, shapes: LimitedShapes) -> None:
        self.shapes = shapes
        assert shapes.scaled is not None
        super().__init__(
            {
                "largest": In(shapes.scaled.key),
                "g": In(shapes.scaled.g),
                "amax": Out(shapes.lanes.key),
                "reference": Out(shapes.lanes.exponent_bits),
                "start": Out(reference_bits(shapes)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """The logic of the unit."""
        m = Module()
        s, last = self.shapes.scaled, self.shapes.saturation
        assert s is not None and last is not None
        normalise = Normalise(s)
        place(m, platform, "normalise", normalise)
        number, field = normalise.number, self.g.exponent
        m.d.comb += normalise.magnitude.eq(self.largest)
        special = self.largest.exponent.all()
        key = plain_key(m, s, number, special, field)
        saturated = Signal()
        top = Signal(range(-(1 << len(self.start)), 1 << len(self.start)))
        m.d.comb += [
            self.amax.eq(key),
            saturated.eq(key.exponent > last),
            self.reference.eq(Mux(saturated, last, key.exponent)),
            top.eq(field + (last - plain_offset(s))),
            self.start.eq(Mux(saturated, Mux(top < 0, 0, top), number.exponent)),
        ]
        return m


class ScaledNear(wiring.Component):
    """A lane with `below` in the place of its exponent. Combinational.

    Args:
        shapes: widths.

    Members:
        x: In, the number's bits.
        start: In, see `ScaledAmax`.
        near: Out, `LimitedShapes.near`.
    """

    x: Signal
    start: Signal
    near: data.View

    def __init__(self, shapes: LimitedShapes) -> None:
        self.shapes = shapes
        super().__init__(
            {
                "x": In(shapes.input_bits),
                "start": In(reference_bits(shapes)),
                "near": Out(shapes.near),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """The logic of the unit."""
        m = Module()
        s, bits = self.shapes.scaled, self.shapes.below_bits
        assert s is not None
        normalise = Normalise(s)
        place(m, platform, "normalise", normalise)
        number = normalise.number
        width = len(self.start)
        difference, not_negative = subtract(
            m, self.start, widened(number.exponent, width), "difference", select=False
        )
        infinite = self.x[s.input.fraction_bits : -1].all()
        far = difference[bits:].any()
        near = not_negative & ~infinite
        spare = s.input.fraction_bits - self.shapes.fraction_bits
        fraction = number.fraction
        kept = fraction[spare:] if spare >= 0 else Cat(Const(0, -spare), fraction)
        m.d.comb += [
            normalise.magnitude.eq(self.x[:-1]),
            self.near.sign.eq(self.x[-1]),
            self.near.below.eq(
                ((difference[:bits] | far.replicate(bits)) & near.replicate(bits))
                | (~number.some).replicate(bits)
            ),
            self.near.fraction.eq(kept),
            self.near.sticky.eq(fraction[:spare].any() if spare > 0 else 0),
        ]
        return m

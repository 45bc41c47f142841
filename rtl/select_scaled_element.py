"""Thresholds and elements of a candidate, with what its error needs besides (spec §14.7, §15.2)."""

from __future__ import annotations

from amaranth.hdl import Module, Signal, Value
from amaranth.lib import data
from amaranth.lib.wiring import In, Out

from rtl.ripple import add
from rtl.scaled_element import CountingElement
from rtl.scaled_thresholds import ScaledThresholds
from rtl.select_scaled_shapes import ScaledSelectShapes


class CandidateThresholds(ScaledThresholds):
    """`ScaledThresholds` that shows the product they are made of. Combinational.

    Args:
        shapes: widths.

    Members:
        fraction: Out, of the scale's significand; one idle bit if it has none.
        product: Out, the significands of scale and tensor scale, multiplied.
        carry: Out, whether that is 2 or more, both taken as numbers from 1 to 2.
    """

    fraction: Signal
    product: Signal
    carry: Signal

    def __init__(self, shapes: ScaledSelectShapes) -> None:
        super().__init__(
            shapes.reaching,
            fraction=Out(max(shapes.scale.fraction_bits, 1)),
            product=Out(shapes.product_scale_bits),
            carry=Out(1),
        )

    def show(self, m: Module, significand: Value, product: Value, carry: Value) -> None:
        """See `ScaledThresholds.show`."""
        f = self.shapes.scale.fraction_bits
        m.d.comb += [
            self.fraction.eq(significand[:f]),
            self.product.eq(product),
            self.carry.eq(carry),
        ]


class CandidateElement(CountingElement):
    """The magnitude code of a normalised number and its binades above the origin. Combinational.

    Args:
        shapes: widths.

    Members:
        number: In, `ScaledShapes.number`.
        thresholds: In, `ScaledShapes.thresholds`.
        code: Out, magnitude code.
        above: Out, binades above the least one where the code can be more than 0.
    """

    number: data.View
    code: Signal
    above: Signal

    def __init__(self, shapes: ScaledSelectShapes) -> None:
        super().__init__(
            shapes.reaching,
            {
                "number": In(shapes.reaching.number),
                "code": Out(3),
                "above": Out(shapes.above_bits),
            },
        )

    def elaborate(self, platform: object) -> Module:
        """The logic of the unit."""
        m = Module()
        t, number = self.thresholds, self.number
        # Without a carry the difference is one less: where it is not negative, codes begin.
        total = add(m, number.exponent, ~t.origin, "over", select=False)
        over, not_negative = total[:-1], total[-1]
        positive = Signal()
        top = Signal()
        magnitude = self.magnitude(m, number.fraction, over[:3], first=1)
        m.d.comb += [
            self.above.eq(over),
            positive.eq(not_negative & number.some),
            # Infinity is 7 under every scale (spec §6.2).
            top.eq(over[3:].any() | (number.exponent.all() & ~t.none)),
            self.code.eq((magnitude | top.replicate(3)) & positive.replicate(3)),
        ]
        return m

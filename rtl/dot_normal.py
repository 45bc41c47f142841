"""A block's sum times its scales, with the leading one in its place (spec §16.2)."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, ShapeLike, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from rtl.dot_adders import leading_zeros, normalised
from rtl.dot_float import signed_bits
from rtl.dot_scales import scale_layout
from rtl.dot_shapes import FLOAT_BIAS, DotShapes


def width_of(shapes: DotShapes) -> int:
    """Bits of the significand of the product of a block: those of both factors together."""
    return shapes.sum_bits - 1 + (shapes.significand_bits if shapes.scale.has_zero else 0)


def field_range(shapes: DotShapes) -> tuple[int, int]:
    """The smallest and the largest exponent field of a product that is not zero."""
    base = FLOAT_BIAS + shapes.unit
    return base + shapes.least_exponent, base + shapes.largest_exponent + shapes.magnitude_bits - 1


def number_layout(shapes: DotShapes) -> data.StructLayout:
    """Product of a block: ``(-1)**sign * significand * 2**(field - 127 - (width - 1))``.

    The top bit of the significand is 1, or it is 0; then the field says nothing.
    """
    low, high = field_range(shapes)
    field: ShapeLike = signed(signed_bits(low, high)) if low < 1 else high.bit_length()
    return data.StructLayout({"significand": width_of(shapes), "sign": 1, "field": field, "nan": 1})


class NormalProduct(wiring.Component):
    """A block's sum times the significand of its scales, normalised. Combinational.

    Args:
        shapes: widths.

    Members:
        sum: In, signed, of `BlockSum`.
        scale: In, of `ScaleProduct`.
        product: Out, `number_layout`.
    """

    sum: Signal
    scale: data.View
    product: data.View

    def __init__(self, shapes: DotShapes) -> None:
        self.shapes = shapes
        super().__init__(
            {
                "sum": In(signed(shapes.sum_bits)),
                "scale": In(scale_layout(shapes)),
                "product": Out(number_layout(shapes)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Leading zeros of both factors are counted while they are multiplied."""
        m = Module()
        shapes, width = self.shapes, width_of(self.shapes)
        sign = self.sum[-1]
        magnitude = Signal(shapes.sum_bits - 1)
        m.d.comb += magnitude.eq(Mux(sign, -self.sum, self.sum))
        zeros = leading_zeros(m, "zeros", magnitude)
        base = FLOAT_BIAS + shapes.unit + width - 1
        significand, exponent = magnitude, self.scale.exponent + Const(base, signed(10))
        if shapes.scale.has_zero:
            scale = Signal(shapes.significand_bits)
            m.d.comb += scale.eq(self.scale.significand)
            scale, more = normalised(m, "scale", scale)
            significand, exponent = magnitude * scale, exponent - more
        shifted: Value = Signal(width, name="product")
        m.d.comb += shifted.eq(significand)
        for k in reversed(range(len(zeros))):
            value, step = shifted, 1 << k
            shifted = Signal(width, name=f"by{step}")
            m.d.comb += shifted.eq(Mux(zeros[k], Cat(Const(0, step), value[: width - step]), value))

        field = Signal(self.product.field.shape())
        m.d.comb += [
            field.eq(exponent - zeros),
            self.product.significand.eq(shifted),
            self.product.field.eq(field),
            self.product.sign.eq(sign),
            self.product.nan.eq(self.scale.nan),
        ]
        if shapes.scale.has_zero:
            # The leading one of a product of leading ones is on top or one below.
            below = Signal(self.product.field.shape())
            m.d.comb += [
                below.eq(exponent - zeros - 1),
                self.product.significand.eq(Mux(shifted[-1], shifted, shifted << 1)),
                self.product.field.eq(Mux(shifted[-1], field, below)),
            ]
        return m

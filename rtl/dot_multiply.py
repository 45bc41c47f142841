"""The product of two float32 numbers, for tensor scales (spec §16.11)."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rtl.dot_adders import normalised
from rtl.dot_float import SIGNIFICAND, SPECIAL_FIELD
from rtl.dot_pack import FloatPack
from rtl.dot_shapes import FLOAT_BIAS, FLOAT_FRACTION, FLOAT_INF, FLOAT_NAN
from rtl.hierarchy import place


class FloatMultiply(wiring.Component):
    """The product of two float32 numbers as IEEE 754 has it, ties to even. Combinational.

    Args:
        normal: promises that x is not subnormal.

    Members:
        x, y: In, float32.
        product: Out, float32; a NaN is 7fc00000.
    """

    x: Signal
    y: Signal
    product: Signal

    def __init__(self, *, normal: bool = False) -> None:
        self.normal = normal
        super().__init__({"x": In(32), "y": In(32), "product": Out(32)})

    def elaborate(self, platform: object) -> Module:
        """Subnormal factors are normalised, significands multiplied and rounded once."""
        m = Module()
        fields, significands, infinite, zero, nans = [], [], [], [], []
        for name, x, normal in (("x", self.x, self.normal), ("y", self.y, False)):
            raw, fraction = x[FLOAT_FRACTION:31], x[:FLOAT_FRACTION]
            significand = Signal(SIGNIFICAND, name=f"{name}_significand")
            m.d.comb += significand.eq(Cat(fraction, raw.any()))
            field: Value = raw
            if not normal:
                significand, count = normalised(m, name, significand)
                field = (raw | ~raw.any()) - count
            fields.append(field)
            significands.append(significand)
            infinite.append(raw.all() & ~fraction.any())
            nans.append(raw.all() & fraction.any())
            zero.append(~significand[-1])
        width = 2 * SIGNIFICAND
        product, shifted = Signal(width), Signal(width)
        # The top bit of the product is worth twice the product of the two top bits.
        low, high = 2 * (1 - FLOAT_FRACTION) - FLOAT_BIAS, 2 * (SPECIAL_FIELD - 1) + 1 - FLOAT_BIAS
        last = FloatPack(width, low, high)
        place(m, platform, "last", last, kind="pack")
        sign, nan = Signal(), Signal()
        m.d.comb += [
            sign.eq(self.x[31] ^ self.y[31]),
            nan.eq(nans[0] | nans[1] | (infinite[0] & zero[1]) | (infinite[1] & zero[0])),
            product.eq(significands[0] * significands[1]),
            shifted.eq(Mux(product[-1], product, product << 1)),
            last.sign.eq(sign),
            last.significand.eq(shifted),
            last.field.eq(fields[0] + fields[1] + product[-1] + Const(-FLOAT_BIAS, signed(8))),
            self.product.eq(
                Mux(
                    nan,
                    FLOAT_NAN,
                    Mux(
                        infinite[0] | infinite[1],
                        Cat(Const(FLOAT_INF, 31), sign),
                        last.pattern,
                    ),
                )
            ),
        ]
        return m

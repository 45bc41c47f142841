"""The product of two float32 numbers, for tensor scales (spec §16.11)."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rtl.dot_float import SIGNIFICAND, SPECIAL_FIELD, FloatRound
from rtl.dot_shapes import FLOAT_BIAS, FLOAT_FRACTION, FLOAT_INF, FLOAT_NAN
from rtl.hierarchy import place


class FloatMultiply(wiring.Component):
    """The product of two float32 numbers as IEEE 754 has it, ties to even. Combinational.

    Members:
        x, y: In, float32.
        product: Out, float32; a NaN is 7fc00000.
    """

    x: Signal
    y: Signal
    product: Signal

    def __init__(self) -> None:
        super().__init__({"x": In(32), "y": In(32), "product": Out(32)})

    def elaborate(self, platform: object) -> Module:
        """A multiplier of significands as they are, normalised behind it."""
        m = Module()
        fields, significands, infinite, zero, nans = [], [], [], [], []
        for name, x in (("x", self.x), ("y", self.y)):
            field = Signal(8, name=f"{name}_field")
            significand = Signal(SIGNIFICAND, name=f"{name}_significand")
            raw, fraction = x[FLOAT_FRACTION:31], x[:FLOAT_FRACTION]
            m.d.comb += [
                field.eq(raw | ~raw.any()),
                significand.eq(Cat(fraction, raw.any())),
            ]
            fields.append(field)
            significands.append(significand)
            infinite.append(raw.all() & ~fraction.any())
            nans.append(raw.all() & fraction.any())
            zero.append(~significand.any())
        # The top bit of the product is worth twice the product of the two top bits.
        bias = 1 - FLOAT_BIAS
        last = FloatRound(2 * SIGNIFICAND, 2 + bias, 2 * (SPECIAL_FIELD - 1) + bias)
        place(m, platform, "last", last, kind="round_product")
        sign, nan = Signal(), Signal()
        m.d.comb += [
            sign.eq(self.x[31] ^ self.y[31]),
            nan.eq(nans[0] | nans[1] | (infinite[0] & zero[1]) | (infinite[1] & zero[0])),
            last.sign.eq(sign),
            last.magnitude.eq(significands[0] * significands[1]),
            last.top.eq(fields[0] + fields[1] + Const(bias, signed(9))),
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

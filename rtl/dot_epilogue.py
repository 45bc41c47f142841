"""A dot product times its tensor scale (spec §16.11, §22.6, §22.12)."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from rtl.dot_float import SIGNIFICAND
from rtl.dot_pack import FloatPack
from rtl.dot_shapes import FLOAT_BIAS, FLOAT_FRACTION, FLOAT_INF, FLOAT_NAN
from rtl.dot_tensor_scales import (
    PLACED,
    infinite,
    lowest_field,
    product_layout,
    significand_bits,
)
from rtl.hierarchy import place

TOP_FIELD = 254


class Epilogue(wiring.Component):
    """``RNE_float32(c * g)``, g of few or no significand bits. Combinational.

    Args:
        kind: of the tensor scales, ``hbf16`` or ``hp2``.

    Members:
        c: In, float32: normal, zero or 7fc00000, as sums under scales with a zero are.
        g: In, `product_layout`.
        product: Out, float32; a NaN is 7fc00000.
    """

    c: Signal
    g: data.View
    product: Signal

    def __init__(self, kind: str) -> None:
        assert kind in PLACED, kind
        self.kind = kind
        super().__init__({"c": In(32), "g": In(product_layout(kind)), "product": Out(32)})

    def elaborate(self, platform: object) -> Module:
        """An adder of exponents, a multiplier if there is something to multiply, one rounding."""
        m = Module()
        field = self.c[FLOAT_FRACTION:31]
        zero, nan, endless = Signal(), Signal(), Signal()
        c = Cat(self.c[:FLOAT_FRACTION], ~zero)
        m.d.comb += [
            zero.eq(~field.any()),
            nan.eq(field.all()),
            endless.eq(infinite(self.kind, self.g)),
        ]
        width = significand_bits(self.kind)
        significand, more = self._powers(c) if not width else self._numbers(m, c)
        # Fields of at most 254: of c, and two of tensor scales, which are at least 1.
        last = FloatPack(len(significand), 2 - 2 * FLOAT_BIAS, 3 * TOP_FIELD - 2 * FLOAT_BIAS + 2)
        place(m, platform, "last", last, kind="pack")
        m.d.comb += [
            last.sign.eq(self.c[31]),
            last.significand.eq(significand),
            last.field.eq(field + self.g.exponent + more),
            self.product.eq(
                Mux(
                    nan | (zero & endless),
                    FLOAT_NAN,
                    Mux(endless, Cat(Const(FLOAT_INF, 31), self.c[31]), last.pattern),
                )
            ),
        ]
        return m

    def _powers(self, c: Value) -> tuple[Value, Value]:
        """The significand of c under a power of two, and what to add to the exponents."""
        # Half of the lowest subnormal number is a tie with the even one, zero.
        below = self.g.exponent < lowest_field(self.kind)
        return Cat(bit & ~below for bit in c), Const(-2 * FLOAT_BIAS, signed(9))

    def _numbers(self, m: Module, c: Value) -> tuple[Value, Value]:
        """The product's significand, its leading one on top, and what to add to the exponents."""
        width = SIGNIFICAND + significand_bits(self.kind)
        product, once, twice = (Signal(width, name=f"product{i}") for i in range(3))
        # The leading ones of two significands multiplied stand at least two below the top.
        m.d.comb += [
            product.eq(c * self.g.significand),
            once.eq(Mux(product[-1], product, product << 1)),
            twice.eq(Mux(once[-1], once, once << 1)),
        ]
        carries = product[-1] + once[-1]
        return twice, carries + Const(-2 * FLOAT_BIAS, signed(9))

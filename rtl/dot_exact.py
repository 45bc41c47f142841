"""The accumulation `exact`: a wide two's complement number (spec §16.5, §16.6)."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from rtl.dot_float import FloatRound
from rtl.dot_scales import value_layout
from rtl.dot_shapes import FLOAT_BIAS, LARGEST_PRODUCT, DotShapes
from rtl.hierarchy import place


def accumulator_bits(shapes: DotShapes, blocks: int) -> int:
    """Bits that hold the sum of any so many blocks (spec §16.6)."""
    _, c, q = shapes.scale.parts(shapes.scale.max_code)
    scale = c << (q - shapes.scale.min_quantum)
    return 1 + (blocks * shapes.lanes * LARGEST_PRODUCT * scale**2).bit_length()


class ExactAdd(wiring.Component):
    """The accumulator plus the product of a block. Combinational.

    Args:
        shapes: widths.
        bits: of the accumulator.

    Members:
        c: In, signed, the sum so far.
        product: In, `value_layout`; its NaN bit is not looked at.
        total: Out, signed, modulo ``2**bits``.
        overflow: Out, whether the sum is not the total.
    """

    c: Signal
    product: data.View
    total: Signal
    overflow: Signal

    def __init__(self, shapes: DotShapes, bits: int) -> None:
        self.shapes, self.bits = shapes, bits
        super().__init__(
            {
                "c": In(signed(bits)),
                "product": In(value_layout(shapes)),
                "total": Out(signed(bits)),
                "overflow": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """A shifter and an adder."""
        m = Module()
        least = self.shapes.least_exponent
        addend = Signal(signed(self.bits))
        m.d.comb += [
            # No exponent is below the least one, so that no 1 is cut off.
            addend.eq((self.product.value << self.product.exponent)[least:].as_signed()),
            self.total.eq(self.c + addend),
            self.overflow.eq((self.c[-1] == addend[-1]) & (self.total[-1] != addend[-1])),
        ]
        return m


class ExactRound(wiring.Component):
    """The float32 nearest to the accumulator (spec §16.5). Combinational.

    Members:
        c: In, signed.
        pattern: Out, float32; +0 for zero.
    """

    c: Signal
    pattern: Signal

    def __init__(self, shapes: DotShapes, bits: int) -> None:
        self.shapes, self.bits = shapes, bits
        super().__init__({"c": In(signed(bits)), "pattern": Out(32)})

    def elaborate(self, platform: object) -> Module:
        """The magnitude, rounded."""
        m = Module()
        top = self.shapes.unit + self.shapes.least_exponent + self.bits - 1 + FLOAT_BIAS
        last = FloatRound(self.bits, top, top)
        place(m, platform, "last", last, kind="round")
        m.d.comb += [
            last.sign.eq(self.c[-1]),
            last.magnitude.eq(Mux(self.c[-1], -self.c, self.c)),
            last.top.eq(top),
            self.pattern.eq(last.pattern),
        ]
        return m

"""The product of the tensor scales of two operands (spec §16.11, §22.12)."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, ShapeLike, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from emulator.layout import TENSOR_SCALE_FIELDS, tensor_scale_bits
from rtl.dot_shapes import FLOAT_BIAS, FLOAT_FRACTION

PLACED = ("hbf16", "hp2")
"""Kinds of which a word carries both tensor scales."""


def significand_bits(kind: str) -> int:
    """Bits of the product of two significands; 0 where both are 1."""
    fraction = TENSOR_SCALE_FIELDS[kind][1]
    return 2 * (fraction + 1) if fraction else 0


def lowest_field(kind: str) -> int:
    """The sum of two exponent fields of which the product counts ``2**-149``."""
    # The product is an integer times 2**(sum - 2 * (bias + fraction bits)).
    return 2 * (FLOAT_BIAS + TENSOR_SCALE_FIELDS[kind][1]) + 1 - FLOAT_BIAS - FLOAT_FRACTION


def infinite(kind: str, scale: data.View) -> Value:
    """Whether the product of two tensor scales is infinity."""
    limit = 3 * FLOAT_BIAS + 1  # a sum of fields: 2**128
    reached = scale.exponent >= limit
    if significand_bits(kind):
        reached = reached | (scale.significand[-1] & (scale.exponent >= limit - 1))
    return reached


def product_layout(kind: str) -> data.StructLayout:
    """What stands for a tensor scale behind the input word.

    Of ``h`` a float32. Of ``hp2`` the sum of two exponent fields. Of ``hbf16`` also the product of
    two significands, rounded: its leading one is on top or one below, or it is zero.
    """
    if kind not in PLACED:
        return data.StructLayout({"pattern": 32})
    fields: dict[str, ShapeLike] = {"exponent": TENSOR_SCALE_FIELDS[kind][0] + 1}
    if bits := significand_bits(kind):
        fields["significand"] = bits
    return data.StructLayout(fields)


class TensorScales(wiring.Component):
    """``RNE_float32(g_a * g_b)`` of normal numbers. Combinational.

    Args:
        kind: ``hbf16`` or ``hp2``.

    Members:
        a, b: In, the tensor scales as spec §23.1 carries them; they obey spec §14.6.
        g: Out, `product_layout`; `infinite` tells of a product that overflows, the sum of the
            fields of one of ``hp2`` that is below all float32 numbers.
    """

    a: Signal
    b: Signal
    g: data.View

    def __init__(self, kind: str) -> None:
        assert kind in PLACED, kind
        self.kind = kind
        bits = tensor_scale_bits(kind)
        super().__init__({"a": In(bits), "b": In(bits), "g": Out(product_layout(kind))})

    def elaborate(self, platform: object) -> Module:
        """An adder, and a small multiplier whose product is rounded where it stands."""
        m = Module()
        exponent_bits, fraction_bits = TENSOR_SCALE_FIELDS[self.kind]
        fields = [x[fraction_bits : fraction_bits + exponent_bits] for x in (self.a, self.b)]
        total = Signal(exponent_bits + 1)
        m.d.comb += total.eq(fields[0] + fields[1])
        width = significand_bits(self.kind)
        if not width:
            m.d.comb += self.g.exponent.eq(total)
            return m
        product = Signal(width)
        significands = [Cat(x[:fraction_bits], Const(1)) for x in (self.a, self.b)]
        m.d.comb += product.eq(significands[0] * significands[1])

        # Bit i counts at least 2**-149 if the sum of fields is this much.
        counts = Signal(width + 1)
        lowest = lowest_field(self.kind)
        m.d.comb += counts.eq(Cat(total >= lowest - i for i in range(width + 1)))
        half = Signal(width)  # one bit: the highest that does not count
        up = Signal()
        m.d.comb += [
            half.eq(counts[1:] & ~counts[:-1]),
            up.eq(
                (product & half).any()
                & ((product & ~counts[1:]).any() | (product[1:] & half[:-1]).any())
            ),
        ]
        rounded = Signal(width + 1)
        m.d.comb += [
            rounded.eq(
                (product & counts[:-1]) + (Cat(Const(0, 1), half) & up.replicate(width + 1))
            ),
            # A carry out of the top leaves a power of two.
            self.g.significand.eq(Cat(rounded[: width - 1], rounded[width - 1] | rounded[width])),
            self.g.exponent.eq(total + rounded[width]),
        ]
        return m

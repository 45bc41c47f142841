"""Thresholds: what all lanes of a block compare with, made once per block (spec §9.1 lemma)."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from rtl.shapes import Shapes


class ThresholdGenerator(wiring.Component):
    """Odd multiples of the scale's significand, and the lane exponent where codes begin.

    With the scale ``m * 2**e``, m in [1, 2), each threshold of spec §9's lemma is one of m, 3m, 5m
    and 7m times a power of two. ``n<k>`` is the fraction of k*m brought to [1, 2), and
    ``carry<k>`` says that it took one halving more than k itself does. Combinational.

    Args:
        shapes: widths.

    Members:
        scale: In, the stored scale code.
        thresholds: Out, `Shapes.thresholds`: ``origin`` = lane exponent of the scale less 3,
            ``n1`` to ``carry7``, ``none`` where all magnitude codes are 0 (spec §6.1, §9.3) and
            ``nan`` where signs are cleared, too.
    """

    scale: Signal
    thresholds: data.View

    def __init__(self, shapes: Shapes) -> None:
        self.shapes = shapes
        super().__init__(
            {"scale": In(shapes.scale.storage_bits), "thresholds": Out(shapes.thresholds)}
        )

    def elaborate(self, platform: object) -> Module:
        """The logic of the unit."""
        m = Module()
        scale, out = self.shapes.scale, self.thresholds
        f = scale.fraction_bits
        code = self.scale[: scale.width]  # spec §2.6
        assert scale.nan_code is not None, f"{scale.name} cannot mark a NaN block (spec §6.1)"
        fraction, field = code[:f], code[f:]

        m.d.comb += out.nan.eq(code > scale.max_code)
        zero: Value = ~code.any() if scale.has_zero else Const(0)
        m.d.comb += out.none.eq(out.nan | zero)

        significand = Signal(f + 1)
        exponent = Signal(range(-f, 1 << scale.exponent_bits))
        m.d.comb += [significand.eq(Cat(fraction, 1)), exponent.eq(field)]
        if scale.has_zero:
            with m.If(~field.any()):
                # Subnormal: shift the leading one up to the hidden bit's place.
                for zeros in range(f):
                    with m.If(~fraction[f - zeros :].any() & fraction[f - 1 - zeros]):
                        m.d.comb += [
                            significand.eq(fraction << (zeros + 1)),
                            exponent.eq(-zeros),
                        ]

        m.d.comb += [out.n1.eq(significand[:f]), out.origin.eq(self._origin(exponent, out.none))]
        for k, fraction_out, carry in (
            (3, out.n3, out.carry3),
            (5, out.n5, out.carry5),
            (7, out.n7, out.carry7),
        ):
            bits = k.bit_length() - 1
            product = Signal(f + 2 + bits, name=f"product{k}")
            room = len(fraction_out) - f - bits
            m.d.comb += [
                product.eq(significand * k),
                carry.eq(product[-1]),
                fraction_out.eq(Mux(product[-1], product[:-1] << room >> 1, product[:-2] << room)),
            ]
        return m

    def _origin(self, exponent: Value, none: Value) -> Value:
        """The lane exponent of the scale less 3; all ones where no lane shall get beyond 0."""
        s = self.shapes
        low, high = (bound - s.base for bound in s.origin_range)
        offset = s.input.bias - s.scale.bias - s.base - 3
        smallest = s.scale_low + s.input.bias - 3 - s.base
        largest = s.scale_high + s.input.bias - 3 - s.base
        origin = exponent + offset
        if smallest < low:
            origin = Mux(exponent < low - offset, low, origin)
        if largest > high:
            origin = Mux(exponent > high - offset, high, origin)
        return Mux(none, s.infinity_exponent, origin)

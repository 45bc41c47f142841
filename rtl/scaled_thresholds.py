"""Thresholds under a tensor scale: multiples of s * g, made once per block (spec §14.7)."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from rtl.ripple import add, subtract, widened
from rtl.scaled_shapes import MULTIPLES, ScaledShapes


class ScaledThresholds(wiring.Component):
    """Odd multiples of the exact product of scale and tensor scale. Combinational.

    With s * g = p * 2**e, p in [1, 2), ``n<k>`` is the fraction of k*p brought to [1, 2), as far
    as a lane has bits; ``carry<k>`` says that this took one halving more than k itself does, and
    ``beyond<k>`` that bits were cut off, so that only what is greater has reached it.

    Args:
        shapes: widths.
        more: further ports, of a subclass that shows the product itself; see `show`.

    Members:
        scale: In, the stored scale code.
        g: In, the tensor scale as the word carries it.
        thresholds: Out, `ScaledShapes.thresholds`; ``origin``, ``none`` and ``nan`` as in
            `rtl.thresholds`.
    """

    scale: Signal
    g: data.View
    thresholds: data.View

    def __init__(self, shapes: ScaledShapes, **more: Any) -> None:
        self.shapes = shapes
        super().__init__(
            {
                "scale": In(shapes.scale.storage_bits),
                "g": In(shapes.g),
                "thresholds": Out(shapes.thresholds),
                **more,
            }
        )

    def elaborate(self, platform: object) -> Module:
        """The logic of the unit."""
        m = Module()
        product = self.normalised(m)
        for k in MULTIPLES:
            self.threshold(m, product, k)
        return m

    def normalised(self, m: Module) -> Signal:
        """The product of the significands in [1, 2), and with it all that is no threshold."""
        s, scale, out = self.shapes, self.shapes.scale, self.thresholds
        f = scale.fraction_bits
        code = self.scale[: scale.width]  # spec §2.6
        fraction, field = code[:f], code[f:]
        m.d.comb += [
            out.nan.eq(code > scale.max_code),
            out.none.eq(out.nan | ~code.any()),
        ]

        significand = Signal(f + 1)
        exponent = Signal(range(-f, 1 << scale.exponent_bits))
        m.d.comb += [significand.eq(Cat(fraction, 1)), exponent.eq(field)]
        with m.If(~field.any()):
            # Subnormal: shift the leading one up to the hidden bit's place.
            for zeros in range(f):
                with m.If(~fraction[f - zeros :].any() & fraction[f - 1 - zeros]):
                    m.d.comb += [significand.eq(fraction << (zeros + 1)), exponent.eq(-zeros)]

        carry = Signal()
        bits = f + s.g_bits  # fraction bits of the product
        product = Signal(bits + 1)
        if s.g_bits == 1:
            m.d.comb += [product.eq(significand << 1), carry.eq(0)]
            self.show(m, significand, significand, carry)
        else:
            exact = Signal(bits + 1)
            m.d.comb += [
                exact.eq(self._product(m, significand)),
                carry.eq(exact[-1]),
                product.eq(Mux(carry, exact, exact << 1)),
            ]
            self.show(m, significand, exact, carry)
        m.d.comb += out.origin.eq(self._origin(m, exponent, carry, out.none))
        return product

    def threshold(self, m: Module, product: Signal, k: int) -> Signal:
        """An odd multiple of the product, whole; what lanes compare with is cut off of it."""
        s, out, bits = self.shapes, self.thresholds, len(product) - 1
        extra = k.bit_length() - 1
        multiple = Signal(bits + extra + 2, name=f"multiple{k}")
        m.d.comb += multiple.eq(self._multiple(m, product, k))
        doubled: Value = multiple[-1]
        if k == 1:
            whole = multiple[:-2]
        else:
            m.d.comb += getattr(out, f"carry{k}").eq(doubled)
            whole = Mux(doubled, multiple[:-1], multiple[:-2] << 1)[: bits + extra + 1]
        n = getattr(out, f"n{k}")
        m.d.comb += n.eq(whole[len(whole) - len(n) :])
        if k in (3, 7) and s.cut(k):
            # An odd multiple ends in as many zeros as the product itself.
            cut = len(whole) - len(n)
            rest = product[: cut - 1].any() | (doubled & product[cut - 1])
            m.d.comb += getattr(out, f"beyond{k}").eq(rest)
        return multiple

    def show(self, m: Module, significand: Value, product: Value, carry: Value) -> None:
        """Take scale significand, product of both and whether that is 2 or more; see ``more``."""

    def _product(self, m: Module, significand: Value) -> Value:
        """The significand of the scale times that of the tensor scale, row by row."""
        g = Cat(self.g.fraction, 1)
        width = len(g)
        total: Value = g & significand[0].replicate(width)
        for i in range(1, len(significand)):
            row = g & significand[i].replicate(width)
            upper = add(m, widened(total[i:], width), row, f"row{i}")
            total = Cat(total[:i], upper)
        return total

    def _multiple(self, m: Module, product: Value, k: int) -> Value:
        """An odd multiple of a value, by one addition or subtraction."""
        if k == 1:
            return product
        shift = k.bit_length() - 1
        if k == 7:
            width = len(product) + 3
            return subtract(m, widened(product << 3, width), widened(product, width), "times7")[0]
        upper = add(m, product, widened(product[shift:], len(product)), f"times{k}")
        return Cat(product[:shift], upper)

    def _origin(self, m: Module, exponent: Value, carry: Value, none: Value) -> Value:
        """The lane exponent of s * g less 3; all ones where no lane shall get beyond 0."""
        s = self.shapes
        low, high = (bound - s.base for bound in s.origin_range)
        offset = s.input.bias - s.scale.bias - s.g_bias - s.base - 3
        least = -s.scale.fraction_bits + 1 + offset
        most = (1 << s.scale.exponent_bits) + (1 << s.g_field[0]) + offset
        wide = Signal(range(min(least, 0), most))
        m.d.comb += wide.eq(exponent + self.g.exponent + carry + offset)
        origin: Value = wide
        if least < low:
            origin = Mux(wide < low, low, origin)
        if most > high:
            origin = Mux(wide > high, high, origin)
        return Mux(none, s.infinity_exponent, origin)

"""Scale under a tensor scale: RNE(amax / (6 * g)), without a divider (spec §6, §8, §14.7)."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from emulator.formats import BF16
from rtl.hierarchy import place
from rtl.ripple import add, at_least, subtract, widened
from rtl.scale import ScaleEncoder
from rtl.scaled_shapes import ScaledShapes
from rtl.scaled_unpack import Normalise
from rtl.shapes import Shapes


class ScaledScale(wiring.Component):
    """Encodes the scale of a block under a tensor scale. Combinational.

    Args:
        shapes: widths, and prevent-zero of the recipe.
        more: further ports, of a subclass with another `divisor`.

    Members:
        amax: In, `ScaledShapes.key`, the block's largest magnitude.
        g: In, the tensor scale as the word carries it.
        scale: Out, the scale code as stored, as `rtl.scale.ScaleEncoder` has it.
    """

    amax: data.View
    g: data.View
    scale: Signal

    def __init__(self, shapes: ScaledShapes, **more: Any) -> None:
        self.shapes = shapes
        super().__init__(
            {
                "amax": In(shapes.key),
                "g": In(shapes.g),
                "scale": Out(shapes.scale.storage_bits),
                **more,
            }
        )

    def elaborate(self, platform: object) -> Module:
        """The logic of the unit."""
        m = Module()
        s, scale = self.shapes, self.shapes.scale
        normalise = Normalise(s)
        place(m, platform, "normalise", normalise)
        m.d.comb += normalise.magnitude.eq(self.amax)
        if s.g_bits == 1:
            self._power_of_two(m, platform, normalise.number)
            return m

        special = Signal()
        nan = Signal()
        code = Signal(scale.width)
        assert scale.nan_code is not None, f"{scale.name} cannot mark a NaN block (spec §6.1)"
        m.d.comb += [
            special.eq(self.amax.exponent.all()),
            nan.eq(special & self.amax.fraction.any()),
            code.eq(
                Mux(
                    nan,
                    scale.nan_code,
                    Mux(special, scale.max_code, self._quotient(m, normalise.number)),
                )
            ),
        ]
        # spec §8.3
        m.d.comb += self.scale.eq(code | (~code.any() if s.prevent_zero else 0))
        return m

    def _power_of_two(self, m: Module, platform: object, amax: data.View) -> None:
        """Take amax / g, exact as it is, to the encoder for a tensor scale of 1."""
        s = self.shapes
        plain = plain_shapes(s)
        encoder = ScaleEncoder(plain)
        place(m, platform, "encoder", encoder)
        m.d.comb += [
            encoder.amax.eq(plain_key(m, s, amax, self.amax.exponent.all(), self.g.exponent)),
            self.scale.eq(encoder.scale),
        ]

    def divisor(self, m: Module, g: Value) -> Value:
        """Three halves of g's significand, with one bit more of fraction."""
        return add(m, g, widened(g << 1, len(g)), "triple")

    def _quotient(self, m: Module, amax: data.View) -> Value:
        """RNE(amax / (6 * g)): the bits of a quotient, one trial subtraction for each."""
        s, f, scale = self.shapes, self.shapes.scale.fraction_bits, self.shapes.scale
        # amax / 6g = a / b * 2**(difference of exponents - 2), a in [1, 2), b in [3/2, 3).
        width = max(s.input.fraction_bits, s.g_bits)
        a = Cat(Const(0, width - s.input.fraction_bits), amax.fraction, 1)
        g = widened(Cat(self.g.fraction, 1), s.g_bits + 1)
        b = Cat(Const(0, width - s.g_bits), self.divisor(m, g))[: width + 2]
        a = widened(a, width + 2)
        whole = Signal()
        half = Signal()
        first = Signal(width + 3)
        m.d.comb += [
            whole.eq(at_least(a, b)),
            half.eq(at_least((a << 1)[: width + 2], b)),
            first.eq(Mux(whole, a, Mux(half, a << 1, a << 2))),
        ]
        remainder, _ = subtract(m, first, widened(b, width + 3), "remainder")
        bits: list[Value] = []
        for i in range(f + 1):
            rest = Signal(width + 3, name=f"rest{i}")
            twice = (remainder << 1)[: width + 3]
            difference, bit = subtract(m, twice, widened(b, width + 3), f"difference{i}")
            m.d.comb += rest.eq(Mux(bit, difference, twice))
            bits.insert(0, bit)
            remainder = rest

        # Exponent field of the quotient; 1 at least: below, the significand is shifted down.
        offset = s.base - s.input.bias + s.g_bias + scale.bias - 4
        low = min(0, offset - (1 << s.g_field[0]))
        field = Signal(range(low, (1 << s.exponent_bits) + max(0, offset) + 2))
        m.d.comb += field.eq(amax.exponent + offset - self.g.exponent + half + whole)
        sticky = Signal()
        m.d.comb += sticky.eq(remainder.any())
        quotient = Signal(f + 3)
        m.d.comb += quotient.eq(Cat(sticky, *bits, 1))
        shifted = Signal(f + 3)
        m.d.comb += shifted.eq(Mux(field < -f, 0, quotient))
        for down in range(1, f + 2):
            with m.If(field == 1 - down if down > 1 else ~field.any()):
                m.d.comb += shifted.eq(Cat(quotient[: down + 1].any(), quotient[down + 1 :]))
        up = shifted[1] & (shifted[0] | shifted[2])  # ties to the even code (spec §3.1)
        top = (1 << scale.exponent_bits) - 1
        before = Signal(scale.exponent_bits)
        rounded = Signal(scale.width + 1)
        saturated = Signal()
        m.d.comb += [
            before.eq(Mux(field < 1, 0, field - 1)),
            rounded.eq(Cat(Const(0, f), before) + shifted[2:] + up),
            saturated.eq((field > top) | (rounded > scale.max_code)),
        ]
        return Mux(saturated, scale.max_code, rounded[: scale.width]) & amax.some.replicate(
            scale.width
        )


def plain_shapes(s: ScaledShapes) -> Shapes:
    """Shapes of the encoder without tensor scale that takes amax / g for a power of two g."""
    return Shapes(BF16, s.scale, s.rule, s.prevent_zero)


def plain_offset(s: ScaledShapes) -> int:
    """Exponent of such an encoder's key, plus the field of g, less the exponent of a number."""
    return s.base - s.input.bias + s.g_bias + BF16.bias - plain_shapes(s).base


def plain_key(m: Module, s: ScaledShapes, amax: data.View, special: Value, g: Value) -> data.View:
    """The key of amax / g for such an encoder.

    Args:
        m: gets the wires.
        s: widths.
        amax: `ScaledShapes.number`.
        special: whether it is infinity or NaN.
        g: exponent field of the tensor scale.
    """
    plain = plain_shapes(s)
    offset = plain_offset(s)
    last = plain.infinity_exponent - 1  # its binade saturates
    key = Signal(plain.key)
    wide = Signal(
        range(min(0, offset - (1 << s.g_field[0])), (1 << s.exponent_bits) + max(offset, 0))
    )
    fraction = amax.fraction
    spare = len(fraction) - (plain.key_fraction_bits - 1)
    reduced = Cat(
        fraction[:spare].any() if spare > 0 else Const(0, 1),
        fraction[max(spare, 0) :] if spare >= 0 else fraction << -spare,
    )
    exponent = Mux((wide < 0) | ~amax.some, 0, Mux(wide > last, last, wide))
    m.d.comb += [
        wide.eq(amax.exponent + offset - g),
        key.fraction.eq(reduced),
        key.exponent.eq(Mux(special, plain.infinity_exponent, exponent)),
    ]
    return key

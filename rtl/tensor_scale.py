"""Tensor scale: RNE(A / (6 * S_max)), once per tensor (spec §14.2 to §14.5, §23.4)."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from emulator.formats import FP32
from emulator.layout import TENSOR_SCALE_FIELDS
from rtl.hierarchy import place
from rtl.scaled_shapes import ScaledShapes
from rtl.scaled_unpack import Normalise
from rtl.stage import Stage
from rtl.tensor_variant import TensorScaleVariant


class _FromAmax(wiring.Component):
    """What both kinds of unit share: the ports, and the amax as a normalised number.

    Members:
        i: In, stream of tensor amaxes: finite patterns without their sign.
        o: Out, stream of tensor scales as words carry them (spec §23.1).
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, variant: TensorScaleVariant) -> None:
        self.variant = variant
        super().__init__(
            {
                "i": In(stream.Signature(variant.input_layout.width)),
                "o": Out(stream.Signature(variant.output_layout.width)),
            }
        )

    def _amax(self, m: Module, platform: object) -> tuple[Value, Value, Value]:
        """Significand, exponent field and whether it is not zero, of the offered amax.

        Exponents are in a field of the tensor scale: that of the amax over the divisor's power of
        two. A subnormal amax is normalised if its quotient can reach the smallest tensor scale.
        """
        v, x = self.variant, self.variant.elements
        d, k = v.divisor
        some = Signal()
        exponent = Signal(range(-(2 << x.exponent_bits) - 256, (1 << x.exponent_bits) + 256))
        rebias = FP32.bias - x.bias - k
        magnitude = self.i.payload
        fraction, field = magnitude[: x.fraction_bits], magnitude[x.fraction_bits :]
        m.d.comb += some.eq(magnitude.any())
        if rebias + 1 - d.bit_length() < 0:
            # Exponent field 0 and all that it holds is below the smallest tensor scale.
            m.d.comb += exponent.eq(field + rebias)
            return Cat(fraction, 1), exponent, some
        shapes = ScaledShapes(x, v.scale, "absmax", kind=v.kind)
        normalise = Normalise(shapes)
        place(m, platform, "normalise", normalise)
        m.d.comb += [
            normalise.magnitude.eq(magnitude),
            exponent.eq(normalise.number.exponent + (shapes.base + rebias)),
        ]
        return Cat(normalise.number.fraction, 1), exponent, some


class PowerTensorScale(_FromAmax):
    """The smallest power of two of spec §14.5: the divisor's significand is a constant to compare.

    Latency 1, interval 1.
    """

    def elaborate(self, platform: object) -> Module:
        """The logic of the unit."""
        m = Module()
        d, _ = self.variant.divisor
        significand, exponent, some = self._amax(m, platform)
        shift = d.bit_length() - 1
        f = len(significand) - 1
        assert f >= shift
        # A over the divisor is above (significand > d) or up to a power of two.
        field = Signal.like(exponent)
        m.d.comb += field.eq(exponent - shift + (significand > d << (f - shift)))
        result = Stage(8)
        place(m, platform, "stage_o", result, kind="stage_o", clocked=True)
        m.d.comb += [
            result.i.payload.eq(Mux(some, Mux(field < 1, 1, field[:8]), FP32.bias)),
            result.i.valid.eq(self.i.valid),
            self.i.ready.eq(result.i.ready),
        ]
        wiring.connect(m, result.o, wiring.flipped(self.o))
        return m


class TensorScale(_FromAmax):
    """Division by a constant: each cycle brings down a bit of A and gives a bit of the quotient.

    The remainder has only the bits of the divisor's odd part. Latency and interval: the number of
    quotient bits, and 1.
    """

    def elaborate(self, platform: object) -> Module:
        """The logic of the unit."""
        m = Module()
        v = self.variant
        d, _ = v.divisor
        significand, exponent, some = self._amax(m, platform)
        busy = Signal()
        valid = Signal()
        left = Signal(range(v.steps + 1))
        layout = data.StructLayout(
            {
                "digits": len(significand),
                "exponent": len(exponent),
                "some": 1,
                "remainder": d.bit_length(),
                "quotient": v.g_bits + 2,
            }
        )
        now = Signal(layout, reset_less=True)
        twice = Cat(now.digits[-1], now.remainder)
        bit = twice >= d
        with m.If(busy):
            m.d.sync += [
                now.digits.eq(now.digits << 1),
                now.remainder.eq(Mux(bit, twice - d, twice)),
                now.quotient.eq(Cat(bit, now.quotient)),
                left.eq(left - 1),
            ]
            with m.If(left == 1):
                m.d.sync += [busy.eq(0), valid.eq(1)]
        with m.If(valid & self.o.ready):
            m.d.sync += valid.eq(0)
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [
                busy.eq(1),
                left.eq(v.steps),
                now.digits.eq(significand),
                now.exponent.eq(exponent),
                now.some.eq(some),
                now.remainder.eq(0),
                now.quotient.eq(0),
            ]
        m.d.comb += [
            self.i.ready.eq(~busy & (~valid | self.o.ready)),
            self.o.valid.eq(valid),
            self.o.payload.eq(self._rounded(m, now)),
        ]
        return m

    def _rounded(self, m: Module, now: data.View) -> Value:
        """The quotient's bits as a float: one rounding, ties to even (spec §14.2)."""
        d, _ = self.variant.divisor
        bits = self.variant.g_bits
        exponent_bits, fraction_bits = TENSOR_SCALE_FIELDS[self.variant.kind]
        q = now.quotient
        upper = q[-1]
        kept = Signal(bits)
        half = Signal()
        rest = Signal()
        # Bits of a wide A that were not brought down count with the remainder (spec §23.5).
        left = now.digits.any() if len(now.digits) > self.variant.steps else 0
        m.d.comb += [
            kept.eq(Mux(upper, q[2:], q[1:-1])),
            half.eq(Mux(upper, q[1], q[0])),
            rest.eq(now.remainder.any() | left | (upper & q[0])),
        ]
        up = half & (rest | kept[0])
        # The significand's hidden bit counts one up in the exponent field.
        field = Signal(len(now.exponent) + 1)
        pattern = Signal(len(now.exponent) + fraction_bits + 2)
        m.d.comb += [
            field.eq(now.exponent.as_signed() - d.bit_length() + upper - 1),
            pattern.eq(Cat(Const(0, fraction_bits), field) + kept + up),
        ]
        normal = Signal()
        m.d.comb += normal.eq(field.as_signed() >= 0)
        one = FP32.bias << fraction_bits
        least = 1 << fraction_bits
        width = exponent_bits + fraction_bits
        return Cat(Mux(now.some, Mux(normal, pattern[:width], least), one)[:width], Const(0, 1))

"""What a block takes from its tensor's multiplier S: S / 6, and scales times 1 / S (spec §25.6)."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from emulator.formats import FP32, UE4M3
from rtl.dot_float import SIGNIFICAND, signed_bits
from rtl.dot_shapes import FLOAT_BIAS, FLOAT_FRACTION
from rtl.hierarchy import place
from rtl.peer_multiply import Multiply, Triple
from rtl.peer_reciprocal import MOST_LOST

SIXTH_EXPONENT = -3
"""Exponent of the float32 nearest to 1/6, whose significand is aaaaab."""

INVERSE_LOW, INVERSE_HIGH = -FP32.bias - 1, FP32.bias
"""Exponents of 1 / S and of its products with scales that have a finite reciprocal."""

INVERSE_BITS = signed_bits(INVERSE_LOW, INVERSE_HIGH)


class Sixth(wiring.Component):
    """S times the float32 nearest to 1/6, rounded. Combinational.

    Members:
        fraction: In, of S.
        sixth: Out, fraction of the product.
        carry: Out, whether the product's exponent is that of S less 2, and not less 3.
    """

    fraction: Signal
    sixth: Signal
    carry: Signal

    def __init__(self) -> None:
        super().__init__(
            {"fraction": In(FLOAT_FRACTION), "sixth": Out(FLOAT_FRACTION), "carry": Out(1)}
        )

    def elaborate(self, platform: object) -> Module:
        """With S = 3 q + r the product is known from q and r (lemma of spec §25): no adder."""
        m = Module()
        value = Cat(self.fraction, Const(1, 1))
        # Two places at a time, from the top: 4 leaves 1, so a pair adds its own value to what is
        # left of those above it. What is left is 0, 1 or 2; a pair of bits never says 3.
        quotient: list[Value] = []
        left: tuple[Value, Value] = (Const(0, 1), Const(0, 1))
        for i in reversed(range(0, SIGNIFICAND, 2)):
            low, high = value[i], value[i + 1]
            one, two = left
            none = ~one & ~two
            rest_one, rest_two = Signal(name=f"one{i}"), Signal(name=f"two{i}")
            places = Signal(2, name=f"places{i}")
            zero, both = ~low & ~high, low & high
            m.d.comb += [
                rest_one.eq(Mux(none, low & ~high, Mux(one, zero | both, high & ~low))),
                rest_two.eq(Mux(none, high & ~low, Mux(one, low & ~high, zero | both))),
                # (4 left + pair) / 3
                places[0].eq(Mux(none, both, Mux(one, ~high, low | high))),
                places[1].eq(Mux(none, 0, Mux(one, high, 1))),
            ]
            quotient[:0] = [places[0], places[1]]
            left = rest_one, rest_two
        q = Cat(*quotient)[: SIGNIFICAND - 1]
        one, two = left
        top = q[-1]
        upper, lower = Signal(SIGNIFICAND), Signal(SIGNIFICAND)
        m.d.comb += [
            upper.eq(Cat(one, q + two)),
            lower.eq(Cat(two, one | two, q)),
            self.sixth.eq(Mux(top, upper, lower)[:FLOAT_FRACTION]),
            self.carry.eq(top),
        ]
        return m


class ScaleTimesInverse(wiring.Component):
    """A scale times 1 / S as float32, subnormal numbers included. Combinational.

    Members:
        scale: In, a stored scale code that is not NaN.
        fraction: In, of 1 / S.
        exponent: In, signed.
        product: Out, fraction.
        field: Out, signed exponent.
        endless: Out, whether the product is at most 2**-128: its reciprocal is infinite.
    """

    scale: Signal
    fraction: Signal
    exponent: Signal
    product: Signal
    field: Signal
    endless: Signal

    def __init__(self) -> None:
        super().__init__(
            {
                "scale": In(UE4M3.storage_bits),
                "fraction": In(FLOAT_FRACTION),
                "exponent": In(signed(INVERSE_BITS)),
                "product": Out(FLOAT_FRACTION),
                "field": Out(signed(INVERSE_BITS)),
                "endless": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Multiply, normalise, and round where float32 has its last place."""
        m = Module()
        f, bias = UE4M3.fraction_bits, UE4M3.bias
        factor = Cat(self.fraction, Const(1, 1))
        triple, multiply = Triple(), Multiply(f)
        place(m, platform, "threefold", triple, kind="triple")
        place(m, platform, "multiply", multiply, kind=f"multiply{f}")
        power = self._normalised(m, multiply.fraction)
        m.d.comb += [
            triple.factor.eq(factor),
            multiply.factor.eq(factor),
            multiply.triple.eq(triple.triple),
        ]
        raw = multiply.product
        top = raw[-1]
        number = Signal(len(raw))
        exponent = Signal(signed(INVERSE_BITS + 1))
        m.d.comb += [
            number.eq(Mux(top, raw, raw << 1)),
            exponent.eq(self.exponent + power + top - bias),
        ]
        low = 1 - FLOAT_BIAS
        lost = [exponent == low - i for i in range(MOST_LOST + 1)]
        rounded = Signal(len(raw) + 1)
        up = Signal(MOST_LOST + 1)
        below = len(raw) - SIGNIFICAND
        for i in range(MOST_LOST + 1):
            half = below + i - 1
            more = number[half] & (number[:half].any() | number[half + 1])
            m.d.comb += up[i].eq(more & (lost[i] if i else ~lost[1] & ~lost[2]))
        m.d.comb += rounded.eq(number + (up << below))
        keep = Cat(~lost[1] & ~lost[2], ~lost[2])
        carry = rounded[-1]
        fraction = rounded[below:-2]
        m.d.comb += [
            self.product.eq(Cat(fraction[:MOST_LOST] & keep, fraction[MOST_LOST:])),
            self.field.eq(exponent + carry),
            self.endless.eq(
                ~self.scale[: UE4M3.width].any()
                | (exponent < INVERSE_LOW)
                | (lost[MOST_LOST] & ~carry & ~self.product.any())
            ),
        ]
        return m

    def _normalised(self, m: Module, fraction: Signal) -> Signal:
        """Bring the leading one of a subnormal scale to the front; return the exponent field."""
        f = UE4M3.fraction_bits
        given, field = self.scale[:f], self.scale[f : UE4M3.width]
        power = Signal(signed(UE4M3.exponent_bits + 1))
        normal, zeros = field.any(), Signal(signed(f + 1))
        shifted: Value = given << f
        count: Value = Const(1 - f, signed(f + 1))
        for z in reversed(range(f - 1)):
            leads = given[-1 - z]
            shifted, count = Mux(leads, given << (z + 1), shifted), Mux(leads, -z, count)
        m.d.comb += [
            zeros.eq(count),
            fraction.eq(Mux(normal, given, shifted)),
            power.eq(Mux(normal, field, zeros)),
        ]
        return power

"""Float32 from a magnitude and an exponent: the one place where sums are rounded (spec §16)."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rtl.dot_adders import leading_zeros, normalised
from rtl.dot_shapes import FLOAT_FRACTION, FLOAT_INF

SIGNIFICAND = FLOAT_FRACTION + 1
SPECIAL_FIELD = 255


def signed_bits(low: int, high: int) -> int:
    """Bits of a two's complement number from ``low`` to ``high``."""
    return 1 + max(high.bit_length(), (~low).bit_length() if low < 0 else 0)


class FloatRound(wiring.Component):
    """The float32 of ``(-1)**sign * magnitude * 2**(top - 127 - (width - 1))``. Combinational.

    Nearest, ties to even, with overflow to infinity (spec §16.4), or towards zero with infinity
    from 2**128 on (spec §16.10). The lowest bit of a magnitude may stand for more bits below it if
    there are at least two more bits than a significand has.

    Args:
        width: bits of the magnitude.
        low: the smallest top.
        high: the largest one.
        truncate: whether to round towards zero.
        normal: promises that no result but zero is subnormal.

    Members:
        sign: In.
        magnitude: In.
        top: In, the exponent field that float32 gives a number whose highest bit is that of the
            magnitude.
        pattern: Out, float32; of a zero magnitude it is zero with the sign given.
    """

    sign: Signal
    magnitude: Signal
    top: Signal
    pattern: Signal

    def __init__(
        self, width: int, low: int, high: int, *, truncate: bool = False, normal: bool = False
    ) -> None:
        self.width, self.low, self.high = width, low, high
        self.truncate = truncate
        self.normal = normal or low >= width
        super().__init__(
            {
                "sign": In(1),
                "magnitude": In(width),
                "top": In(signed(signed_bits(low, high))),
                "pattern": Out(32),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Normalise, round, and let the rounding carry into the exponent field."""
        m = Module()
        field, significand = self._normal(m) if self.normal else self._any(m)
        width = len(significand)
        if width < SIGNIFICAND:
            significand = Cat(Const(0, SIGNIFICAND - width), significand)
            width = SIGNIFICAND
        kept = significand[width - SIGNIFICAND :]
        pattern = Signal(FLOAT_FRACTION + len(field))
        exact = Cat(kept[:FLOAT_FRACTION], field)
        dropped = width - SIGNIFICAND
        if dropped and not self.truncate:
            half = significand[dropped - 1]
            sticky = significand[: dropped - 1].any() if dropped > 1 else Const(0)
            m.d.comb += pattern.eq(exact + (half & (sticky | kept[0])))
        else:
            m.d.comb += pattern.eq(exact)
        magnitude = Signal(31)
        if self.high >= SPECIAL_FIELD:
            m.d.comb += magnitude.eq(
                Mux(pattern[FLOAT_FRACTION:] >= SPECIAL_FIELD, FLOAT_INF, pattern)
            )
        else:
            m.d.comb += magnitude.eq(pattern)
        m.d.comb += self.pattern.eq(Cat(magnitude, self.sign))
        return m

    def _field_bits(self) -> int:
        """Bits of an exponent field, with room for the carry of the rounding."""
        return max((self.high + 1).bit_length(), 8)

    def _normal(self, m: Module) -> tuple[Signal, Value]:
        """Exponent field and significand of a normal number or zero."""
        # To nearest: a significand, the half below it, and whether there is more.
        keep = SIGNIFICAND if self.truncate else SIGNIFICAND + 2
        shifted, count = normalised(m, "normal", self.magnitude, keep, sticky=not self.truncate)
        field = Signal(self._field_bits())
        m.d.comb += field.eq(Mux(shifted[-1], self.top - count, 0))
        return field, shifted

    def _any(self, m: Module) -> tuple[Signal, Value]:
        """Exponent field and significand, the former 0 for a subnormal."""
        width, magnitude, top = self.width, self.magnitude, self.top
        if self.low < 1:
            magnitude, top = self._raised(m)
            width = len(magnitude)
        # A bit below which the highest one is not sought: that of the smallest normal number.
        barrier = Signal(width)
        m.d.comb += barrier.eq(Cat(top == 1 + i for i in reversed(range(width))))
        zeros = leading_zeros(m, "zeros", magnitude | barrier)
        shifted = Signal(width)
        field = Signal(self._field_bits())
        m.d.comb += [
            shifted.eq(magnitude << zeros),
            field.eq(Mux(shifted[-1], top - zeros, 0)),
        ]
        return field, shifted

    def _raised(self, m: Module) -> tuple[Signal, Value]:
        """Shift right, into a bit that stands for all below, until top is at least 1."""
        width = max(self.width, SIGNIFICAND + 2)
        magnitude = Cat(Const(0, width - self.width), self.magnitude)
        deep = Signal()
        distance = Signal(range(width + 1))
        below = Signal(signed(len(self.top) + 1))
        m.d.comb += [
            below.eq(1 - self.top),
            deep.eq(below > width),
            distance.eq(Mux(below[-1], 0, Mux(deep, width, below))),
        ]
        shifted = shifted_right(m, "raised", magnitude, distance)
        top = Signal(signed(len(self.top)))
        m.d.comb += top.eq(Mux(self.top < 1, 1, self.top))
        return shifted, top


def shifted_right(m: Module, name: str, value: Value, distance: Value) -> Signal:
    """``value >> distance``; the lowest bit is also set if a 1 was shifted out."""
    width = len(value)
    lost: Value = Const(0, 1)
    for k in range(len(distance)):
        step = min(1 << k, width)
        after = Signal(width, name=f"{name}_by{1 << k}")
        more = Signal(name=f"{name}_lost{1 << k}")
        m.d.comb += [
            after.eq(Mux(distance[k], value[step:], value)),
            more.eq(lost | (distance[k] & value[:step].any())),
        ]
        value, lost = after, more
    result = Signal(width, name=name)
    m.d.comb += result.eq(Cat(value[0] | lost, value[1:]))
    return result

"""Integers of a candidate whose scale is rounded: tensor scales of any significand (spec §17.2)."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from rtl.columns import Columns
from rtl.hierarchy import place
from rtl.limited_error import MULTIPLES, LimitedTerm
from rtl.limited_table import step
from rtl.limited_variant import LimitedVariant
from rtl.ripple import at_least
from rtl.select_scaled_shapes import ReachingShapes, ScaledSelectShapes
from rtl.shapes import floor_log2

MOST_PEAK = 7
"""Peaks beyond have no choice: amax is at most 15 scales (spec §17.3, lemma 3)."""


@dataclass(frozen=True)
class GivenShapes:
    """Widths for one variant; `docs/hardware.md` derives them.

    Attributes:
        select: shapes of the elements and of the candidates.
        block_size: number of lanes.
        bits: of a lane as the choice sees it (spec §17.1).
    """

    select: ScaledSelectShapes
    block_size: int
    bits: int

    @classmethod
    def of(cls, variant: LimitedVariant) -> GivenShapes:
        """The shapes of a variant."""
        r = variant.recipe
        assert r.error_bits is not None
        return cls(ScaledSelectShapes.of(variant), r.block_size, r.error_bits)

    @property
    def reaching(self) -> ReachingShapes:
        """Shapes of numbers and thresholds."""
        return self.select.reaching

    @property
    def scale_bits(self) -> int:
        """Bits of S: below 2**(b + 4) at a peak of 1 or more, and one more if it is rounded up."""
        return self.bits + 5

    @property
    def limit_bits(self) -> int:
        """Bits of a limit: those of Y."""
        return self.bits + 1

    @property
    def limit_drop(self) -> int:
        """Bits of a limit below a lane's last one."""
        return 0

    @property
    def limit_spare(self) -> int:
        """Bits of a lane below a limit's last one."""
        return 0

    @property
    def merit_bits(self) -> int:
        """Bits of S * gain, at most the sum of (8 * X + 4)**2 (lemma 4 of spec §17.3)."""
        return (self.block_size - 1).bit_length() + 2 * self.bits + 6

    @property
    def gain_bits(self) -> int:
        """Bits of a gain: at most 96 * (8 * X + 4) of each lane, or 0 (lemma 4 of spec §17.3)."""
        return self.merit_bits - 3


class Exceeds(wiring.Component):
    """Whether the quotient by 6 * g exceeds the largest code (spec §17.4). Combinational.

    Members:
        amax: In, `ScaledShapes.number`.
        g: In, the tensor scale as the word carries it.
        exceeds: Out; without meaning for infinity and NaN.
    """

    amax: data.View
    g: data.View
    exceeds: Signal

    def __init__(self, shapes: ReachingShapes) -> None:
        self.shapes = shapes
        super().__init__({"amax": In(shapes.number), "g": In(shapes.g), "exceeds": Out(1)})

    def elaborate(self, platform: object) -> Module:
        """The logic of the unit."""
        m = Module()
        s = self.shapes
        start, beyond = step(s.scale, 6, s.scale.max_code + 1)
        power = floor_log2(start)
        while (start / Fraction(2) ** power).denominator > 1:
            power -= 1
        odd = (start / Fraction(2) ** power).numerator
        top = odd.bit_length() - 1
        # amax = a * 2**(i - f) and the limit odd * b * 2**(j + power - P + 1), with f + 1 bits of a
        # and P of b.
        a = Cat(self.amax.fraction, 1)
        b = Cat(self.g.fraction, 1)
        f, p = len(a) - 1, len(b)
        offset = s.base - s.input.bias + s.g_bias - power - top
        apart = Signal(range(-(1 << 12), 1 << 12))  # binades of amax over those of the limit
        left = Cat(Const(0, p - 1 + top), a, Const(0, 2))
        right = Signal(len(left))
        m.d.comb += [
            apart.eq(self.amax.exponent - self.g.exponent + offset),
            right.eq((b * odd) << f),
        ]
        twice = Cat(Const(0, 1), left[:-1])
        strict = int(beyond)
        m.d.comb += self.exceeds.eq(
            (apart > 1)
            | ((apart == 1) & at_least(twice, right, strict=strict))
            | ((apart == 0) & at_least(left, right, strict=strict))
        )
        return m


class RoundedLimits(wiring.Component):
    """S, and what the lanes compare with under a candidate (spec §17.2). Combinational.

    Members:
        product: In, significands of scale and tensor scale, multiplied.
        carry: In, whether that is 2 or more.
        peak: In, steps of amax above the product; 0 where no lane leaves 0.
        scale: Out, S.
        limits_<k>: Out, all ones for more than any lane has; in the order of `MULTIPLES`.
    """

    product: Signal
    carry: Signal
    peak: Signal
    scale: Signal
    limits: list[Signal]

    def __init__(self, shapes: GivenShapes) -> None:
        self.shapes = shapes
        super().__init__(
            {
                "product": In(shapes.select.product_scale_bits),
                "carry": In(1),
                "peak": In(3),
                "scale": Out(shapes.scale_bits),
                "limits": Out(shapes.limit_bits).array(len(MULTIPLES)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """The logic of the unit."""
        m = Module()
        s = self.shapes
        width = s.select.product_scale_bits
        places = width - 1  # fraction bits of the product brought to [1, 2)
        normal = Signal(width)
        m.d.comb += normal.eq(Mux(self.carry, self.product, self.product << 1))
        # At a peak of 1 the product is taken b + 3 places up; each more is one place less.
        room = max(0, s.bits + 3 - places) + MOST_PEAK
        value: Value = Cat(Const(0, room), normal)
        back = (self.peak - 1)[:3]
        for i, digit in enumerate(back):
            value = Mux(digit, value >> (1 << i), value)
        cut = places + room - s.bits - 3
        shifted = Signal(width + room)
        up = Signal()
        m.d.comb += [
            shifted.eq(value),
            up.eq(shifted[cut - 1] & (shifted[: cut - 1].any() | shifted[cut])),
            self.scale.eq(shifted[cut:] + up),
        ]
        for limit, multiple in zip(self.limits, MULTIPLES, strict=True):
            whole = Signal(s.scale_bits + 5, name=f"times{multiple}")
            m.d.comb += whole.eq(self.scale * multiple)
            eighths = whole[3:]
            beyond = eighths[s.limit_bits :].any() | ~self.peak.any()
            m.d.comb += limit.eq(eighths[: s.limit_bits] | beyond.replicate(s.limit_bits))
        return m


class GivenMerit(wiring.Component):
    """The merit of one candidate, S * gain: the larger, the smaller its error. Combinational.

    Members:
        once_<i>, triple_<i>, magnitude_<i>: In, see `rtl.limited_error.LimitedTerm`.
        scale: In, S.
        merit: Out.
    """

    once: list[Signal]
    triple: list[Signal]
    magnitude: list[Signal]
    scale: Signal
    merit: Signal

    def __init__(self, shapes: GivenShapes) -> None:
        self.shapes = shapes
        n, bits = shapes.block_size, shapes.bits + 1
        super().__init__(
            {
                "once": In(bits).array(n),
                "triple": In(bits + 2).array(n),
                "magnitude": In(3).array(n),
                "scale": In(shapes.scale_bits),
                "merit": Out(shapes.merit_bits),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """The logic of the unit."""
        m = Module()
        s, n = self.shapes, self.shapes.block_size
        squares = Columns(m, "squares", (144 * n).bit_length())
        gains = Columns(m, "gains", s.gain_bits)
        for i in range(n):
            term = LimitedTerm(s)
            place(m, platform, f"term{i}", term, kind="term")
            m.d.comb += [
                term.once.eq(self.once[i]),
                term.triple.eq(self.triple[i]),
                term.magnitude.eq(self.magnitude[i]),
            ]
            squares.add(term.square)
            gains.add(term.product, 3)
        total = squares.total()
        for bit, digit in enumerate(self.scale):
            gains.subtract(total & digit.replicate(len(total)), bit)
        gain = gains.total()
        merits = Columns(m, "merits", s.merit_bits)
        for bit, digit in enumerate(self.scale):
            merits.add(gain & digit.replicate(len(gain)), bit)
        m.d.comb += self.merit.eq(merits.total())
        return m

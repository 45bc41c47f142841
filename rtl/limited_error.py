"""The error of a candidate seen through integers of b bits, as a number to compare (spec §17).

With S the candidate's scale in quarters of the unit, Y = 2 * X + 1 a lane in halves of it, and Q
twice the magnitude that is nearest, lemma 4 of spec §17.3 reads

    E = constant - S * gain,   gain = 8 * sum Q * Y - S * sum Q**2

so that the smallest error is the largest S * gain: the merit. Without a tensor scale S is a
multiple of 2**(b - 5), M * 2**(b + 1 - peak), with M the scale's significand as an integer and
peak the steps of amax above the scale (`rtl.limited_lanes.NearThresholds`).
"""

from __future__ import annotations

from typing import Protocol

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from rtl.columns import Columns, ripple_add
from rtl.hierarchy import place
from rtl.limited_shapes import LimitedShapes
from rtl.ripple import at_least, subtract
from rtl.thresholds import ThresholdGenerator

MULTIPLES = (1, 3, 5, 7, 10, 14, 20)
"""Where the nearest magnitude changes, in quarters of the scale (spec §9.1, lemma)."""


class IntegerShapes(Protocol):
    """What units have to know of integers."""

    @property
    def bits(self) -> int:
        """Bits of a lane as the choice sees it."""
        ...

    @property
    def limit_bits(self) -> int:
        """Bits of a limit."""
        ...

    @property
    def limit_drop(self) -> int:
        """Bits of a limit below a lane's last one."""
        ...

    @property
    def limit_spare(self) -> int:
        """Bits of a lane below a limit's last one."""
        ...


class Limits(wiring.Component):
    """What the lanes compare with under one candidate. Combinational.

    A lane has passed a change of the nearest magnitude at n/4 of the scale if Y > n * S / 8, and Y
    is an integer, so that the bits of n * S / 8 below a unit may be dropped. In units of
    2**(b - 8) it is n * M * 2**(6 - peak).

    Args:
        shapes: widths.

    Members:
        scale: In, the stored scale code.
        reference: In, the lane exponent of amax.
        limits_<k>: Out, in units of 2**(b - 8), all ones for more; in the order of `MULTIPLES`.
        fraction: Out, that of the scale's significand.
        shift: Out, 6 - peak.
    """

    scale: Signal
    reference: Signal
    limits: list[Signal]
    fraction: Signal
    shift: Signal

    def __init__(self, shapes: LimitedShapes) -> None:
        self.shapes = shapes
        super().__init__(
            {
                "scale": In(shapes.scale.storage_bits),
                "reference": In(shapes.lanes.exponent_bits),
                "limits": Out(shapes.limit_bits).array(len(MULTIPLES)),
                "fraction": Out(shapes.scale.fraction_bits),
                "shift": Out(3),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """The logic of the unit."""
        m = Module()
        generator = ThresholdGenerator(self.shapes.lanes)
        place(m, platform, "generator", generator, kind="thresholds")
        m.d.comb += generator.scale.eq(self.scale)
        given = generator.thresholds
        # An origin of all ones, where no lane leaves 0, exceeds every reference or equals it.
        difference, not_negative = subtract(m, self.reference, given.origin, "peak")
        never = Signal()
        peak = Signal(3)
        m.d.comb += [
            peak.eq(difference[:3]),
            never.eq(~not_negative | ~difference.any()),
            self.fraction.eq(given.n1),
            self.shift.eq(6 - peak),
        ]
        significand = Cat(given.n1, 1)
        odd, bits = {}, self.shapes.limit_bits
        for multiple in (1, 3, 5, 7):
            product = Signal(len(significand) + 3, name=f"times{multiple}")
            m.d.comb += product.eq(significand * multiple)
            shifted = product
            for step, digit in enumerate(self.shift):
                shifted = Mux(digit, shifted << (1 << step), shifted)
            odd[multiple] = Signal(len(significand) + 8, name=f"shifted{multiple}")
            m.d.comb += odd[multiple].eq(shifted)
        for limit, multiple in zip(self.limits, MULTIPLES, strict=True):
            power = (multiple & -multiple).bit_length() - 1
            whole = Cat(Const(0, power), odd[multiple >> power])
            beyond = whole[bits:].any() | never
            m.d.comb += limit.eq(whole[:bits] | beyond.replicate(bits))
        return m


class Seen(wiring.Component):
    """A lane as an integer X of b bits (spec §17.1). Combinational.

    Args:
        shapes: widths.

    Members:
        lane: In, `LimitedShapes.near`.
        seen: Out.
    """

    lane: data.View
    seen: Signal

    def __init__(self, shapes: LimitedShapes) -> None:
        self.shapes = shapes
        super().__init__({"lane": In(shapes.near), "seen": Out(shapes.bits)})

    def elaborate(self, platform: object) -> Module:
        """The logic of the unit."""
        m = Module()
        bits = self.shapes.bits
        m.d.comb += self.seen.eq(Cat(self.lane.fraction[1 - bits :], 1) >> self.lane.below)
        return m


class NearestCode(wiring.Component):
    """The magnitude code that is nearest to a lane seen as X, by three comparisons. Combinational.

    Args:
        shapes: widths.

    Members:
        seen: In, X.
        limits_<k>: In, see `Limits`.
        magnitude: Out, magnitude code.
    """

    seen: Signal
    limits: list[Signal]
    magnitude: Signal

    def __init__(self, shapes: IntegerShapes) -> None:
        self.shapes = shapes
        super().__init__(
            {
                "seen": In(shapes.bits),
                "limits": In(shapes.limit_bits).array(len(MULTIPLES)),
                "magnitude": Out(3),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """The logic of the unit."""
        m = Module()
        y = Cat(Const(1, 1), self.seen)
        drop, spare = self.shapes.limit_drop, self.shapes.limit_spare
        limits = [limit[drop:] for limit in self.limits]

        def passed(limit: Value) -> Value:
            if spare:  # Y is odd, so that it is greater as soon as its upper bits are not less
                return at_least(Cat(y[spare:], Const(0, 1)), limit)
            return at_least(y, limit, strict=1)

        high, middle, low = Signal(), Signal(), Signal()
        quarter = Mux(high, limits[5], limits[1])
        eighths = [Mux(middle, limits[i + 2], limits[i]) for i in (0, 4)]
        m.d.comb += [
            high.eq(passed(limits[3])),
            middle.eq(passed(quarter)),
            low.eq(passed(Mux(high, eighths[1], eighths[0]))),
            self.magnitude.eq(Cat(low, middle, high)),
        ]
        return m


class LimitedTerm(wiring.Component):
    """What one lane adds to the sums of `LimitedMerit`. Combinational.

    Args:
        shapes: widths.

    Members:
        once: In, Y.
        triple: In, 3 * Y.
        magnitude: In, magnitude code.
        product: Out, Q * Y.
        square: Out, Q * Q.
    """

    once: Signal
    triple: Signal
    magnitude: Signal
    product: Signal
    square: Signal

    def __init__(self, shapes: IntegerShapes) -> None:
        self.shapes, bits = shapes, shapes.bits + 1
        super().__init__(
            {
                "once": In(bits),
                "triple": In(bits + 2),
                "magnitude": In(3),
                "product": Out(bits + 4),
                "square": Out(8),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """The logic of the unit."""
        m = Module()
        # Magnitude codes 1 to 7 are Q = 1, 2, 3, 4, 6, 8, 12.
        c = self.magnitude
        at = Signal(8)
        m.d.comb += at.eq(Cat(Const(0, 1), *(c == code for code in range(1, 8))))

        def part(value: Value, code: int) -> Value:
            return value & at[code].replicate(len(value))

        small = part(self.once, 1) | part(self.once << 1, 2) | part(self.triple, 3)
        m.d.comb += self.product.eq(
            small
            | part(self.once << 2, 4)
            | part(self.triple << 1, 5)
            | part(self.once << 3, 6)
            | part(self.triple << 2, 7)
        )
        squares = (0, 1, 4, 9, 16, 36, 64, 144)
        for bit in range(8):
            codes = [at[code] for code in range(1, 8) if squares[code] >> bit & 1]
            m.d.comb += self.square[bit].eq(Cat(*codes).any())
        return m


class LimitedMerit(wiring.Component):
    """The merit of one candidate: the larger, the smaller its error. Combinational.

    Args:
        shapes: widths.

    Members:
        once_<i>, triple_<i>, magnitude_<i>: In, see `LimitedTerm`.
        fraction, shift: In, see `Limits`.
        merit: Out.
    """

    once: list[Signal]
    triple: list[Signal]
    magnitude: list[Signal]
    fraction: Signal
    shift: Signal
    merit: Signal

    def __init__(self, shapes: LimitedShapes) -> None:
        self.shapes = shapes
        n, bits = shapes.block_size, shapes.bits + 1
        super().__init__(
            {
                "once": In(bits).array(n),
                "triple": In(bits + 2).array(n),
                "magnitude": In(3).array(n),
                "fraction": In(shapes.scale.fraction_bits),
                "shift": In(3),
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
            gains.add(term.product, max(8 - s.bits, 0))
        total = squares.total()
        significand = Cat(self.fraction, 1)
        # S * sum Q**2 in the units of the gains, before the shift by powers of two.
        scaled = Columns(m, "scaled", len(total) + len(significand))
        for bit, digit in enumerate(significand):
            scaled.add(total & digit.replicate(len(total)), bit)
        gains.subtract(self._shifted(scaled.total(), s.gain_bits), max(s.bits - 8, 0))
        gain = gains.total()
        merits = Columns(m, "merits", s.merit_bits)
        for bit, digit in enumerate(significand):
            merits.add(gain & digit.replicate(len(gain)), bit)
        m.d.comb += self.merit.eq(self._shifted(merits.total(), s.merit_bits))
        return m

    def _shifted(self, value: Value, width: int) -> Value:
        """A value times 2**shift, modulo 2**width."""
        for step, digit in enumerate(self.shift):
            value = Mux(digit, value << (1 << step), value)[:width]
        return value


def tripled(m: Module, name: str, once: Value) -> Value:
    """3 * Y for all candidates."""
    triple = Signal(len(once) + 2, name=name)
    m.d.comb += triple.eq(ripple_add(m, name, once, Cat(Const(0, 1), once)))
    return triple

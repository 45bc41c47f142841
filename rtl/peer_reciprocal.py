"""Float32 reciprocals: of a significand by long division, of a scale code by a table (spec §25)."""

from __future__ import annotations

from fractions import Fraction

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from emulator.formats import UE4M3
from rtl.dot_float import SIGNIFICAND
from rtl.dot_shapes import FLOAT_FRACTION
from rtl.peer_multiply import TRIPLE
from rtl.peer_shapes import PeerShapes
from rtl.ripple import subtract

ROWS = SIGNIFICAND
"""Bits of the quotient after its first one, which is always 1: 23, and the one that rounds."""

MOST_LOST = 2
"""Bits that a subnormal reciprocal can lose: those of numbers up to 2**128."""


def first_remainder(fraction: Value) -> Value:
    """``2 - 1.fraction`` in units of its last place: what the quotient's first bit leaves."""
    return (~Cat(fraction, Const(1, 1)) + 1)[:SIGNIFICAND]


class DivisionRows(wiring.Component):
    """Some rows of the division of 1 by a significand, one bit of the quotient each. Combinational.

    Args:
        rows: how many.

    Members:
        fraction: In, that of the divisor.
        before: In, the remainder that the rows before leave; `first_remainder` for the first ones.
        bits: Out, bits of the quotient, the last one lowest.
        after: Out, the remainder.
    """

    fraction: Signal
    before: Signal
    bits: Signal
    after: Signal

    def __init__(self, rows: int) -> None:
        self.rows = rows
        super().__init__(
            {
                "fraction": In(FLOAT_FRACTION),
                "before": In(SIGNIFICAND),
                "bits": Out(rows),
                "after": Out(SIGNIFICAND),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Subtract the divisor from twice the remainder where it goes in."""
        m = Module()
        divisor = Cat(self.fraction, Const(1, 1), Const(0, 1))
        rest = self.before
        for row in range(self.rows):
            twice = Cat(Const(0, 1), rest)
            less, fits = subtract(m, twice, divisor, f"less{row}")
            rest = Signal(SIGNIFICAND, name=f"rest{row}")
            m.d.comb += [
                rest.eq(Mux(fits, less[:SIGNIFICAND], twice[:SIGNIFICAND])),
                self.bits[self.rows - 1 - row].eq(fits),
            ]
        m.d.comb += self.after.eq(rest)
        return m


class RoundReciprocal(wiring.Component):
    """The reciprocal of a significand from the bits of its quotient. Combinational.

    No tie can occur: the quotient of 1 and a number that is no power of two has no end, so that
    the bit behind the last one kept rounds. A power of two, whose division leaves ones throughout,
    carries.

    Members:
        bits: In, all of the quotient's but its first one.
        lost: In, how many bits less a subnormal reciprocal keeps, 0 to `MOST_LOST`.
        fraction: Out, that of the reciprocal; bits that are lost are 0.
        carry: Out, whether it is the power of two itself, in [1, 2), and not in [1/2, 1).
    """

    bits: Signal
    lost: Signal
    fraction: Signal
    carry: Signal

    def __init__(self) -> None:
        super().__init__(
            {
                "bits": In(ROWS),
                "lost": In(range(MOST_LOST + 1)),
                "fraction": Out(FLOAT_FRACTION),
                "carry": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Add one half of the last place, and drop what is below."""
        m = Module()
        none = ~self.lost.any()
        half = Cat(none, *(self.lost == lost for lost in range(1, MOST_LOST + 1)))
        total = Signal(ROWS + 1)
        kept = [none, self.lost < MOST_LOST]
        m.d.comb += [
            total.eq(self.bits + half),
            self.carry.eq(total[-1]),
            self.fraction.eq(
                Cat(bit & keep for bit, keep in zip(total[1:3], kept, strict=True))
                | (total[3:ROWS] << MOST_LOST)
            ),
        ]
        return m


def reciprocal_significand(significand: int) -> int:
    """Significand, from 2**23 on, of the float32 nearest to the reciprocal of an integer."""
    power = 1 << significand.bit_length() - 1
    wanted = Fraction((1 if significand == power else 2) << FLOAT_FRACTION) * power / significand
    return int(wanted + Fraction(1, 2))  # never half of one, as no power of two is odd


def looked_up(values: list[int], width: int, select: Value) -> Value:
    """The constant of that number; choices of two, as yosys gives larger ones an undefined rest."""
    found: list[Value] = [Const(v, width) for v in values]
    for bit in select:
        found = [Mux(bit, b, a) for a, b in zip(found[::2], found[1::2], strict=True)]
    return found[0]


class ReciprocalTable(wiring.Component):
    """The float32 reciprocal of a scale code that is normal. Combinational.

    It has as many significands as the scale format's fraction has codes. Three times them are in
    the table, too: a few more gates for bits that are constants.

    Args:
        shapes: widths.

    Members:
        scale: In, a stored scale code that is neither subnormal nor NaN.
        factor: Out, significand.
        triple: Out, three times that.
        origin: Out, signed; see `PeerShapes`.
    """

    scale: Signal
    factor: Signal
    triple: Signal
    origin: Signal

    def __init__(self, shapes: PeerShapes) -> None:
        self.shapes = shapes
        super().__init__(
            {
                "scale": In(UE4M3.storage_bits),
                "factor": Out(SIGNIFICAND),
                "triple": Out(TRIPLE),
                "origin": Out(signed(shapes.origin_bits)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """A table by the scale's fraction."""
        m = Module()
        f = UE4M3.fraction_bits
        fraction, field = self.scale[:f], self.scale[f : UE4M3.width]
        values = [reciprocal_significand((1 << f) + low) for low in range(1 << f)]
        m.d.comb += [
            self.factor.eq(looked_up(values, SIGNIFICAND, fraction)),
            self.triple.eq(looked_up([3 * v for v in values], TRIPLE, fraction)),
            self.origin.eq(field + fraction.any() + self.shapes.origin(0)),
        ]
        return m

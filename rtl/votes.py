"""Votes: what lanes say of two candidate scale codes, and the choice (spec §18)."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from rtl.columns import Columns
from rtl.ripple import add, at_least, subtract, widened
from rtl.vote_shapes import BINADES, QUARTERS, VoteShapes


class QuarterVote(wiring.Component):
    """The vote of one of the largest magnitudes (spec §18.3). Combinational.

    The number of whole quarters of s6 is the quotient of two integers, as whatever of the
    magnitude lies below a quarter of the scale's last bit cannot change it.

    Args:
        shapes: widths.

    Members:
        key: In, `Shapes.key`, the magnitude.
        origin, significand: In, those of s6, as `rtl.thresholds` has them in ``origin``, ``n1``.
        vote: Out, signed.
    """

    key: data.View
    origin: Signal
    significand: Signal
    vote: Signal

    def __init__(self, shapes: VoteShapes) -> None:
        self.shapes = shapes
        super().__init__(
            {
                "key": In(shapes.key),
                "origin": In(shapes.exponent_bits),
                "significand": In(shapes.scale.fraction_bits),
                "vote": Out(signed(shapes.vote_bits)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """The logic of the unit."""
        m = Module()
        s = self.shapes
        steps, positive = subtract(m, self.key.exponent, self.origin, "steps")
        # The magnitude in quarters of the scale's last bit, rounded down, if it is in a binade.
        first, last = BINADES
        whole = Cat(self.key.fraction, 1)
        kept = s.key_fraction_bits
        quarters: Value = Const(0, 1)
        for binade in range(first, last + 1):
            here = Signal(name=f"binade{binade}")
            m.d.comb += here.eq(positive & (steps == binade + 3))
            bits = s.quarter_bits - last + binade
            number = whole[kept - bits :] if bits <= kept else Cat(Const(0, bits - kept), whole)
            quarters = quarters | (number & here.replicate(len(number)))
        significand = Cat(self.significand, 1)
        quotient, beyond = self._divide(m, quarters, significand)
        for bit in range(s.vote_bits):
            numbers = [k for k, vote in QUARTERS.items() if vote >> bit & 1]
            m.d.comb += self.vote[bit].eq(Cat(*(quotient == k for k in numbers)).any() & ~beyond)
        return m

    def _divide(self, m: Module, dividend: Value, divisor: Value) -> tuple[Value, Value]:
        """The low bits of the quotient, as many as `QUARTERS` needs, and whether it has more."""
        bits = max(QUARTERS).bit_length()
        rest = dividend[bits:]
        width = len(divisor) + 1
        beyond = at_least(widened(rest, width), widened(divisor, width))
        digits: list[Value] = []
        for bit in reversed(range(bits)):
            wide = widened(Cat(dividend[bit], rest), width)
            less, fits = subtract(m, wide, widened(divisor, width), f"trial{bit}")
            rest = Signal(len(divisor), name=f"rest{bit}")
            m.d.comb += rest.eq(Mux(fits, less, wide))
            digits.insert(0, fits)
        return Cat(*digits), beyond


class LaneVote(wiring.Component):
    """The vote of one lane where all lanes vote (spec §18.5). Combinational.

    It is ``8 * reach4 - 4 * reach3 + 2 * reach2 - some``.

    Args:
        shapes: widths.

    Members:
        lane: In, `Shapes.lane`.
        thresholds: In, `Shapes.thresholds` of s6.
        some: Out, whether the lane is above a quarter of s6.
        reach2, reach3, reach4: Out, whether it has reached 2, 3 and 4 times s6.
    """

    lane: data.View
    thresholds: data.View
    some: Signal
    reach2: Signal
    reach3: Signal
    reach4: Signal

    def __init__(self, shapes: VoteShapes) -> None:
        self.shapes = shapes
        super().__init__(
            {
                "lane": In(shapes.lane),
                "thresholds": In(shapes.thresholds),
                "some": Out(1),
                "reach2": Out(1),
                "reach3": Out(1),
                "reach4": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """The logic of the unit."""
        m = Module()
        lane, t = self.lane, self.thresholds
        fraction, sticky = lane.fraction, lane.sticky
        steps, positive = subtract(m, lane.exponent, t.origin, "steps")
        reach1 = Signal()
        beyond1 = Signal()
        reach_three = Signal()
        low = fraction[: len(fraction) - len(t.n1)]
        m.d.comb += [
            reach1.eq(at_least(fraction[len(low) :], t.n1)),
            beyond1.eq(reach1 & ((fraction[len(low) :] != t.n1) | low.any() | sticky)),
            reach_three.eq(at_least(fraction[len(fraction) - len(t.n3) :], t.n3)),
        ]
        # A lane is below 16 times s6 where votes count, so that three bits of the steps are enough.
        at = [Signal(name=f"at{k}") for k in range(7)]
        m.d.comb += [at[k].eq(steps[:3] == k) for k in (1, 4, 5)]
        above4 = steps[2] & (steps[0] | steps[1])
        above5 = steps[2] & steps[1]
        m.d.comb += [
            self.some.eq(positive & (steps[1] | steps[2] | (at[1] & beyond1))),
            self.reach2.eq(positive & (above4 | (at[4] & reach1))),
            self.reach3.eq(
                positive
                & (above5 | (at[5] & (reach_three | ~t.carry3)) | (at[4] & reach_three & ~t.carry3))
            ),
            self.reach4.eq(positive & (above5 | (at[5] & reach1))),
        ]
        return m


class Choice(wiring.Component):
    """One of two scale codes (spec §18.1, §18.2, §18.4, §18.6). Combinational.

    Args:
        shapes: widths.
        block_size: lanes of a block.

    Members:
        six, four: In, the stored scale codes of candidates 6 and 4, equal in a block with a NaN
            or an infinity.
        votes: In, sum of the votes, signed.
        scale: Out, the stored scale code.
    """

    six: Signal
    four: Signal
    votes: Signal
    scale: Signal

    def __init__(self, shapes: VoteShapes, block_size: int) -> None:
        self.shapes, self.block_size = shapes, block_size
        width = shapes.scale.storage_bits
        super().__init__(
            {
                "six": In(width),
                "four": In(width),
                "votes": In(signed(shapes.sum_bits(block_size))),
                "scale": Out(width),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """The logic of the unit."""
        m = Module()
        s, f = self.shapes, self.shapes.scale.fraction_bits
        # Where candidate 6 is subnormal, both codes are their scales, in the smallest ones.
        subnormal = Signal()
        doubled = Signal()
        coarse = Signal()
        wins = Signal()
        six, four = self.six[:f], self.four[: f + 1]
        m.d.comb += [
            subnormal.eq(~self.six[f:].any()),
            doubled.eq(subnormal & at_least(four, Cat(Const(0, 1), six))),
            coarse.eq(subnormal & (Cat(Const(0, 1), four) != widened(self._triple(m, six), f + 2))),
        ]
        least = 1 + (self.block_size // 8 if s.voters else 5)
        m.d.comb += [
            wins.eq(self.votes >= Mux(coarse, least - 2, least)),
            self.scale.eq(Mux(doubled | wins, self.four, self.six)),
        ]
        return m

    def _triple(self, m: Module, value: Value) -> Value:
        width = len(value) + 1
        return add(m, widened(value, width), Cat(Const(0, 1), value), "triple")


def sum_of_lanes(m: Module, lanes: list[LaneVote], width: int) -> Value:
    """The sum of the votes of all lanes, signed."""
    columns = Columns(m, "votes", width)
    for lane in lanes:
        columns.add(lane.reach4, 3)
        columns.subtract(lane.reach3, 2)
        columns.add(lane.reach2, 1)
        columns.subtract(lane.some, 0)
    return columns.total().as_signed()

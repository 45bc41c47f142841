"""Votes under a tensor scale: multiples of s6 * g, and what a lane says of them (spec §18)."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from rtl.bits import aligned
from rtl.ripple import Bit, add, at_least, subtract, widened
from rtl.scaled_thresholds import ScaledThresholds
from rtl.vote_scaled_shapes import ScaledVoteShapes, odd_part
from rtl.vote_shapes import QUARTERS
from rtl.votes import LaneVote


class VoteThresholds(ScaledThresholds):
    """The odd multiples of s6 * g at which votes change, as far as a lane has bits. Combinational.

    Args:
        shapes: widths.

    Members:
        scale: In, the stored code of s6.
        g: In, the tensor scale as the word carries it.
        thresholds: Out, `ScaledVoteShapes.thresholds`.
    """

    shapes: ScaledVoteShapes

    def __init__(self, shapes: ScaledVoteShapes) -> None:
        super().__init__(shapes)

    def elaborate(self, platform: object) -> Module:
        """The logic of the unit."""
        m = Module()
        s = self.shapes
        product = self.normalised(m)
        self._made: dict[int, Value] = {}
        for k in s.multiples:
            multiple = self.threshold(m, product, k)
            if s.cut(k) and k not in (3, 7):  # of those the threshold itself says it
                whole = len(product) - 1 if k == 1 else len(multiple) - 1
                cut = whole - len(getattr(self.thresholds, f"n{k}"))
                # An odd multiple ends in as many zeros as the product itself.
                rest = product[:cut].any()
                if k > 1:
                    rest = product[: cut - 1].any() | (multiple[-1] & product[cut - 1])
                m.d.comb += getattr(self.thresholds, f"beyond{k}").eq(rest)
        return m

    def _multiple(self, m: Module, product: Value, k: int) -> Value:
        """An odd multiple: one addition or subtraction, or one more for 11, 19 and 21."""
        if k not in self._made:
            shift = k.bit_length() - 1
            rest = k - (1 << shift)
            if k == 15:
                width = len(product) + 4
                a, b = widened(product << 4, width), widened(product, width)
                self._made[k] = subtract(m, a, b, "times15")[0]
            elif k == 7 or rest <= 1:
                self._made[k] = super()._multiple(m, product, k)
            else:
                low = self._multiple(m, product, rest)
                width = max(len(product), len(low) - shift)
                upper = add(m, widened(product, width), widened(low[shift:], width), f"times{k}")
                self._made[k] = Cat(low[:shift], upper)
        return self._made[k]


class Reaching:
    """Whether a magnitude has reached multiples of s6 * g, each from the two's binades.

    Args:
        m: gets the wires.
        s: widths.
        number: `ScaledVoteShapes.lane`.
        t: `ScaledVoteShapes.thresholds`.
    """

    def __init__(self, m: Module, s: ScaledVoteShapes, number: data.View, t: data.View) -> None:
        self._m, self._s, self._number, self._t = m, s, number, t
        self._reached: dict[tuple[int, bool], Signal] = {}
        # The magnitude / (s6 * g) lies in the binade from 2**(steps - 3) on, half of that or less.
        # Below 16 times s6 * g, where it has to be if votes count, three bits of them are enough.
        steps, not_negative = subtract(m, number.exponent, t.origin, "steps", select=False)
        self._at = [Signal(name=f"at{i}") for i in range(8)]
        self._from = [Signal(name=f"from{i}") for i in range(8)]
        positive = Signal()
        m.d.comb += positive.eq(not_negative & number.some)
        for i in range(8):
            m.d.comb += [
                self._at[i].eq(positive & (steps[:3] == i)),
                self._from[i].eq(positive & (steps[:3] >= i)),
            ]

    def quarters(self, k: int, *, strict: bool = False) -> Value:
        """Whether it is k/4 of s6 * g or more, or with ``strict`` more."""
        odd = odd_part(k)
        first = k.bit_length()  # steps of the binade of k/4 of s6 * g, if that does not carry
        reached = self._in_binade(odd, strict)
        if odd == 1:
            return self._from[first + 1] | (self._at[first] & reached)
        carry = getattr(self._t, f"carry{odd}")
        return (
            self._from[first + 2]
            | (self._at[first + 1] & (reached | ~carry))
            | (self._at[first] & reached & ~carry)
        )

    def _in_binade(self, odd: int, strict: bool) -> Signal:
        """Whether a number in the binade of a multiple has reached it, or is above it."""
        if (odd, strict) not in self._reached:
            a, b = aligned(self._number.fraction, getattr(self._t, f"n{odd}"))
            beyond: Bit = 0
            if strict:
                beyond = 1
            elif self._s.cut(odd):
                beyond = getattr(self._t, f"beyond{odd}")
            found = Signal(name=f"above{odd}" if strict else f"reached{odd}")
            self._m.d.comb += found.eq(at_least(a, b, strict=beyond))
            self._reached[odd, strict] = found
        return self._reached[odd, strict]


class ScaledQuarterVote(wiring.Component):
    """The vote of one of the largest magnitudes (spec §18.3). Combinational.

    Args:
        shapes: widths.

    Members:
        lane: In, `ScaledVoteShapes.lane`, the magnitude.
        thresholds: In, `ScaledVoteShapes.thresholds`.
        vote: Out, signed.
    """

    lane: data.View
    thresholds: data.View
    vote: Signal

    def __init__(self, shapes: ScaledVoteShapes) -> None:
        self.shapes = shapes
        super().__init__(
            {
                "lane": In(shapes.lane),
                "thresholds": In(shapes.thresholds),
                "vote": Out(signed(shapes.vote_bits)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """The logic of the unit."""
        m = Module()
        s = self.shapes
        reaching = Reaching(m, s, self.lane, self.thresholds)
        reached = [Signal(name=f"quarters{k}") for k in s.steps]
        for signal, k in zip(reached, s.steps, strict=True):
            m.d.comb += signal.eq(reaching.quarters(k))
        for bit in range(s.vote_bits):
            terms: list[Value] = []
            for i, k in enumerate(s.steps):
                if QUARTERS.get(k, 0) >> bit & 1:
                    terms.append(reached[i] & ~reached[i + 1])
            m.d.comb += self.vote[bit].eq(Cat(*terms, Const(0, 1)).any())
        return m


class ScaledLaneVote(LaneVote):
    """The vote of one lane where all lanes vote (spec §18.5), as `LaneVote`. Combinational.

    Args:
        shapes: widths.

    Members:
        lane: In, `ScaledVoteShapes.lane`.
        thresholds: In, `ScaledVoteShapes.thresholds`.
        some, reach2, reach3, reach4: Out, as for `LaneVote`, of s6 * g.
    """

    shapes: ScaledVoteShapes

    def __init__(self, shapes: ScaledVoteShapes) -> None:
        super().__init__(shapes)

    def elaborate(self, platform: object) -> Module:
        """The logic of the unit."""
        m = Module()
        reaching = Reaching(m, self.shapes, self.lane, self.thresholds)
        m.d.comb += [
            self.some.eq(reaching.quarters(1, strict=True)),
            self.reach2.eq(reaching.quarters(8)),
            self.reach3.eq(reaching.quarters(12)),
            self.reach4.eq(reaching.quarters(16)),
        ]
        return m

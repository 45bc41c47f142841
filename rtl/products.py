"""Products: all that a block can decode to, each rounded once (spec §10, §14.7)."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from rtl.reach import MAGNITUDES, Reach

ONES, THREES = (1, 2, 4, 6), (3, 5, 7)
"""Element codes whose values are 1/2, 1, 2, 4 and 3/2, 3, 6: one significand each, M and 3/2 M."""

Word = tuple[Value, Value]
"""A significand with a guard bit below its last place, and a sticky bit."""


class Products(wiring.Component):
    """Makes the magnitudes of the seven nonzero element values times the factor. Combinational.

    Args:
        reach: formats and widths.

    Members:
        factor: In, `Reach.factor`.
        products: Out, `Reach.products`. Bits of an exponent field above the lowest two are
            ``upper`` or, one more, ``above``. Where products can be subnormal or overflow, each
            element code k has a ``fraction[k - 1]``, the lowest exponent bits ``low[k - 1]``, and
            bit k - 1 of ``next``, which says that it takes ``above``. Elsewhere the fractions are
            those of M and 3/2 M, ``low`` is that of code 1, and ``carry1`` and ``carry3`` are
            what the two fractions add to the exponent.
    """

    factor: data.View
    products: data.View

    def __init__(self, reach: Reach) -> None:
        self.reach = reach
        super().__init__({"factor": In(reach.factor), "products": Out(reach.products)})

    def elaborate(self, platform: object) -> Module:
        """The logic of the unit."""
        m = Module()
        r, given, out = self.reach, self.factor, self.products
        depth = self._depth(m)
        carry = Signal()
        ones, threes = self._words(m, depth, carry)
        if r.subnormal:
            ones, threes = self._shifted(m, depth, ones, threes)

        # Fractions, rounded, with what the rounding carries into the exponent.
        rounded: dict[int, Value] = {}
        for codes, word in ((ONES, ones), (THREES, threes)):
            for place, code in enumerate(codes):
                if r.subnormal:
                    own = self._local(m, depth, carry, code, place, *word)
                    rounded[code] = self._rounded(m, code, *own)
                else:
                    rounded[code] = rounded[codes[0]] if place else self._rounded(m, code, *word)

        base = self._base(m)
        m.d.comb += [
            # Where products can be subnormal, those of a zero scale are deep and 0 by themselves.
            out.zero.eq(0 if r.subnormal else given.zero),
            out.nan.eq(given.nan),
            out.upper.eq(base[2:]),
            out.above.eq(base[2:] + 1),
        ]
        f = r.output.fraction_bits
        if not r.general:
            quiet = 1 << (f - 1)
            for at, code in enumerate((1, 3)):
                m.d.comb += out.fraction[at].eq(Mux(given.nan, quiet, rounded[code][:f]))
            m.d.comb += [
                out.low.eq(base[:2]),
                out.carry1.eq(rounded[1][f]),
                out.carry3.eq(rounded[3][f] | carry),
            ]
            with m.If(given.nan):  # the lanes add nothing to it: see `Lane`
                m.d.comb += [out.upper.eq(-1), out.above.eq(-1)]
            return m
        self._general(m, depth, carry, rounded, base)
        return m

    def _depth(self, m: Module) -> Signal:
        """1 - level, from 0 to the deepest."""
        r = self.reach
        depth = Signal(range(r.deepest + 1))
        if r.subnormal:
            with m.If(self.factor.level <= 1 - r.deepest):
                m.d.comb += depth.eq(r.deepest)
            with m.Elif(self.factor.level < 1):
                m.d.comb += depth.eq(1 - self.factor.level)
        return depth

    def _base(self, m: Module) -> Signal:
        """Exponent field of code 1 before rounding: the level between 0 and the top."""
        r, level = self.reach, self.factor.level
        base = Signal(r.output.exponent_bits)
        value: Value = level[: r.output.exponent_bits]
        if r.subnormal:
            value = Mux(level < 0, 0, value)
        if r.levels[1] > r.top:
            value = Mux(level > r.top, r.top, value)
        if r.general:
            value = Mux(self.factor.nan, r.top, value)
        m.d.comb += base.eq(value)
        return base

    def _words(self, m: Module, depth: Signal, carry: Signal) -> tuple[Word, Word]:
        """M and 3/2 M. The latter is halved if it is 2 or more, except in deep blocks.

        In deep blocks every product has a shift, which may as well be one less.
        """
        r = self.reach
        significand = self.factor.significand
        triple = Signal(r.precision + 2)
        m.d.comb += [triple.eq(significand * 3), carry.eq(triple[-1])]
        halve = carry & (depth <= 3) if r.subnormal else carry
        # Two bits before the point; then fraction and guard bit.
        length = r.output.fraction_bits + 1
        return (
            self._cut(significand, r.precision - 1, length),
            self._cut(Mux(halve, triple, triple << 1), r.precision + 1, length),
        )

    @staticmethod
    def _cut(value: Value, fraction: int, length: int) -> Word:
        """The value with ``length`` of its fraction bits, and whether others are set."""
        spare = fraction - length
        if spare <= 0:
            return Cat(Const(0, -spare), value), Const(0)
        return value[spare:], value[:spare].any()

    def _shifted(self, m: Module, depth: Signal, ones: Word, threes: Word) -> tuple[Word, Word]:
        """Shift both by what all products of a deep block have in common: depth - 3."""
        most = self.reach.deepest - 3
        amount = Signal(range(most + 1))
        m.d.comb += amount.eq(Mux(depth > 3, depth - 3, 0))
        found = []
        for name, (word, sticky) in (("one", ones), ("three", threes)):
            for bit in range(len(amount)):
                step = 1 << bit
                shifted = Signal(len(word), name=f"{name}_shifted_{step}")
                lost = Signal(name=f"{name}_lost_{step}")
                m.d.comb += [
                    shifted.eq(Mux(amount[bit], word >> step, word)),
                    lost.eq(sticky | (amount[bit] & word[:step].any())),
                ]
                word, sticky = shifted, lost
            found.append((word, sticky))
        return found[0], found[1]

    def _local(
        self,
        m: Module,
        depth: Signal,
        carry: Signal,
        code: int,
        place: int,
        word: Value,
        sticky: Value,
    ) -> Word:
        """Shift by what is left for one code: 3, 2, 1, 0 places for M and 2, 1, 0 for 3/2 M."""
        if code in ONES:
            reached = [depth > k for k in range(place, len(ONES) - 1)]
        else:
            # A halved 3/2 M has one place less to go.
            reached = [
                (depth > k + 1) | ((depth > k) & ~carry) for k in range(place + 1, len(THREES))
            ]
        choice, lost = word, sticky
        for count, condition in enumerate(reached, 1):
            choice = Mux(condition, word >> count, choice)
            lost = Mux(condition, sticky | word[:count].any(), lost)
        result = Signal(len(word), name=f"word{code}")
        rest = Signal(name=f"rest{code}")
        m.d.comb += [result.eq(choice), rest.eq(lost)]
        return result, rest

    def _rounded(self, m: Module, code: int, word: Value, sticky: Value) -> Value:
        """The fraction rounded to the even last place, a carry on top."""
        f = self.reach.output.fraction_bits
        result = Signal(f + 1, name=f"rounded{code}")
        up = word[0] & (sticky | word[1]) if self.reach.rounds else Const(0)
        m.d.comb += result.eq(word[1 : f + 1] + up)
        return result

    def _general(
        self, m: Module, depth: Signal, carry: Signal, rounded: dict[int, Value], base: Signal
    ) -> None:
        """Exponents, overflow and NaN of each code."""
        r, given, out = self.reach, self.factor, self.products
        f = r.output.fraction_bits
        below = Signal(range(5))  # how far the level lies below 0
        if r.subnormal:
            m.d.comb += below.eq(Mux(depth > 4, 4, Mux(depth > 0, depth - 1, 0)))
        full, nearly = base[2:].all(), base[2:] == (r.top >> 2) - 1
        for codes in (ONES, THREES):
            for place, code in enumerate(codes):
                steps = Signal(range(5), name=f"steps{code}")
                total = Signal(3, name=f"total{code}")
                over = Signal(name=f"over{code}")
                raised = place + 1 + carry if code in THREES else Const(place)
                if r.subnormal and code != ONES[0]:
                    m.d.comb += steps.eq(Mux(raised > below, raised - below, 0))
                else:
                    m.d.comb += steps.eq(raised)
                m.d.comb += total.eq(base[:2] + steps + rounded[code][f])
                if r.overflow:
                    m.d.comb += over.eq((full & (total >= 3)) | (nearly & (total == 7)) | given.nan)
                else:
                    m.d.comb += over.eq(given.nan)
                m.d.comb += [
                    out.low[code - 1].eq(total[:2] | over.replicate(2)),
                    out.next[code - 1].eq(total[2] & ~full),
                ]
                fraction = rounded[code][:f] & ~over.replicate(f)
                quiet = Cat(Const(0, f - 1), given.nan)
                m.d.comb += out.fraction[code - 1].eq(fraction | quiet)
        assert len(out.next) == MAGNITUDES

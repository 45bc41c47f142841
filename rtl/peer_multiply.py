"""Products of significands, two bits of one of them at a time (spec §25.5, §25.6, §25.7)."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rtl.dot_float import SIGNIFICAND
from rtl.hierarchy import place
from rtl.peer_shapes import PeerShapes
from rtl.ripple import add, subtract, widened

TRIPLE = SIGNIFICAND + 2


def shifted_sum(m: Module, low: Value, high: Value, shift: int, name: str) -> Value:
    """``low + (high << shift)``, one bit wider than the wider of the two."""
    upper = low[shift:]
    width = max(len(upper), len(high))
    return Cat(low[:shift], add(m, widened(upper, width), widened(high, width), name))


class Triple(wiring.Component):
    """Three times a significand, once for all that multiply by it. Combinational.

    Members:
        factor: In.
        triple: Out.
    """

    factor: Signal
    triple: Signal

    def __init__(self) -> None:
        super().__init__({"factor": In(SIGNIFICAND), "triple": Out(TRIPLE)})

    def elaborate(self, platform: object) -> Module:
        """One addition."""
        m = Module()
        m.d.comb += self.triple.eq(shifted_sum(m, self.factor, self.factor, 1, "sum"))
        return m


class Multiply(wiring.Component):
    """``1.fraction`` times a significand of float32, as integers. Combinational.

    Each pair of bits chooses 0, 1, 2 or 3 times the factor: half as many rows of adders as a
    multiplier has that takes one bit after the other.

    Args:
        bits: of the fraction.

    Members:
        fraction: In.
        factor: In, significand with its leading one.
        triple: In, three times that.
        product: Out.
    """

    fraction: Signal
    factor: Signal
    triple: Signal
    product: Signal

    def __init__(self, bits: int) -> None:
        self.bits = bits
        super().__init__(
            {
                "fraction": In(bits),
                "factor": In(SIGNIFICAND),
                "triple": In(TRIPLE),
                "product": Out(bits + 1 + SIGNIFICAND),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """A row per pair of bits, the lowest first."""
        m = Module()
        total, done = self._row(0), []
        for i in range(2, self.bits + 1, 2):
            done.append(total[:2])
            total = add(m, widened(total[2:], TRIPLE), self._row(i), f"row{i}")[:TRIPLE]
        m.d.comb += self.product.eq(Cat(*done, total))
        return m

    def _row(self, i: int) -> Value:
        """The multiple that bits i and i + 1 of the significand choose."""
        once, twice = widened(self.factor, TRIPLE), Cat(Const(0, 1), self.factor, Const(0, 1))
        if i == self.bits:
            return once  # the leading one alone
        low = self.fraction[i]
        if i + 1 == self.bits:
            return Mux(low, self.triple, twice)
        high = self.fraction[i + 1]
        return (
            (once & (low & ~high).replicate(TRIPLE))
            | (twice & (high & ~low).replicate(TRIPLE))
            | (self.triple & (low & high).replicate(TRIPLE))
        )


class Product(wiring.Component):
    """A lane times its block's factor, not yet rounded. Combinational.

    Args:
        shapes: widths.

    Members:
        fraction, exponent: In, the lane's.
        factor, triple: In, the block's.
        origin: In, signed; see `PeerShapes`.
        product: Out, of the significands.
        steps: Out, signed.
    """

    fraction: Signal
    exponent: Signal
    factor: Signal
    triple: Signal
    origin: Signal
    product: Signal
    steps: Signal

    def __init__(self, shapes: PeerShapes) -> None:
        self.shapes = s = shapes
        super().__init__(
            {
                "fraction": In(s.fraction_bits),
                "exponent": In(s.exponent_bits),
                "factor": In(SIGNIFICAND),
                "triple": In(TRIPLE),
                "origin": In(signed(s.origin_bits)),
                "product": Out(s.product_bits),
                "steps": Out(signed(s.steps_bits)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """A multiplier, and a subtraction of exponents."""
        m = Module()
        multiply = Multiply(self.shapes.fraction_bits)
        place(m, platform, "multiply", multiply)
        width = self.shapes.steps_bits
        extended = Signal(width)
        steps, _ = subtract(m, widened(self.exponent, width), extended, "steps_sum", select=False)
        m.d.comb += [
            multiply.fraction.eq(self.fraction),
            multiply.factor.eq(self.factor),
            multiply.triple.eq(self.triple),
            self.product.eq(multiply.product),
            extended.eq(self.origin),  # extends the sign, or drops bits that the steps lack too
            self.steps.eq(steps),
        ]
        return m

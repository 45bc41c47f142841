"""The squared error of a candidate under a tensor scale, as a number to compare (spec §15.4).

With a scale M * 2**(e - F) and g = G * 2**(b - P + 1), T = M * G, Q_i = 2 * q_i and X_i = |x_i| in
units of 2**(e + b - 2 - f), spec §15.4's F(code) is -g * M * gain * 2**(2*e + b - F - 2 - f) with

    gain = sum Q_i * X_i - T * 2**(f - F - P + 1) * sum Q_i**2

so that the smallest error is the largest M * gain, once brought to one exponent e: g is the same
for all candidates of a block and stays away.
"""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rtl.columns import Columns
from rtl.hierarchy import place
from rtl.ripple import add
from rtl.select_scaled_shapes import ScaledSelectShapes

FEW_ROWS = 5
"""Most bits of a factor that gets a row of ANDs for each."""


class ScaledTerm(wiring.Component):
    """What one lane adds to the sums of `ScaledMerit`. Combinational.

    As `rtl.select_error.ErrorTerm`, with a lane's binade counted from the product's own and a bit
    by which that lies above 2**(e + b).

    Args:
        shapes: widths.

    Members:
        fraction: In, of the lane.
        triple: In, three times its significand.
        above: In, binades of the lane above a quarter of the product's.
        carry: In, 1 if the product's binade is not that of 2**(e + b).
        magnitude: In, magnitude code.
        product: Out, Q * X.
        square: Out, Q * Q.
    """

    fraction: Signal
    triple: Signal
    above: Signal
    carry: Signal
    magnitude: Signal
    product: Signal
    square: Signal

    def __init__(self, shapes: ScaledSelectShapes) -> None:
        self.shapes = shapes
        f = shapes.whole_bits
        super().__init__(
            {
                "fraction": In(f),
                "triple": In(f + 3),
                "above": In(shapes.above_bits),
                "carry": In(1),
                "magnitude": In(3),
                "product": Out(shapes.product_bits),
                "square": Out(8),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """The logic of the unit."""
        m = Module()
        # Magnitude codes 1 to 7 are Q = 1, 2, 3, 4, 6, 8, 12.
        c = self.magnitude
        present = Signal()
        odd = Signal()  # three times a power of two
        power = Signal(2)  # its logarithm
        amount = Signal(4)
        factor = Signal(len(self.triple))
        significand = Cat(self.fraction, 1, Const(0, 2))
        m.d.comb += [
            present.eq(c.any()),
            odd.eq(c[0] & (c[1] | c[2])),
            power.eq(Cat((c[1] & ~c[0]) | (c[2] & ~c[1] & c[0]), c[2] & (c[1] | ~c[0]))),
            factor.eq(Mux(odd, self.triple, significand) & present.replicate(len(factor))),
        ]
        squares = (0, 1, 4, 9, 16, 36, 64, 144)
        for bit in range(8):
            codes = [c == code for code in range(1, 8) if squares[code] >> bit & 1]
            m.d.comb += self.square[bit].eq(Cat(*codes).any())
        m.d.comb += [
            amount.eq(self.above + power + self.carry),
            self.product.eq(factor << amount),
        ]
        return m


class ScaledMerit(wiring.Component):
    """The merit of one candidate: the larger, the smaller its error. Combinational.

    Merits of the candidates of one block can be compared; the merit of a zero scale is 0.

    Args:
        shapes: widths.
        lanes: number of lanes.

    Members:
        fraction_<i>, triple_<i>, above_<i>, magnitude_<i>: In, see `ScaledTerm`.
        carry: In, see `ScaledTerm`.
        significand: In, fraction of the scale's; one idle bit if it has none.
        scale: In, the product of the significands of scale and tensor scale.
        peak: In, steps of the largest lane.
        merit: Out.
    """

    fraction: list[Signal]
    triple: list[Signal]
    above: list[Signal]
    magnitude: list[Signal]
    carry: Signal
    significand: Signal
    scale: Signal
    peak: Signal
    merit: Signal

    def __init__(self, shapes: ScaledSelectShapes, lanes: int) -> None:
        self.shapes, self.lanes = shapes, lanes
        f = shapes.whole_bits
        super().__init__(
            {
                "fraction": In(f).array(lanes),
                "triple": In(f + 3).array(lanes),
                "above": In(shapes.above_bits).array(lanes),
                "magnitude": In(3).array(lanes),
                "carry": In(1),
                "significand": In(max(shapes.scale.fraction_bits, 1)),
                "scale": In(shapes.product_scale_bits),
                "peak": In(shapes.steps_bits),
                "merit": Out(shapes.merit_bits),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """The logic of the unit."""
        m = Module()
        s = self.shapes
        squares = Columns(m, "squares", s.squares_bits)
        gains = Columns(m, "gains", s.gain_bits)
        for i in range(self.lanes):
            term = ScaledTerm(s)
            place(m, platform, f"term{i}", term, kind="term")
            m.d.comb += [
                term.fraction.eq(self.fraction[i]),
                term.triple.eq(self.triple[i]),
                term.above.eq(self.above[i]),
                term.carry.eq(self.carry),
                term.magnitude.eq(self.magnitude[i]),
            ]
            squares.add(term.square)
            gains.add(term.product, s.finer)
        # Signals, since a slice of an expression is written out with all of the expression.
        total, gain = Signal(s.squares_bits), Signal(s.gain_bits)
        m.d.comb += total.eq(chain_total(m, squares))
        subtract_product(m, gains, self.scale, total, s.unit)
        m.d.comb += gain.eq(chain_total(m, gains))
        merits = Columns(m, "merits", s.bare_bits)
        for bit, digit in enumerate(Cat(self.significand[: s.scale.fraction_bits], 1)):
            merits.add(gain & digit.replicate(len(gain)), bit)
        merit = Signal(s.bare_bits)
        m.d.comb += [
            merit.eq(chain_total(m, merits)),
            self.merit.eq(self._common(m, merit)),
        ]
        return m

    def _common(self, m: Module, merit: Value) -> Value:
        """The merit in units that all candidates of the block share.

        The exponents of two candidates differ by as much as amax's steps above them; the squared
        error counts that twice. Beyond `plain_steps` the scale saturates, where they are equal.
        """
        s = self.shapes
        lower = range(s.least_steps, s.plain_steps)
        for bit in range((s.plain_steps - s.least_steps).bit_length()):
            some = [self.peak == steps for steps in lower if (s.plain_steps - steps) >> bit & 1]
            shifted = Signal(s.merit_bits, name=f"merit_shifted{bit}")
            m.d.comb += shifted.eq(Mux(Cat(*some).any(), merit << (2 << bit), merit))
            merit = shifted
        return merit


def chain_total(m: Module, columns: Columns) -> Value:
    """The sum, by a chain of carries; see `rtl.ripple`."""
    first, second = columns.rows()
    return add(m, first, second, f"{columns.name}_chain")[:-1]


def subtract_product(m: Module, columns: Columns, a: Value, b: Value, shift: int) -> None:
    """Subtract ``a * b << shift``: a row for each bit of the shorter one, or for each two.

    Two bits and the highest of the two before are a digit from -2 to 2. A row of its multiple has
    more gates than one of ANDs, which pays for itself from some rows on.
    """
    a, b = (a, b) if len(a) >= len(b) else (b, a)
    if len(b) <= FEW_ROWS:
        for bit, digit in enumerate(b):
            columns.subtract(a & digit.replicate(len(a)), shift + bit)
        return
    bits = [Const(0, 1), *b, Const(0, 1), Const(0, 1)]
    for at in range(0, len(b) + 1, 2):
        low, middle, high = bits[at : at + 3]
        one = low ^ middle
        two = (high & ~middle & ~low) | (~high & middle & low)
        width = len(a) + 1
        row = Signal(width, name=f"{columns.name}_row{at}")
        multiple = (a & one.replicate(width)) | ((a << 1) & two.replicate(width))
        m.d.comb += row.eq(multiple ^ (~high).replicate(width))
        columns.add(row, shift + at)
        # Minus a number is its complement and one; its sign counts above the row.
        columns.add(~high, shift + at)
        columns.subtract(~high, shift + at + width)

"""The squared error of a candidate, exactly, as a number to compare (spec §15.2 to §15.4).

With s = M * 2**(e-F) the candidate's scale, M its F + 1 bit significand, Q_i = 2 * q_i and
X_i = |x_i| in units of 2**(e-2-f), spec §15.4's F(code) is -(M * gain) * 2**(2*e-F-2-f) with

    gain = sum Q_i * X_i - M * 2**(f-F) * sum Q_i**2

so that the smallest error is the largest M * gain, once brought to one exponent: the merit.
"""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from rtl.columns import Columns
from rtl.hierarchy import place
from rtl.select_shapes import SelectShapes


class ErrorTerm(wiring.Component):
    """What one lane adds to the sums of `Merit`. Combinational.

    Twice an E2M1 magnitude is a power of two or three times one, so that Q * X is the significand
    or its triple, shifted: by Q's power of two and by the lane's binade together.

    Args:
        shapes: widths.

    Members:
        significand: In, of the lane, its leading one included.
        triple: In, three times the significand.
        steps: In, 1 for a lane in the binade of a quarter of 2**e, and so on.
        magnitude: In, magnitude code.
        product: Out, Q * X.
        square: Out, Q * Q.
    """

    significand: Signal
    triple: Signal
    steps: Signal
    magnitude: Signal
    product: Signal
    square: Signal

    def __init__(self, shapes: SelectShapes) -> None:
        self.shapes = shapes
        f = shapes.whole_bits
        super().__init__(
            {
                "significand": In(f + 1),
                "triple": In(f + 3),
                "steps": In(shapes.steps_bits),
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
        m.d.comb += [
            present.eq(c.any()),
            odd.eq(c[0] & (c[1] | c[2])),
            power.eq(Cat((c[1] & ~c[0]) | (c[2] & ~c[1] & c[0]), c[2] & (c[1] | ~c[0]))),
            factor.eq(Mux(odd, self.triple, self.significand) & present.replicate(len(factor))),
        ]
        squares = (0, 1, 4, 9, 16, 36, 64, 144)
        for bit in range(8):
            codes = [c == code for code in range(1, 8) if squares[code] >> bit & 1]
            m.d.comb += self.square[bit].eq(Cat(*codes).any())
        m.d.comb += [
            amount.eq(self.steps + power - 1),
            self.product.eq(factor << amount),
        ]
        return m


class Merit(wiring.Component):
    """The merit of one candidate: the larger, the smaller its error. Combinational.

    Merits of the candidates of one block can be compared; the merit of a zero scale is 0.

    Args:
        shapes: widths.
        lanes: number of lanes.

    Members:
        significand_<i>, triple_<i>, steps_<i>, magnitude_<i>: In, see `ErrorTerm`.
        fraction: In, that of the candidate's significand; one idle bit if it has none.
        peak: In, three bits of the steps of the largest lane.
        merit: Out.
    """

    significand: list[Signal]
    triple: list[Signal]
    steps: list[Signal]
    magnitude: list[Signal]
    fraction: Signal
    peak: Signal
    merit: Signal

    def __init__(self, shapes: SelectShapes, lanes: int) -> None:
        self.shapes, self.lanes = shapes, lanes
        f = shapes.whole_bits
        super().__init__(
            {
                "significand": In(f + 1).array(lanes),
                "triple": In(f + 3).array(lanes),
                "steps": In(shapes.steps_bits).array(lanes),
                "magnitude": In(3).array(lanes),
                "fraction": In(max(shapes.scale.fraction_bits, 1)),
                "peak": In(3),
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
            term = ErrorTerm(s)
            place(m, platform, f"term{i}", term, kind="term")
            m.d.comb += [
                term.significand.eq(self.significand[i]),
                term.triple.eq(self.triple[i]),
                term.steps.eq(self.steps[i]),
                term.magnitude.eq(self.magnitude[i]),
            ]
            squares.add(term.square)
            gains.add(term.product)
        total = squares.total()
        unit = s.whole_bits - s.scale.fraction_bits
        significand = Cat(self.fraction[: s.scale.fraction_bits], 1)
        for bit, digit in enumerate(significand):
            gains.subtract(total & digit.replicate(len(total)), unit + bit)
        gain = gains.total()
        merits = Columns(m, "merits", s.bare_bits)
        for bit, digit in enumerate(significand):
            merits.add(gain & digit.replicate(len(gain)), bit)
        m.d.comb += self.merit.eq(self._common(merits.total()))
        return m

    def _common(self, merit: Value) -> Value:
        """The merit in units that all candidates of the block share.

        The exponents of two candidates differ by as much as amax's steps above them; the squared
        error counts that twice. Beyond 6 steps the scale saturates, where exponents are equal.
        """
        s = self.shapes
        result = merit
        for steps in range(3, s.plain_steps):
            shift = 2 * (s.plain_steps - steps)
            result = Mux(self.peak == steps, merit << shift, result)
        return result[: s.merit_bits]


def lane_layout(shapes: SelectShapes) -> data.StructLayout:
    """A lane behind cut a: sign, lane exponent and the whole fraction."""
    return data.StructLayout(
        {"whole": shapes.whole_bits, "exponent": shapes.lanes.exponent_bits, "sign": 1}
    )

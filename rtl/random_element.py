"""Element that rounds at random, without multiplier by the scale's reciprocal (spec §19.2)."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from rtl.random_shapes import RandomShapes
from rtl.ripple import add, at_least, subtract, widened


class RandomElement(wiring.Component):
    """Adds R * s / 2**k to the number and rounds down, all in units of s / 2**k. Combinational.

    The number is first divided by the distance d of its two neighbours, a power of two, so that it
    lies between two of 0 to 4 times s: there are four limits in place of seven. Bits below
    2**-k of the scale's last bit cannot change the sum's whole part.

    Args:
        shapes: widths.

    Members:
        lane: In, `RandomShapes.random_lane`.
        thresholds: In, `Shapes.thresholds`; only ``origin``, ``n1``, ``none``, ``nan`` count.
        draw: In, the random number R.
        code: Out, the element code; its sign is the lane's (spec §9.2) but in a NaN block.
    """

    lane: data.View
    thresholds: data.View
    draw: Signal
    code: Signal

    def __init__(self, shapes: RandomShapes) -> None:
        self.shapes = shapes
        super().__init__(
            {
                "lane": In(shapes.random_lane),
                "thresholds": In(shapes.thresholds),
                "draw": In(shapes.bits),
                "code": Out(4),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """The logic of the unit."""
        m = Module()
        s, lane, t = self.shapes, self.lane, self.thresholds
        k, f, kept = s.bits, s.scale.fraction_bits, s.kept_bits
        scale = Cat(t.n1, 1)

        # Binades of the lane above twice that of the scale, and whether it has reached as many
        # doublings of the scale.
        width = s.exponent_bits + 1
        origin = Signal(width)
        m.d.comb += origin.eq(t.origin + 4)
        above, high = subtract(m, widened(lane.exponent, width), origin, "above")
        reach1 = Signal()
        top = lane.fraction[kept - f :] if kept >= f else Cat(Const(0, f - kept), lane.fraction)
        m.d.comb += reach1.eq(at_least(top, t.n1))

        # The lane over d, in units of s / 2**k / M, M the scale's significand, rounded down.
        bits = f + k + 3
        whole = Signal(bits)
        some = lane.exponent.any()
        number = Cat(Const(0, bits - 1 - kept), lane.fraction, 1)
        m.d.comb += whole.eq(number & some.replicate(bits))
        halved = Signal(bits)
        down = Signal(width)
        m.d.comb += [
            halved.eq(Mux(high & ~reach1, whole, whole >> 1)),
            down.eq(~above & (~high).replicate(width)),
        ]
        shifted: Value = halved
        levels = (bits - 1).bit_length()
        for level in range(min(levels, width)):
            after = Signal(bits, name=f"shifted{level}")
            m.d.comb += after.eq(Mux(down[level], shifted >> (1 << level), shifted))
            shifted = after
        gone = down[levels:].any() if width > levels else Const(0, 1)

        total = self._sum(m, shifted & (~gone).replicate(bits), scale)
        wholes = total[k:]  # in units of s / M
        size = len(wholes)
        triple = add(m, widened(scale, f + 2), Cat(Const(0, 1), scale), "triple")
        reached = Signal(4)
        multiples = (scale, Cat(Const(0, 1), scale), triple, Cat(Const(0, 2), scale))
        m.d.comb += reached.eq(
            Cat(*(at_least(wholes, widened(multiple, size)) for multiple in multiples))
        )
        # Codes 0 to 4 for d = 1/2, 4 to 6 for d = 1, 6 and 7 for d = 2.
        count, code = Signal(3), Signal(4)
        doublings = Signal(2)
        beyond = Signal()
        over = above[2:].any() | (above[0] & above[1]) | (above[1] & reach1)
        infinite = lane.exponent.all()
        m.d.comb += [
            count.eq(reached[0] + reached[1] + reached[2] + reached[3]),
            doublings.eq(Mux(high, above[:2] + reach1, 0)),
            beyond.eq((high & over) | infinite),
            code.eq(count + (doublings << 1)),
        ]
        full = beyond | code[3] | code[:3].all()
        magnitude = (code[:3] | full.replicate(3)) & (~t.none).replicate(3)
        m.d.comb += self.code.eq(Cat(magnitude, lane.sign & ~t.nan))
        return m

    def _sum(self, m: Module, number: Value, scale: Value) -> Value:
        """The number and R times M."""
        total = widened(number, len(number) + 1)
        width = len(total)
        for bit in range(len(scale)):
            row = self.draw & scale[bit].replicate(self.shapes.bits)
            upper = add(m, total[bit:], widened(row, width - bit), f"row{bit}")
            total = Cat(total[:bit], upper[:-1])
        return total

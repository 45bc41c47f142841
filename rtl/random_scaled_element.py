"""Element that rounds at random under scale and tensor scale, no divider (spec §19.2, §26.4)."""

from __future__ import annotations

from collections.abc import Mapping

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from rtl.bits import aligned
from rtl.hierarchy import place
from rtl.random_scaled_shapes import RandomScaledShapes
from rtl.ripple import add, at_least, subtract, widened
from rtl.scaled_unpack import Normalise


class RandomScaledElement(wiring.Component):
    """Compares a number with the limit of its random number, a multiple of s * g / 2**k.

    The number is first divided by the distance d of its two neighbours, a power of two, so that it
    lies between two of 0 to 4 times s * g; two short comparisons tell which. Combinational.

    Args:
        shapes: widths.

    Members:
        x: In, the number's bits.
        thresholds: In, `RandomScaledShapes.thresholds`.
        draw: In, the random number R.
        code: Out, the element code; its sign is the number's (spec §9.2) but in a NaN block.
    """

    x: Signal
    thresholds: data.View
    draw: Signal
    code: Signal

    def __init__(self, shapes: RandomScaledShapes) -> None:
        self.shapes = shapes
        super().__init__(
            {
                "x": In(shapes.input.width),
                "thresholds": In(shapes.thresholds),
                "draw": In(shapes.bits),
                "code": Out(4),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """The logic of the unit."""
        m = Module()
        s, t = self.shapes, self.thresholds
        normalise = Normalise(s)
        place(m, platform, "normalise", normalise)
        m.d.comb += normalise.magnitude.eq(self.x[:-1])
        lane = normalise.number

        # Binades of the lane above twice that of s * g, and whether it has reached as many
        # doublings of it.
        width = s.origin_bits
        origin = Signal(width)
        m.d.comb += origin.eq(t.origin + 4)
        above, high = subtract(m, widened(lane.exponent, width), origin, "above")
        reach1 = Signal()
        m.d.comb += reach1.eq(1 if s.powers else self._reached(lane.fraction, 1))
        down = Signal(width)
        quarter = Signal()  # the number over d lies between 2 and 4, in the upper binade
        doublings = Signal(2)
        m.d.comb += [
            down.eq(~above & (~high).replicate(width)),
            quarter.eq(high & ~reach1),
            doublings.eq(Mux(high, above[:2] + reach1, 0)),
        ]
        number = self._number(m, lane, quarter, down)
        count, code = Signal(3), Signal(4)
        if s.powers:
            m.d.comb += count.eq(add(m, number, widened(self.draw, len(number)), "sum")[s.bits :])
        else:
            lower = self._lower(m, lane.fraction, high, down, reach1)
            m.d.comb += count.eq(lower + self._up(m, number, lower))

        # Codes 0 to 4 for d = 1/2, 4 to 6 for d = 1, 6 and 7 for d = 2.
        beyond = Signal()
        over = above[2:].any() | (above[0] & above[1]) | (above[1] & reach1)
        m.d.comb += [
            beyond.eq((high & over) | lane.exponent.all()),
            code.eq(count + (doublings << 1)),
        ]
        full = beyond | code[3] | code[:3].all()
        some = (lane.some & ~t.none).replicate(3)
        m.d.comb += self.code.eq(Cat((code[:3] | full.replicate(3)) & some, self.x[-1] & ~t.nan))
        return m

    def _reached(self, fraction: Value, k: int) -> Value:
        """Whether a fraction has reached that of k times the product, of which bits are cut off."""
        t = self.thresholds
        a, b = aligned(fraction, getattr(t, f"n{k}"))
        return at_least(a, b, strict=getattr(t, f"beyond{k}") if self.shapes.cut(k) else 0)

    def _lower(self, m: Module, fraction: Value, high: Value, down: Value, reach1: Value) -> Signal:
        """The whole part of the number over d, from 0 to 3."""
        carry3 = self.thresholds.carry3
        lower = Signal(2)
        reach3, first, second = Signal(), Signal(), Signal()
        m.d.comb += [
            reach3.eq(self._reached(fraction, 3)),
            first.eq(~high & ~down.any()),  # between 1 and 4
            second.eq(down[0] & ~down[1:].any()),  # between 1/2 and 2
            lower[1].eq(high | (first & reach1)),
            lower[0].eq(
                Mux(
                    lower[1],
                    Mux(reach1, reach3 & ~carry3, reach3 | ~carry3),
                    first | (second & reach1),
                )
            ),
        ]
        return lower

    def _number(self, m: Module, lane: data.View, quarter: Value, down: Value) -> Value:
        """The lane over d, in units of 2**-k of the product's last bit, and cut off there.

        Where the product is the longer one, bits below the lane's last are left out.
        """
        s, f = self.shapes, self.shapes.input.fraction_bits
        bits = s.number_bits
        significand = Cat(lane.fraction, lane.some)
        spare = bits - f - 1
        whole = Cat(Const(0, spare), significand) if spare >= 0 else significand[-spare:]
        halved = Signal(bits)
        m.d.comb += halved.eq(Mux(quarter, whole, whole >> 1))
        shifted: Value = halved
        levels = min((s.bits + 1).bit_length(), len(down))
        for level in range(levels):
            after = Signal(bits, name=f"shifted{level}")
            m.d.comb += after.eq(Mux(down[level], shifted >> (1 << level), shifted))
            shifted = after
        gone = down[levels:].any() if len(down) > levels else Const(0, 1)
        return shifted & (~gone).replicate(bits)

    def _up(self, m: Module, number: Value, lower: Value) -> Value:
        """Whether the number has reached ((lower + 1) * 2**k - R) times the product.

        That factor is 1 more than lower with ~R behind it; four multiples of the product make a
        row of each two bits of it, the lowest of which have the 1 in them.
        """
        s, t = self.shapes, self.thresholds
        size = s.product_bits + 3
        factor = Cat(~self.draw, lower)
        one = widened(Cat(t.product, 1), size)
        two, four = (one << 1)[:size], (one << 2)[:size]
        rows = [self._choice(m, "row0", factor[:2], {0: one, 1: two, 2: t.triple, 3: four})]
        for at in range(2, len(factor), 2):
            multiples = {1: one, 2: two, 3: t.triple}
            rows.append(self._choice(m, f"row{at}", factor[at : at + 2], multiples))
        total: Value = rows[0]
        for i, row in enumerate(rows[1:-1], 1):
            upper = add(m, widened(total[2 * i :], size), row, f"total{i}")
            total = Cat(total[: 2 * i], upper[:-1])

        # Of the bits below the number's last one nothing but their carry and, elsewhere, whether
        # there are any is of use.
        at, width = 2 * (len(rows) - 1), s.product_bits + s.bits + 3
        cut = width - s.number_bits
        last = Cat(Const(0, at), rows[-1])[:width]
        total = widened(total, width)
        carry: Value = Const(0, 1)
        for i in range(at, cut):
            carry = (total[i] & last[i]) | ((total[i] | last[i]) & carry)
        limit = add(m, total[cut:], last[cut:], "limit", carry=carry)[:-1]
        return at_least(number, limit, strict=~self._whole(factor) if cut else 0)

    def _whole(self, factor: Value) -> Value:
        """Whether the limit has no bits below the number's last one.

        It ends in as many zeros as its two factors together; one of them, ~R and more plus 1, in
        as many as there are ones at the end before 1 is added.
        """
        zeros = self.thresholds.zeros
        found: Value = zeros[-1]
        for i in range(1, len(zeros)):
            found = found | (factor[:i].all() & zeros[-1 - i])
        return found

    def _choice(self, m: Module, name: str, digit: Value, rows: Mapping[int, Value]) -> Signal:
        """The multiple of a digit of two bits, or of one, and 0 where there is none."""
        size = self.shapes.product_bits + 3
        row = Signal(size, name=name)
        chosen: Value = Const(0, size)
        for value, multiple in rows.items():
            if value < 1 << len(digit):
                chosen = chosen | (multiple & (digit == value).replicate(size))
        m.d.comb += row.eq(chosen)
        return row

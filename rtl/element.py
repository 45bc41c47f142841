"""Element: the E2M1 code of one lane, without multiplier or divider (spec §6, §9)."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from rtl.bits import aligned, thermometer_value
from rtl.shapes import Shapes


class Element(wiring.Component):
    """Counts the thresholds of spec §9's lemma that a lane has reached.

    The exponent difference of lane and scale leaves at most four thresholds open, each in the
    lane's own binade; the lane's fraction decides them. Combinational.

    Args:
        shapes: widths.

    Members:
        lane: In, `Shapes.lane`.
        thresholds: In, `Shapes.thresholds`.
        code: Out, the element code; its sign is the lane's (spec §9.2) but in a NaN block.
    """

    lane: data.View
    thresholds: data.View
    code: Signal

    def __init__(self, shapes: Shapes) -> None:
        self.shapes = shapes
        super().__init__(
            {"lane": In(shapes.lane), "thresholds": In(shapes.thresholds), "code": Out(4)}
        )

    def elaborate(self, platform: object) -> Module:
        """The logic of the unit."""
        m = Module()
        lane, t = self.lane, self.thresholds

        # Ties go to the even code: the thresholds m and 5m are passed, 3m and 7m are reached.
        beyond1 = Signal()
        reach3 = Signal()
        beyond5 = Signal()
        reach7 = Signal()
        fine = Cat(lane.sticky, lane.fraction)
        for result, fraction, multiple in (
            (beyond1, fine, t.n1),
            (reach3, lane.fraction, t.n3),
            (beyond5, fine, t.n5),
            (reach7, lane.fraction, t.n7),
        ):
            a, b = aligned(fraction, multiple)
            m.d.comb += result.eq(a > b if fraction is fine else a >= b)
        # k/4 of the scale lies in the lane's binade, or one higher if it carries; k/8 one lower.
        low3 = Signal()
        low5 = Signal()
        low7 = Signal()
        high3 = Signal()
        high5 = Signal()
        high7 = Signal()
        for low, high, reached, carry in (
            (low3, high3, reach3, t.carry3),
            (low5, high5, beyond5, t.carry5),
            (low7, high7, reach7, t.carry7),
        ):
            m.d.comb += [low.eq(reached | ~carry), high.eq(reached & ~carry)]

        steps, positive = self._steps(m)
        magnitude = Signal(3)
        top = Signal()
        level = [
            thermometer_value(reached, first, 3)
            for first, reached in (
                (0, []),
                (0, [beyond1]),
                (1, [high3]),
                (1, [low3, high5, high7]),
                (2, [low5, low7, high5, high7]),
                (4, [low5, low7, high5]),
                (6, [low5]),
                (7, []),
            )
        ]
        for select in steps[:3]:
            level = [Mux(select, *pair[::-1]) for pair in zip(level[::2], level[1::2], strict=True)]
        m.d.comb += magnitude.eq(level[0])
        m.d.comb += top.eq(self._top(steps))
        m.d.comb += self.code.eq(
            Cat((magnitude | top.replicate(3)) & positive.replicate(3), lane.sign & ~t.nan)
        )
        return m

    def _steps(self, m: Module) -> tuple[Value, Value]:
        """Steps, and whether they are not negative.

        Lane / scale lies in the binade from 2**(steps - 3) on.
        """
        lane, t = self.lane, self.thresholds
        steps = Signal(self.shapes.exponent_bits)
        positive = Signal()
        m.d.comb += [
            steps.eq(lane.exponent - t.origin),
            positive.eq(lane.exponent >= t.origin),
        ]
        return steps, positive

    def _top(self, steps: Value) -> Value:
        """Whether the code is 7 at these steps, or that of infinity, under every scale."""
        # Infinity is 7 under every scale (spec §6.2).
        implied = self.shapes.infinity_implied
        infinite = 0 if implied else self.lane.exponent.all() & ~self.thresholds.none
        return steps[3:].any() | infinite

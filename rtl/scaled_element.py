"""Element under a tensor scale: the E2M1 code of one lane (spec §9, §14.7)."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from rtl.bits import aligned
from rtl.hierarchy import place
from rtl.ripple import at_least, subtract
from rtl.scaled_shapes import MULTIPLES, ScaledShapes
from rtl.scaled_unpack import Normalise


class ScaledElement(wiring.Component):
    """Counts the thresholds that a number has reached, as `rtl.element.Element` does.

    Args:
        shapes: widths.

    Members:
        x: In, the input's bits.
        thresholds: In, `ScaledShapes.thresholds`.
        code: Out, the element code; its sign is the number's (spec §9.2) but in a NaN block.
    """

    x: Signal
    thresholds: data.View
    code: Signal

    def __init__(self, shapes: ScaledShapes) -> None:
        self.shapes = shapes
        super().__init__(
            {"x": In(shapes.input.width), "thresholds": In(shapes.thresholds), "code": Out(4)}
        )

    def elaborate(self, platform: object) -> Module:
        """The logic of the unit."""
        m = Module()
        t, s = self.thresholds, self.shapes
        normalise = Normalise(s)
        place(m, platform, "normalise", normalise)
        lane = normalise.number
        m.d.comb += normalise.magnitude.eq(self.x[:-1])

        reached = {k: Signal(name=f"reached{k}") for k in MULTIPLES}
        for k in MULTIPLES:
            m.d.comb += reached[k].eq(self._reached(lane.fraction, k))
        # k/4 of the scale lies in the lane's binade, or one higher if it carries; k/8 one lower.
        low = {k: Signal(name=f"low{k}") for k in MULTIPLES[1:]}
        high = {k: Signal(name=f"high{k}") for k in MULTIPLES[1:]}
        for k in MULTIPLES[1:]:
            carry = getattr(t, f"carry{k}")
            m.d.comb += [low[k].eq(reached[k] | ~carry), high[k].eq(reached[k] & ~carry)]

        # Lane / (scale * tensor scale) lies in the binade from 2**(steps - 3) on.
        steps, not_negative = subtract(m, lane.exponent, t.origin, "steps", select=False)
        positive = Signal()
        m.d.comb += positive.eq(not_negative & lane.some)
        passed = self._passed(m, steps[:3], reached, low, high)
        magnitude = Cat(
            passed[0] & ~passed[1] | passed[2] & ~passed[3] | passed[4] & ~passed[5] | passed[6],
            passed[1] & ~passed[3] | passed[5],
            passed[3],
        )
        top = Signal()
        m.d.comb += [
            # Infinity is 7 under every scale (spec §6.2).
            top.eq(steps[3:].any() | (lane.exponent.all() & ~t.none)),
            self.code.eq(
                Cat((magnitude | top.replicate(3)) & positive.replicate(3), self.x[-1] & ~t.nan)
            ),
        ]
        return m

    def _passed(
        self,
        m: Module,
        steps: Value,
        reached: dict[int, Signal],
        low: dict[int, Signal],
        high: dict[int, Signal],
    ) -> list[Value]:
        """For each threshold, from the lowest, whether a lane of so many steps has passed it."""
        at = [Signal(name=f"at{i}") for i in range(8)]
        up = [Signal(name=f"from{i}") for i in range(8)]
        for i in range(8):
            m.d.comb += [at[i].eq(steps == i), up[i].eq(steps >= i)]

        def open_at(first: int, k: int) -> Value:
            # Without a carry the threshold lies in binade `first`, with one in the next.
            return up[first + 1] & (up[first + 2] | low[k]) | at[first] & high[k]

        return [
            up[2] | at[1] & reached[1],
            open_at(2, 3),
            open_at(3, 5),
            open_at(3, 7),
            open_at(4, 5),
            open_at(4, 7),
            open_at(5, 5),
        ]

    def _reached(self, fraction: Value, k: int) -> Value:
        """Whether a number in the threshold's binade has reached it (ties to the even code)."""
        s, t = self.shapes, self.thresholds
        a, b = aligned(fraction, getattr(t, f"n{k}"))
        if k in (1, 5):
            return at_least(a, b, strict=1)
        return at_least(a, b, strict=getattr(t, f"beyond{k}") if s.cut(k) else 0)

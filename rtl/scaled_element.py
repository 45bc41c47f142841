"""Element under a tensor scale: the E2M1 code of one lane (spec §9, §14.7)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from rtl.bits import aligned
from rtl.hierarchy import place
from rtl.ripple import at_least, subtract
from rtl.scaled_shapes import MULTIPLES, ScaledShapes
from rtl.scaled_unpack import Normalise


class CountingElement(wiring.Component):
    """Counts the thresholds that a number has reached, as `rtl.element.Element` does.

    Args:
        shapes: widths.
        ports: those beside ``thresholds``.

    Members:
        thresholds: In, `ScaledShapes.thresholds`.
    """

    thresholds: data.View

    def __init__(self, shapes: ScaledShapes, ports: Mapping[str, Any]) -> None:
        self.shapes = shapes
        super().__init__({**ports, "thresholds": In(shapes.thresholds)})

    def magnitude(self, m: Module, fraction: Value, steps: Value, first: int = 0) -> Value:
        """The magnitude code of a number that is not below a quarter of s * g.

        Args:
            m: the module.
            fraction: of the number.
            steps: three bits; with ``first`` added, the number's binades above the origin.
            first: see ``steps``.
        """
        t = self.thresholds
        reached = {k: Signal(name=f"reached{k}") for k in MULTIPLES}
        for k in MULTIPLES:
            m.d.comb += reached[k].eq(self._reached(fraction, k))
        # k/4 of the scale lies in the lane's binade, or one higher if it carries; k/8 one lower.
        low = {k: Signal(name=f"low{k}") for k in MULTIPLES[1:]}
        high = {k: Signal(name=f"high{k}") for k in MULTIPLES[1:]}
        for k in MULTIPLES[1:]:
            carry = getattr(t, f"carry{k}")
            m.d.comb += [low[k].eq(reached[k] | ~carry), high[k].eq(reached[k] & ~carry)]

        passed = self._passed(m, steps, first, reached, low, high)
        return Cat(
            passed[0] & ~passed[1] | passed[2] & ~passed[3] | passed[4] & ~passed[5] | passed[6],
            passed[1] & ~passed[3] | passed[5],
            passed[3],
        )

    def _passed(
        self,
        m: Module,
        steps: Value,
        first: int,
        reached: dict[int, Signal],
        low: dict[int, Signal],
        high: dict[int, Signal],
    ) -> list[Value]:
        """For each threshold, from the lowest, whether a lane of so many steps has passed it."""
        at = [Signal(name=f"at{i}") for i in range(8)]
        up = [Signal(name=f"from{i}") for i in range(8)]
        for i in range(first, 8):
            m.d.comb += [at[i].eq(steps == i - first), up[i].eq(steps >= i - first)]

        def open_at(binade: int, k: int) -> Value:
            # Without a carry the threshold lies in that binade, with one in the next.
            return up[binade + 1] & (up[binade + 2] | low[k]) | at[binade] & high[k]

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


class ScaledElement(CountingElement):
    """The element code of a number as it came. Combinational.

    Args:
        shapes: widths.

    Members:
        x: In, the input's bits.
        thresholds: In, `ScaledShapes.thresholds`.
        code: Out, the element code; its sign is the number's (spec §9.2) but in a NaN block.
    """

    x: Signal
    code: Signal

    def __init__(self, shapes: ScaledShapes) -> None:
        super().__init__(shapes, {"x": In(shapes.input.width), "code": Out(4)})

    def elaborate(self, platform: object) -> Module:
        """The logic of the unit."""
        m = Module()
        t = self.thresholds
        normalise = Normalise(self.shapes)
        place(m, platform, "normalise", normalise)
        lane = normalise.number
        m.d.comb += normalise.magnitude.eq(self.x[:-1])

        # Lane / (scale * tensor scale) lies in the binade from 2**(steps - 3) on.
        steps, not_negative = subtract(m, lane.exponent, t.origin, "steps", select=False)
        positive = Signal()
        top = Signal()
        magnitude = self.magnitude(m, lane.fraction, steps[:3])
        m.d.comb += [
            positive.eq(not_negative & lane.some),
            # Infinity is 7 under every scale (spec §6.2).
            top.eq(steps[3:].any() | (lane.exponent.all() & ~t.none)),
            self.code.eq(
                Cat((magnitude | top.replicate(3)) & positive.replicate(3), self.x[-1] & ~t.nan)
            ),
        ]
        return m

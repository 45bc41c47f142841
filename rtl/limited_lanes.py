"""Lanes by their distance from amax: how the choice and the elements see them (spec §9, §17.1).

A lane's exponent is compared with amax once. Both what is chosen by and the element code under
the scale that was chosen follow from `below`, which has three bits in place of an exponent's six.
"""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from rtl.element import Element
from rtl.hierarchy import place
from rtl.limited_shapes import LimitedShapes
from rtl.ripple import subtract
from rtl.thresholds import ThresholdGenerator


def reference_of(shapes: LimitedShapes, amax: data.View) -> Value:
    """The lane exponent that `below` counts from: of amax, but no more than `saturation`."""
    last = shapes.saturation
    return amax.exponent if last is None else Mux(amax.exponent > last, last, amax.exponent)


class Below(wiring.Component):
    """Binades of a lane below the reference. Combinational.

    Args:
        shapes: widths.

    Members:
        reference: In, see `reference_of`.
        exponent: In, lane exponent.
        below: Out, 0 for a lane above the reference; all ones for so many and more.
    """

    reference: Signal
    exponent: Signal
    below: Signal

    def __init__(self, shapes: LimitedShapes) -> None:
        self.shapes = shapes
        width = shapes.lanes.exponent_bits
        super().__init__(
            {"reference": In(width), "exponent": In(width), "below": Out(shapes.below_bits)}
        )

    def elaborate(self, platform: object) -> Module:
        """The logic of the unit."""
        m = Module()
        bits = self.shapes.below_bits
        difference, not_negative = subtract(
            m, self.reference, self.exponent, "difference", select=False
        )
        far = difference[bits:].any()
        below = difference[:bits] | far.replicate(bits)
        if self.shapes.saturation is not None:
            below = below & not_negative.replicate(bits)
        m.d.comb += self.below.eq(below)
        return m


class NearThresholds(wiring.Component):
    """What the elements of a block share: thresholds, and the steps of the reference.

    Combinational.

    Args:
        shapes: widths.

    Members:
        scale: In, the stored scale code.
        reference: In, see `reference_of`.
        infinite: In, whether amax is infinite or NaN.
        thresholds: Out, `LimitedShapes.thresholds`; ``peak`` is 0 where all magnitude codes are.
    """

    scale: Signal
    reference: Signal
    infinite: Signal
    thresholds: data.View

    def __init__(self, shapes: LimitedShapes) -> None:
        self.shapes = shapes
        super().__init__(
            {
                "scale": In(shapes.scale.storage_bits),
                "reference": In(shapes.lanes.exponent_bits),
                "infinite": In(1),
                "thresholds": Out(shapes.thresholds),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """The logic of the unit."""
        m = Module()
        generator = ThresholdGenerator(self.shapes.lanes)
        place(m, platform, "generator", generator, kind="thresholds")
        given, out = generator.thresholds, self.thresholds
        m.d.comb += generator.scale.eq(self.scale)
        for field, _ in self.shapes.lanes.thresholds:
            if field != "origin":
                m.d.comb += out[field].eq(given[field])
        # An origin of all ones, where no code is above 0, exceeds every reference or equals it.
        peak, not_negative = subtract(m, self.reference, given.origin, "peak")
        m.d.comb += [
            out.peak.eq(peak[:3] & not_negative.replicate(3)),
            out.infinite.eq(self.infinite & ~given.none),
        ]
        return m


class NearElement(Element):
    """`rtl.element.Element` for a lane with `below`.

    Args:
        shapes: widths.

    Members:
        lane: In, `LimitedShapes.near` with the fraction bits of an element.
        thresholds: In, `LimitedShapes.thresholds`.
        code: Out, the element code; its sign is the lane's (spec §9.2) but in a NaN block.
    """

    def __init__(self, shapes: LimitedShapes) -> None:
        self.shapes = shapes.lanes
        self._near = shapes
        lane = {k: v.shape for k, v in shapes.near} | {"fraction": shapes.lanes.fraction_bits}
        wiring.Component.__init__(
            self,
            {
                "lane": In(data.StructLayout(lane)),
                "thresholds": In(shapes.thresholds),
                "code": Out(4),
            },
        )

    def _steps(self, m: Module) -> tuple[Value, Value]:
        peak = Cat(self.thresholds.peak, Const(0, self._near.below_bits - 3))
        return subtract(m, peak, self.lane.below, "steps", select=False)

    def _top(self, steps: Value) -> Value:
        # No lane is more than 7 steps above the origin; infinite ones stand at the reference.
        if self.shapes.infinity_implied:
            return Const(0, 1)
        return self.thresholds.infinite & ~self.lane.below.any()

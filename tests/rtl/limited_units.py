"""Parts of quantizers with limited width behind plain ports, whose whole spaces can be walked."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Const, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rtl.element import Element
from rtl.limited_cells import TableOfAmax
from rtl.limited_error import LimitedMerit, Limits, NearestCode, tripled
from rtl.limited_lanes import Below, NearElement, NearThresholds, reference_of
from rtl.limited_scaled import ScaledAmax, ScaledNear, reference_bits
from rtl.limited_shapes import LimitedShapes
from rtl.limited_table import CELLS
from rtl.thresholds import ThresholdGenerator


class Tables(wiring.Component):
    """`TableOfAmax`, its table in two ports that a netlist can give."""

    def __init__(self, shapes: LimitedShapes) -> None:
        self.shapes = shapes
        super().__init__(
            {
                "amax": In(shapes.lanes.key.size),
                "low": Out(4 * 12),
                "high": Out(4 * (CELLS - 13)),
                "six": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.unit = unit = TableOfAmax(self.shapes)
        me: Any = self
        m.d.comb += [
            unit.amax.as_value().eq(me.amax),
            Cat(me.low, me.high).eq(unit.table),
            me.six.eq(unit.six),
        ]
        return m


class OneLane(wiring.Component):
    """Blocks of one lane, its value twice: its magnitude and merit under a scale code."""

    def __init__(self, shapes: LimitedShapes) -> None:
        self.shapes = shapes
        super().__init__(
            {
                "scale": In(shapes.scale.storage_bits),
                "reference": In(shapes.lanes.exponent_bits),
                "seen": In(shapes.bits),
                "magnitude": Out(3),
                "merit": Out(shapes.merit_bits),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        me: Any = self
        s = self.shapes
        m.submodules.limits = limits = Limits(s)
        m.submodules.nearest = nearest = NearestCode(s)
        m.submodules.merit = merit = LimitedMerit(s)
        once = Signal(s.bits + 1)
        m.d.comb += [
            limits.scale.eq(me.scale),
            limits.reference.eq(me.reference),
            nearest.seen.eq(me.seen),
            once.eq(Cat(Const(1, 1), me.seen)),
            merit.fraction.eq(limits.fraction),
            merit.shift.eq(limits.shift),
            me.magnitude.eq(nearest.magnitude),
            me.merit.eq(merit.merit),
        ]
        m.d.comb += [a.eq(b) for a, b in zip(nearest.limits, limits.limits, strict=True)]
        triple = tripled(m, "triple", once)
        for i in range(s.block_size):
            m.d.comb += [
                merit.once[i].eq(once),
                merit.triple[i].eq(triple),
                merit.magnitude[i].eq(nearest.magnitude),
            ]
        return m


class OneAmax(wiring.Component):
    """`ScaledAmax` with plain ports."""

    def __init__(self, shapes: LimitedShapes) -> None:
        self.shapes = shapes
        assert shapes.scaled is not None
        super().__init__(
            {
                "largest": In(shapes.scaled.key.size),
                "g": In(shapes.scaled.g.size),
                "amax": Out(shapes.lanes.key.size),
                "reference": Out(shapes.lanes.exponent_bits),
                "start": Out(reference_bits(shapes)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        me: Any = self
        m.submodules.unit = unit = ScaledAmax(self.shapes)
        m.d.comb += [
            unit.largest.as_value().eq(me.largest),
            unit.g.as_value().eq(me.g),
            me.amax.eq(unit.amax.as_value()),
            me.reference.eq(unit.reference),
            me.start.eq(unit.start),
        ]
        return m


class OneNear(wiring.Component):
    """`below` of `ScaledNear`."""

    def __init__(self, shapes: LimitedShapes) -> None:
        self.shapes = shapes
        super().__init__(
            {
                "x": In(shapes.input_bits),
                "start": In(reference_bits(shapes)),
                "below": Out(shapes.below_bits),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        me: Any = self
        m.submodules.unit = unit = ScaledNear(self.shapes)
        m.d.comb += [unit.x.eq(me.x), unit.start.eq(me.start), me.below.eq(unit.near.below)]
        return m


class BothElements(wiring.Component):
    """A lane's code by `NearElement`, and by the element that sees its exponent."""

    def __init__(self, shapes: LimitedShapes) -> None:
        self.shapes = shapes
        super().__init__(
            {
                "scale": In(shapes.scale.storage_bits),
                "amax": In(shapes.lanes.exponent_bits),
                "lane": In(shapes.lanes.lane.size),
                "near": Out(4),
                "code": Out(4),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        me: Any = self
        s = self.shapes
        m.submodules.generator = generator = ThresholdGenerator(s.lanes)
        m.submodules.element = element = Element(s.lanes)
        m.submodules.below = below = Below(s)
        m.submodules.shared = shared = NearThresholds(s)
        m.submodules.near_element = near = NearElement(s)
        amax = Signal(s.lanes.key)
        lane = Signal(s.lanes.lane)
        reference = Signal(s.lanes.exponent_bits)
        m.d.comb += [
            lane.as_value().eq(me.lane),
            amax.exponent.eq(me.amax),
            reference.eq(reference_of(s, amax)),
            generator.scale.eq(me.scale),
            element.thresholds.eq(generator.thresholds),
            element.lane.eq(lane),
            below.reference.eq(reference),
            below.exponent.eq(lane.exponent),
            shared.scale.eq(me.scale),
            shared.reference.eq(reference),
            shared.infinite.eq(amax.exponent.all()),
            near.thresholds.eq(shared.thresholds),
            near.lane.sign.eq(lane.sign),
            near.lane.fraction.eq(lane.fraction),
            near.lane.sticky.eq(lane.sticky),
            near.lane.below.eq(below.below),
            me.near.eq(near.code),
            me.code.eq(element.code),
        ]
        return m

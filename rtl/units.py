"""Parts of a quantizer with plain ports, so that their whole input spaces can be walked."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rtl.element import Element
from rtl.hierarchy import place
from rtl.powers import PowerElement, PowerReference, PowerSteps, is_infinite
from rtl.quantizer_variant import QuantizerVariant
from rtl.scale import ScaleEncoder
from rtl.shapes import Shapes
from rtl.thresholds import ThresholdGenerator
from rtl.unpack import Unpack


class ElementLanes(wiring.Component):
    """Unpack, threshold generator and elements of lanes that share one scale. Combinational.

    Members:
        x: In, the numbers, lane i at bit ``i * width`` (spec §11.1).
        scale: In, a stored scale code.
        code: Out, the element codes, lane i at bit ``4 * i`` (spec §11.2).
    """

    x: Signal
    scale: Signal
    code: Signal

    def __init__(self, variant: QuantizerVariant, lanes: int) -> None:
        self.shapes = Shapes.of(variant)
        self.lanes = lanes
        super().__init__(
            {
                "x": In(lanes * self.shapes.input.width),
                "scale": In(self.shapes.scale.storage_bits),
                "code": Out(4 * lanes),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """The units side by side."""
        m = Module()
        if self.shapes.powers:
            self._powers(m, platform)
            return m
        generator = ThresholdGenerator(self.shapes)
        place(m, platform, "threshold_generator", generator, kind="thresholds")
        m.d.comb += generator.scale.eq(self.scale)
        for i in range(self.lanes):
            unpack = Unpack(self.shapes)
            place(m, platform, f"unpack{i}", unpack, kind="unpack")
            element = Element(self.shapes)
            place(m, platform, f"element{i}", element, kind="element")
            m.d.comb += [
                unpack.x.eq(self.x.word_select(i, self.shapes.input.width)),
                element.lane.eq(unpack.lane),
                element.thresholds.eq(generator.thresholds),
                self.code.word_select(i, 4).eq(element.code),
            ]
        return m

    def _powers(self, m: Module, platform: object) -> None:
        """The units of a scale that is a power of two."""
        reference = PowerReference(self.shapes)
        place(m, platform, "power_reference", reference, kind="power_reference")
        m.d.comb += reference.scale.eq(self.scale)
        for i in range(self.lanes):
            unpack, steps = Unpack(self.shapes), PowerSteps(self.shapes)
            element = PowerElement(self.shapes)
            place(m, platform, f"unpack{i}", unpack, kind="unpack")
            place(m, platform, f"steps{i}", steps, kind="steps")
            place(m, platform, f"element{i}", element, kind="element")
            m.d.comb += [
                unpack.x.eq(self.x.word_select(i, self.shapes.input.width)),
                steps.lane.eq(unpack.lane),
                steps.reference.eq(reference.reference),
                element.stepped.eq(steps.stepped),
                element.infinite.eq(is_infinite(self.shapes, self.scale)),
                self.code.word_select(i, 4).eq(element.code),
            ]


class ScaleOfMagnitude(wiring.Component):
    """Unpack and scale encoder of ``lanes`` independent magnitudes. Combinational.

    Members:
        amax: In, numbers whose sign counts for nothing, number i at bit ``i * width``.
        scale: Out, the stored scale codes of blocks with these amax.
    """

    amax: Signal
    scale: Signal

    def __init__(self, variant: QuantizerVariant, lanes: int) -> None:
        self.shapes = Shapes.of(variant)
        self.lanes = lanes
        super().__init__(
            {
                "amax": In(lanes * self.shapes.input.width),
                "scale": Out(lanes * self.shapes.scale.storage_bits),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """The units side by side."""
        m = Module()
        for i in range(self.lanes):
            unpack = Unpack(self.shapes)
            place(m, platform, f"unpack{i}", unpack, kind="unpack")
            encoder = ScaleEncoder(self.shapes)
            place(m, platform, f"scale_encoder{i}", encoder, kind="scale")
            m.d.comb += [
                unpack.x.eq(self.amax.word_select(i, self.shapes.input.width)),
                encoder.amax.eq(unpack.key),
                self.scale.word_select(i, self.shapes.scale.storage_bits).eq(encoder.scale),
            ]
        return m

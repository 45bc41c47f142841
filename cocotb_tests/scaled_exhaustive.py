"""Whole input spaces of lane and scale encoder under a given tensor scale, through Verilator.

As `cocotb_tests.exhaustive`, with the tensor scale a constant of the circuit.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from cocotb_tests.exhaustive import SKIP, Segments, Space, lanes_of, space, steps
from emulator.formats import FP32
from emulator.reference import round_magnitude
from emulator.scaled_words import carried, kind_of
from rtl.hierarchy import place
from rtl.scaled_element import ScaledElement
from rtl.scaled_scale import ScaledScale
from rtl.scaled_shapes import ScaledShapes
from rtl.scaled_thresholds import ScaledThresholds
from rtl.variants import QuantizerVariant
from rtl.verilog import convert


class FixedLanes(wiring.Component):
    """Elements that share a scale code, under a constant tensor scale. Combinational."""

    x: Signal
    scale: Signal
    code: Signal

    def __init__(self, shapes: ScaledShapes, lanes: int, g: int) -> None:
        self.shapes, self.lanes, self.g = shapes, lanes, g
        super().__init__(
            {"x": In(lanes * shapes.input.width), "scale": In(8), "code": Out(4 * lanes)}
        )

    def elaborate(self, platform: object) -> Module:
        """The units side by side."""
        m = Module()
        generator = ScaledThresholds(self.shapes)
        place(m, platform, "threshold_generator", generator, kind="thresholds")
        m.d.comb += [generator.scale.eq(self.scale), generator.g.eq(self.g)]
        for i in range(self.lanes):
            element = ScaledElement(self.shapes)
            place(m, platform, f"element{i}", element, kind="element")
            m.d.comb += [
                element.x.eq(self.x.word_select(i, self.shapes.input.width)),
                element.thresholds.eq(generator.thresholds),
                self.code.word_select(i, 4).eq(element.code),
            ]
        return m


class FixedScales(wiring.Component):
    """Scale encoders of independent magnitudes, under a constant tensor scale. Combinational."""

    amax: Signal
    scale: Signal

    def __init__(self, shapes: ScaledShapes, lanes: int, g: int) -> None:
        self.shapes, self.lanes, self.g = shapes, lanes, g
        super().__init__({"amax": In(lanes * shapes.input.width), "scale": Out(lanes * 8)})

    def elaborate(self, platform: object) -> Module:
        """The units side by side."""
        m = Module()
        width = self.shapes.input.width
        for i in range(self.lanes):
            encoder = ScaledScale(self.shapes)
            place(m, platform, f"scale_encoder{i}", encoder, kind="scale")
            m.d.comb += [
                encoder.amax.eq(self.amax.word_select(i, width)[:-1]),
                encoder.g.eq(self.g),
                self.scale.word_select(i, 8).eq(encoder.scale),
            ]
        return m


@dataclass(frozen=True)
class ScaledSpace(Space):
    """A space under a tensor scale, which is a float32 pattern."""

    g: int = FP32.bias << FP32.fraction_bits

    def segments(self, setting: int) -> Segments:
        """Required results (spec §14.7); the setting is a scale code."""
        r, x = self.variant.recipe, self.variant.input
        assert x.inf_code is not None and r.scale.nan_code is not None
        g = FP32.value(self.g)
        if self.unit == "scale":

            def code(bits: int) -> int:
                found = round_magnitude(x.value(bits) / (6 * g), r.scale)
                return max(min(found, r.scale.max_code), int(r.prevent_zero))

            finite = steps(code, 0, x.max_code)
            return [*finite, (x.inf_code, r.scale.max_code), (x.inf_code + 1, r.scale.nan_code)]

        divisor = r.scale.value(setting) * g
        most = r.element.max_code

        def magnitude(bits: int) -> int:
            if divisor == 0:
                return 0  # spec §9.3
            if x.is_inf(bits):
                return most  # spec §6.2
            return min(round_magnitude(Fraction(x.value(bits)) / divisor, r.element), most)

        half = [*steps(magnitude, 0, x.inf_code), (x.inf_code + 1, SKIP)]
        negative = [
            (first | x.sign_mask, found if found == SKIP else found | r.element.sign_mask)
            for first, found in half
        ]
        return half + negative


def scaled_space(unit: str, variant: QuantizerVariant, g: int) -> ScaledSpace:
    """Build the program for a unit, ``"element"`` or ``"scale"``, under a tensor scale.

    Raises:
        ToolError: if a tool is missing or fails.
    """
    shapes = ScaledShapes.scaled(variant.recipe, variant.input)
    kind = {"element": FixedLanes, "scale": FixedScales}[unit]
    field = int(carried(g, kind_of(variant.recipe)))
    text = convert(kind(shapes, lanes_of(variant.input), field), f"{unit}_unit")
    text = f"/* verilator lint_off UNOPTFLAT */\n{text}"  # as rtl/waivers.vlt, which says why
    return ScaledSpace(unit, variant, space(unit, variant, verilog=text).program, g)

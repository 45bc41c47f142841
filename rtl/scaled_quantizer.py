"""Quantizer with a tensor scale: the units wired to a pipeline (spec §14.7, §23)."""

from __future__ import annotations

from amaranth.hdl import Cat, Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from rtl.chain import Chain
from rtl.hierarchy import place
from rtl.quantizer_variant import QuantizerVariant
from rtl.scaled_amax import LargestMagnitude
from rtl.scaled_element import ScaledElement
from rtl.scaled_scale import ScaledScale
from rtl.scaled_shapes import ScaledShapes
from rtl.scaled_thresholds import ScaledThresholds


class ScaledQuantizer(wiring.Component):
    """Takes a block and its tensor scale per cycle; gives element codes and a scale code.

    Latency: one cycle per pipeline cut of the variant. Interval: 1 (spec §12.5).

    Args:
        variant: what to build; its recipe has a tensor scale.

    Members:
        i: In, stream of input words (spec §23.1).
        o: Out, stream of output words (spec §11.2).
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, variant: QuantizerVariant) -> None:
        self.variant = variant
        super().__init__(
            {
                "i": In(stream.Signature(variant.input_layout.width)),
                "o": Out(stream.Signature(variant.output_layout.width)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """The pipeline, from the input port to the output port."""
        m = Module()
        recipe = self.variant.recipe
        shapes = ScaledShapes.scaled(recipe, self.variant.input)
        n, width = recipe.block_size, shapes.input.width
        pipe = Chain(m, platform, self.variant.cuts, self.i)

        # The tensor scale's sign, if it has one, is always 0 (spec §14.6).
        x, g = self.i.payload[: n * width], self.i.payload[n * width :][: sum(shapes.g_field)]
        at = pipe.cut("i", {"x": x, "g": g})
        tree = LargestMagnitude(width - 1, n)
        place(m, platform, "amax_tree", tree, kind="amax")
        for i in range(n):
            magnitude = at.x.word_select(i, width)[:-1]
            m.d.comb += tree.magnitudes.word_select(i, width - 1).eq(magnitude)
        at = pipe.cut("a", {"amax": tree.largest, "x": at.x, "g": at.g})

        encoder = ScaledScale(shapes)
        place(m, platform, "scale_encoder", encoder, kind="scale")
        m.d.comb += [encoder.amax.eq(at.amax), encoder.g.eq(at.g)]
        at = pipe.cut("s", {"scale": encoder.scale, "x": at.x, "g": at.g})

        generator = ScaledThresholds(shapes)
        place(m, platform, "threshold_generator", generator, kind="thresholds")
        m.d.comb += [generator.scale.eq(at.scale), generator.g.eq(at.g)]
        at = pipe.cut("t", {"scale": at.scale, "thresholds": generator.thresholds, "x": at.x})

        codes = []
        for i in range(n):
            element = ScaledElement(shapes)
            place(m, platform, f"element{i}", element, kind="element")
            m.d.comb += [
                element.x.eq(at.x.word_select(i, width)),
                element.thresholds.eq(at.thresholds),
            ]
            codes.append(element.code)
        out = pipe.cut("o", {"word": Cat(*codes, at.scale)})
        m.d.comb += self.o.payload.eq(out.word)
        pipe.end(self.o)
        return m

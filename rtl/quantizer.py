"""Quantizer: the units wired to a pipelined block quantizer (spec §5 to §9, §12)."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from rtl.amax import Amax
from rtl.amax_bits import AmaxBits
from rtl.chain import Chain, numbered
from rtl.element import Element
from rtl.hierarchy import place
from rtl.powers import PowerElement, PowerReference, PowerSteps, is_infinite
from rtl.quantizer_variant import QuantizerVariant
from rtl.scale import ScaleEncoder
from rtl.shapes import Shapes
from rtl.thresholds import ThresholdGenerator
from rtl.unpack import Unpack


class Quantizer(wiring.Component):
    """Takes a block of numbers per cycle and gives its element codes and its scale code.

    Latency: one cycle per pipeline cut of the variant. Interval: 1 (spec §12.5).

    Args:
        variant: what to build.

    Members:
        i: In, stream of input words (spec §11.1).
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
        variant, shapes = self.variant, Shapes.of(self.variant)
        n = variant.recipe.block_size
        pipe = Chain(m, platform, variant.cuts, self.i)

        word = pipe.cut("i", {"word": self.i.payload}).word

        amax = (AmaxBits if shapes.powers else Amax)(shapes, n)
        place(m, platform, "amax_tree", amax, kind="amax")
        lanes = []
        for i in range(n):
            unpack = Unpack(shapes)
            place(m, platform, f"unpack{i}", unpack, kind="unpack")
            m.d.comb += [
                unpack.x.eq(word.word_select(i, shapes.input.width)),
                amax.keys[i].eq(unpack.key),
            ]
            lanes.append(unpack.lane)
        at = pipe.cut("a", {"amax": amax.amax, **numbered(lanes)})

        encoder = ScaleEncoder(shapes)
        place(m, platform, "scale_encoder", encoder, kind="scale")
        m.d.comb += encoder.amax.eq(at.amax)
        lanes = [at[f"x{i}"] for i in range(n)]
        if shapes.powers:
            self._finish_powers(m, platform, pipe, encoder.scale, lanes)
        else:
            self._finish(m, platform, pipe, encoder.scale, lanes)
        return m

    def _finish(
        self, m: Module, platform: object, pipe: Chain, scale: Value, lanes: list[Any]
    ) -> None:
        """From the scale to the output port, where scales have a fraction."""
        shapes, n = Shapes.of(self.variant), len(lanes)
        at = pipe.cut("s", {"scale": scale, **numbered(lanes)})

        generator = ThresholdGenerator(shapes)
        place(m, platform, "threshold_generator", generator, kind="thresholds")
        m.d.comb += generator.scale.eq(at.scale)
        at = pipe.cut(
            "t",
            {
                "scale": at.scale,
                "thresholds": generator.thresholds,
                **numbered([at[f"x{i}"] for i in range(n)]),
            },
        )

        codes = []
        for i in range(n):
            element = Element(shapes)
            place(m, platform, f"element{i}", element, kind="element")
            m.d.comb += [element.lane.eq(at[f"x{i}"]), element.thresholds.eq(at.thresholds)]
            codes.append(element.code)
        self._end(m, pipe, codes, at.scale)

    def _finish_powers(
        self, m: Module, platform: object, pipe: Chain, scale: Value, lanes: list[Any]
    ) -> None:
        """From the scale to the output port, where scales are powers of two.

        Lanes count their steps below the scale before cut s, so that they are narrow from there.
        """
        shapes, n = Shapes.of(self.variant), len(lanes)
        reference = PowerReference(shapes)
        place(m, platform, "power_reference", reference, kind="power_reference")
        m.d.comb += reference.scale.eq(scale)
        stepped = []
        for i in range(n):
            steps = PowerSteps(shapes)
            place(m, platform, f"steps{i}", steps, kind="steps")
            m.d.comb += [steps.lane.eq(lanes[i]), steps.reference.eq(reference.reference)]
            stepped.append(steps.stepped)
        at = pipe.cut("s", {"scale": scale, **numbered(stepped)})
        at = pipe.cut("t", {"scale": at.scale, **numbered([at[f"x{i}"] for i in range(n)])})
        codes = []
        for i in range(n):
            element = PowerElement(shapes)
            place(m, platform, f"element{i}", element, kind="element")
            m.d.comb += [
                element.stepped.eq(at[f"x{i}"]),
                element.infinite.eq(is_infinite(shapes, at.scale)),
            ]
            codes.append(element.code)
        self._end(m, pipe, codes, at.scale)

    def _end(self, m: Module, pipe: Chain, codes: list[Value], scale: Value) -> None:
        """The output word."""
        out = pipe.cut("o", {"word": Cat(*codes, scale)})
        m.d.comb += self.o.payload.eq(out.word)
        pipe.end(self.o)

"""Quantizers that round at random under a tensor scale, or powers of two (spec §19, §26)."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from rtl.amax_bits import AmaxBits
from rtl.chain import Chain
from rtl.hierarchy import place
from rtl.random_scaled_element import RandomScaledElement
from rtl.random_scaled_shapes import RandomScaledShapes
from rtl.random_scaled_thresholds import RandomPowerThresholds, RandomScaledThresholds
from rtl.random_variant import RandomVariant
from rtl.scale import ScaleEncoder
from rtl.scaled_amax import LargestMagnitude
from rtl.scaled_scale import ScaledScale
from rtl.shapes import Shapes
from rtl.speck import Draws
from rtl.unpack import Unpack


class RandomScaledQuantizer(wiring.Component):
    """Takes blocks with tensor scales, numbers and seeds; gives element codes and scale codes.

    It keeps nothing from one word to the next. Latency: one cycle per pipeline cut of the variant
    and those of the cipher. Interval: those of the cipher (spec §12.5).

    Args:
        variant: what to build; its recipe has a tensor scale.

    Members:
        i: In, stream of input words (spec §26.4).
        o: Out, stream of output words (spec §11.2).
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, variant: RandomVariant) -> None:
        self.variant = variant
        self.shapes = RandomScaledShapes.of_recipe(variant.recipe, variant.input)
        super().__init__(
            {
                "i": In(stream.Signature(variant.input_layout.width)),
                "o": Out(stream.Signature(variant.output_layout.width)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """The pipeline, from the input port to the output port."""
        m = Module()
        v, s = self.variant, self.shapes
        n, k, width = v.recipe.block_size, s.bits, s.input.width
        pipe = Chain(m, platform, v.cuts, self.i)
        number, seed = (v.input_layout.field(name) for name in ("number", "seed"))
        given = {
            "x": self.i.payload[: n * width],
            "g": self.i.payload[n * width : number.offset][: self.g_width],
            "number": self.i.payload[number.offset : seed.offset],
            "seed": self.i.payload[seed.offset :],
        }
        at = pipe.cut("i", given)
        fields = {name: at[name] for name in given}
        at = pipe.cut("a", {"amax": self.amax(m, platform, at.x), **fields})

        rest = data.StructLayout({"scale": s.scale.storage_bits, "x": n * width, "g": self.g_width})
        draws = Draws(rest, n * k, v.rounds)
        place(m, platform, "draws", draws, clocked=True)
        before: Any = Signal(draws.i.payload.shape(), name="to_draws")
        m.d.comb += [
            before.number.eq(at.number),
            before.seed.eq(at.seed),
            before.rest.scale.eq(self.scale(m, platform, at.amax, at.g)),
            before.rest.x.eq(at.x),
            before.rest.g.eq(at.g),
        ]
        drawn = pipe.through(draws, before)
        fields = {
            "scale": drawn.rest.scale,
            "draws": drawn.draws,
            "x": drawn.rest.x,
            "thresholds": self.thresholds(m, platform, drawn.rest.scale, drawn.rest.g),
        }
        at = pipe.cut("t", fields)

        codes = []
        for i in range(n):
            element = RandomScaledElement(s)
            place(m, platform, f"element{i}", element, kind="element")
            m.d.comb += [
                element.x.eq(at.x.word_select(i, width)),
                element.thresholds.eq(at.thresholds),
                element.draw.eq(at.draws.word_select(i, k)),
            ]
            codes.append(element.code)
        out = pipe.cut("o", {"word": Cat(*codes, at.scale)})
        m.d.comb += self.o.payload.eq(out.word)
        pipe.end(self.o)
        return m

    @property
    def g_width(self) -> int:
        """Bits of a tensor scale; its sign, if it has one, is always 0 (spec §14.6)."""
        return sum(self.shapes.g_field)

    def amax(self, m: Module, platform: object, x: Value) -> Any:
        """What the scale is made of, from all lanes."""
        s, n = self.shapes, self.variant.recipe.block_size
        width = s.input.width
        tree = LargestMagnitude(width - 1, n)
        place(m, platform, "amax_tree", tree, kind="amax")
        for i in range(n):
            magnitude = x.word_select(i, width)[:-1]
            m.d.comb += tree.magnitudes.word_select(i, width - 1).eq(magnitude)
        return tree.largest

    def scale(self, m: Module, platform: object, amax: Value, g: Value) -> Value:
        """The scale code."""
        encoder = ScaledScale(self.shapes)
        place(m, platform, "scale_encoder", encoder, kind="scale")
        m.d.comb += [encoder.amax.eq(amax), encoder.g.eq(g)]
        return encoder.scale

    def thresholds(self, m: Module, platform: object, scale: Value, g: Value) -> data.View:
        """What all lanes share."""
        generator = RandomScaledThresholds(self.shapes)
        place(m, platform, "threshold_generator", generator, kind="thresholds")
        m.d.comb += [generator.scale.eq(scale), generator.g.eq(g)]
        return generator.thresholds


class RandomPowerQuantizer(RandomScaledQuantizer):
    """The same under scales that are powers of two, without a tensor scale.

    Args:
        variant: what to build; rule floor, ceil or even.

    Members:
        i: In, stream of input words (spec §26.1).
        o: Out, stream of output words (spec §11.2).
    """

    @property
    def g_width(self) -> int:
        """There is no tensor scale."""
        return 0

    def amax(self, m: Module, platform: object, x: Value) -> Any:
        """The largest key of all lanes, as without random numbers."""
        shapes, n = Shapes.of(self.variant), self.variant.recipe.block_size
        tree = AmaxBits(shapes, n)
        place(m, platform, "amax_tree", tree, kind="amax")
        for i in range(n):
            unpack = Unpack(shapes)
            place(m, platform, f"unpack{i}", unpack, kind="unpack")
            m.d.comb += [
                unpack.x.eq(x.word_select(i, shapes.input.width)),
                tree.keys[i].eq(unpack.key),
            ]
        return tree.amax

    def scale(self, m: Module, platform: object, amax: Value, g: Value) -> Value:
        """The scale code."""
        encoder = ScaleEncoder(Shapes.of(self.variant))
        place(m, platform, "scale_encoder", encoder, kind="scale")
        m.d.comb += encoder.amax.eq(amax)
        return encoder.scale

    def thresholds(self, m: Module, platform: object, scale: Value, g: Value) -> data.View:
        """What all lanes share."""
        generator = RandomPowerThresholds(self.shapes)
        place(m, platform, "threshold_generator", generator, kind="thresholds")
        m.d.comb += generator.scale.eq(scale)
        return generator.thresholds

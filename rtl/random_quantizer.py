"""Quantizer with stochastic rounding of its elements (spec §19, §26)."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from rtl.amax import Amax
from rtl.chain import Chain, numbered
from rtl.hierarchy import place
from rtl.random_element import RandomElement
from rtl.random_shapes import RandomShapes
from rtl.random_variant import RandomVariant
from rtl.scale import ScaleEncoder
from rtl.speck import Draws
from rtl.thresholds import ThresholdGenerator
from rtl.unpack import Unpack


class RandomQuantizer(wiring.Component):
    """Takes blocks with their numbers and seeds and gives their element codes and scale codes.

    It keeps nothing from one word to the next. Latency: one cycle per pipeline cut of the variant
    and those of the cipher. Interval: those of the cipher (spec §12.5).

    Args:
        variant: what to build.

    Members:
        i: In, stream of input words (spec §26.1).
        o: Out, stream of output words (spec §11.2).
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, variant: RandomVariant) -> None:
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
        v, s = self.variant, RandomShapes.of_random(self.variant)
        n, k = v.recipe.block_size, s.bits
        pipe = Chain(m, platform, v.cuts, self.i)
        word = pipe.cut("i", {"word": self.i.payload}).word

        amax = Amax(s, n)
        place(m, platform, "amax_tree", amax, kind="amax")
        lanes = []
        for i in range(n):
            unpack = Unpack(s, whole=True)
            place(m, platform, f"unpack{i}", unpack, kind="unpack")
            lane = Signal(s.random_lane, name=f"unpacked{i}")
            m.d.comb += [
                unpack.x.eq(word.word_select(i, s.input.width)),
                amax.keys[i].eq(unpack.key),
                lane.fraction.eq(unpack.whole[s.input.fraction_bits - s.kept_bits :]),
                lane.exponent.eq(unpack.lane.exponent),
                lane.sign.eq(unpack.lane.sign),
            ]
            lanes.append(lane)
        number, seed = (v.input_layout.field(name) for name in ("number", "seed"))
        fields = {
            "amax": amax.amax,
            "number": word[number.offset : seed.offset],
            "seed": word[seed.offset :],
        }
        at = pipe.cut("a", {**fields, **numbered(lanes)})

        encoder = ScaleEncoder(s)
        place(m, platform, "scale_encoder", encoder, kind="scale")
        m.d.comb += encoder.amax.eq(at.amax)
        rest = data.StructLayout(
            {
                "scale": s.scale.storage_bits,
                "lanes": data.ArrayLayout(s.random_lane, n),
            }
        )
        draws = Draws(rest, n * k, v.rounds)
        place(m, platform, "draws", draws, clocked=True)
        before: Any = Signal(draws.i.payload.shape(), name="to_draws")
        m.d.comb += [
            before.number.eq(at.number),
            before.seed.eq(at.seed),
            before.rest.scale.eq(encoder.scale),
            *(before.rest.lanes[i].eq(at[f"x{i}"]) for i in range(n)),
        ]
        drawn = pipe.through(draws, before)

        generator = ThresholdGenerator(s)
        place(m, platform, "threshold_generator", generator, kind="thresholds")
        m.d.comb += generator.scale.eq(drawn.rest.scale)
        fields = {
            "scale": drawn.rest.scale,
            "draws": drawn.draws,
            "thresholds": generator.thresholds,
        }
        at = pipe.cut("t", {**fields, **numbered([drawn.rest.lanes[i] for i in range(n)])})

        codes = []
        for i in range(n):
            element = RandomElement(s)
            place(m, platform, f"element{i}", element, kind="element")
            m.d.comb += [
                element.lane.eq(at[f"x{i}"]),
                element.thresholds.eq(at.thresholds),
                element.draw.eq(at.draws.word_select(i, k)),
            ]
            codes.append(element.code)
        out = pipe.cut("o", {"word": Cat(*codes, at.scale)})
        m.d.comb += self.o.payload.eq(out.word)
        pipe.end(self.o)
        return m

"""Dequantizer: the units wired to a pipelined block dequantizer (spec §21)."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from rtl.chain import Chain
from rtl.dequantizer_variant import DequantizerVariant
from rtl.factor import Factor
from rtl.hierarchy import place
from rtl.lane import Lane
from rtl.products import Products
from rtl.reach import Reach


class Dequantizer(wiring.Component):
    """Takes a quantized block per cycle and gives its numbers.

    Latency: one cycle per pipeline cut of the variant. Interval: 1 (spec §12.5).

    Args:
        variant: what to build.

    Members:
        i: In, stream of input words (spec §21.6).
        o: Out, stream of output words (spec §21.7).
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, variant: DequantizerVariant) -> None:
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
        v = self.variant
        reach = Reach.of(v.recipe, v.output)
        chain = Chain(m, platform, v.cuts, self.i)

        word = chain.cut("i", {"word": self.i.payload}).word
        parts = {f.name: word[f.offset :][: f.width * f.count] for f in v.input_layout.fields}

        factor = Factor(reach)
        place(m, platform, "block_factor", factor, kind="factor")
        m.d.comb += factor.scale.eq(parts["scale"])
        if "g" in parts:
            m.d.comb += factor.g.eq(parts["g"])
        at = chain.cut("f", {"codes": parts["codes"], "factor": factor.factor})

        products = Products(reach)
        place(m, platform, "block_products", products, kind="products")
        m.d.comb += products.factor.eq(at.factor)
        at = chain.cut("p", {"codes": at.codes, "products": products.products})

        numbers = []
        for i in range(v.recipe.block_size):
            lane = Lane(reach)
            place(m, platform, f"lane{i}", lane, kind="lane")
            m.d.comb += [
                lane.code.eq(at.codes.word_select(i, v.recipe.element.width)),
                lane.products.eq(at.products),
            ]
            numbers.append(lane.number)
        m.d.comb += self.o.payload.eq(chain.cut("o", {"word": Cat(*numbers)}).word)
        chain.end(self.o)
        return m


class DecodedBlock(wiring.Component):
    """Factor, products and lanes without registers, for tests of whole input spaces.

    Members:
        codes: In, the element codes, lane i at bit ``4 * i``.
        scale: In, a stored scale code.
        g: In, the tensor scale (spec §21.6); missing without one.
        numbers: Out, the numbers, lane i at bit ``i * width``.
    """

    codes: Signal
    scale: Signal
    g: Signal
    numbers: Signal

    def __init__(self, reach: Reach, lanes: int = 1) -> None:
        self.reach, self.lanes = reach, lanes
        given = {"g": In(reach.scale_bits)} if reach.scale_bits else {}
        super().__init__(
            {
                "codes": In(4 * lanes),
                "scale": In(reach.scale.storage_bits),
                **given,
                "numbers": Out(reach.output.width * lanes),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """The units side by side."""
        m = Module()
        factor, products = Factor(self.reach), Products(self.reach)
        place(m, platform, "block_factor", factor, kind="factor")
        place(m, platform, "block_products", products, kind="products")
        m.d.comb += [factor.scale.eq(self.scale), products.factor.eq(factor.factor)]
        if self.reach.scale_bits:
            m.d.comb += factor.g.eq(self.g)
        for i in range(self.lanes):
            lane = Lane(self.reach)
            place(m, platform, f"lane{i}", lane, kind="lane")
            m.d.comb += [
                lane.code.eq(self.codes.word_select(i, 4)),
                lane.products.eq(products.products),
                self.numbers.word_select(i, self.reach.output.width).eq(lane.number),
            ]
        return m

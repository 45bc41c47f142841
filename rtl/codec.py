"""Codec: lanes of `Align` and `Round` as a pipelined unit (spec §21)."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from emulator.formats import Format
from rtl.align import Align
from rtl.chain import Chain
from rtl.codec_variant import CodecVariant
from rtl.hierarchy import place
from rtl.round import Round


class Codec(wiring.Component):
    """Takes a word of numbers or codes per cycle and converts each of them.

    Latency: one cycle per pipeline cut of the variant. Interval: 1 (spec §12.5).

    Args:
        variant: what to build.

    Members:
        i: In, stream of input words (spec §21.1).
        o: Out, stream of output words (spec §21.1).
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, variant: CodecVariant) -> None:
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
        chain = Chain(m, platform, v.cuts, self.i)

        word = chain.cut("i", {"word": self.i.payload}).word
        aligned = {}
        for lane in range(v.lanes):
            align = Align(v.source, v.target)
            place(m, platform, f"align{lane}", align, kind="align")
            m.d.comb += align.x.eq(word.word_select(lane, v.source.storage_bits))
            aligned[f"x{lane}"] = align.aligned
        at = chain.cut("m", aligned)

        codes = []
        for lane in range(v.lanes):
            rounding = Round(v.target, v.ieee)
            place(m, platform, f"round{lane}", rounding, kind="round")
            m.d.comb += rounding.aligned.eq(at[f"x{lane}"])
            codes.append(rounding.code)
        m.d.comb += self.o.payload.eq(chain.cut("o", {"word": Cat(*codes)}).word)
        chain.end(self.o)
        return m


class Conversions(wiring.Component):
    """Many conversions of the same input side by side, for tests of whole input spaces.

    Combinational.

    Args:
        conversions: name, source, target and overflow to infinity of each.
        bits: width of the input.

    Members:
        x: In; each conversion takes its lowest bits.
        <name>: Out, the code of each conversion.
    """

    x: Signal

    def __init__(
        self, conversions: dict[str, tuple[Format, Format, bool]], bits: int, lanes: int = 1
    ) -> None:
        self.conversions, self.lanes = conversions, lanes
        super().__init__(
            {"x": In(bits * lanes)}
            | {name: Out(t.storage_bits * lanes) for name, (_, t, _) in conversions.items()}
        )

    def elaborate(self, platform: object) -> Module:
        """The units side by side."""
        m = Module()
        bits = len(self.x) // self.lanes
        for name, (source, target, ieee) in self.conversions.items():
            for lane in range(self.lanes):
                align, rounding = Align(source, target), Round(target, ieee)
                place(m, platform, f"align_{name}{lane}", align, kind=f"align_{name}")
                place(m, platform, f"round_{name}{lane}", rounding, kind=f"round_{name}")
                m.d.comb += [
                    align.x.eq(self.x.word_select(lane, bits)[: source.storage_bits]),
                    rounding.aligned.eq(align.aligned),
                    getattr(self, name).word_select(lane, target.storage_bits).eq(rounding.code),
                ]
        return m

"""Gather: memory words to groups of blocks (spec §24.1)."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out


class Gather(wiring.Component):
    """Holds one group of words; offers it from the cycle after its last word on.

    Takes a word per cycle as long as its groups are taken at once.

    Args:
        width: bits of a word.
        words: words of a group, a power of two; the first one lowest.

    Members:
        i: In, stream of words, with a bit `last` of a pass.
        o: Out, stream of groups, with the `last` of their last word.
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, width: int, words: int) -> None:
        self.width, self.words = width, words
        super().__init__(
            {
                "i": In(stream.Signature(data.StructLayout({"data": width, "last": 1}))),
                "o": Out(stream.Signature(data.StructLayout({"data": width * words, "last": 1}))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """The logic of the unit."""
        m = Module()
        valid, last = Signal(), Signal(reset_less=True)
        held = Signal(self.width * self.words, reset_less=True)
        m.d.comb += [
            self.i.ready.eq(~valid | self.o.ready),
            self.o.valid.eq(valid),
            self.o.payload.data.eq(held),
            self.o.payload.last.eq(last),
        ]
        whole = 1
        if self.words > 1:
            count = Signal(range(self.words))
            whole = count.all()
            with m.If(self.i.valid & self.i.ready):
                m.d.sync += count.eq(count + 1)
        with m.If(self.i.ready):
            m.d.sync += valid.eq(self.i.valid & whole)
            with m.If(self.i.valid):
                # Words enter at the top, so that the first one has come down in the end.
                m.d.sync += [
                    held.eq(Cat(held[self.width :], self.i.payload.data)),
                    last.eq(self.i.payload.last),
                ]
        return m

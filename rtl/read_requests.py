"""Read requests: the addresses of a tensor's words, once or twice (spec §24.5, §24.9)."""

from __future__ import annotations

from amaranth.hdl import Const, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from rtl.tensor_quantizer_variant import ADDRESS_BITS, TensorQuantizerVariant


class ReadRequests(wiring.Component):
    """Asks for the words of a tensor in order, `start` in the cycle before the first request.

    No request is made while as many as the variant allows wait for their data, and none less than
    the variant's pace after the one before it.

    Args:
        variant: what to build.

    Members:
        start: In, begins; `base`, `last` and `twice` have to be valid from the next cycle on.
        base: In, byte address of the first word.
        last: In, number of words, less 1.
        twice: In, whether the words are asked for a second time.
        returned: In, a word has come.
        o: Out, stream of byte addresses.
    """

    start: Signal
    base: Signal
    last: Signal
    twice: Signal
    returned: Signal
    o: stream.Interface

    def __init__(self, variant: TensorQuantizerVariant) -> None:
        self.variant = variant
        self.index_bits = ADDRESS_BITS - variant.word_bits
        super().__init__(
            {
                "start": In(1),
                "base": In(ADDRESS_BITS),
                "last": In(self.index_bits),
                "twice": In(1),
                "returned": In(1),
                "o": Out(stream.Signature(ADDRESS_BITS)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """The logic of the unit."""
        m = Module()
        variant, low = self.variant, self.variant.word_bits
        asking, again = Signal(), Signal(reset_less=True)
        index = Signal(self.index_bits, reset_less=True)
        waiting = Signal(range(variant.reads + 1))
        free = Signal()
        m.d.comb += free.eq(waiting != variant.reads)
        taken = self.o.valid & self.o.ready
        m.d.comb += [
            self.o.valid.eq(asking & free),
            self.o.payload.eq((self.base[low:] + index) << low),
        ]
        m.d.sync += waiting.eq(waiting + taken - self.returned)
        if variant.pace > 1:
            rest = Signal(range(variant.pace))
            m.d.comb += self.o.valid.eq(asking & free & ~rest.any())
            with m.If(taken):
                m.d.sync += rest.eq(variant.pace - 1)
            with m.Elif(rest.any()):
                m.d.sync += rest.eq(rest - 1)
        with m.If(taken):
            m.d.sync += index.eq(index + 1)
            with m.If(index == self.last):
                m.d.sync += [
                    index.eq(0),
                    again.eq(1),
                    asking.eq(self.twice & ~again),
                ]
        with m.If(self.start):
            m.d.sync += [asking.eq(1), again.eq(0), index.eq(Const(0))]
        return m

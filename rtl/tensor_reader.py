"""Tensor reader: the groups of blocks of a tensor, once or twice (spec §24.5, §24.7)."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

from rtl.gather import Gather
from rtl.hierarchy import place
from rtl.read_requests import ReadRequests
from rtl.tensor_quantizer_variant import ADDRESS_BITS, TensorQuantizerVariant


class TensorReader(wiring.Component):
    """Asks for a tensor's words and gathers them; plays them again from its buffer if it has one.

    Args:
        variant: what to build.

    Members:
        start: In, begins; all that follows has to be valid from the next cycle on.
        base: In, byte address of the tensor.
        last_group: In, number of groups of blocks, less 1.
        first: In, whether words are those of the first of two passes.
        enter: In, whether words may enter.
        local: In, whether the tensor fits into the buffer; with a buffer only.
        ended: Out, the last word of a pass enters.
        request: Out, stream of byte addresses.
        read: In, stream of words.
        o: Out, stream of groups.
    """

    request: stream.Interface
    read: stream.Interface
    o: stream.Interface

    def __init__(self, variant: TensorQuantizerVariant) -> None:
        self.variant = variant
        self.gather = Gather(8 * variant.width, variant.group_words)
        members = {
            "start": In(1),
            "base": In(ADDRESS_BITS),
            "last_group": In(variant.group_count_bits),
            "first": In(1),
            "enter": In(1),
            "ended": Out(1),
            "request": Out(stream.Signature(ADDRESS_BITS)),
            "read": In(stream.Signature(8 * variant.width)),
            "o": Out(stream.Signature(self.gather.o.payload.shape())),
        }
        if variant.buffer:
            members["local"] = In(1)
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        """The logic of the unit."""
        m = Module()
        v, gather = self.variant, self.gather
        ports: Any = self
        last_word = Cat(Const(v.group_words - 1, v.group_words.bit_length() - 1), ports.last_group)
        asks = ReadRequests(v)
        place(m, platform, "read_requests", asks, clocked=True)
        place(m, platform, "gather", gather, clocked=True)
        wiring.connect(m, asks.o, wiring.flipped(self.request))
        wiring.connect(m, gather.o, wiring.flipped(self.o))
        local = ports.local if v.buffer else Const(0)
        m.d.comb += [
            asks.start.eq(ports.start),
            asks.base.eq(ports.base),
            asks.last.eq(last_word),
            asks.twice.eq(~local if v.scale_unit is not None else 0),
            asks.returned.eq(self.read.valid & self.read.ready),
        ]

        received = Signal(len(last_word))
        is_last = received == last_word
        enters = gather.i.valid & gather.i.ready
        m.d.comb += [gather.i.payload.last.eq(is_last), ports.ended.eq(enters & is_last)]
        with m.If(enters):
            m.d.sync += received.eq(Mux(is_last, 0, received + 1))
        with m.If(ports.start):
            m.d.sync += received.eq(0)

        if not v.buffer:
            m.d.comb += [
                gather.i.payload.data.eq(self.read.payload),
                gather.i.valid.eq(self.read.valid & ports.enter),
                self.read.ready.eq(gather.i.ready & ports.enter),
            ]
            return m
        word, valid = self._replay(m, received, last_word)
        again = local & ~ports.first
        m.d.comb += [
            gather.i.payload.data.eq(Mux(again, word, self.read.payload)),
            gather.i.valid.eq(Mux(again, valid, self.read.valid) & ports.enter),
            self.read.ready.eq(gather.i.ready & ports.enter & ~again),
        ]
        return m

    def _replay(self, m: Module, received: Signal, last_word: Any) -> tuple[Any, Signal]:
        """The buffer; its next word, and whether there is one.

        A word is fetched before the second pass is let in, so that the pass begins at once.
        """
        v, gather = self.variant, self.gather
        ports: Any = self
        depth = v.buffer * v.block_bytes // v.width
        bits = depth.bit_length() - 1
        store = memory.Memory(shape=8 * v.width, depth=depth, init=[])
        m.submodules.buffer = store
        into, out = store.write_port(), store.read_port()
        again = ports.local & ~ports.first
        m.d.comb += [
            into.addr.eq(received[:bits]),
            into.data.eq(self.read.payload),
            into.en.eq(self.read.valid & self.read.ready & ports.first),
        ]
        valid, fetched, fetch = Signal(), Signal(bits + 1), Signal()
        leaves = valid & gather.i.ready & ports.enter
        m.d.comb += [
            fetch.eq(again & (~valid | leaves) & (fetched <= last_word)),
            out.addr.eq(fetched[:bits]),
            out.en.eq(fetch),
        ]
        with m.If(leaves):
            m.d.sync += valid.eq(0)
        with m.If(fetch):
            m.d.sync += [valid.eq(1), fetched.eq(fetched + 1)]
        with m.If(ports.start):
            m.d.sync += [fetched.eq(0), valid.eq(0)]
        return out.data, valid

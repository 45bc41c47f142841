"""Packer: results of groups of blocks to memory words (spec §24.6)."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out


class Packer(wiring.Component):
    """Puts results side by side until a memory word is full, or its tensor ends.

    A word is offered from the cycle after its last group on; the next group may come in the cycle
    in which the word is taken.

    Args:
        width: bytes of a memory word.
        block: bytes of one block's result.
        group: blocks of a group.

    Members:
        i: In, stream of groups: results, the first block lowest; how many blocks count (`blocks`);
            whether the tensor ends (`last`).
        o: Out, stream of words: `data`, a bit per block that it holds (`blocks`), `last`.
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, width: int, block: int, group: int) -> None:
        self.width, self.block, self.group = width, block, group
        self.slots = width // (block * group)
        assert self.slots >= 1, "a memory word holds at least a group's results"
        given = data.StructLayout(
            {"data": 8 * block * group, "blocks": range(group + 1), "last": 1}
        )
        made = data.StructLayout({"data": 8 * width, "blocks": width // block, "last": 1})
        super().__init__({"i": In(stream.Signature(given)), "o": Out(stream.Signature(made))})

    def elaborate(self, platform: object) -> Module:
        """The logic of the unit."""
        m = Module()
        full, last = Signal(), Signal(reset_less=True)
        held = Signal(8 * self.width, reset_less=True)
        at = Signal(range(self.slots))
        blocks = Signal(range(self.width // self.block + 1), reset_less=True)
        m.d.comb += [
            self.i.ready.eq(~full | self.o.ready),
            self.o.valid.eq(full),
            self.o.payload.data.eq(held),
            self.o.payload.last.eq(last),
            self.o.payload.blocks.eq(Cat(blocks > k for k in range(self.width // self.block))),
        ]
        closing = self.i.payload.last | at.all()
        with m.If(self.i.ready):
            m.d.sync += full.eq(self.i.valid & closing)
            with m.If(self.i.valid):
                m.d.sync += last.eq(self.i.payload.last)
                for k in range(self.slots):
                    with m.If((at ^ ~Const(k, len(at))).all()):
                        slot = held.word_select(k, 8 * self.block * self.group)
                        m.d.sync += slot.eq(self.i.payload.data)
                if self.slots == 1:
                    m.d.sync += blocks.eq(self.i.payload.blocks)
                else:
                    before = Signal.like(blocks)
                    with m.If(at.any()):
                        m.d.comb += before.eq(blocks)
                    m.d.sync += blocks.eq(before + self.i.payload.blocks)
                    with m.If(closing):
                        m.d.sync += at.eq(0)
                    with m.Else():
                        m.d.sync += at.eq(at + 1)
        return m

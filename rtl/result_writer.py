"""Result writer: codes, scale codes and the tensor scale to their regions (spec §24.2, §24.6)."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from emulator.layout import TENSOR_SCALE_FIELDS, tensor_scale_bits
from rtl.hierarchy import place
from rtl.packer import Packer
from rtl.stage import Stage
from rtl.tensor_quantizer_variant import ADDRESS_BITS, TensorQuantizerVariant


class ResultWriter(wiring.Component):
    """Packs the results of groups of blocks and writes them, one word per cycle.

    Scale codes are a cycle behind the element codes of their group, so that full words of both,
    which always come from one group, follow each other and keep nothing waiting.

    Args:
        variant: what to build.

    Members:
        start: In, takes the addresses `codes` and `scales`.
        codes: In, byte address of the first word of element codes.
        scales: In, that of scale codes.
        tensor_scale: In, that of the tensor scale; with a tensor scale only.
        g: In, tensor scale as words carry it (spec §23.1); likewise.
        put: In, calls for `g` to be written; likewise.
        i: In, stream of groups: codes, scale codes, number of blocks, whether the tensor ends.
        o: Out, stream of writes.
        done: Out, the last word of the tensor is being taken.
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, variant: TensorQuantizerVariant) -> None:
        self.variant = variant
        q, n = variant.group, variant.quantizer.recipe.block_size
        given = data.StructLayout(
            {"codes": 4 * q * n, "scales": 8 * q, "blocks": range(q + 1), "last": 1}
        )
        made = data.StructLayout(
            {"address": ADDRESS_BITS, "data": 8 * variant.width, "mask": variant.width}
        )
        members = {
            "start": In(1),
            "codes": In(ADDRESS_BITS),
            "scales": In(ADDRESS_BITS),
            "i": In(stream.Signature(given)),
            "o": Out(stream.Signature(made)),
            "done": Out(1),
        }
        if variant.kind is not None:
            members |= {
                "tensor_scale": In(ADDRESS_BITS),
                "g": In(tensor_scale_bits(variant.kind)),
                "put": In(1),
            }
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        """The logic of the unit."""
        m = Module()
        ports: Any = self
        width, low = self.variant.width, self.variant.word_bits
        codes, scales = self._pack(m, platform)

        pending = Signal()
        # Where a choice was offered and not taken it has to stay (spec §12.2).
        offered, choice = Signal(), Signal(2)
        held, wanted = Signal(2), Signal(2)
        m.d.comb += [
            wanted.eq(Mux(pending, 0, Mux(codes.o.valid, 1, 2))),
            choice.eq(Mux(offered, held, wanted)),
            self.o.valid.eq(pending | codes.o.valid | scales.o.valid),
        ]
        m.d.sync += [offered.eq(self.o.valid & ~self.o.ready), held.eq(choice)]
        next_codes, next_scales = (
            Signal(ADDRESS_BITS - low, name=f"next_{name}", reset_less=True)
            for name in ("codes", "scales")
        )
        taken = [Signal(name=f"takes_{name}") for name in ("tensor_scale", "codes", "scales")]
        chosen = [~choice.any(), choice[0], choice[1]]
        m.d.comb += [t.eq(c & self.o.ready) for c, t in zip(chosen, taken, strict=True)]
        m.d.comb += [
            codes.o.ready.eq(taken[1]),
            scales.o.ready.eq(taken[2]),
            ports.done.eq(scales.o.valid & taken[2] & scales.o.payload.last),
        ]
        for at, packer, take in (
            (next_codes, codes, taken[1]),
            (next_scales, scales, taken[2]),
        ):
            with m.If(packer.o.valid & take):
                m.d.sync += at.eq(at + 1)
        with m.If(ports.start):
            m.d.sync += [next_codes.eq(ports.codes[low:]), next_scales.eq(ports.scales[low:])]

        address = Mux(choice[0], next_codes, next_scales) << low
        word, mask = (
            Mux(choice[0], *(part(packer) for packer in (codes, scales)))
            for part in (lambda p: p.o.payload.data, _mask)
        )
        if self.variant.kind is not None:
            with m.If(ports.put):
                m.d.sync += pending.eq(1)
            with m.Elif(taken[0]):
                m.d.sync += pending.eq(0)
            number = self._float32(ports.g)
            address = Mux(chosen[0], ports.tensor_scale, address)
            word = Mux(chosen[0], Cat(number, Const(0, 8 * width - 32)), word)
            mask = Mux(chosen[0], Const(15, width), mask)
        m.d.comb += [
            self.o.payload.address.eq(address),
            self.o.payload.data.eq(word),
            self.o.payload.mask.eq(mask),
        ]
        return m

    def _pack(self, m: Module, platform: object) -> tuple[Packer, Packer]:
        """The two packers, and a register in front of that of the scale codes."""
        v = self.variant
        codes = Packer(v.width, v.quantizer.recipe.block_size // 2, v.group)
        scales = Packer(v.width, 1, v.group)
        behind = Stage(scales.i.payload.shape())
        place(m, platform, "codes_packer", codes, clocked=True)
        place(m, platform, "scales_packer", scales, clocked=True)
        place(m, platform, "stage_scales", behind, clocked=True)
        given = self.i.payload
        m.d.comb += [
            codes.i.valid.eq(self.i.valid & behind.i.ready),
            behind.i.valid.eq(self.i.valid & codes.i.ready),
            self.i.ready.eq(codes.i.ready & behind.i.ready),
            codes.i.payload.data.eq(given.codes),
            codes.i.payload.blocks.eq(given.blocks),
            codes.i.payload.last.eq(given.last),
            behind.i.payload.data.eq(given.scales),
            behind.i.payload.blocks.eq(given.blocks),
            behind.i.payload.last.eq(given.last),
        ]
        wiring.connect(m, behind.o, scales.i)
        return codes, scales

    def _float32(self, g: Value) -> Value:
        """The float32 pattern of a tensor scale (spec §23.1)."""
        assert self.variant.kind is not None
        return Cat(Const(0, 23 - TENSOR_SCALE_FIELDS[self.variant.kind][1]), g, Const(0, 32))[:32]


def _mask(packer: Packer) -> Value:
    """A bit per byte of a packer's word: whether it belongs to a block."""
    return Cat(bit.replicate(packer.block) for bit in packer.o.payload.blocks)

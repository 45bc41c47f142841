"""Tensor measure: the tensor amax of groups of blocks, and the tensor scale (spec §24.7)."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from rtl.hierarchy import place
from rtl.tensor_amax import TensorAmax
from rtl.tensor_quantizer_variant import TensorQuantizerVariant


class TensorMeasure(wiring.Component):
    """Takes a tensor's groups of blocks; gives its amax, and its tensor scale if one is made.

    Args:
        variant: what to build; its recipe has a tensor scale.

    Members:
        start: In, sets the amax to 0.
        tail: In, number of blocks of the last group, less 1; only where a group is more than one.
        i: In, stream of groups; it always takes them unless amaxes wait.
        amax: Out, of the tensor whose last group has gone through, without its sign.
        o: Out, stream of tensor scales as words carry them (spec §23.1).
    """

    i: stream.Interface

    def __init__(self, variant: TensorQuantizerVariant) -> None:
        self.variant = variant
        q = variant.group
        x = variant.quantizer.input
        given = data.StructLayout({"data": 8 * q * variant.block_bytes, "last": 1})
        members = {
            "start": In(1),
            "i": In(stream.Signature(given)),
            "amax": Out(x.magnitude_bits),
        }
        if q > 1:
            members["tail"] = In(q.bit_length() - 1)
        if variant.scale_unit is not None:
            members["o"] = Out(stream.Signature(variant.scale_unit.output_layout.width))
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        """The logic of the unit."""
        m = Module()
        v, x = self.variant, self.variant.quantizer.input
        ports: Any = self
        lanes = v.group * v.quantizer.recipe.block_size
        largest = TensorAmax(x, lanes)
        place(m, platform, "tensor_amax", largest, clocked=True, scope=True)
        block = 8 * v.block_bytes
        given = self.i.payload
        for k in range(v.group):
            # What follows a tensor's last block in a memory word is not the tensor's.
            part = given.data.word_select(k, block)
            counts = ~given.last | (ports.tail >= k) if k else 1
            m.d.comb += (
                largest.i.payload[: block * v.group].word_select(k, block).eq(Mux(counts, part, 0))
            )
        amax = Signal(x.magnitude_bits)
        m.d.comb += [
            largest.i.payload[-1].eq(given.last),
            largest.i.valid.eq(self.i.valid),
            self.i.ready.eq(largest.i.ready),
            ports.amax.eq(amax),
        ]
        with m.If(largest.o.valid & largest.o.ready):
            m.d.sync += amax.eq(largest.o.payload)
        with m.If(ports.start):
            m.d.sync += amax.eq(0)
        if v.scale_unit is None:
            m.d.comb += largest.o.ready.eq(1)
            return m
        scale: Any = v.scale_unit.component()
        place(m, platform, "tensor_scale", scale, clocked=True, scope=True)
        wiring.connect(m, largest.o, scale.i)
        wiring.connect(m, scale.o, wiring.flipped(ports.o))
        return m

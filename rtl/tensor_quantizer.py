"""Tensor quantizer: from a read port through quantizers to a write port (spec §24)."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from emulator.layout import WordLayout
from rtl.hierarchy import place
from rtl.result_writer import ResultWriter
from rtl.tensor_measure import TensorMeasure
from rtl.tensor_quantizer_variant import ADDRESS_BITS, TensorQuantizerVariant
from rtl.tensor_reader import TensorReader

NO_BLOCKS, MISALIGNED = 1, 2
"""Why a command is refused (spec §24.4)."""


PHASES = ("idle", "measuring", "waiting", "quantizing", "done")
"""What a tensor quantizer is at; one register each, of which one is set."""


class TensorQuantizer(wiring.Component):
    """Quantizes tensors that lie in a memory, one per command.

    Args:
        variant: what to build.

    Members:
        command: In, stream of commands (spec §24.3).
        request: Out, stream of byte addresses of words to be read (spec §24.2).
        read: In, stream of the words that were asked for, in order (spec §24.2).
        write: Out, stream of words to be written (spec §24.2).
        status: Out, stream of what became of each command (spec §24.4).
    """

    command: stream.Interface
    request: stream.Interface
    read: stream.Interface
    write: stream.Interface
    status: stream.Interface

    def __init__(self, variant: TensorQuantizerVariant) -> None:
        self.variant = variant
        super().__init__(
            {
                "command": In(stream.Signature(_struct(variant.command_layout))),
                "request": Out(stream.Signature(ADDRESS_BITS)),
                "read": In(stream.Signature(8 * variant.width)),
                "write": Out(stream.Signature(_struct(variant.write_layout))),
                "status": Out(stream.Signature(_struct(variant.status_layout))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """The control, and the units wired to it."""
        m = Module()
        v = self.variant
        refused = Signal(2)
        phase = {name: Signal(name=name, init=name == "idle") for name in PHASES}

        def go(before: str, after: str) -> None:
            m.d.sync += [phase[before].eq(0), phase[after].eq(1)]

        # The command; the number of groups follows from that of blocks.
        given: Any = self.command.payload
        job: Any = Signal(given.shape(), reset_less=True)
        taken, refusal, start = Signal(), Signal(2), Signal()
        unaligned = Cat(given[base][: v.word_bits] for base in v.bases).any()
        m.d.comb += [
            self.command.ready.eq(phase["idle"]),
            taken.eq(self.command.valid & self.command.ready),
            refusal.eq(Mux(given.blocks.any(), Mux(unaligned, MISALIGNED, 0), NO_BLOCKS)),
            start.eq(taken & ~refusal.any()),
            self.status.valid.eq(phase["done"]),
            self.status.payload.refused.eq(refused),
        ]
        last_block = Signal(v.count_bits)
        m.d.comb += last_block.eq(job.blocks - 1)
        group_bits = v.count_bits - v.group_count_bits
        tail, last_group = last_block[:group_bits], last_block[group_bits:]

        reader: Any = TensorReader(v)
        place(m, platform, "tensor_reader", reader, clocked=True)
        wiring.connect(m, reader.request, wiring.flipped(self.request))
        wiring.connect(m, wiring.flipped(self.read), reader.read)
        m.d.comb += [
            reader.start.eq(start),
            reader.base.eq(job.x),
            reader.last_group.eq(last_group),
            reader.first.eq(phase["measuring"]),
            reader.enter.eq(phase["measuring"] | phase["quantizing"]),
        ]
        if v.buffer:
            m.d.comb += reader.local.eq(job.blocks <= v.buffer)

        writer: Any = ResultWriter(v)
        place(m, platform, "result_writer", writer, clocked=True)
        wiring.connect(m, writer.o, wiring.flipped(self.write))
        m.d.comb += [
            writer.start.eq(start),
            writer.codes.eq(given.codes),
            writer.scales.eq(given.scales),
        ]

        with m.If(taken):
            m.d.sync += [job.eq(given), refused.eq(refusal)]
            with m.If(refusal.any()):
                go("idle", "done")
            with m.Else():
                go("idle", "quantizing" if v.scale_unit is None else "measuring")
        with m.If(phase["measuring"] & reader.ended):
            go("measuring", "waiting")
        with m.If(writer.done):
            go("quantizing", "done")
        with m.If(phase["done"] & self.status.ready):
            go("done", "idle")

        commands = (taken, start)
        offered, accepted, g = self._measure(
            m, platform, phase, commands, job, reader, writer, tail
        )
        self._quantize(m, platform, reader.o.payload.data, writer, offered, accepted, g)
        done = writer.i.valid & writer.i.ready
        made = Signal(v.group_count_bits)
        is_last = made == last_group
        m.d.comb += [
            writer.i.payload.last.eq(is_last),
            writer.i.payload.blocks.eq(Mux(is_last, tail, v.group - 1) + 1),
        ]
        with m.If(done):
            m.d.sync += made.eq(Mux(is_last, 0, made + 1))
        return m

    def _measure(
        self,
        m: Module,
        platform: object,
        phase: dict[str, Signal],
        commands: tuple[Signal, Signal],
        job: Any,
        reader: Any,
        writer: Any,
        tail: Value,
    ) -> tuple[Value, Signal, Value | None]:
        """Where groups go: to the quantizers, to the unit that measures them, or to both.

        ``commands`` say that one is taken, and that it is not refused: any sets the amax to 0.

        Returns:
            Whether a group is offered to the quantizers, what shall say that they take it, and
            their tensor scale.
        """
        v, accepted = self.variant, Signal(name="accepted")
        taken, start = commands
        if v.kind is None:
            m.d.comb += reader.o.ready.eq(accepted)
            return reader.o.valid, accepted, None
        measure: Any = TensorMeasure(v)
        place(m, platform, "tensor_measure", measure, clocked=True)
        status: Any = self.status.payload
        m.d.comb += [
            measure.start.eq(taken),
            measure.i.payload.eq(reader.o.payload),
            writer.tensor_scale.eq(job.tensor_scale),
            status.amax.eq(measure.amax),
        ]
        if v.group > 1:
            m.d.comb += measure.tail.eq(tail)
        if v.scale_unit is None:
            m.d.comb += [
                reader.o.ready.eq(accepted & measure.i.ready),
                measure.i.valid.eq(reader.o.valid & accepted),
                writer.g.eq(job.g),
                writer.put.eq(start),
            ]
            return reader.o.valid & measure.i.ready, accepted, job.g
        g = Signal(v.scale_unit.output_layout.width, reset_less=True)
        quantizing = phase["quantizing"]
        m.d.comb += [
            reader.o.ready.eq(Mux(quantizing, accepted, measure.i.ready)),
            measure.i.valid.eq(reader.o.valid & ~quantizing),
            measure.o.ready.eq(phase["waiting"]),
            writer.g.eq(g),
            writer.put.eq(measure.o.valid & measure.o.ready),
        ]
        with m.If(writer.put):
            m.d.sync += [g.eq(measure.o.payload), phase["waiting"].eq(0), quantizing.eq(1)]
        return reader.o.valid & quantizing, accepted, g

    def _quantize(
        self,
        m: Module,
        platform: object,
        group: Value,
        writer: Any,
        offered: Value,
        accepted: Signal,
        g: Value | None,
    ) -> None:
        """The quantizers, side by side in step: equal units that wait for the same things."""
        v, n = self.variant, self.variant.quantizer.recipe.block_size
        lanes = 8 * v.block_bytes
        for k in range(v.group):
            unit: Any = v.quantizer.component()
            place(m, platform, f"quantizer{k}", unit, kind="quantizer", clocked=True, scope=True)
            block = group.word_select(k, lanes)
            m.d.comb += [
                unit.i.payload.eq(block if g is None else Cat(block, g)),
                unit.i.valid.eq(offered),
                unit.o.ready.eq(writer.i.ready),
                writer.i.payload.codes.word_select(k, 4 * n).eq(unit.o.payload[: 4 * n]),
                writer.i.payload.scales.word_select(k, 8).eq(unit.o.payload[4 * n :]),
            ]
            if k == 0:
                m.d.comb += [accepted.eq(unit.i.ready), writer.i.valid.eq(unit.o.valid)]


def _struct(layout: WordLayout) -> data.StructLayout:
    """The fields of a word as Amaranth names them."""
    return data.StructLayout({f.name: f.width * f.count for f in layout.fields})

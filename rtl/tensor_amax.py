"""Tensor amax: the largest finite magnitude of a stream of words (spec §14.1, §23.3)."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from emulator.formats import Format
from emulator.layout import tensor_amax_layout
from rtl.hierarchy import place
from rtl.ripple import larger
from rtl.scaled_amax import LargestMagnitude
from rtl.stage import Stage


class TensorAmax(wiring.Component):
    """Keeps the largest finite magnitude seen, and gives it after a tensor's last word.

    Latency 2, interval 1: the next tensor may follow at once.

    Args:
        elements: format of the numbers.
        lanes: numbers per word.

    Members:
        i: In, stream of words: lanes, and above them the bit of the last word.
        o: Out, stream of tensor amaxes, patterns without their sign; 0 if no number is finite.
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, elements: Format, lanes: int) -> None:
        self.elements, self.lanes = elements, lanes
        super().__init__(
            {
                "i": In(stream.Signature(tensor_amax_layout(elements, lanes).width)),
                "o": Out(stream.Signature(elements.magnitude_bits)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """The logic of the unit."""
        m = Module()
        x, width = self.elements, self.elements.magnitude_bits
        tree = LargestMagnitude(width, self.lanes)
        place(m, platform, "amax_tree", tree, kind="amax")
        for i in range(self.lanes):
            magnitude = self.i.payload.word_select(i, x.width)[:width]
            finite = Signal(name=f"finite{i}")
            m.d.comb += [
                finite.eq(~magnitude[x.fraction_bits :].all()),
                tree.magnitudes.word_select(i, width).eq(Mux(finite, magnitude, 0)),
            ]

        layout = data.StructLayout({"largest": width, "last": 1})
        word = Stage(layout)
        place(m, platform, "stage_word", word, kind="stage_word", clocked=True)
        m.d.comb += [
            word.i.payload.largest.eq(tree.largest),
            word.i.payload.last.eq(self.i.payload[-1]),
            word.i.valid.eq(self.i.valid),
            self.i.ready.eq(word.i.ready),
        ]

        so_far = Signal(width)
        largest = larger(m, so_far, word.o.payload.largest, "largest")
        result = Stage(width)
        place(m, platform, "stage_o", result, kind="stage_o", clocked=True)
        last = word.o.payload.last
        m.d.comb += [
            result.i.payload.eq(largest),
            result.i.valid.eq(word.o.valid & last),
            word.o.ready.eq(~last | result.i.ready),
        ]
        with m.If(word.o.valid & word.o.ready):
            m.d.sync += so_far.eq(Mux(last, 0, largest))
        wiring.connect(m, result.o, wiring.flipped(self.o))
        return m

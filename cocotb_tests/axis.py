"""AXI4-Stream designs in the benches of the plain stream: an adapter gives them its ports.

A transfer becomes a word whose top bit is `tlast`, so that every protocol test, pause and reset of
the stream benches is one of the AXI4-Stream ports too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from cocotb_tests.subject import Subject
from emulator.layout import Field, WordLayout, Words
from rtl.axis import SUFFIX, axis_widths, axis_wrapper
from rtl.variant import Device, Variant


@dataclass(frozen=True)
class AxisDevice(Device):
    """The AXI4-Stream ports of a variant, `tlast` and `tdata` as one word.

    Args:
        inner: the variant behind the ports.
    """

    unit: ClassVar[str] = "axis"
    inner: Variant

    @property
    def name(self) -> str:
        """That of the variant, marked."""
        return f"axis-{self.inner.name}"

    @property
    def latency(self) -> int:
        """That of the variant: the wrapper adds no register."""
        return self.inner.latency

    @property
    def interval(self) -> int:
        """That of the variant."""
        return self.inner.interval

    @property
    def last_bit(self) -> int | None:
        """`tlast` calls for a word if the variant's own ``last`` does."""
        return None if self.inner.last_bit is None else self.input_layout.width - 1

    @property
    def input_layout(self) -> WordLayout:
        """`s_axis_tdata` and `s_axis_tlast`."""
        return _layout(axis_widths(self.inner)[0])

    @property
    def output_layout(self) -> WordLayout:
        """`m_axis_tdata` and `m_axis_tlast`."""
        return _layout(axis_widths(self.inner)[1])

    def verilog(self) -> str:
        """The variant, its wrapper and the adapter in one text; top module is `module`."""
        return self.inner.verilog() + axis_wrapper(self.inner) + self.adapter()

    def adapter(self) -> str:
        """Module `module` with the ports of spec §12.1 around the AXI4-Stream ones."""
        s, m = axis_widths(self.inner)
        return (
            f"module {self.module} (\n"
            f"    input wire clk, input wire rst, input wire [{s}:0] i_payload,\n"
            "    input wire i_valid, output wire i_ready,\n"
            f"    output wire [{m}:0] o_payload, output wire o_valid, input wire o_ready\n"
            ");\n"
            f"    {self.inner.module}{SUFFIX} wrapper (\n"
            "        .aclk(clk), .aresetn(~rst),\n"
            f"        .s_axis_tdata(i_payload[{s - 1}:0]), .s_axis_tlast(i_payload[{s}]),\n"
            "        .s_axis_tvalid(i_valid), .s_axis_tready(i_ready),\n"
            f"        .m_axis_tdata(o_payload[{m - 1}:0]), .m_axis_tlast(o_payload[{m}]),\n"
            "        .m_axis_tvalid(o_valid), .m_axis_tready(o_ready)\n"
            "    );\n"
            "endmodule\n"
        )


def _layout(bits: int) -> WordLayout:
    return WordLayout((Field("data", 0, 8, bits // 8), Field("last", bits, 1)))


class AxisSubject(Subject[AxisDevice]):
    """See `Subject`: the words of the variant behind, and `tlast` that goes along."""

    @property
    def inner(self) -> Subject[Any]:
        """The subject of the variant behind the ports."""
        from cocotb_tests.subjects import subject

        return subject(self.variant.inner)

    def names(self) -> list[str]:
        """Those of the variant."""
        return self.inner.names()

    def stimulus(self, name: str, *, words: int | None = None, seed: int = 0) -> Words:
        """Words of the variant; `tlast` is its ``last``, or drawn."""
        inner = self.inner.stimulus(name, words=words, seed=seed)
        at = self.variant.inner.last_bit
        if at is None:
            last = np.random.default_rng([seed, len(inner)]).random(len(inner)) < 0.25
            return _words(inner, last, self.variant.input_layout)
        bits = np.unpackbits(inner, axis=1, bitorder="little")
        data = np.packbits(np.delete(bits, at, axis=1), axis=1, bitorder="little")
        return _words(data, bits[:, at], self.variant.input_layout)

    def expected(self, words: Words) -> Words:
        """Words of the variant, with the `tlast` of theirs; 1 where a packet gives one word."""
        parts = self.variant.input_layout.unpack(words)
        last = parts["last"][:, 0].astype(bool)
        inner, at = self.variant.inner, self.variant.inner.last_bit
        given = parts["data"]
        if at is not None:
            bits = np.unpackbits(given, axis=1, bitorder="little")
            bits = np.insert(bits, at, last, axis=1)
            given = np.packbits(bits, axis=1, bitorder="little")
        required = self.inner.expected(np.ascontiguousarray(given[:, : inner.input_layout.nbytes]))
        out_last = last if at is None else np.ones(len(required), bool)
        return _words(required, out_last, self.variant.output_layout)


def _words(data: Words, last: np.ndarray, layout: WordLayout) -> Words:
    padded = np.zeros((len(data), layout.field("data").count), np.uint8)
    used = min(data.shape[1], padded.shape[1])
    padded[:, :used] = data[:, :used]
    return layout.pack(data=padded, last=last.astype(np.uint8))

"""AXI4-Stream: a wrapper in plain Verilog around a variant's module.

The streams of spec §12 already keep AXI4-Stream's handshake; the wrapper pads `tdata` to whole
bytes, inverts the reset and carries `tlast` from each input word to its result.
"""

from __future__ import annotations

from rtl.variant import Variant

SUFFIX = "_axis"
"""What the wrapper's module name has after the variant's."""


def axis_widths(variant: Variant) -> tuple[int, int]:
    """Bits of `s_axis_tdata` and `m_axis_tdata`: the payloads, padded to whole bytes.

    A payload's own ``last`` bit travels as `s_axis_tlast` and is no part of the data.
    """
    data = variant.input_layout.width - (variant.last_bit is not None)
    return -(-data // 8) * 8, -(-variant.output_layout.width // 8) * 8


def axis_wrapper(variant: Variant) -> str:
    """Verilog of module ``<variant.module>_axis``, which instantiates ``<variant.module>``."""
    s_bits, m_bits = axis_widths(variant)
    i_bits, o_bits = variant.input_layout.width, variant.output_layout.width
    last = variant.last_bit
    if last is None:
        payload = f"s_axis_tdata[{i_bits - 1}:0]"
        body, m_last, meaning = _carried(variant.latency + 2), "lasts[0]", "as the input word's"
        valid, ready = "s_axis_tvalid & ~full", "i_ready & ~full"
    else:
        parts = [f"s_axis_tdata[{i_bits - 2}:{last}]"] if last < i_bits - 1 else []
        parts += ["s_axis_tlast", *([f"s_axis_tdata[{last - 1}:0]"] if last else [])]
        payload = f"{{{', '.join(parts)}}}"
        body, m_last, meaning = [], "1'b1", "always 1: a packet gives one word"
        valid, ready = "s_axis_tvalid", "i_ready"
    pad = m_bits - o_bits
    m_data = f"{{{pad}'b0, o_payload}}" if pad else "o_payload"
    lines = [
        f"// AXI4-Stream wrapper of {variant.name}, by finescale.",
        "// One word per transfer, without tkeep: bits above the payload are ignored, or 0.",
        f"// m_axis_tlast: {meaning}.",
        "// Generated: change the generator, not this file.",
        "// SPDX-License-Identifier: Apache-2.0",
        "",
        f"module {variant.module}{SUFFIX} (",
        "    input  wire aclk,",
        "    input  wire aresetn,  // synchronous, active low",
        f"    input  wire [{s_bits - 1}:0] s_axis_tdata,",
        "    input  wire s_axis_tvalid,",
        "    output wire s_axis_tready,",
        "    input  wire s_axis_tlast,",
        f"    output wire [{m_bits - 1}:0] m_axis_tdata,",
        "    output wire m_axis_tvalid,",
        "    input  wire m_axis_tready,",
        "    output wire m_axis_tlast",
        ");",
        "    wire i_ready, o_valid;",
        f"    wire [{o_bits - 1}:0] o_payload;",
        *body,
        f"    assign s_axis_tready = {ready};",
        "    assign m_axis_tvalid = o_valid & aresetn;  // low while in reset",
        f"    assign m_axis_tdata = {m_data};",
        f"    assign m_axis_tlast = {m_last};",
        f"    {variant.module} core (",
        "        .clk(aclk), .rst(~aresetn),",
        f"        .i_payload({payload}),",
        f"        .i_valid({valid}), .i_ready(i_ready),",
        "        .o_payload(o_payload), .o_valid(o_valid), .o_ready(m_axis_tready)",
        "    );",
        "endmodule",
    ]
    return "\n".join(lines) + "\n"


def _carried(depth: int) -> list[str]:
    """A queue of the `tlast` of the words fill; more never fit into the core at full rate."""
    bits = depth.bit_length()
    return [
        f"    reg [{depth - 1}:0] lasts;  // of the words in the core, the oldest at bit 0",
        f"    reg [{bits - 1}:0] fill;",
        f"    wire full = fill == {bits}'d{depth};",
        "    wire enter = s_axis_tvalid & s_axis_tready;",
        "    wire leave = o_valid & m_axis_tready;",
        f"    wire [{bits - 1}:0] fill_after_leave = fill - {{{bits - 1}'b0, leave}};",
        "    always @(posedge aclk) begin",
        "        if (!aresetn) begin",
        f"            fill <= {bits}'d0;",
        "        end else begin",
        f"            fill <= fill_after_leave + {{{bits - 1}'b0, enter}};",
        "            if (leave) lasts <= lasts >> 1;",
        "            if (enter) lasts[fill_after_leave] <= s_axis_tlast;",
        "        end",
        "    end",
    ]

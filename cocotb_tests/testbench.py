"""A self-checking testbench in plain SystemVerilog, which replays hex files in any simulator.

It needs `$readmemh` and `$value$plusargs` and nothing of Python, so that a team without it can
use the vectors (spec §11.3).
"""

from __future__ import annotations

from cocotb_tests.vectors import Vectors
from emulator.layout import to_hex
from rtl.axis import SUFFIX, axis_widths
from rtl.variant import Variant

PASSED = "PASS"
"""First word of the line that a testbench prints if every word was identical."""


def bench_files(vectors: Vectors, interface: str = "stream") -> dict[str, str]:
    """The testbench of a variant and its vectors, by file name; the testbench comes first.

    Args:
        vectors: named stimuli with the required words.
        interface: ``"stream"`` or ``"axis"``, the interface of the exported module.
    """
    variant = vectors.subject.variant
    name = variant.module
    layouts = {"stimulus": variant.input_layout, "expected": variant.output_layout}
    words = {"stimulus": vectors.words, "expected": vectors.spec}
    hexes = {
        f"{name}.{kind}.hex": "".join(f"{line}\n" for line in to_hex(words[kind], layout))
        for kind, layout in layouts.items()
    }
    design = _axis_design(variant) if interface == "axis" else _stream_design(variant)
    text = _TESTBENCH
    for key, value in {
        "VARIANT": variant.name,
        "MODULE": name,
        "I_MSB": str(variant.input_layout.width - 1),
        "O_MSB": str(variant.output_layout.width - 1),
        "WORDS_IN": str(len(vectors.words)),
        "WORDS_OUT": str(len(vectors.spec)),
        "DESIGN": design,
        "PASSED": PASSED,
    }.items():
        text = text.replace(f"@{key}@", value)
    return {f"{name}_tb.sv": text, **hexes}


def _stream_design(variant: Variant) -> str:
    return (
        f"  {variant.module} dut (\n"
        "    .clk(clk), .rst(rst), .i_payload(i_payload), .i_valid(i_valid), .i_ready(i_ready),\n"
        "    .o_payload(o_payload), .o_valid(o_valid), .o_ready(o_ready)\n"
        "  );"
    )


def _axis_design(variant: Variant) -> str:
    s_bits, m_bits = axis_widths(variant)
    i_bits, o_bits = variant.input_layout.width, variant.output_layout.width
    last = variant.last_bit
    if last is None:
        data, tlast = "i_payload", "1'b0"
    else:
        high = [f"i_payload[{i_bits - 1}:{last + 1}]"] if last < i_bits - 1 else []
        low = [f"i_payload[{last - 1}:0]"] if last else []
        data, tlast = f"{{{', '.join(high + low)}}}", f"i_payload[{last}]"
    pad = s_bits - i_bits + (last is not None)
    tdata = f"{{{pad}'b0, {data}}}" if pad else data
    return (
        f"  wire [{m_bits - 1}:0] tdata;\n"
        f"  assign o_payload = tdata[{o_bits - 1}:0];\n"
        f"  {variant.module}{SUFFIX} dut (\n"
        "    .aclk(clk), .aresetn(~rst),\n"
        f"    .s_axis_tdata({tdata}), .s_axis_tlast({tlast}),\n"
        "    .s_axis_tvalid(i_valid), .s_axis_tready(i_ready),\n"
        "    .m_axis_tdata(tdata), .m_axis_tlast(),\n"
        "    .m_axis_tvalid(o_valid), .m_axis_tready(o_ready)\n"
        "  );"
    )


_TESTBENCH = """\
// Self-checking testbench of @VARIANT@, by finescale.
//
// Sends the words of @MODULE@.stimulus.hex and compares every output word with those of
// @MODULE@.expected.hex, all bits of it, unknown ones included. Both sides pause at random.
//   +stimulus=FILE +expected=FILE   other files of as many words
//   +seed=N                         of the pauses, from 1
//   +pauses=N                       chance of a pause in a cycle, of 256; 0 is full rate
// Prints "@PASSED@ ..." or ends with an error. Runs in Icarus (iverilog -g2012) and in Verilator
// (verilator --binary --timing); nothing in it is particular to them.
// Generated: change the generator, not this file.
// SPDX-License-Identifier: Apache-2.0
`timescale 1ns / 1ps

module @MODULE@_tb;
  localparam integer WORDS_IN = @WORDS_IN@, WORDS_OUT = @WORDS_OUT@;
  localparam integer IDLE_LIMIT = 20000, DRAIN = 64, SHOWN = 5;

  reg clk = 1'b0, rst = 1'b1;
  reg [@I_MSB@:0] i_payload = 0;
  reg i_valid = 1'b0, o_ready = 1'b0;
  wire i_ready, o_valid;
  wire [@O_MSB@:0] o_payload;
@DESIGN@

  reg [@I_MSB@:0] stimulus[0:WORDS_IN-1];
  reg [@O_MSB@:0] expected[0:WORDS_OUT-1];
  reg [8*1024-1:0] stimulus_file, expected_file;
  reg [31:0] state;  // xorshift, the same in every simulator
  integer pauses, sent = 0, got = 0, wrong = 0, idle = 0, cycle = 0, next;
  reg held = 1'b0;
  reg [@O_MSB@:0] held_payload;

  always #1 clk = ~clk;

  function automatic [31:0] step(input [31:0] x);
    begin
      step = x ^ (x << 13);
      step = step ^ (step >> 17);
      step = step ^ (step << 5);
    end
  endfunction

  initial begin
    if (!$value$plusargs("stimulus=%s", stimulus_file)) stimulus_file = "@MODULE@.stimulus.hex";
    if (!$value$plusargs("expected=%s", expected_file)) expected_file = "@MODULE@.expected.hex";
    if (!$value$plusargs("seed=%d", state)) state = 1;
    if (!$value$plusargs("pauses=%d", pauses)) pauses = 96;
    if (state == 0) state = 1;
    $readmemh(stimulus_file, stimulus);
    $readmemh(expected_file, expected);
    if (^stimulus[WORDS_IN-1] === 1'bx || ^expected[WORDS_OUT-1] === 1'bx)
      $fatal(1, "the vectors are not there: fewer words than %0d and %0d", WORDS_IN, WORDS_OUT);
    repeat (3) @(posedge clk);
    rst <= 1'b0;
  end

  always @(posedge clk) begin
    if (!rst) begin
      cycle <= cycle + 1;
      state <= step(step(state));
      // The source: an offered word stays until it is taken.
      next = sent;
      if (i_valid && i_ready) begin
        next = sent + 1;
        sent <= next;
      end
      if (!i_valid || i_ready) begin
        i_valid <= next < WORDS_IN && state[7:0] >= pauses;
        if (next < WORDS_IN) i_payload <= stimulus[next];
      end
      // The sink.
      o_ready <= state[23:16] >= pauses;
      if (o_valid !== 1'b0 && o_valid !== 1'b1) $fatal(1, "cycle %0d: o_valid is unknown", cycle);
      if (held && (!o_valid || o_payload !== held_payload))
        $fatal(1, "cycle %0d: an offered word was withdrawn or changed", cycle);
      held <= o_valid && !o_ready;
      held_payload <= o_payload;
      if (o_valid && o_ready) begin
        if (got == WORDS_OUT) $fatal(1, "cycle %0d: more than %0d words", cycle, WORDS_OUT);
        if (o_payload !== expected[got]) begin
          if (wrong < SHOWN)
            $display("word %0d: dut %h, spec %h", got, o_payload, expected[got]);
          wrong <= wrong + 1;
        end
        got <= got + 1;
      end
      idle <= (i_valid && i_ready) || (o_valid && o_ready) ? 0 : idle + 1;
      if (got == WORDS_OUT && sent == WORDS_IN && idle >= DRAIN) begin
        if (wrong != 0) $fatal(1, "%0d of %0d words differ", wrong, WORDS_OUT);
        $display("@PASSED@ %0d words of @VARIANT@ identical, %0d cycles", got, cycle);
        $finish;
      end
      if (idle > IDLE_LIMIT)
        $fatal(1, "no transfer for %0d cycles: %0d words sent, %0d seen", IDLE_LIMIT, sent, got);
    end
  end
endmodule
"""

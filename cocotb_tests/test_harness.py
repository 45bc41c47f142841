"""The benches themselves: faults of a design must be found, and a check of nothing must fail."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cocotb_tests import harness, model, scoreboard
from cocotb_tests.bulk import BulkModel
from cocotb_tests.harness import Stimulus
from emulator.errors import MismatchError, ToolError
from rtl.variants import quantizer

FAULTY = Path(__file__).parent / "fixtures" / "faulty.v"
STAND_IN = quantizer("quantizer-ue4m3-absmax-b2-bf16")

pytestmark = pytest.mark.slow


def words(count: int = 400) -> Stimulus:
    """Random input words, and what `faulty.v` gives for them without a fault."""
    raw = np.random.Generator(np.random.PCG64(7)).integers(0, 256, (count, 4), np.uint8)
    x = raw.view("<u2")
    scale = (x[:, 0] ^ x[:, 1]) & 0xFF
    codes = (x[:, 0] >> 12) | (x[:, 1] >> 12) << 4
    return Stimulus(raw, np.stack([codes, scale], axis=1).astype(np.uint8))


@pytest.fixture(scope="session")
def built() -> model.Model:
    return model.build(FAULTY, STAND_IN)


def cocotb_run(built: model.Model, fault: int, *tests: str) -> list[harness.TestResult]:
    stimuli = dict.fromkeys(tests or harness.TESTS, words())
    return harness.run_tests(built, stimuli, plusargs=(f"+fault={fault}",))


def driver_verdict(built: model.Model, fault: int, **options: int) -> scoreboard.Verdict:
    given = words()
    run = BulkModel(built).run(given.words, plusargs=(f"+fault={fault}",), **options)
    return given.due(STAND_IN, run.reset).judge(run.words, STAND_IN, run.problem, "driver")


def test_no_fault_passes_every_test(built):
    results = cocotb_run(built, 0)
    assert [r.test for r in results] == list(harness.TESTS)
    for result in results:
        compared = result.verdict.require().compared
        reset = result.measured.get("reset", {"called": 0, "shown": 0})
        assert compared == 400 - (reset["called"] - reset["shown"])
    assert results[0].measured["latency"] == results[0].measured["latency_max"] == 1
    assert results[0].measured["interval"] == 1.0
    assert results[-1].measured["reset"]["accepted"] > 0


@pytest.mark.parametrize(
    "options",
    [{}, {"valid": 100, "ready": 100}, {"ready": 64, "hold": 20}, {"reset_cycle": 200}],
)
def test_no_fault_passes_the_driver(built, options):
    assert driver_verdict(built, 0, **options).require().compared >= 399


def test_latency_and_interval_are_measured(built):
    half, uneven = (cocotb_run(built, fault, "full_rate")[0] for fault in (9, 12))
    assert half.verdict.ok and half.measured["interval"] == 2.0
    assert uneven.verdict.ok and uneven.measured["interval"] > 1.0
    run = BulkModel(built).run(words().words, plusargs=("+fault=9",))
    assert (run.latency, run.latency_max, run.interval) == (1, 1, 2.0)


FAULTS = {
    "flipped bit": (1, "full_rate", "block 37 scale"),
    "dropped word": (2, "full_rate", "block 37: the word is missing"),
    "repeated word": (3, "full_rate", "the word before came a second time"),
    "deadlock": (4, "full_rate", "no transfer for .* cycles .i_ready=0, o_valid=0"),
    "payload changes": (5, "sink_pauses", "o_payload changed before the word was taken"),
    "valid falls": (6, "sink_pauses", "o_valid fell before the word was taken"),
    "ignored reset": (7, "reset_in_mid_stream", "came out .*after reset"),
    "no output at all": (8, "full_rate", "no word was compared"),
    "word after reset": (10, "full_rate", "came out .*after reset"),
    "valid waits for ready": (13, "full_rate", r"o_valid waits for o_ready .spec §12.2."),
    "register without reset": (14, "full_rate", "400 of 400 words differ"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_cocotb_finds(built, name):
    fault, test, message = FAULTS[name]
    verdict = cocotb_run(built, fault, test)[0].verdict
    with pytest.raises(MismatchError, match=message):
        verdict.require()


def test_valid_waits_in_every_pattern(built):
    """Pauses alone do not show it: the sink has to stay closed (spec §12.2)."""
    tests = ("full_rate", "random_both", "source_pauses", "sink_pauses")
    for result in cocotb_run(built, 13, *tests):
        assert not result.verdict.mismatches
        assert result.verdict.problems == ["o_valid waits for o_ready (spec §12.2)"]


def test_registers_start_at_random_by_the_seed(built):
    """A register without a reset has another first value for another seed, 0 included."""
    given, found = words(), set[bytes]()
    for seed in (0, 1, 2, 0):
        run = BulkModel(built).run(given.words, seed=seed, plusargs=("+fault=14",))
        assert not run.problem
        found.add((run.words[0] ^ given.spec[0]).tobytes())
        assert driver_verdict(built, 0, seed=seed, ready=128).require().compared == 400
    assert len(found) == 3 and bytes(2) not in found


@pytest.mark.parametrize("name", FAULTS)
def test_driver_finds(built, name):
    fault, test, message = FAULTS[name]
    options = {
        "full_rate": {},
        "sink_pauses": {"ready": 128},
        "reset_in_mid_stream": {"ready": 128, "reset_cycle": 300},
    }[test]
    with pytest.raises(MismatchError, match=message):
        driver_verdict(built, fault, **options).require()


def test_a_word_that_no_input_called_for(built):
    """A repeated word among long pauses of the source comes before the next input."""
    with pytest.raises(MismatchError, match="no input called for"):
        driver_verdict(built, 3, valid=16).require()


def test_a_crash_is_no_pass(built):
    with pytest.raises(ToolError, match="the simulation failed"):
        cocotb_run(built, 11, "full_rate")
    with pytest.raises(ToolError, match="the simulation ended early"):
        driver_verdict(built, 11)


def test_no_test_and_unknown_test_fail(built):
    with pytest.raises(MismatchError, match=r"tests \[\] are not some of"):
        harness.run_tests(built, {})
    with pytest.raises(MismatchError, match="nonsense"):
        harness.run_tests(built, {"nonsense": words()})


def test_another_number_of_tests_fails(built, monkeypatch):
    """The simulator's own count is checked, not only that nothing failed."""
    monkeypatch.setattr("cocotb_tools.check_results.get_results", lambda _: (0, 0))
    with pytest.raises(ToolError, match="0 tests ran and 0 of them failed, not 1 and 0"):
        cocotb_run(built, 0, "full_rate")


def test_zero_words_fail(built):
    nothing = words(0)
    with pytest.raises(MismatchError, match=r"no word was compared \(spec §13.2\)"):
        harness.run_tests(built, {"full_rate": nothing})[0].verdict.require()
    with pytest.raises(MismatchError, match=r"no word \(spec §13.2\)"):
        BulkModel(built).run(nothing.words)
    verdict = scoreboard.judge(nothing.spec, nothing.spec, nothing.words, STAND_IN)
    with pytest.raises(MismatchError, match="no word was compared"):
        verdict.require()


def test_a_reset_after_the_end_is_reported(built):
    assert "before the reset" in driver_verdict(built, 0, reset_cycle=10_000).problems[0]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("    output            o_valid,\n", "", "no port o_valid .output, 1 bits."),
        ("[31:0] i_payload", "[15:0] i_payload", "port i_payload is input, 16 bits, not input, 32"),
        ("input             o_ready", "input enable, input o_ready", "unknown input enable"),
        (
            "[15:0] o_payload",
            "[14:0] o_payload",
            "port o_payload is output, 15 bits, not output, 16",
        ),
        ("module faulty (", "module other (input clk); endmodule\nmodule faulty (", "candidates"),
        ("endmodule", "endmodul", "syntax error"),
    ],
)
def test_ports_are_checked(tmp_path, old, new, message):
    text = FAULTY.read_text().replace(old, new)
    if "o_valid,\n" in old:
        text = text.replace("    assign o_valid", "    wire o_valid; assign o_valid")
    file = tmp_path / "dut.v"
    file.write_text(text)
    with pytest.raises(ToolError, match=message) as info:
        model.build(file, STAND_IN)
    assert "\n" not in str(info.value)


def test_another_output_is_allowed(tmp_path):
    file = tmp_path / "dut.v"
    text = FAULTY.read_text()
    file.write_text(text.replace("output            i_ready", "output i_ready, output [3:0] debug"))
    found = model.toolchain.dut_ports(file, "faulty")
    model.toolchain.check_ports(found, STAND_IN.ports, "dut.v")


def test_a_second_build_is_found(built):
    before = built.program.stat().st_mtime_ns
    assert model.build(FAULTY, STAND_IN).program.stat().st_mtime_ns == before

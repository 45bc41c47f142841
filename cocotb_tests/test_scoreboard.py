"""The scoreboard's verdicts and explanations, on words written by hand from the specification."""

from __future__ import annotations

import numpy as np
import pytest

from cocotb_tests.scoreboard import judge
from emulator.errors import MismatchError
from emulator.layout import Words
from rtl.variants import QuantizerVariant, quantizer


def rows(*words: str) -> Words:
    """Words written as hex, top digit first (spec §11.3)."""
    return np.array([list(bytes.fromhex(word))[::-1] for word in words], np.uint8)


def explained(v: QuantizerVariant, stimulus: str, spec: str, dut: str) -> list[str]:
    verdict = judge(rows(spec), rows(dut), rows(stimulus), v)
    assert (verdict.compared, verdict.mismatches, verdict.ok) == (1, 1, False)
    return verdict.explanations


def test_identical_words():
    v = quantizer("quantizer-ue5m3-absmax-b2-bf16")
    verdict = judge(rows("7857"), rows("7857"), rows("404040c0"), v)
    assert verdict.ok and verdict.require() is verdict
    assert verdict.report() == "quantizer-ue5m3-absmax-b2-bf16: 1 words identical"


def test_a_line_tells_inputs_dut_and_spec():
    """block, lane, x in hex and decimal, scale => dut and spec codes with values, the clause."""
    v = quantizer("quantizer-ue5m3-absmax-b2-bf16")
    assert explained(v, "404040c0", "7857", "7847") == [
        "block 0 lane 1: x 4040 (3), scale 78 (1) => dut 4 (2), spec 5 (3) (spec §9.1)"
    ]
    assert explained(v, "404040c0", "7857", "7957") == [
        "block 0 scale, lane 0 is largest: x 40c0 (6) => dut 79 (1.125), spec 78 (1) (spec §8.1)"
    ]


@pytest.mark.parametrize(
    ("name", "stimulus", "spec", "dut", "clause"),
    [
        ("ue5m3-absmax", "404040c0", "7857", "785f", "§9.2"),  # sign of lane 0
        ("ue5m3-absmax", "36803680", "0000", "0001", "§9.3"),  # zero scale
        ("ue5m3-absmax", "3f807fc0", "ff00", "ff01", "§6.1"),  # NaN
        ("ue5m3-absmax", "3f807f80", "fe07", "ff07", "§6.2"),  # infinity
        ("ue5m3-absmax", "7f007f00", "fe77", "ff77", "§8.2"),  # saturation
        ("ue5m3-absmax-pz", "36803680", "0111", "0011", "§8.3"),
        ("ue4m3-absmax", "000040c0", "3807", "b807", "§2.3"),  # the bit above the code
        ("e8m0-floor", "000040c0", "7f07", "8007", "§8.4"),
        ("e8m0-ceil", "000040c0", "7f07", "8007", "§8.5"),
        ("e8m0-even", "000040df", "7f07", "8007", "§8.6"),
        ("e8m0-floor", "80000000", "0080", "0180", "§8.7"),  # zero block
    ],
)
def test_the_clause_that_governs(name, stimulus, spec, dut, clause):
    v = quantizer(f"quantizer-{name}-b2-bf16")
    assert explained(v, stimulus, spec, dut)[0].endswith(f"(spec {clause})")


def test_values_of_special_inputs():
    v = quantizer("quantizer-e8m0-floor-b2-fp32")
    (line,) = explained(v, "ff80000080000000", "fef8", "fef0")
    assert line == "block 0 lane 0: x 80000000 (-0), scale fe (1.70141183e+38) => " + (
        "dut 0 (0), spec 8 (-0) (spec §6.2)"
    )
    lines = explained(v, "7fc00001ff800000", "ff00", "ff70")
    assert "x 7fc00001 (nan), scale ff (nan) => dut 7 (6), spec 0 (0) (spec §6.1)" in lines[0]


def test_another_number_of_words():
    v = quantizer("quantizer-ue5m3-absmax-b2-bf16")
    spec = rows(*(f"{k:04x}" for k in range(20)))
    stimulus = np.zeros((20, 4), np.uint8)
    short = judge(spec, np.delete(spec, 5, axis=0), stimulus, v)
    assert short.problems == [
        "1 of 20 words are missing (spec §12.3)",
        "block 5: the word is missing, the next ones follow (spec §12.3)",
    ]
    long = judge(spec, np.insert(spec, 5, spec[4], axis=0), stimulus, v)
    assert long.problems == [
        "1 words more than the 20 due (spec §12.3)",
        "block 5: the word before came a second time (spec §12.3)",
    ]
    last = judge(spec, spec[:-1], stimulus, v)
    assert not last.ok and last.mismatches == 0
    with pytest.raises(MismatchError, match="1 of 20 words are missing"):
        last.require()


def test_nothing_compared_fails():
    v = quantizer("quantizer-ue5m3-absmax-b2-bf16")
    none = np.zeros((0, 2), np.uint8)
    verdict = judge(none, none, np.zeros((0, 4), np.uint8), v)
    with pytest.raises(MismatchError, match=r"no word was compared \(spec §13.2\)"):
        verdict.require()


def test_a_problem_of_the_bench_fails():
    v = quantizer("quantizer-ue5m3-absmax-b2-bf16")
    words = rows("7857")
    with pytest.raises(MismatchError, match="o_valid fell"):
        judge(words, words, rows("404040c0"), v, problem="o_valid fell").require()


def test_explanations_are_few():
    v = quantizer("quantizer-ue5m3-absmax-b2-bf16")
    spec = np.zeros((1000, 2), np.uint8)
    dut = spec + np.arange(1, 2001, dtype=np.uint16).reshape(1000, 2).astype(np.uint8)
    verdict = judge(spec, dut, np.zeros((1000, 4), np.uint8), v)
    assert verdict.mismatches > 900
    assert len(verdict.report().splitlines()) < 20


def test_shapes_are_checked():
    v = quantizer("quantizer-ue5m3-absmax-b2-bf16")
    with pytest.raises(ValueError, match=r"dut words have shape \(1, 3\), not \(1, 2\)"):
        judge(rows("7857"), rows("007857"), rows("404040c0"), v)
    with pytest.raises(ValueError, match=r"stimulus words have shape \(2, 4\), not \(1, 4\)"):
        judge(rows("7857"), rows("7857"), rows("404040c0", "404040c0"), v)

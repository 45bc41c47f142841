"""Stochastic rounding under tensor scales and powers of two, in Verilator (spec §19, §26.4)."""

from __future__ import annotations

from pathlib import Path

import pytest

from cocotb_tests import model
from cocotb_tests.bulk import BulkModel
from cocotb_tests.scoreboard import judge
from cocotb_tests.simulate import simulate
from cocotb_tests.subjects import subject
from rtl.variants import quantizer
from tests.rtl.random_scaled_mutants import RANDOM_SCALED_MUTANTS, random_scaled_mutant_verilog

pytestmark = pytest.mark.slow


def test_protocol_and_bits() -> None:
    """Directed and random words with pauses, each with its own tensor scale (spec §26.4, §12)."""
    v = quantizer("quantizer-ue4m3-absmax-sr4-h-b2-bf16-r9")
    report = simulate(v, blocks=500, bulk_blocks=20_000)
    assert report.cocotb_words >= 1_000 and report.driver_words >= 20_000
    assert (report.latency, report.interval) == (v.latency, 3)
    assert any(r.stimulus == "grid" for r in report.results)


@pytest.mark.parametrize("name", RANDOM_SCALED_MUTANTS)
def test_directed_words_catch(name: str, tmp_path: Path) -> None:
    """A fault in the product, the limit or the scale is found by directed words alone."""
    v = quantizer(RANDOM_SCALED_MUTANTS[name][0])
    about = subject(v)
    path = tmp_path / f"{v.module}.v"
    path.write_text(random_scaled_mutant_verilog(v, name))
    dut = BulkModel(model.build(path, v, top=v.module))
    words = about.stimulus("grid")
    run = dut.run(words)
    verdict = judge(about.expected(words), run.words, words, v, problem=run.problem)
    assert verdict.mismatches
    assert any("(spec §19.2)" in e and "seed" in e for e in verdict.explanations)

"""Quantizers with stochastic rounding, in Verilator (spec §19, §26)."""

from __future__ import annotations

from pathlib import Path

import pytest

from cocotb_tests import model
from cocotb_tests.bulk import BulkModel
from cocotb_tests.scoreboard import judge
from cocotb_tests.simulate import simulate
from cocotb_tests.subjects import subject
from rtl.variants import quantizer
from tests.rtl.random_mutants import RANDOM_MUTANTS, random_mutant_verilog

pytestmark = pytest.mark.slow


def test_protocol_and_bits() -> None:
    """Directed and random words with pauses, three cycles of the cipher each (spec §26.2, §12)."""
    v = quantizer("quantizer-ue4m3-absmax-sr4-b4-bf16-r9")
    report = simulate(v, blocks=2_000, bulk_blocks=20_000)
    assert report.cocotb_words >= 4_000 and report.driver_words >= 20_000
    assert (report.latency, report.interval) == (v.latency, 3)
    assert any(r.stimulus == "grid" for r in report.results)


@pytest.mark.parametrize("name", RANDOM_MUTANTS)
def test_directed_words_catch(name: str, tmp_path: Path) -> None:
    """A fault in the rounding or the cipher is found by directed words alone."""
    v = quantizer("quantizer-ue5m3-absmax-sr4-b2-bf16-r9")
    about = subject(v)
    path = tmp_path / f"{v.module}.v"
    path.write_text(random_mutant_verilog(v, name))
    dut = BulkModel(model.build(path, v, top=v.module))
    words = about.stimulus("grid")
    run = dut.run(words)
    verdict = judge(about.expected(words), run.words, words, v, problem=run.problem)
    assert verdict.mismatches
    assert "(spec §19.2)" in verdict.explanations[0] and "seed" in verdict.explanations[0]

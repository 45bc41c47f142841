"""Quantizers that choose by votes, in Verilator (spec §18); the matrix is exhaustive's."""

from __future__ import annotations

from pathlib import Path

import pytest

from cocotb_tests import model
from cocotb_tests.bulk import BulkModel
from cocotb_tests.scoreboard import judge
from cocotb_tests.simulate import simulate
from cocotb_tests.subjects import subject
from rtl.variants import quantizer
from tests.rtl.vote_mutants import VOTE_MUTANTS, vote_mutant_verilog

pytestmark = pytest.mark.slow

BLOCKS = 2_000


@pytest.mark.parametrize("name", ["quantizer-ue4m3-top3-b4-fp16", "quantizer-ue5m3-pop-b4-bf16"])
def test_protocol_and_bits(name: str) -> None:
    """Directed words, steps of the votes among them, and random ones, with pauses (spec §12)."""
    v = quantizer(name)
    report = simulate(v, blocks=BLOCKS, bulk_blocks=20_000)
    assert report.cocotb_words >= 2 * BLOCKS and report.driver_words >= 20_000
    assert (report.latency, report.interval) == (v.latency, 1)
    assert any(r.stimulus.startswith("votes") for r in report.results)


@pytest.mark.parametrize("name", VOTE_MUTANTS)
def test_directed_words_catch(name: str, tmp_path: Path) -> None:
    """A fault in the votes or the choice is found by directed words alone."""
    v = quantizer(VOTE_MUTANTS[name].name)
    about = subject(v)
    path = tmp_path / f"{v.module}.v"
    path.write_text(vote_mutant_verilog(v, name))
    dut = BulkModel(model.build(path, v, top=v.module))
    caught = []
    for stimulus in about.names():
        words = about.stimulus(stimulus)
        run = dut.run(words)
        verdict = judge(about.expected(words), run.words, words, v, problem=run.problem)
        if verdict.mismatches:
            assert "(spec §18" in verdict.explanations[0], verdict.explanations[0]
            caught.append(stimulus)
    assert any(s.startswith("votes") for s in caught)

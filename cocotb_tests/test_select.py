"""Quantizers that choose among candidates, in Verilator (spec §15); the matrix is exhaustive's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cocotb_tests import model
from cocotb_tests.bulk import BulkModel
from cocotb_tests.scoreboard import judge
from cocotb_tests.simulate import simulate
from cocotb_tests.subjects import subject
from rtl.variants import quantizer
from rtl.verilog import to_verilog
from tests.rtl.mutants import SELECT_MUTANTS, select_mutant_verilog

pytestmark = pytest.mark.slow

BLOCKS = 20_000
SIDE = "quantizer-ue4m3-3c-b4-bf16"
TURN = "quantizer-ue4m3-3c-b4-bf16-turn"


def driver(verilog: str, name: str, folder: Path) -> BulkModel:
    v = quantizer(name)
    path = folder / f"{v.module}.v"
    path.write_text(verilog)
    return BulkModel(model.build(path, v, top=v.module))


@pytest.mark.parametrize("name", [SIDE, TURN])
def test_protocol_and_bits(name: str) -> None:
    """Directed words, equal errors among them, and random ones, with pauses (spec §12, §15)."""
    v = quantizer(name)
    report = simulate(v, blocks=BLOCKS, bulk_blocks=100_000)
    assert report.cocotb_words >= 2 * BLOCKS and report.driver_words >= 100_000
    assert (report.latency, report.interval) == (v.latency, v.interval)
    assert any(r.stimulus.startswith("choices") for r in report.results)


def test_side_by_side_and_in_turn_agree(tmp_path: Path) -> None:
    """A variant decides no bit: the same words on the same stimuli."""
    about = subject(quantizer(SIDE))
    words = np.concatenate(
        [about.stimulus(name) for name in about.names()]
        + [about.stimulus("random", words=20_000, seed=7)]
    )
    runs = [
        driver(to_verilog(quantizer(name)), name, tmp_path).run(words, valid=200, ready=150)
        for name in (SIDE, TURN)
    ]
    assert len(runs[0].words) == len(words) > 20_000
    assert (runs[0].words == runs[1].words).all()


@pytest.mark.parametrize("name", SELECT_MUTANTS)
def test_directed_words_catch(name: str, tmp_path: Path) -> None:
    """A fault in the choice is found by directed words alone (spec §15.3, §15.4)."""
    small = "quantizer-ue4m3-3c-b2-bf16"
    v = quantizer(f"{small}-turn" if SELECT_MUTANTS[name].turn else small)
    about = subject(v)
    dut = driver(select_mutant_verilog(v, name), v.name, tmp_path)
    caught = []
    for stimulus in about.names():
        words = about.stimulus(stimulus)
        run = dut.run(words)
        verdict = judge(about.expected(words), run.words, words, v, problem=run.problem)
        if verdict.mismatches:
            assert "=> dut" in verdict.explanations[0] and "(spec §" in verdict.explanations[0]
            caught.append(stimulus)
    assert caught

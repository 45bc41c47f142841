"""Quantizers of limited width, in Verilator (spec §17); the matrix is exhaustive's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cocotb_tests import model
from cocotb_tests.bulk import BulkModel
from cocotb_tests.scoreboard import judge
from cocotb_tests.simulate import simulate
from cocotb_tests.subjects import subject
from cocotb_tests.test_select import clamped_words
from emulator.recipes import recipe
from emulator.tensor import quantize
from rtl.variants import quantizer
from rtl.verilog import to_verilog
from tests.rtl.limited_mutants import LIMITED_MUTANTS, TABLE, limited_mutant_verilog

pytestmark = pytest.mark.slow

BLOCKS = 2_000
SIDE = "quantizer-ue5m3-4o6-e5-b2-bf16"
TURN = "quantizer-ue5m3-4o6-e5-b2-bf16-turn"


def driver(verilog: str, name: str, folder: Path) -> BulkModel:
    v = quantizer(name)
    path = folder / f"{v.module}.v"
    path.write_text(verilog)
    return BulkModel(model.build(path, v, top=v.module))


@pytest.mark.parametrize("name", [TABLE, TURN])
def test_protocol_and_bits(name: str) -> None:
    """Directed words and random ones, with pauses (spec §12, §17.4, §17.7)."""
    v = quantizer(name)
    report = simulate(v, blocks=BLOCKS, bulk_blocks=20_000)
    assert report.cocotb_words >= 2 * BLOCKS and report.driver_words >= 20_000
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


def test_limited_choices_differ_from_exact_ones() -> None:
    """Else these benches could not tell one recipe from the other (spec §15.2, §17.3)."""
    x = np.random.Generator(np.random.PCG64(1)).standard_normal((4000, 2)).astype(np.float32)
    exact, *limited = (
        quantize(x, recipe(f"ue5m3-{rule}-b2")).scales for rule in ("4o6", "4o6-e5", "4o6t")
    )
    for scales in limited:
        assert 20 < (scales != exact).sum() < 2000
    assert (limited[0] != limited[1]).sum() > 20


@pytest.mark.parametrize("name", LIMITED_MUTANTS)
def test_directed_words_catch(name: str, tmp_path: Path) -> None:
    """A fault in the choice is found by directed words, and by blocks with a clamped scale."""
    v = quantizer(LIMITED_MUTANTS[name].variant)
    about = subject(v)
    dut = driver(limited_mutant_verilog(v, name), v.name, tmp_path)
    stimuli = {n: about.stimulus(n) for n in about.names()}
    stimuli["clamped"] = clamped_words(v, 5_000, 3)
    caught = []
    for stimulus, words in stimuli.items():
        run = dut.run(words)
        verdict = judge(about.expected(words), run.words, words, v, problem=run.problem)
        if verdict.mismatches:
            assert "=> dut" in verdict.explanations[0] and "(spec §" in verdict.explanations[0]
            caught.append(stimulus)
    assert caught

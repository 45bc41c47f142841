"""Quantizers that choose among candidates, in Verilator (spec §15); the matrix is exhaustive's."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest

from cocotb_tests import model
from cocotb_tests.bulk import BulkModel
from cocotb_tests.scoreboard import judge
from cocotb_tests.simulate import simulate
from cocotb_tests.subjects import subject
from emulator.directed import floor_pattern
from emulator.layout import Words
from rtl.variants import QuantizerVariant, quantizer
from rtl.verilog import to_verilog
from tests.rtl.mutants import SELECT_MUTANTS, select_mutant_verilog

pytestmark = pytest.mark.slow

BLOCKS = 2_000
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
    report = simulate(v, blocks=BLOCKS, bulk_blocks=20_000)
    assert report.cocotb_words >= 2 * BLOCKS and report.driver_words >= 20_000
    assert (report.latency, report.interval) == (v.latency, v.interval)
    assert any(r.stimulus.startswith("choices") for r in report.results)


def clamped_words(v: QuantizerVariant, blocks: int, seed: int) -> Words:
    """Blocks whose scale is clamped: amax up to 64 times it, the rest where M - 1 serves better."""
    rng, x, scale = np.random.default_rng(seed), v.input, v.recipe.scale
    top = floor_pattern(scale.max, x)
    low, high = (floor_pattern(scale.max * n / 8, x) for n in (1, 56))
    words = rng.integers(low, high, (blocks, v.recipe.block_size))
    serving = [floor_pattern(scale.max * n / 56, x) for n in (278, 280, 284, 196, 140)]
    same = rng.random(blocks) < 0.75
    words[same] = rng.choice(serving, same.sum())[:, None]
    lane = rng.integers(0, v.recipe.block_size, blocks)
    words[np.arange(blocks), lane] = top + rng.integers(0, 8 << x.fraction_bits, blocks)
    return v.input_layout.pack(x=words.astype(v.input_layout.fields[0].dtype))


def clamped_run(name: str, *, blocks: int, seed: int) -> int:
    """Run such blocks through a variant and return how many were compared."""
    v = quantizer(name)
    words = clamped_words(v, blocks, seed)
    spec = subject(v).expected(words)
    below = v.output_layout.unpack(spec)["scale"] == v.recipe.scale.max_code - 1
    assert blocks // 100 < below.sum() < blocks // 2  # both choices occur
    with tempfile.TemporaryDirectory() as folder:
        run = driver(to_verilog(v), name, Path(folder)).run(words)
    return judge(spec, run.words, words, v, problem=run.problem).require().compared


def test_clamped_scales() -> None:
    """Near the amax from which errors are not looked at (spec §8.2, §15.3)."""
    assert clamped_run(TURN, blocks=50_000, seed=3) == 50_000


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

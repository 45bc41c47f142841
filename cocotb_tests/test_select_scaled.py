"""Quantizers that choose under a tensor scale, in Verilator; the matrix is exhaustive's."""

from __future__ import annotations

import tempfile
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from cocotb_tests.scoreboard import judge
from cocotb_tests.simulate import simulate
from cocotb_tests.subjects import subject
from cocotb_tests.test_select import driver
from emulator.directed import floor_pattern
from emulator.formats import FP32
from emulator.scaled_words import carried, kind_of
from rtl.select_variant import SelectVariant
from rtl.variants import QuantizerVariant, quantizer
from rtl.verilog import to_verilog
from tests.rtl.scaled_select_mutants import SCALED_SELECT_MUTANTS, scaled_select_mutant_verilog

pytestmark = pytest.mark.slow

SIDE = "quantizer-ue4m3-3c-h-b2-bf16"
TURN = "quantizer-ue4m3-3c-h-b2-bf16-turn"


def test_protocol_and_bits() -> None:
    """Directed words, equal errors among them, and random ones, with pauses (spec §12, §15)."""
    v = quantizer("quantizer-ue4m3-4o6-pz-h-b4-bf16-turn")
    report = simulate(v, blocks=2_000, bulk_blocks=20_000)
    assert report.cocotb_words >= 4_000 and report.driver_words >= 20_000
    assert (report.latency, report.interval) == (v.latency, v.interval) == (4, 2)
    assert {"equal", "candidates", "clamped", "ties"} <= {r.stimulus for r in report.results}


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
    assert len(runs[0].words) == len(words) > 30_000
    assert (runs[0].words == runs[1].words).all()
    judge(about.expected(words), runs[0].words, words, quantizer(SIDE)).require()


@pytest.mark.parametrize(
    "name", ["quantizer-ue4m3-6c-hp2-b2-fp16-turn", "quantizer-ue4m3-3c-e5-hp2-b2-fp16-turn"]
)
def test_least_lanes_far_above_the_largest_scale(name: str) -> None:
    """Where a scale is clamped, each lane but 0 is 6, float16's least number too (spec §9.1)."""
    v = quantizer(name)
    about = subject(v)
    words = np.concatenate([about.stimulus(name) for name in about.names()])
    with tempfile.TemporaryDirectory() as folder:
        run = driver(to_verilog(v), name, Path(folder)).run(words, valid=256, ready=256)
    assert judge(about.expected(words), run.words, words, v).require().compared == len(words)


def clamped_run(name: str, *, blocks: int, seed: int) -> int:
    """Blocks whose scale is clamped, under many tensor scales, through a variant.

    Returns:
        How many were compared.
    """
    v = quantizer(name)
    layout, kind = v.input_layout, kind_of(v.recipe)
    rng = np.random.default_rng(seed)
    g = _tensor_scales(rng, kind, v.input.name == "fp16")
    fields = [clamped_patterns(v, blocks // len(g), FP32.value(int(p)), rng) for p in g]
    lanes = np.concatenate(fields)
    given = carried(np.repeat(g, blocks // len(g)), kind).astype(layout.field("g").dtype)
    words = layout.pack(x=lanes.astype(layout.field("x").dtype), g=given.reshape(-1, 1))
    spec = subject(v).expected(words)
    below = v.output_layout.unpack(spec)["scale"] == v.recipe.scale.max_code - 1
    assert blocks // 100 < below.sum() < blocks // 2  # both choices occur
    with tempfile.TemporaryDirectory() as folder:
        run = driver(to_verilog(v), name, Path(folder)).run(words)
    return judge(spec, run.words, words, v, problem=run.problem).require().compared


def _tensor_scales(rng: np.random.Generator, kind: str, narrow: bool) -> np.ndarray:
    """Float32 patterns of 20 tensor scales with which the largest scale is well in range."""
    exponent = rng.integers(102, 112, 20) if narrow else rng.integers(20, 230, 20)
    fraction = rng.integers(0, 1 << 23, 20) >> rng.integers(0, 24, 20)
    fraction &= {"hbf16": 0x7F0000, "hp2": 0}.get(kind, 0x7FFFFF)
    return (exponent << 23 | fraction).astype(np.uint32)


def clamped_patterns(
    v: QuantizerVariant, blocks: int, g: Fraction, rng: np.random.Generator
) -> np.ndarray:
    """Lanes of such blocks: amax up to 128 times s * g, the rest where M - 1 serves better."""
    x, top = v.input, v.recipe.scale.max * g
    low, high = (floor_pattern(top * n / 8, x) for n in (1, 56))
    words = rng.integers(low, high, (blocks, v.recipe.block_size))
    serving = [floor_pattern(top * n / 56, x) for n in (278, 280, 284, 196, 140)]
    same = rng.random(blocks) < 0.75
    words[same] = rng.choice(serving, same.sum())[:, None]
    lane = rng.integers(0, v.recipe.block_size, blocks)
    amax = floor_pattern(top, x) + rng.integers(0, 7 << x.fraction_bits, blocks)
    words[np.arange(blocks), lane] = np.minimum(amax, x.max_code)
    return words


def caught_by(name: str, folder: Path) -> list[str]:
    """The directed stimuli that find a fault (spec §15.1, §15.3, §15.4)."""
    v = quantizer(TURN if SCALED_SELECT_MUTANTS[name].turn else SIDE)
    assert isinstance(v, SelectVariant)
    about = subject(v)
    dut = driver(scaled_select_mutant_verilog(v, name), v.name, folder)
    caught = []
    for stimulus in about.names():
        words = about.stimulus(stimulus)
        run = dut.run(words)
        verdict = judge(about.expected(words), run.words, words, v, problem=run.problem)
        if verdict.mismatches:
            assert "=> dut" in verdict.explanations[0] and "(spec §" in verdict.explanations[0]
            caught.append(stimulus)
    return caught


@pytest.mark.parametrize("name", ["nothing-decided"])
def test_directed_words_catch(name: str, tmp_path: Path) -> None:
    """A fault in the choice is found by directed words alone; the others are exhaustive's."""
    assert caught_by(name, tmp_path)

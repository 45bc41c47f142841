"""The generated dot products against the specification, in Verilator.

`make exhaustive` runs the matrix of variants; here a few have to do, chosen so that every kind of
accumulation and every scale format is among them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cocotb_tests import model
from cocotb_tests.bulk import BulkModel
from cocotb_tests.scoreboard import Verdict, judge
from cocotb_tests.simulate import simulate, verify
from cocotb_tests.subjects import subject
from emulator import dot_stimulus
from rtl.dot_variant import SCALES, DotVariant
from rtl.variants import variant
from rtl.verilog import to_verilog
from tests.exhaustive_dot import MATRIX, all_scale_pairs
from tests.rtl.dot_mutants import MUTANTS, SCALED_MUTANTS, mutant_verilog

pytestmark = pytest.mark.slow

WORDS = 20_000


def dot(name: str) -> DotVariant:
    found = variant(name)
    assert isinstance(found, DotVariant)
    return found


@pytest.mark.parametrize("name", ["dot-ue4m3-b16-exact-h", "dot-ue5m3-b16-tc35-k32"])
def test_protocol(name):
    """Bits, order, reset, latency and interval, with pauses (spec §22.3, §22.8, §22.9, §12.2)."""
    v = dot(name)
    report = simulate(v, blocks=4_000, bulk_blocks=WORDS)
    assert sum(r.words for r in report.results if r.engine == "cocotb") >= 4_000
    assert report.cocotb_words > 2_000 and report.driver_words > 10_000  # results of such words
    assert (report.latency, report.interval) == (v.latency, 1.0)


@pytest.mark.parametrize(
    "name",
    [
        "dot-e8m0-b4-x2-fp32-cut",
        "dot-ue5m3-b8-exact-n1-cutis",
        "dot-ue4m3-b4-fp32-hbf16",
        "dot-ue4m3-b4-exact-hp2",
    ],
)
def test_more_accumulations(name):
    """Chained additions; overflow, infinity, subnormals (spec §22.5, §22.7, §16.4, §22.11)."""
    v = dot(name)
    report = verify(v, to_verilog(v), blocks=WORDS)
    assert report.driver_words > WORDS // 2
    assert (report.latency, report.interval) == (v.latency, 1.0)


@pytest.mark.parametrize("scale", SCALES)
def test_all_pairs_of_scales(scale):
    """All 65,536 pairs of stored scale codes (spec §22.10, §16.2, §16.12, §2.6)."""
    assert all_scale_pairs(scale, 16 if scale == "ue5m3" else 4) == 1 << 16


SMALL = dot("dot-ue5m3-b4-fp32")
SCALED = dot("dot-ue4m3-b2-fp32-hp2")


def verdicts(verilog: str, folder: Path, v: DotVariant = SMALL) -> dict[str, Verdict]:
    """Run all stimuli of a small variant through a design."""
    path = folder / f"{v.module}.v"
    path.write_text(verilog)
    driver = BulkModel(model.build(path, v, top=v.module))
    about = subject(v)
    found: dict[str, Verdict] = {}
    for name in about.names():
        words = about.stimulus(name)
        last = v.input_layout.unpack(words)["last"][:, 0] > 0
        run = driver.run(words)
        found[name] = judge(about.expected(words), run.words, words[last], v, problem=run.problem)
    return found


@pytest.mark.parametrize("name", [None, *MUTANTS, *SCALED_MUTANTS])
def test_mutants(name, tmp_path):
    """A wrong bit is found, and as such: the stream itself is in order (spec §13.1)."""
    v = SCALED if name in SCALED_MUTANTS else SMALL
    text = to_verilog(v) if name is None else mutant_verilog(v, name)
    found = verdicts(text, tmp_path, v)
    wrong = {stimulus: v for stimulus, v in found.items() if v.mismatches}
    assert bool(wrong) == (name is not None)
    for verdict in found.values():
        assert verdict.problems == [] and verdict.compared > 10
    for verdict in wrong.values():
        assert "=> dut" in verdict.explanations[0] and "(spec §" in verdict.explanations[0]


def test_the_matrix_is_pairwise():
    """Every scale meets every accumulation, every kind every block size (spec §22.8)."""
    variants = [dot(name) for name in MATRIX]
    assert len(set(MATRIX)) == len(MATRIX)
    pairs = {(v.scale.name, v.accumulation.name) for v in variants}
    assert len(pairs) == len(SCALES) * len({v.accumulation.name for v in variants}) == 18
    blocks: Any = {(v.block_size, v.accumulation.kind) for v in variants}
    assert blocks >= {(n, k) for n in (4, 8, 16, 32) for k in ("block", "fp32", "exact")}


def test_pairs_of_scales_leave_nothing_out():
    words = dot_stimulus.scale_pairs(SMALL.words, np.array([1, 2]), np.array([3, 4]))
    assert words["a_scales"].tolist() == [[1], [2]] and words["last"].all()

"""Faults in the gates have to be found by the golden vectors kept in the repository."""

from __future__ import annotations

from pathlib import Path

import pytest

from cocotb_tests import model
from cocotb_tests.bulk import BulkModel
from cocotb_tests.scoreboard import Verdict, judge
from cocotb_tests.toolchain import ROOT
from emulator import golden
from rtl.variants import quantizer
from rtl.verilog import to_verilog
from tests.rtl.mutants import MUTANTS, mutant_verilog

pytestmark = pytest.mark.slow

QUANTIZER = quantizer("quantizer-ue5m3-absmax-b8-bf16")


def verdicts(verilog: str, folder: Path) -> dict[str, Verdict]:
    """Run all committed vectors of the quantizer through a design."""
    path = folder / f"{QUANTIZER.module}.v"
    path.write_text(verilog)
    driver = BulkModel(model.build(path, QUANTIZER, top=QUANTIZER.module))
    found: dict[str, Verdict] = {}
    vectors = golden.load(ROOT / "golden_vectors", QUANTIZER.recipe, QUANTIZER.input)
    for name, words, spec in vectors:
        run = driver.run(words)
        found[name] = judge(spec, run.words, words, QUANTIZER, problem=run.problem)
    return found


def test_the_sound_design_passes(tmp_path):
    found = verdicts(to_verilog(QUANTIZER), tmp_path)
    assert sum(v.require().compared for v in found.values()) > 1000


@pytest.mark.parametrize("name", MUTANTS)
def test_committed_vectors_catch(name, tmp_path):
    """A wrong bit is found, and as such: the stream itself is in order (spec §13.1)."""
    found = verdicts(mutant_verilog(QUANTIZER, name), tmp_path)
    caught = {stimulus: v for stimulus, v in found.items() if v.mismatches}
    assert caught
    for verdict in caught.values():
        assert verdict.problems == []
        assert "=> dut" in verdict.explanations[0] and "(spec §" in verdict.explanations[0]
    directed = [stimulus for stimulus in caught if stimulus != "random"]
    assert directed, "only random vectors found the fault"

"""Choices of scales whose elements round at random, in Verilator (spec §19, §26.5)."""

from __future__ import annotations

from pathlib import Path

import pytest

from cocotb_tests.simulate import simulate
from rtl.variants import quantizer
from tests.exhaustive_random_select import FAULTS, caught
from tests.rtl.random_select_mutants import IN_TEST, RANDOM_SELECT_MUTANTS

pytestmark = pytest.mark.slow


def test_protocol_and_bits() -> None:
    """Directed and random words with pauses; a word waits for its scale (spec §26.5, §12)."""
    v = quantizer("quantizer-e8m0-fc-sr4-b2-bf16-turn-r9")
    report = simulate(v, blocks=500, bulk_blocks=20_000)
    assert report.cocotb_words >= 1_000 and report.driver_words >= 20_000
    assert (report.latency, report.interval) == (v.latency, 3)
    assert any(r.stimulus == "grids" for r in report.results)


@pytest.mark.parametrize("name", IN_TEST)
def test_faults_are_caught(name: str, tmp_path: Path) -> None:
    """A word taken twice, and a scale that was not chosen, by directed words alone."""
    assert caught(name, tmp_path) == "words"


def test_the_job_takes_all_faults() -> None:
    assert len(RANDOM_SELECT_MUTANTS) == FAULTS and set(IN_TEST) < set(RANDOM_SELECT_MUTANTS)

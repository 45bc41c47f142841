"""Quantizers that vote under a tensor scale, in Verilator; `make exhaustive` has more."""

from __future__ import annotations

import pytest

from cocotb_tests.simulate import simulate
from rtl.variants import quantizer

pytestmark = pytest.mark.slow


def test_protocol_and_bits() -> None:
    """Directed words, votes next to their steps among them, and random ones, with pauses."""
    v = quantizer("quantizer-ue4m3-top2-h-b2-bf16")
    report = simulate(v, blocks=2_000, bulk_blocks=20_000)
    assert report.cocotb_words >= 4_000 and report.driver_words >= 20_000
    assert (report.latency, report.interval) == (v.latency, 1)
    assert {"votes", "close", "candidates", "clamped"} <= {r.stimulus for r in report.results}

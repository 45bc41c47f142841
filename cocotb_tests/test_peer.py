"""Quantizers with the bits of a peer, in Verilator.

The rest of the matrix belongs to the exhaustive jobs.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cocotb_tests import toolchain
from cocotb_tests.peer_subject import PeerSubject
from cocotb_tests.simulate import simulate
from cocotb_tests.subjects import subject
from rtl.variants import variant
from rtl.verilog import to_verilog

pytestmark = pytest.mark.slow


def test_quantizer() -> None:
    """Bits, order, reset, latency and interval (spec §12.3 to §12.5, §25.1 to §25.8)."""
    report = simulate(
        variant("quantizer-peer-torchao-nvfp4-1level-b2-bf16"), blocks=2_000, bulk_blocks=20_000
    )
    assert report.cocotb_words >= 4_000 and report.driver_words >= 20_000
    assert (report.latency, report.interval) == (3, 1)


@pytest.mark.parametrize(
    "name", ["quantizer-peer-torchao-nvfp4-1level-b2-fp16", "quantizer-peer-te-nvfp4-b2-bf16"]
)
def test_ports_and_lint(name: str, tmp_path: Path) -> None:
    """The ports of spec §12.1, and no warning but the waived ones."""
    v = variant(name)
    path = tmp_path / f"{v.module}.v"
    path.write_text(to_verilog(v))
    assert toolchain.dut_ports(path, v.module) == v.ports
    assert toolchain.lint(path, v.module) == ""


def test_subject() -> None:
    """Words carry a multiplier where the peer takes one (spec §25.1), and messages show it."""
    for name, fields in (
        ("quantizer-peer-torchao-nvfp4-1level-b4-bf16", {"x"}),
        ("quantizer-peer-te-nvfp4-b4-bf16", {"x", "multiplier"}),
    ):
        v = variant(name)
        about = subject(v)
        assert isinstance(about, PeerSubject) and "elements" in about.names()
        words = about.stimulus("random", words=50, seed=7)
        assert {f.name for f in v.input_layout.fields} == fields and len(words) == 50
        spec = about.expected(words)
        wrong = spec.copy()
        wrong[0, 0] ^= 1
        (line,) = about.explain(spec[0], wrong[0], words[0], "block 0")
        assert "codes 0: x " in line and ("multiplier" in line) == ("multiplier" in fields)
        assert np.array_equal(about.expected(words), spec)
